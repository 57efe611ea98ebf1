"""Sampling: an uncertainty map, likely colors and sampled colorings, of a net with color bins.

Everything here has the size of the net's input, L (1, 1, h, w) and hints (1, 3, h, w), and maps a
quarter of it.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.color import AB_SCALE
from pix2pix.colorize.hints import fill_square
from pix2pix.randomness import uniform

Heads = Callable[[Tensor], tuple[Tensor, Tensor]]
"""L and hints (1, 4, h, w) -> ab (1, 2, h, w), logits (1, bins, h/4, w/4)."""

ROUNDS = 3  # places whose color is drawn for a variant, one after the other
_NEAR = 25.0  # [a*, b*] colors closer than this are one suggestion
_TEMPERATURE = 0.8  # of the softmax: below 1, likely colors are drawn more often
_VIVID = 0.5  # how far a draw's chroma is from the usual one there, as a share of that
_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, modulo 1, are spread as evenly as can be


def spread(logits: Tensor, colors: Tensor) -> Tensor:
    """Logits (1, bins, h, w) and the bins' ab (bins, 2) -> standard deviation of a*, b* (h, w).

    How unsure the net is: 0 where one color is certain, about 10 where all are
    earth, 30 where it may be red or blue. The outermost places, which the net's padding makes a
    third more unsure than they would be in a larger picture, are as their neighbors.
    """
    p = logits[0].float().softmax(0).flatten(1)  # (bins, h * w)
    mean = colors.T @ p  # (2, h * w)
    variance = colors.square().sum(1) @ p - mean.square().sum(0)
    unsure = AB_SCALE * variance.clamp(min=0).sqrt().view(logits.shape[-2:])
    inside = unsure[1:-1, 1:-1]
    if inside.numel() == 0:
        return unsure
    return F.pad(inside[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]


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
    """Sample a coloring: add hints where the net is most unsure, drawn from its distribution.

    One place after the other: the net is given the last draw before the next is made, so that the
    other half of a coat follows the first. What differs is the hue: colors are drawn along the
    circle of hues, on which the draws of neighboring seeds are far apart, with about the chroma
    that is usual there.
    """
    hints = hints.clone()
    order = torch.atan2(colors[:, 1], colors[:, 0]).argsort()  # by hue
    chroma = colors[order].norm(dim=1)
    _, logits = heads(torch.cat([L, hints], 1))
    for i, (row, column) in enumerate(unsure_places(spread(logits, colors), ROUNDS)):
        if i:
            _, logits = heads(torch.cat([L, hints], 1))
        p = (logits[0, :, row, column].float() / _TEMPERATURE).softmax(0)[order]
        usual = (p * chroma).sum()
        p = p * torch.exp(-(((chroma - usual) / (_VIVID * usual + 0.02)) ** 2) / 2)
        quantile = (float(uniform(0, i, 72)[0]) + seed * _GOLDEN) % 1
        chosen = int((p.cumsum(0) < quantile * p.sum()).sum().clamp(max=len(p) - 1))
        fill_square(hints[0], colors[order[chosen]], 4 * row + 2, 4 * column + 2)
    return hints


def unsure_places(unsure: Tensor, count: int) -> list[tuple[int, int]]:
    """The most unsure places of a map (h, w), each out of the others' neighborhood.

    (row, column) of at most `count`, the most unsure first; all seeds draw in the same.
    """
    unsure = F.avg_pool2d(unsure[None, None], 5, 1, 2, count_include_pad=False)[0, 0]
    reach = max(unsure.shape) // 6
    places: list[tuple[int, int]] = []
    while len(places) < count and unsure.max() > 0:
        row, column = divmod(int(unsure.argmax()), unsure.shape[1])
        places.append((row, column))
        rows = slice(max(row - reach, 0), row + reach + 1)
        unsure[rows, max(column - reach, 0) : column + reach + 1] = 0
    return places
