"""Scenes: frames as small grays, and where a cut is.

Old film flickers: its brightness changes from frame to frame as a whole. So frames are compared
after their gain is taken out.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

_ALIKE = 0.6  # correlation of two frames of one scene, at least
_FLAT = 0.012  # standard deviation of a frame that shows nothing, such as black
_REDUCED = 3.0  # as colorize/model.py has it


@dataclass(frozen=True)
class Small:
    """A frame, upright, as small as its color."""

    gray: np.ndarray
    """(h, w) uint8."""
    tones: np.ndarray
    """(h, w) float32 in [0, 1], without grain."""

    @classmethod
    def of(cls, gray: np.ndarray, size: tuple[int, int]) -> "Small":
        """Shrink a frame's gray (H, W) uint8 to a size (h, w)."""
        image = Image.fromarray(np.ascontiguousarray(gray))
        bilinear = Image.Resampling.BILINEAR
        small = np.asarray(image.resize(size[::-1], bilinear, reducing_gap=_REDUCED))
        return cls(small, _blurred(small.astype(np.float32) / np.float32(255)))


def is_cut(before: Small, after: Small) -> bool:
    """Whether a new scene begins between two frames.

    Their correlation tells, which knows nothing of brightness and contrast. Into and out of black
    there is no cut: whatever is seen then is seen anew.
    """
    one, two = (small.tones - small.tones.mean() for small in (before, after))
    deviations = float(one.std()), float(two.std())
    if min(deviations) < _FLAT:
        return max(deviations) > 4 * _FLAT
    return float((one * two).mean()) < _ALIKE * deviations[0] * deviations[1]


def gain(tones: np.ndarray, known: np.ndarray) -> float:
    """By how much tones (h, w) are brighter than the known, as a whole: the median of all places.

    What moves does not count, as long as it is less than half of the picture.
    """
    seen = known > 0.06  # darker places say little, in few levels
    if np.count_nonzero(seen) < 0.02 * seen.size:
        return 1.0
    return float(np.median(tones[seen] / known[seen]).clip(0.5, 2))


def _blurred(plane: np.ndarray) -> np.ndarray:
    """A plane (h, w), each place the mean of those around it: 1 4 6 4 1 across and down."""
    for axis in (0, 1):
        for _ in (0, 1):
            pad = [(1, 1) if axis == a else (0, 0) for a in (0, 1)]
            padded = np.moveaxis(np.pad(plane, pad, mode="edge"), axis, 0)
            mean = padded[:-2] + 2 * padded[1:-1] + padded[2:]
            plane = np.moveaxis(mean, 0, axis) / np.float32(4)
    return plane
