"""Smoothing: the net's colors made even within things, and kept from leaking over their edges.

A net that sees a photo in small gets the color of a head, or of a wall, but puts a rim of the
one on the other, and clouds into both. So a color counts the less, the nearer an edge of the
lightness it is, and what counts spreads until it meets an edge.
"""

import math

import numpy as np

_REACH = 0.25  # standard deviation of the filter in a plain surface, as a share of the side
_EDGE = 0.16  # difference of L in [-1, 1] that is as far as that
_STEEP = 0.2  # gradient of L [1/px] beside which a color counts for a third
_LEAK = 2  # [px] from an edge, in which colors count less
_LEAST = 0.01  # what every color counts
_PLAIN = 0.15  # mean count around a place, from which on the filtered color is taken alone
_PASSES = 2
_MOST_GAIN = 1.3  # of the chroma, to make up for what smoothing took


def smooth(ab: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Smooth ab (2, h, w) along L (h, w), both in [-1, 1] -> (2, h, w) float32.

    In fine texture, such as foliage, where edges are everywhere, ab stays as it is. The mean of the
    whole, and its standard deviation around that, stay, too.
    Source: the recursive filter of Gastal and Oliveira, Domain Transform for Edge-Aware Image and
    Video Processing, 2011, of colors times their confidence, and of the confidence.
    """
    counts = confidence(L)
    parts = np.concatenate([ab * counts, counts[None]])  # (3, h, w)
    parts = _domain_transform(parts, L)
    share = np.minimum(parts[2] / np.float32(_PLAIN), 1)
    smoothed = ab + share * (parts[:2] / parts[2] - ab)
    return _as_vivid(smoothed, ab)


def confidence(L: np.ndarray) -> np.ndarray:
    """How much the color of each place of L (h, w) counts, in (0, 1.01]: less next to edges."""
    padded = np.pad(L, 1, mode="edge")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]  # (h, w + 2)
    across = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    steep = np.hypot(down[:, 2:] - down[:, :-2], across[2:] - across[:-2]) / 8  # Sobel's gradient
    for axis in (0, 1):
        steep = np.max(_shifted(steep, _LEAK, axis), 0)
    for axis in (0, 1):
        before, at, after = _shifted(steep, 1, axis)
        steep = (before + 2 * at + after) / 4
    counts: np.ndarray = np.exp(-np.square(steep / np.float32(_STEEP))) + np.float32(_LEAST)
    return counts


def _shifted(plane: np.ndarray, reach: int, axis: int) -> list[np.ndarray]:
    """The plane (h, w), shifted by -reach to reach along an axis; its border is repeated."""
    padded = np.pad(plane, [(reach, reach) if axis == a else (0, 0) for a in (0, 1)], mode="edge")
    size = plane.shape[axis]
    views = np.moveaxis(padded, axis, 0)
    return [np.moveaxis(views[i : i + size], 0, axis) for i in range(2 * reach + 1)]


def _domain_transform(parts: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Filter parts (C, h, w) along L (h, w): columns and rows in turn, ever less far."""
    reach = _REACH * math.sqrt(L.size)
    first = reach * math.sqrt(3) * 2 ** (_PASSES - 1) / math.sqrt(4**_PASSES - 1)
    feedback: list[np.ndarray] = []
    for plane in (L.T, L):
        apart = 1 + np.float32(reach / _EDGE) * np.abs(np.diff(plane, axis=0))
        feedback.append(np.exp(apart * np.float32(-math.sqrt(2) / first))[:, None])
    turned = np.ascontiguousarray(parts.transpose(2, 0, 1))  # (w, C, h)
    for _ in range(_PASSES):
        for shares in feedback:
            _recurse(turned, shares)
            turned = np.ascontiguousarray(turned.transpose(2, 1, 0))
            shares *= shares  # half as far in the next pass
    return turned.transpose(1, 2, 0)


def _recurse(rows: np.ndarray, shares: np.ndarray) -> None:
    """Mix each of rows (N, C, M) with the one before, then with the one after, in place.

    `shares` (N - 1, 1, M) is how much of a row comes from its neighbor.
    """
    own = 1 - shares
    part = np.empty_like(rows[0])
    rows[1:] *= own
    for i, share in enumerate(shares):
        np.multiply(rows[i], share, out=part)
        rows[i + 1] += part
    rows[:-1] *= own
    for i in range(len(shares) - 1, -1, -1):
        np.multiply(rows[i + 1], shares[i], out=part)
        rows[i] += part


def _as_vivid(smoothed: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Give smoothed (2, h, w) the mean of ab (2, h, w), and its standard deviation around it."""
    mean: np.ndarray = ab.mean((1, 2), keepdims=True)
    around: np.ndarray = smoothed - smoothed.mean((1, 2), keepdims=True)
    before, after = (float(np.square(x).mean()) for x in (ab - mean, around))
    gain = min(math.sqrt(before / after), _MOST_GAIN) if after > 0 else 1.0
    return mean + around * np.float32(gain)
