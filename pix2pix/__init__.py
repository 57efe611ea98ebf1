"""Pix2PixColor: color for black-and-white photographs, and the image-to-image GANs behind it.

The public names load on first use, so that `import pix2pix` costs nothing.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

# These report to their makers as soon as they are imported; not from here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # OpenVINO has a stub

__version__ = "0.1.0"
__all__ = ["Colorizer", "Translator", "Wish", "build", "lab_to_rgb", "rgb_to_lab", "__version__"]

if TYPE_CHECKING:
    from pix2pix.color import lab_to_rgb, rgb_to_lab
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.translator import Translator
    from pix2pix.colorize.wish import Wish
    from pix2pix.recipes import build


def on_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package whose public names are imported lazily (PEP 562).

    `homes` maps each name to the module that defines it.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return load


__getattr__ = on_first_use(
    __name__,
    {
        "Colorizer": "pix2pix.colorize.colorizer",
        "Translator": "pix2pix.colorize.translator",
        "Wish": "pix2pix.colorize.wish",
        "build": "pix2pix.recipes",
        "lab_to_rgb": "pix2pix.color",
        "rgb_to_lab": "pix2pix.color",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
