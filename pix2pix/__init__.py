"""Pix2PixColor: color for black-and-white photographs, and the image-to-image GANs behind it.

The public names load on first use, so that `import pix2pix` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Colorizer", "Wish", "build", "lab_to_rgb", "rgb_to_lab", "__version__"]

if TYPE_CHECKING:
    from pix2pix.color import lab_to_rgb, rgb_to_lab
    from pix2pix.colorize import Colorizer
    from pix2pix.recipes import build
    from pix2pix.wish import Wish

_HOMES = {
    "Colorizer": "pix2pix.colorize",
    "Wish": "pix2pix.wish",
    "build": "pix2pix.recipes",
    "lab_to_rgb": "pix2pix.color",
    "rgb_to_lab": "pix2pix.color",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pix2pix' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
