"""Weights: .safetensors files whose header says what net they belong to.

file.py reads and writes them, hub.py pushes them to the Hugging Face Hub, foreign/ makes them of
other projects' checkpoints.
"""

from typing import TYPE_CHECKING

from pix2pix import on_first_use

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

if TYPE_CHECKING:
    from pix2pix.errors import WeightsError
    from pix2pix.weights.file import (
        BUNDLED,
        Header,
        bundled,
        find,
        grow,
        load,
        read_header,
        save,
    )

_FILE = dict.fromkeys(__all__, "pix2pix.weights.file")
__getattr__ = on_first_use(__name__, _FILE | {"WeightsError": "pix2pix.errors"})
