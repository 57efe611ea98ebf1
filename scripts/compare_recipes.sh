#!/usr/bin/env bash
# Train every coloring recipe on the same photos and score it: scripts/compare_recipes.sh DATA VAL OUT [RECIPE ...]
#
#   DATA  folder or zip of color photographs     VAL  folder of others, to score on
#   OUT   where runs, weights and metrics go; python scripts/recipes_table.py OUT makes the table
#
# SIZE=128 and WIDTH=32 set the crops' side and the nets' first level (half of it for chromagan's VGG),
# IMAGES=25000 how many photos each sees. hints and mobilenet start from ENCODER, a .safetensors file of
# MobileNetV2, or download it. Run it again and each goes on where it was.
# chromagan_labels learns on LABELLED instead, a folder of class folders such as TinyImageNet's train.
set -euo pipefail
data=${1:?DATA: folder or zip of photographs} val=${2:?VAL: a folder of photographs} out=${3:?OUT: a folder}
shift 3
size=${SIZE:-128} width=${WIDTH:-32} batch=32
steps=$(((${IMAGES:-25000} + batch - 1) / batch))
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$out"

train() { # NAME DATA OVERRIDES...
  local name=$1 photos=$2; shift 2
  [ -f "$out/$name.json" ] && return
  "$python" -m pix2pix.train run_dir="$out/$name" data.path="$photos" data.cache="$out/cache" \
    data.size="$size" trainer.batch="$batch" trainer.steps="$steps" trainer.warmup=30 trainer.ema=0.99 \
    trainer.val_every=$((steps / 4 + 1)) trainer.ckpt_path=last "$@" ${MORE:-}
  "$python" -m pix2pix.cli evaluate "$val" --weights "$out/$name/last.safetensors" --device cpu \
    --json "$out/$name.json"
}

# levels of a U-Net of stride 2 until one pixel is left
depth=$("$python" -c "print(($size).bit_length() - 1)")
# a game of the last quarter: an adversary met earlier, on so few photos, teaches texture
gan=(recipe.gan_start=$((steps * 3 / 4)) recipe.critic_width="$width")
game=(recipe.lr=5e-4 recipe.generator.width="$width" recipe.generator.depth="$depth" "${gan[@]}")
chromagan=(recipe=chromagan recipe.generator.width=$((width / 2)) recipe.generator.classes=200
  recipe.lr=5e-4 recipe.critic_lr=2e-4 "${gan[@]}")

for recipe in "${@:-unet_l1}"; do
  case $recipe in
    unet_l1) train unet_l1 "$data" recipe=unet_l1 recipe.generator.width="$width" ;;
    unet_l1_rgb) train unet_l1_rgb "$data" recipe=unet_l1 recipe.generator.width="$width" \
      recipe.generator.out_channels=3 ;;
    unet_small) train unet_small "$data" recipe=unet_l1 recipe/generator=double_conv_small \
      recipe.generator.width="$width" ;;
    unet_large) train unet_large "$data" recipe=unet_large recipe.generator.width="$width" \
      recipe.generator.depth=$((depth - 1)) recipe.generator.widest=$((8 * width)) ;;
    pix2pix) train pix2pix "$data" recipe=pix2pix "${game[@]}" ;;
    encdec) train encdec "$data" recipe=encdec "${game[@]}" ;;
    mobilenet) train mobilenet "$data" recipe=unet_l1 recipe/generator=mobilenet_v2 \
      recipe.generator.weights="${ENCODER:-download}" ;;
    hints) train hints "$data" recipe=hints recipe.keep_norms=false \
      recipe.generator.weights="${ENCODER:-download}" ;;
    chromagan) train chromagan "$data" "${chromagan[@]}" ;;
    chromagan_labels) train chromagan_labels "${LABELLED:?}" "${chromagan[@]}" \
      recipe.teacher=labels data.labels=folders ;;
    *) echo "$recipe: not among those compared" >&2; exit 1 ;;
  esac
done
