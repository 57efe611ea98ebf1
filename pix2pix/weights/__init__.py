"""Weights: .safetensors files whose header says what net they belong to.

header.py finds them and reads their header, file.py reads and writes them (with torch), hub.py
pushes them to the Hugging Face Hub, foreign/ makes them of other projects' checkpoints.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

if TYPE_CHECKING:
    from pix2pix.errors import WeightsError
    from pix2pix.weights.file import grow, load, save
    from pix2pix.weights.header import BUNDLED, Header, bundled, find, read_header

_HEADER = ["BUNDLED", "Header", "bundled", "find", "read_header"]

__all__ = [
    "BUNDLED",
    "Header",
    "WeightsError",
    "bundled",
    "find",
    "grow",
    "load",
    "read_header",
    "save",
]

__getattr__ = on_first_use(
    __name__,
    dict.fromkeys(_HEADER, "pix2pix.weights.header")
    | dict.fromkeys(["grow", "load", "save"], "pix2pix.weights.file")
    | {"WeightsError": "pix2pix.errors"},
)
