"""Simulated hints for training (B, 3, H, W): true colors at random points.

The channels are a, b and a mask. colorize/hints.py makes the same of what users give.
"""

import numpy as np
from torch import Tensor

from pix2pix.randomness import random_bits, uniform

MOST_POINTS = 256  # of one photo
_MEANS = (1.0, 64.0)  # of the geometric distribution that the number of points is drawn from


def reveal(ab: Tensor, seed: int, positions: np.ndarray, probability: float) -> Tensor:
    """Draw hints (B, 3, H, W) from true ab (B, 2, H, W), for a share `probability` of the photos.

    As in Zhang et al. 2017, https://arxiv.org/abs/1705.02999, section 3.3: a geometric number of
    points, patches of 1 to 9 pixels, each filled with its mean color, places from a normal
    distribution around the center (in half of the photos: uniform). Theirs has one mean, 7; here
    it is drawn too, from 1 to 64, so that both one hint and a hundred are met.
    """
    hints = ab.new_zeros(len(ab), 3, *ab.shape[-2:])
    hinted = uniform(seed, positions, 70) < probability
    keys = random_bits(seed, positions, 71)
    for i in np.flatnonzero(hinted):
        rng = np.random.Generator(np.random.Philox(key=[int(keys[i]), 0]))
        mean = np.exp(rng.uniform(*np.log(_MEANS)))
        count = min(MOST_POINTS, rng.geometric(1 / mean))
        spread = rng.normal(0.5, 0.25, (count, 2)) if rng.random() < 0.5 else rng.random((count, 2))
        sides = rng.integers(1, 10, count)
        paint(hints[i], ab[i], spread.clip(0, 0.999), sides)
    return hints


def paint(hints: Tensor, ab: Tensor, places: np.ndarray, sides: np.ndarray) -> None:
    """Fill squares of hints (3, H, W) with their mean of ab (2, H, W), in place.

    `places` (N, 2) are their centers, y and x as fractions in [0, 1); `sides` (N,) in pixels. What
    lies outside the picture is cut off.
    """
    height, width = ab.shape[-2:]
    for (y, x), side in zip(places, sides, strict=True):
        top, left = int(y * height) - side // 2, int(x * width) - side // 2
        patch = (slice(max(top, 0), max(top + side, 1)), slice(max(left, 0), max(left + side, 1)))
        hints[:2, *patch] = ab[:, *patch].mean((1, 2), keepdim=True)
        hints[2, *patch] = 1


def uniform_points(count: int, seed: int) -> np.ndarray:
    """`count` places (count, 2), y and x in [0, 1), of which fewer are the first of more."""
    return np.random.Generator(np.random.Philox(key=[seed, 1])).random((count, 2))
