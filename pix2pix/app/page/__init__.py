"""The web page: drop a photo, compare before and after, take the full-size file home.

`build_page` (build.py) makes it of three tabs: photo.py (one photo; panels.py is what stands below
it, touch.py paints hints on it, unsure.py shows where the net is unsure), many.py and about.py.
handlers.py and more.py have what the first tab's buttons do, coloring.py what any tab does with
photos, upload.py and shelf.py the files that come and go, words.py what is said when something is
odd. script.py loads the .js files; look.py and the .css files are LOOK, which the server passes on
to `launch` or `gr.mount_gradio_app`.
Gradio takes seconds to import.
"""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported

try:
    import gradio
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the page needs: pip install 'pix2pix-color[app]'") from error

from pix2pix.app.page.build import build_page, new_shelf
from pix2pix.app.page.look import LOOK
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.words import MESSAGES

__all__ = ["LOOK", "MESSAGES", "Shelf", "build_page", "new_shelf"]
del gradio
