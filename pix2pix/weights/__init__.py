"""Weights: .safetensors files whose header says what net they belong to.

file.py reads and writes them, hub.py pushes them to the Hugging Face Hub, foreign/ makes them of
other projects' checkpoints.
"""

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
