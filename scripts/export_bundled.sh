#!/usr/bin/env bash
# Make the ONNX file of `default` again: scripts/export_bundled.sh [WEIGHTS.safetensors ...]
#
#   WEIGHTS  others, each of which gets its .onnx beside it
#
# Run it whenever the bundled file changes: a test compares the sum that the ONNX file holds.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
for weights in "${@:-$root/pix2pix/pretrained/default.safetensors}"; do
  "$python" -m pix2pix.cli export "$weights" onnx "${weights%.safetensors}.onnx" --overwrite
done
