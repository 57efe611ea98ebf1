"""The page as an app: `python app.py [WEIGHTS]`, here or as a Hugging Face Space."""

import os
import sys
from pathlib import Path

try:
    import spaces  # on ZeroGPU, which lends a GPU a call at a time; it must come before torch
except ModuleNotFoundError:
    spaces = None

from pix2pix.app.service.launcher import main

if __name__ == "__main__":
    own = Path(__file__).resolve().parent / "model.safetensors"
    main(
        *(sys.argv[1:2] or ([str(own)] if own.exists() else [])),
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        lend_gpu=spaces and spaces.GPU(duration=30),
        allow_hosts=os.environ.get("PIX2PIX_ALLOW_HOSTS", "").split(","),
    )
