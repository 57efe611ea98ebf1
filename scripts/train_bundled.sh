#!/usr/bin/env bash
# Train the bundled weights again: scripts/train_bundled.sh DATA OUT [ENCODER]
#
#   DATA     folder or zip of color photographs
#   OUT      where runs and weights go
#   ENCODER  MobileNetV2 features as .safetensors in torchvision's layout, or "download" (default);
#            with NET=lite0 those of EfficientNet-Lite0, which scripts/convert_efficientnet.py makes
#
# Stops and goes on: run it again with the same OUT and every stage resumes where it was. STEPS
# scales the length: 100, what the bundled weights had, takes a CPU core with bf16 about six hours,
# one without twice that; a GPU affords 1000 and BATCH=64. MORE is appended to every stage
# (MORE="trainer.workers=12"). NET=lite0 makes `default` of EfficientNet-Lite0 and a light decoder in
# place of MobileNetV2, in 1.4 times as many steps; its thawed stages compute in THAWED (fp32), for
# which a GPU takes auto. docs/training-log.md says which runs the weights that are bundled now came
# from. scripts/export_bundled.sh makes the ONNX files beside weights that are bundled.
set -euo pipefail
data=${1:?DATA: folder or zip of photographs} out=${2:?OUT: a folder} encoder=${3:-download}
scale=${STEPS:-100} batch=${BATCH:-32} thawed=${THAWED:-fp32}
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$out"

stage() { # NAME STEPS OVERRIDES...
  local name=$1 steps=$(($2 * scale / 100)); shift 2
  "$python" -m pix2pix.train run_dir="$out/$name" data.path="$data" data.cache="$out/cache" \
    trainer.steps="$steps" trainer.batch="$batch" trainer.ckpt_path=last trainer.val_photos=240 \
    "$@" ${MORE:-}
}

default_on_mobilenet_v2() {
  # The best colorizer: a pretrained encoder, L1 on small pictures, then Huber on larger ones.
  mobilenet=(recipe=unet_l1 recipe/generator=mobilenet_v2 data.film=0.25 data.exposure=0.1)
  stage default-128 5000 "${mobilenet[@]}" recipe.generator.weights="$encoder" data.size=128
  stage default-192 2800 "${mobilenet[@]}" recipe.beta=0.1 recipe.lr=5e-4 trainer.warmup=30 \
    data.size=192 data.cached_side=208 trainer.init_from="$out/default-128/last.safetensors"
  "$python" "$root/scripts/bundle.py" "$out/default-192/best.safetensors" "$data" \
    "$out/default-192/mean.safetensors" --with "$out/default-192/last.safetensors" --saturation 1
  # Then it learns to take hints and to say how sure it is, small first. Film ages more of the photos, and
  # a few become drawings, which stay gray.
  hints=(recipe=hints data.hints=0.6 data.film=0.35 data.exposure=0.15 trainer.warmup=50)
  stage hints-128 1500 "${hints[@]}" recipe.lr=8e-4 data.size=128 trainer.ema=0.995 \
    trainer.init_from="$out/default-192/mean.safetensors"
  stage hints-192 1300 "${hints[@]}" recipe.lr=5e-4 data.size=192 data.cached_side=208 data.hints=0.4 \
    data.drawing=0.03 trainer.ema=0.995 trainer.init_from="$out/hints-128/last.safetensors"
  "$python" "$root/scripts/bundle.py" "$out/hints-192/last.safetensors" "$data" \
    "$out/hints-192/mean.safetensors" --with "$out/hints-128/last.safetensors" --saturation 1
  # And what has no color: pages. (The bundled weights saw 12,000 pictures of TinyImageNet in pages-128, too.)
  pages=(recipe=hints data.hints=0.4 data.film=0.35 data.exposure=0.15 data.drawing=0.04)
  stage pages-128 1300 "${pages[@]}" recipe.lr=5e-4 data.size=128 trainer.sizes=[96,128] data.pages=0.05 \
    data.min_colorfulness=8 trainer.warmup=50 trainer.ema=0.995 \
    trainer.init_from="$out/hints-192/mean.safetensors"
  "$python" "$root/scripts/bundle.py" "$out/pages-128/last.safetensors" "$data" \
    "$out/pages-128/mean.safetensors" --with "$out/hints-192/mean.safetensors" --saturation 1
  stage pages-192 360 "${pages[@]}" recipe.lr=4e-4 data.size=192 data.cached_side=208 data.pages=0.08 \
    data.min_colorfulness=6 trainer.warmup=20 trainer.ema=0.985 \
    trainer.init_from="$out/pages-128/mean.safetensors"
  "$python" "$root/scripts/bundle.py" "$out/hints-192/mean.safetensors" "$data" \
    "$out/default.safetensors" --with "$out/pages-128/last.safetensors" "$out/pages-192/last.safetensors" \
    --shares 0.6 0.25 0.15 --saturation 1
}

