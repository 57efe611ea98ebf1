#!/usr/bin/env bash
# Make the ONNX files of weights again: scripts/export_bundled.sh [FOLDER]
#
#   FOLDER  what holds the .safetensors files, by default those that are bundled; each gets its .onnx
#           beside it
#
# Run it whenever one of them changes: a test compares the sums that the ONNX files hold.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
for weights in "${1:-$root/pix2pix/pretrained}"/*.safetensors; do
  "$python" -m pix2pix.cli export "$weights" onnx "${weights%.safetensors}.onnx" --overwrite
done
