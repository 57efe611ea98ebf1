"""Hints at the sizes of a decoder's levels."""

import torch
import torch.nn.functional as F
from torch import Tensor

HINT_CHANNELS = 3  # beside L: a and b where they are known, else 0; 1 where they are known


def pool_hints(hints: Tensor, factor: int) -> Tensor:
    """Hints (B, 3, H, W) -> (B, 3, H / factor, W / factor): mean ab of the hinted pixels, mask.

    Unlike a plain mean, a cell with one hinted pixel has that pixel's color: hints never fade. ab
    is multiplied by 8: common colors, about 0.1, then weigh as much as the mask.
    """
    sums = F.avg_pool2d(hints, factor, divisor_override=1)  # ab is zero where there is no hint
    count = sums[:, 2:]
    return torch.cat([8 * sums[:, :2] / count.clamp(min=1), count.clamp(max=1)], 1)
