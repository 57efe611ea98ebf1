"""The web page: drop a photo, compare before and after, take the full-size file home.

`build_page` makes it, and LOOK is what its server passes on to `launch` or `gr.mount_gradio_app`;
`pix2pix.app.service.server` serves it. Gradio takes seconds to import.
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported

try:
    import gradio
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the page needs: pip install 'pix2pix-color[demo]'") from error

from pix2pix.app.page.build import build_page, new_shelf
from pix2pix.app.page.look import LOOK
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.words import MESSAGES

__all__ = ["LOOK", "MESSAGES", "Shelf", "build_page", "new_shelf"]
del gradio
