"""Likeness: which places of a photo look like some of a reference, and which colors follow.

Both are compared as the encoder sees them, in gray, cell by cell of 8x8 pixels of the net's input.
A cell and one of the reference match where each is the other's nearest, or as good as that, and
near enough; the color of what is like it in the reference becomes a hint for the net. Beside that
all colors are pulled some way to the reference's palette: their mean and their spread.

Sources: He et al. 2018, "Deep exemplar-based colorization", https://arxiv.org/abs/1807.06587, of
matching deep features; Zhang et al. 2017, https://arxiv.org/abs/1705.02999, of the hints; Reinhard
et al. 2001, "Color transfer between images", https://doi.org/10.1109/38.946629, of the palette.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pix2pix.colorize.hints import fill_square

_ALIKE = 0.45  # likeness of a match, at least
_LIGHTNESS = 0.5  # what a difference of L of 1, half of its range, takes from likeness
_MUTUAL = 0.2  # how much less than its best a match may be, seen from the reference
_BLUR = 0.05  # [likeness] colors of cells that are less alike by this count exp(-1) as much
_PULL = 0.2  # of the way to the reference's palette
_MOST_SPREAD = 1.5  # factor of the spread of colors, at most; and its inverse, at least
_MOST = 2000  # cells of a picture, each of which is compared with all of the other
_OWN = 12  # [px of the net's input] around a person's hint, where no match counts


@dataclass(frozen=True)
class Seen:
    """A picture as the encoder sees it, in N = h * w cells."""

    features: np.ndarray
    """(N, F)."""
    L: np.ndarray
    """(N,) in [-1, 1]."""
    size: tuple[int, int]
    """h, w."""

    @classmethod
    def of(cls, features: np.ndarray, L: np.ndarray) -> Self:
        """Features (1, F, h, w) of an engine, and the L (1, 1, H, W) that they are of."""
        while features.shape[2] * features.shape[3] > _MOST and not any(
            side % 2 for side in features.shape[2:]
        ):
            features = (features[:, :, ::2] + features[:, :, 1::2]) / 2
            features = (features[..., ::2] + features[..., 1::2]) / 2
        size = features.shape[2], features.shape[3]
        return cls(features[0].reshape(features.shape[1], -1).T, _means(L[0], size)[0], size)


@dataclass(frozen=True)
class Known:
    """A reference as a net sees it: its cells, their colors, and its palette."""

    seen: Seen
    ab: np.ndarray
    """(2, N) in the net's own scale."""
    mean: np.ndarray
    """(2,), of all its pixels."""
    spread: np.ndarray
    """(2,), their standard deviation."""

    @classmethod
    def of(cls, seen: Seen, ab: np.ndarray) -> Self:
        """A picture as seen, and its ab (2, H, W)."""
        return cls(seen, _means(ab, seen.size), ab.mean((1, 2)), ab.std((1, 2)))

    def hint_map(self, photo: Seen, size: tuple[int, int]) -> np.ndarray:
        """The matches of a photo as hints (1, 3, H, W) for a net of input `size`."""
        hints = np.zeros((1, 3, *size), np.float32)
        cell = size[0] // photo.size[0]
        places, weights = match(photo, self.seen)
        for place, ab in zip(places, weights @ self.ab.T, strict=True):
            row, column = divmod(int(place), photo.size[1])
            fill_square(hints[0], ab, row * cell + cell // 2, column * cell + cell // 2)
        return hints

    def pull(self, ab: np.ndarray) -> np.ndarray:
        """Pull colors ab (2, H, W) some way to the reference's mean and spread -> (2, H, W)."""
        mean, spread = ab.mean((1, 2)), ab.std((1, 2))
        factor = self.spread / np.maximum(spread, 1e-4)
        factor = factor.clip(1 / _MOST_SPREAD, _MOST_SPREAD)
        planes = [a.reshape(2, 1, 1) for a in (mean, factor, self.mean)]
        wanted = (ab - planes[0]) * planes[1] + planes[2]
        return (ab + _PULL * (wanted - ab)).astype(np.float32)


def match(photo: Seen, other: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Find the cells of a photo that match another -> their numbers (K,), weights of its N (K, N).

    Likeness is the cosine of what sets features apart from the mean of both pictures, less for
    another lightness. A match's weights add up to 1, most of it on the cells most like it.
    """
    mean = np.concatenate([photo.features, other.features]).mean(0)
    one, two = (_unit(seen.features - mean) for seen in (photo, other))
    alike = one @ two.T - _LIGHTNESS * np.abs(photo.L[:, None] - other.L)  # (M, N)
    best, nearest = alike.max(1), alike.argmax(1)
    mutual = best >= alike.max(0)[nearest] - _MUTUAL
    (found,) = np.nonzero(mutual & (best > _ALIKE))
    weights = np.exp((alike[found] - best[found, None]) / _BLUR)
    return found, weights / weights.sum(1, keepdims=True)


def over(hints: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Lay hints (1, 3, H, W) of a person over matches: within `_OWN` px, none of these counts."""
    near = hints[0, 2] > 0
    for axis in (0, 1):
        padded = np.pad(near, [(_OWN, _OWN) if i == axis else (0, 0) for i in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _OWN + 1, axis)
        near = windows.any(-1)
    return np.where(near, hints, matched)


def _means(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Planes (C, H, W) -> means of their cells (C, h * w); H, W are multiples of `size` (h, w)."""
    count, height, width = planes.shape
    h, w = size
    cells = planes.reshape(count, h, height // h, w, width // w)
    return cells.mean((2, 4)).reshape(count, -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt(np.square(vectors).sum(1, keepdims=True))
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-6)
    return unit
