"""Takes: what a net with a distribution over colors can say beyond its one answer.

How unsure it is where, which colors it finds likely at a place, and further colorings in which the
places it is unsure of came out another way. Everything here is at the net's size: L (1, 1, h, w)
and hints (1, 3, h, w) in, its quarter for maps.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.color import AB_SCALE
from pix2pix.hints import tell
from pix2pix.randomness import uniform

Heads = Callable[[Tensor], tuple[Tensor, Tensor]]
"""L and hints (1, 4, h, w) -> ab (1, 2, h, w), logits (1, bins, h/4, w/4)."""

ROUNDS = 5  # places of a take that are drawn, one after the other
_NEAR = 25.0  # [a*, b*] colors closer than this are one suggestion
_CALM = 0.5  # power of the probabilities that a take draws from are raised by 1 / this
_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, are spread as evenly as can be


def spread(logits: Tensor, colors: Tensor) -> Tensor:
    """Logits (1, bins, h, w) and the bins' ab (bins, 2) -> how unsure (h, w), in units of a*, b*.

    The distribution's standard deviation: 0 where one color is certain, about 10 where all are
    earth, 30 where it may be red or blue.
    """
    p = logits[0].float().softmax(0).flatten(1)  # (bins, h * w)
    mean = colors.T @ p  # (2, h * w)
    variance = colors.square().sum(1) @ p - mean.square().sum(0)
    return AB_SCALE * variance.clamp(min=0).sqrt().view(logits.shape[-2:])


def suggest(
    logits: Tensor, colors: Tensor, row: int, column: int, *, count: int
) -> list[tuple[Tensor, float]]:
    """Likely colors at a place of logits (1, bins, h, w): ab (2,) and share, the likeliest first.

    Each is the mean of what lies around a peak of the distribution, at most `count` of them.
    """
    p = logits[0, :, row, column].float().softmax(0)
    found = []
    for _ in range(count):
        peak = colors[p.argmax()]
        around = (colors - peak).norm(dim=1) * AB_SCALE < _NEAR
        share = float((p * around).sum())
        if share < 0.02:
            break
        found.append(((p * around) @ colors / share, share))
        p = p * ~around
    return found


def draw(heads: Heads, L: Tensor, hints: Tensor, colors: Tensor, seed: int) -> Tensor:
    """Hints (1, 3, h, w) and, in the places that the net is most unsure of, a draw of its colors.

    One place after the other: the net hears of the last draw before the next is made, so that the
    other half of a coat follows the first. Colors are drawn along the circle of hues; the draws of
    neighboring seeds are far apart on it.
    """
    hints = hints.clone()
    hue = torch.atan2(colors[:, 1], colors[:, 0])
    order = hue.argsort()
    taken = torch.zeros(L.shape[-2] // 4, L.shape[-1] // 4, dtype=torch.bool, device=L.device)
    start = uniform(0, np.arange(ROUNDS), 72)
    for i in range(ROUNDS):
        _, logits = heads(torch.cat([L, hints], 1))
        unsure = F.avg_pool2d(spread(logits, colors)[None], 5, 1, 2, count_include_pad=False)[0]
        place = int(unsure.masked_fill(taken, -1).argmax())
        row, column = divmod(place, unsure.shape[1])
        p = (logits[0, :, row, column].float() / _CALM).softmax(0)[order]
        quantile = (float(start[i]) + seed * _GOLDEN) % 1
        chosen = order[int((p.cumsum(0) < quantile).sum().clamp(max=len(p) - 1))]
        tell(hints[0], colors[chosen], 4 * row + 2, 4 * column + 2)
        reach = max(taken.shape) // 6
        taken[
            max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1
        ] = True
    return hints
