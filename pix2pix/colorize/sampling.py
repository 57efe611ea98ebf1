"""Sampling: an uncertainty map, likely colors and sampled colorings, of a net with color bins.

Everything here has the size of the net's input, L (1, 1, h, w) and hints (1, 3, h, w), and maps a
quarter of it.
"""

import math
from collections.abc import Callable

import numpy as np

from pix2pix.color import AB_SCALE
from pix2pix.colorize.hints import fill_square
from pix2pix.randomness import uniform

Logits = Callable[[np.ndarray], np.ndarray]
"""Hints (1, 3, h, w) -> logits (1, bins, h/4, w/4), for the picture in hand."""

ROUNDS = 3  # places whose color is drawn for a variant, one after the other
_NEAR = 25.0  # [a*, b*] colors closer than this are one suggestion
_TEMPERATURE = 0.8  # of the softmax: below 1, likely colors are drawn more often
_VIVID = 0.5  # how far a draw's chroma is from the usual one there, as a share of that
_BITS = 2**64 - 1  # of a seed that count
_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, are spread as evenly as can be


def spread(logits: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Logits (1, bins, h, w) and the bins' ab (bins, 2) -> standard deviation of a*, b* (h, w).

    How unsure the net is: 0 where one color is certain, about 10 where all are
    earth, 30 where it may be red or blue. The outermost places, which the net's padding makes a
    third more unsure than they would be in a larger picture, are as their neighbors.
    """
    size = logits.shape[-2:]
    p = softmax(logits[0].reshape(len(colors), -1))  # (bins, h * w)
    mean = colors.T @ p  # (2, h * w)
    variance = np.square(colors).sum(1) @ p - np.square(mean).sum(0)
    unsure: np.ndarray = AB_SCALE * np.sqrt(variance.clip(min=0)).reshape(size)
    inside = unsure[1:-1, 1:-1]
    return np.pad(inside, 1, mode="edge") if inside.size else unsure


def suggest(
    logits: np.ndarray, colors: np.ndarray, row: int, column: int, *, count: int
) -> list[tuple[np.ndarray, float]]:
    """Likely colors at a place of logits (1, bins, h, w): ab (2,) and share, the likeliest first.

    Each is the mean of what lies around a peak of the distribution, at most `count` of them.
    """
    p = softmax(logits[0, :, row, column])
    found = []
    for _ in range(count):
        peak = colors[p.argmax()]
        around = np.hypot(*(colors - peak).T) * AB_SCALE < _NEAR
        share = float((p * around).sum())
        if share < 0.02:
            break
        found.append(((p * around) @ colors / share, share))
        p = p * ~around
    return found


def draw(logits_of: Logits, hints: np.ndarray, colors: np.ndarray, seed: int) -> np.ndarray:
    """Sample a coloring: add hints where the net is most unsure, drawn from its distribution.

    One place after the other: the net is given the last draw before the next is made, so that the
    other half of a coat follows the first. What differs is the hue: colors are drawn along the
    circle of hues, on which the draws of neighboring seeds are far apart, with about the chroma
    that is usual there.
    """
    hints = hints.copy()
    order = np.arctan2(colors[:, 1], colors[:, 0]).argsort(kind="stable")  # by hue
    chroma = np.hypot(*colors[order].T)
    logits = logits_of(hints)
    for i, (row, column) in enumerate(unsure_places(spread(logits, colors), ROUNDS)):
        if i:
            logits = logits_of(hints)
        p = softmax(logits[0, :, row, column] / _TEMPERATURE)[order]
        usual = (p * chroma).sum()
        p = p * np.exp(-(((chroma - usual) / (_VIVID * usual + 0.02)) ** 2) / 2)
        quantile = (float(uniform(0, i, 72)[0]) + (seed & _BITS) * _GOLDEN) % 1
        chosen = min(int((p.cumsum() < quantile * p.sum()).sum()), len(p) - 1)
        fill_square(hints[0], colors[order[chosen]], 4 * row + 2, 4 * column + 2)
    return hints


def unsure_places(unsure: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The most unsure places of a map (h, w), each out of the others' neighborhood.

    (row, column) of at most `count`, the most unsure first; all seeds draw in the same.
    """
    unsure = _means(unsure, 5)
    reach = max(unsure.shape) // 6
    places: list[tuple[int, int]] = []
    while len(places) < count and unsure.max() > 0:
        row, column = divmod(int(unsure.argmax()), unsure.shape[1])
        places.append((row, column))
        rows = slice(max(row - reach, 0), row + reach + 1)
        unsure[rows, max(column - reach, 0) : column + reach + 1] = 0
    return places


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits (bins, ...) -> probabilities along the first axis."""
    p: np.ndarray = np.exp(logits - logits.max(0))
    return p / p.sum(0)


def _means(values: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of `side` pixels around each place of values (h, w), inside the map."""
    around = side // 2
    padded = np.pad(values, around)
    inside = np.pad(np.ones_like(values), around)
    windows = np.lib.stride_tricks.sliding_window_view
    sums, counts = (windows(x, (side, side)).sum((-1, -2)) for x in (padded, inside))
    return sums / counts
