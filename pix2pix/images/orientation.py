"""EXIF's orientation, 1 to 8: how a picture lies in its file.

Source: CIPA DC-008 (Exif 2.32), tag 274.
"""

import numpy as np

# upside down and mirrored, once rows and columns are exchanged, as they are from 5 on
_FLIPS = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def number(*, transposed: bool, upside_down: bool, mirrored: bool) -> int:
    """The orientation of a picture to be transposed first, then flipped in these directions."""
    flips = upside_down, mirrored
    return next(n for n, f in _FLIPS.items() if f == flips and (n > 4) == transposed)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) or (H, W, C) as it lies -> upright, a view."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    return _flipped(pixels, orientation)


def turned_back(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W) or (H, W, C) upright -> as it lies, a view."""
    pixels = _flipped(pixels, orientation)
    return pixels.swapaxes(0, 1) if orientation > 4 else pixels


def _flipped(pixels: np.ndarray, orientation: int) -> np.ndarray:
    upside_down, mirrored = _FLIPS[orientation]
    return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
