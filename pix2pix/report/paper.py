"""Paper: what the reports share: pages, the pictures in them, and tables beside them.

A page is one file that makes no request, light and dark, for any width: a template that extends
templates/paper.html.
"""

import base64
import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix import templates
from pix2pix.terminal import escape

_TEMPLATES = Path(__file__).with_name("templates")


def render(name: str, **values: object) -> str:
    """Render a template as a whole HTML document; values are escaped, `title` is one of them.

    Its content security policy forbids every request, should anything in it make one.
    """
    return templates.render(_TEMPLATES / name, printable=escape, **values)


def jpeg(rgb: np.ndarray, *, quality: int = 88) -> str:
    """Encode rgb (H, W, 3) uint8 as JPEG, without chroma subsampling -> a data: URL."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def png(rgb: np.ndarray) -> bytes:
    """Encode rgb (H, W, 3) uint8 as PNG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG")
    return file.getvalue()


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Format rows of cells as CSV: floats with nine digits, nothing for None."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(
        [f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    return file.getvalue()
