#!/bin/sh
# Try an exported Space as it will run: a fresh virtual environment, its own requirements, the Gradio
# of its card, nothing of this checkout, one photo through gradio_client. Needs the package registry
# and 6 GB. scripts/try_space.sh [WEIGHTS] [PYTHON]
set -eu
weights=${1:-default}
python=${2:-python3}
work=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

.venv/bin/pix2pix export "$weights" space "$work/space"
cp resources/samples/cat.jpg "$work/cat.jpg"
cd "$work/space"
"$python" -m venv "$work/venv"
gradio=$(sed -n 's/^sdk_version: //p' README.md)
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  "gradio==$gradio" -r requirements.txt
"$work/venv/bin/pip" check
"$work/venv/bin/pip" list 2>/dev/null | grep -E '^(torch|torchvision|gradio|huggingface_hub) '

export GRADIO_SERVER_PORT="${PORT:-7869}" GRADIO_TEMP_DIR="$work/cache"
"$work/venv/bin/python" app.py > "$work/log" 2>&1 &
server=$!
for _ in $(seq 240); do
  grep -q "The page is at" "$work/log" && break
  kill -0 "$server" || { cat "$work/log"; exit 1; }
  sleep 0.5
done
"$work/venv/bin/python" - "$work/cat.jpg" <<'CODE'
import os
import sys

from gradio_client import Client, handle_file
from PIL import Image

client = Client(f"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}", verbose=False)
path = client.predict(handle_file(sys.argv[1]), 1.0, api_name="/colorize")
with Image.open(path) as colored, Image.open(sys.argv[1]) as gray:
    assert colored.size == gray.size and colored.mode == "RGB", colored
    a, b = (colored.convert("YCbCr").getchannel(i).getextrema() for i in (1, 2))
    assert a[1] - a[0] > 5 or b[1] - b[0] > 5, "no color"
print("The Space runs as it stands:", os.path.basename(path), colored.size)
CODE
