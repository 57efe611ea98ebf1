"""Paper: what the pages written here share: one file, no request, light and dark, any width.

Each is a template that extends templates/paper.html.
"""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.show import templates
from pix2pix.terminal import escape

_TEMPLATES = Path(__file__).with_name("templates")


def render(name: str, **values: object) -> str:
    """A template's name -> a whole HTML document; values are escaped, and `title` is one of them.

    Its content security policy forbids every request, should anything in it make one.
    """
    return templates.render(_TEMPLATES / name, printable=escape, **values)


def jpeg(rgb: np.ndarray, *, quality: int = 88) -> str:
    """Rgb (H,W,3) uint8 -> a data: address of it as JPEG, color at full resolution."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
