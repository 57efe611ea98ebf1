"""The web page: drop a photo, compare before and after, take the full-size file home.

`build_page` makes it, `launch_page` serves it alone, and LOOK is what any other server passes on to
`gr.mount_gradio_app`. Only this folder knows Gradio, which takes seconds to import.
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported

try:
    import gradio
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the page needs: pip install 'pix2pix-color[demo]'") from error

from pix2pix.page.build import build_page, launch_page
from pix2pix.page.look import LOOK
from pix2pix.page.words import MESSAGES

__all__ = ["LOOK", "MESSAGES", "build_page", "launch_page"]
del gradio
