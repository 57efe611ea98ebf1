"""The page as an app: `python app/app.py [WEIGHTS]`, on this machine or as a Hugging Face Space."""

import os
import sys

from pix2pix import Colorizer
from pix2pix.page import launch_page

if __name__ == "__main__":
    launch_page(
        Colorizer.from_pretrained(*sys.argv[1:2]),
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
    )
