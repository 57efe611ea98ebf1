"""Steady: the colors of a film kept from frame to frame where the picture stands still.

A net sees every frame anew, and grain and flicker are enough for another shade each time. So each
place has a running mean of its color, and of the lightness that this color belongs to. What has
another lightness is something else, and takes the net's answer as it is: a moving thing pulls no
color behind it. Nothing is kept over a cut.
"""

from typing import Self

import numpy as np

from pix2pix.film.scenes import Small, gain

_KEPT = 0.86  # share of the mean in the next one, where nothing changes
_SAME = 0.016  # difference of tone in [0, 1] at which a share of exp(-1) of that is kept
_LEAST = 0.004  # difference that is grain alone


class Steady:
    """A running mean of ab, one frame after another."""

    def __init__(self) -> None:
        self._ab: np.ndarray | None = None  # (2, h, w)
        self._tones: np.ndarray | None = None  # (h, w)

    def next(self, ab: np.ndarray, small: Small, *, cut: bool) -> np.ndarray:
        """Steady the ab (2, h, w) of the next frame -> (2, h, w). `cut`: it begins a scene."""
        if cut or self._ab is None or self._tones is None or self._ab.shape != ab.shape:
            self._ab, self._tones = ab.astype(np.float32), small.tones
            return self._ab
        tones = small.tones / np.float32(gain(small.tones, self._tones))
        apart = np.maximum(_highest(np.abs(tones - self._tones)) - np.float32(_LEAST), 0)
        kept = np.float32(_KEPT) * np.exp(-np.square(apart / np.float32(_SAME)))
        self._tones = tones + kept * (self._tones - tones)
        self._ab = ab + kept * (self._ab - ab)
        return self._ab

    def state(self) -> dict[str, np.ndarray]:
        """What it knows, to be saved."""
        if self._ab is None or self._tones is None:
            return {}
        return {"ab": self._ab, "tones": self._tones}

    @classmethod
    def resumed(cls, state: dict[str, np.ndarray]) -> Self:
        """One that goes on from a saved `state`."""
        steady = cls()
        steady._ab, steady._tones = state.get("ab"), state.get("tones")
        return steady


def _highest(plane: np.ndarray) -> np.ndarray:
    """The maximum of a plane (h, w) at each place and next to it."""
    for axis in (0, 1):
        padded = np.pad(plane, [(1, 1) if axis == a else (0, 0) for a in (0, 1)], mode="edge")
        views = np.moveaxis(padded, axis, 0)
        plane = np.moveaxis(np.maximum(np.maximum(views[:-2], views[1:-1]), views[2:]), 0, axis)
    return plane
