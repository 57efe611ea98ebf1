"""Weights: .safetensors files whose header says what net they belong to.

file.py reads and writes them, hub.py pushes them to the Hugging Face Hub, foreign/ makes them of
other projects' checkpoints.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

if TYPE_CHECKING:
    from pix2pix.errors import WeightsError
    from pix2pix.weights.file import BUNDLED, Header, bundled, find, grow, load, read_header, save

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

# so that the command line names the layouts of foreign/ in its help without torch
__getattr__ = on_first_use(__name__, dict.fromkeys(__all__, "pix2pix.weights.file"))