default_on_lite0() {
  # The decoder learns first, on small pictures, beside a frozen encoder; then both, with Huber; then
  # hints and how sure it is, larger at the end. Old film, borders, drawings and pages stay gray.
  # Thawed, 32 bits are the faster on a CPU: gradients of its depthwise convolutions are slow in bf16.
  local lite0=(recipe/generator=efficientnet_lite0_light data.min_colorfulness=8 trainer.ema=0.998)
  local plain=(recipe=unet_l1 "${lite0[@]}" data.film=0.3 data.exposure=0.1
    recipe.generator.in_channels=1 recipe.generator.bins=0 recipe.generator.blend=0
    recipe.generator.vivid=0 recipe.generator.attention=0)
  local hints=(recipe=hints "${lite0[@]}" recipe.generator.frozen=0 data.film=0.35 data.exposure=0.15
    data.drawing=0.03 data.border=0.08 trainer.warmup=50 trainer.precision="$thawed")
  stage lite0-96 3000 "${plain[@]}" recipe.generator.weights="$encoder" recipe.generator.frozen=5 \
    data.size=96 data.cached_side=160
  stage lite0-128 8000 "${plain[@]}" recipe.generator.frozen=5 data.size=128 data.cached_side=160 \
    trainer.init_from="$out/lite0-96/last.safetensors"
  stage lite0-192 3000 "${plain[@]}" recipe.generator.frozen=0 recipe.beta=0.1 recipe.lr=5e-4 \
    data.size=192 data.cached_side=240 trainer.precision="$thawed" \
    trainer.init_from="$out/lite0-128/last.safetensors"
  stage lite0-hints-192 3000 "${hints[@]}" recipe.lr=5e-4 data.hints=0.5 data.size=192 \
    data.cached_side=240 trainer.init_from="$out/lite0-192/last.safetensors"
  stage lite0-hints-224 400 "${hints[@]}" recipe.lr=3e-4 data.hints=0.4 data.pages=0.05 data.size=224 \
    data.cached_side=240 trainer.init_from="$out/lite0-hints-192/last.safetensors"
  "$python" "$root/scripts/bundle.py" "$out/lite0-hints-192/last.safetensors" "$data" \
    "$out/default.safetensors" --with "$out/lite0-hints-224/last.safetensors" --saturation 1
}

case ${NET:-mobilenet_v2} in
  mobilenet_v2) default_on_mobilenet_v2 ;;
  lite0) default_on_lite0 ;;
  *) echo "NET=$NET: mobilenet_v2 or lite0" >&2; exit 2 ;;
esac

# The course's U-Net from scratch. First it learns to answer as `default` does, whose answers are
# smoother than the truth, then on the truth; at last one half goes on as it is, one meets a critic.
photos=$data
if [ ! -d "$photos" ]; then
  photos=$out/photos
  [ -d "$photos" ] || "$python" -m zipfile -e "$data" "$photos"
fi
"$python" -m pix2pix.cli colorize "$photos" -o "$out/answers" --weights "$out/default.safetensors"
mkdir -p "$out/targets"
find "$out/answers" -name '*.color.*' -type f | while read -r answer; do # as targets, under plain names
  name=${answer#"$out/answers/"}
  mkdir -p "$out/targets/$(dirname "$name")"
  ln -f "$answer" "$out/targets/${name/.color./.}"
done
unet=(recipe=pix2pix recipe.generator.width=24 recipe.generator.depth=6 recipe.generator.dropout=0.1
  data.film=0.2 data.exposure=0.1 data.size=128)
stage answers-128 2000 "${unet[@]}" recipe.gan_start=100000000 recipe.lr=1e-3 data.path="$out/targets" data.min_colorfulness=0
stage answers-64 15000 "${unet[@]}" recipe.gan_start=100000000 recipe.lr=7e-4 data.path="$out/targets" data.min_colorfulness=0 \
  trainer.sizes=[64,128] trainer.batch=8 trainer.init_from="$out/answers-128/last.safetensors"
stage truth-64 5000 "${unet[@]}" recipe.gan_start=100000000 recipe.lr=3e-4 trainer.sizes=[64,128] \
  trainer.batch=8 trainer.init_from="$out/answers-64/last.safetensors"
last=("${unet[@]}" recipe.lr=2e-4 trainer.batch=8 trainer.schedule=constant
  trainer.init_from="$out/truth-64/last.safetensors")
stage pix2pix-l1-128 500 "${last[@]}" recipe.gan_start=100000000
stage pix2pix-128 500 "${last[@]}" recipe.critic_width=32 recipe.l1=10
for name in pix2pix-l1 pix2pix; do
  "$python" "$root/scripts/bundle.py" "$out/$name-128/last.safetensors" "$data" \
    "$out/$name.safetensors" --saturation 1
done
