"""Convert: checkpoints of other projects become weights files of ours.

layouts.py says how each names its tensors, checkpoint.py reads what they wrote, mapping.py maps and
writes; command.py is the command line of it. What is public here loads on first use, so that
`pix2pix --help` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["Converted", "convert_checkpoint"]

if TYPE_CHECKING:
    from pix2pix.convert.mapping import Converted, convert_checkpoint


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pix2pix.convert' has no attribute {name!r}")
    return getattr(importlib.import_module("pix2pix.convert.mapping"), name)
