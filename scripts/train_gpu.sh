#!/usr/bin/env bash
# Train the bundled net on a GPU that one has for minutes: scripts/train_gpu.sh DATA_ZIPS OUT ENCODER
#
#   DATA_ZIPS  folder with zips of photographs, in as many parts as it takes to carry them there
#   OUT        where photos, cache and runs go; OUT/back has what to carry home
#   ENCODER    EfficientNet-Lite0's weights, a file that scripts/convert_efficientnet.py makes
#
# Nothing is downloaded. MINUTES (13) is all the time there is, shared out among the stages that are
# not done; each is told its number of steps by the speed of the one before, and is stopped when its
# time is up. Run again with the same OUT, it goes on where it was. BATCH (256) photos a step, in
# bf16 where the GPU has it, PYTHON another interpreter than .venv's; WHEELS, a folder, are packages
# that the machine lacks. MORE is appended to every stage. STEPS=n, to try it on a CPU: n steps each.
#
#   scripts/train_gpu.sh join BACK OUT
#
# puts what came back together under OUT, from where a run goes on (trainer.ckpt_path=last): the last
# stages' weights, metrics, and the newest checkpoint. It comes in parts of less than 16 MiB, PART
# (15M) each, with their checksums; with CHECKPOINT=0 there is none, which is a few megabytes in all.
set -euo pipefail
if [ "${1:?DATA_ZIPS OUT ENCODER, or join BACK OUT}" = join ]; then
  (cd "${2:?BACK: the folder with the parts}" && sha256sum --check --quiet SHA256SUMS)
  mkdir -p "${3:?OUT: a folder}"
  cat "$2"/runs.tar.* | tar -x -C "$3"
  exit
fi
data=$1 out=${2:?OUT: a folder} encoder=${3:?ENCODER: the weights of EfficientNet-Lite0}
end=$(awk "BEGIN { print int($SECONDS + ${MINUTES:-13} * 60 - 20) }") # the last seconds are for packing
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
batch=${BATCH:-256}
mkdir -p "$out/photos"
if [ -n "${WHEELS:-}" ]; then
  "$python" -m pip install --quiet --no-index --no-deps --target "$out/packages" "$WHEELS"/*.whl
  export PYTHONPATH=$PYTHONPATH:$out/packages
fi
for zip in "$data"/*.zip; do
  name=.$(basename "$zip") # hidden: no photo
  [ -e "$out/photos/$name" ] || "$python" -m zipfile -e "$zip" "$out/photos"
  touch "$out/photos/$name"
done
side=${SIDE:-240} # of the cached photos, the short one
"$python" -c 'import sys
from pix2pix.data.cache import build_cache
build_cache(*sys.argv[1:3], short_side=int(sys.argv[3]))' "$out/photos" "$out/cache" "$side"

pack() { # what there is to carry home
  local files=() stage last
  for stage in "$out"/*/config.yaml; do
    stage=$(basename "$(dirname "$stage")")
    for last in last.safetensors metrics.csv config.yaml done; do
      [ ! -e "$out/$stage/$last" ] || files+=("$stage/$last")
    done
  done
  last=$(cd "$out" && ls -t -- */checkpoints/*.ckpt 2>/dev/null | head -n 1 || true)
  [ "${CHECKPOINT:-1}" = 0 ] || [ -z "$last" ] || files+=("$last" "${last%.ckpt}.sha256")
  rm -rf "$out/back"
  mkdir "$out/back"
  tar -c -C "$out" "${files[@]}" | split -b "${PART:-15M}" -d -a 3 - "$out/back/runs.tar."
  (cd "$out/back" && sha256sum runs.tar.* > SHA256SUMS)
}

shares=0 rate=''
speed() { # NAME COST: the speed of a stage, in photos of cost 1
  [ -e "$out/$1/metrics.csv" ] || return 0
  rate=$(awk -F, -v cost="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "images_per_second") at = i }
    NR > 1 && at && $at > 0 { speed = $at * cost } END { print speed }' "$out/$1/metrics.csv")
}
plan() { # NAME SHARE COST: the stages in order; COST of a photo, beside one of the first stage
  [ -e "$out/$1/done" ] || shares=$((shares + $2))
}
stage() { # NAME SHARE COST OVERRIDES...
  local name=$1 share=$2 cost=$3 seconds steps=100000000 status=0 schedule=constant been
  shift 3
  if [ -e "$out/$name/done" ]; then speed "$name" "$cost"; return; fi
  seconds=$(((end - SECONDS) * share / shares))
  shares=$((shares - share))
  if [ -n "$rate" ]; then # photos a second, of a photo of cost 1; a tenth of the time for the start
    been=$(find "$out/$name" -name 'step-*.ckpt' 2>/dev/null | sort | tail -n 1 || true)
    been=${been##*-} been=$((10#0${been%.ckpt})) # steps done in an earlier call
    steps=$(awk "BEGIN { print $been + int(0.9 * $seconds * $rate / $cost / $batch) + 1 }")
    schedule=cosine
  fi
  if [ -n "${STEPS:-}" ]; then steps=$STEPS seconds=100000; fi
  if [ "$seconds" -lt 15 ]; then echo "$name: no time left"; return; fi
  timeout --signal=TERM --kill-after=60 "$seconds" "$python" -m pix2pix.train \
    run_dir="$out/$name" data.path="$out/photos" data.cache="$out/cache" data.cached_side="$side" \
    trainer.batch="$batch" trainer.steps="$steps" trainer.schedule="$schedule" \
    trainer.ckpt_path=last trainer.val_photos=240 logger=csv "$@" ${MORE:-} || status=$?
  case $status in 0 | 124 | 143) ;; *) pack; exit "$status" ;; esac
  if [ ! -e "$out/$name/last.safetensors" ]; then
    echo "$name: stopped before it had weights; give it more MINUTES"
    exit 1
  fi
  touch "$out/$name/done"
  speed "$name" "$cost"
  pack
}

lite0=(recipe/generator=efficientnet_lite0_light data.film=0.3 data.exposure=0.1
  data.min_colorfulness=8 trainer.ema=0.998)
plain=(recipe=unet_l1 "${lite0[@]}" recipe.generator.in_channels=1 recipe.generator.bins=0
  recipe.generator.blend=0 recipe.generator.vivid=0 recipe.generator.attention=0)
hints=(recipe=hints "${lite0[@]}" recipe.generator.frozen=0 data.border=0.08)
plan frozen-128 25; plan thawed-192 30; plan hints-192 30; plan hints-224 15
# The decoder learns first, on small pictures, while the encoder is frozen; then both do; then hints
# and the distribution over colors; then larger pictures, and what has no color.
stage frozen-128 25 1 "${plain[@]}" recipe.generator.weights="$encoder" recipe.generator.frozen=5 \
  recipe.lr=2e-3 data.size=128 trainer.sizes=[96,128]
stage thawed-192 30 5 "${plain[@]}" recipe.generator.frozen=0 recipe.beta=0.1 recipe.lr=1e-3 \
  data.size=192 trainer.init_from="$out/frozen-128/last.safetensors"
stage hints-192 30 6 "${hints[@]}" recipe.lr=8e-4 data.size=192 data.hints=0.5 data.drawing=0.03 \
  trainer.init_from="$out/thawed-192/last.safetensors"
stage hints-224 15 8 "${hints[@]}" recipe.lr=3e-4 data.size=224 data.hints=0.4 data.drawing=0.03 \
  data.pages=0.03 trainer.warmup=50 trainer.init_from="$out/hints-192/last.safetensors"
