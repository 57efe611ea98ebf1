"""Colors: how strong colors come out, and how much of the error is that of large areas.

Measured in a*, b*, so lightness plays no part. What is pooled is pooled over the pixels of all
photos, not averaged over the photos' own shares: many have few strong colors or none.
"""

import torch.nn.functional as F
from torch import Tensor

from pix2pix.evaluate.intervals import PerPhoto

STRONG = 40.0
"""The least true chroma C*ab of a strong color."""
CELLS = 8  # of a photo along each side
_LEAST_HUED = 2.0  # chroma below which a color's hue is rounding: 8 bits are off by up to 1


def strong(ab: Tensor) -> Tensor:
    """True a*, b* (B, 2, H, W) -> which pixels have a strong color, (B, H, W) bool."""
    return ab.norm(dim=1) >= STRONG


def measure_colors(ab: Tensor, true: Tensor) -> dict[str, Tensor]:
    """a*, b* (B, 2, H, W) of a result and of the truth -> means over each photo's pixels, (B,).

    Over the strong colors, others counting 0: `strong_chroma` and `strong_true`, the result's
    chroma C*ab and the truth's; `strong_hued`, the share of pixels where the result has a hue, and
    `strong_cosine`, the cosine of its difference from the true one there. Of a*, b* the squared
    error: `ab_error` the whole, `ab_error_mean` that of the photo's mean color, `ab_error_cells`
    that of the mean colors of 8x8 equal cells.
    """
    here, chroma, wanted = strong(true), ab.norm(dim=1), true.norm(dim=1)
    hued = here & (chroma >= _LEAST_HUED)
    cosine = (ab * true).sum(1) / (chroma * wanted).clamp(min=1)
    error = ab - true
    parts = {
        "strong_chroma": chroma * here,
        "strong_true": wanted * here,
        "strong_hued": hued.float(),
        "strong_cosine": cosine * hued,
        "ab_error": error.square().sum(1),
        "ab_error_mean": F.adaptive_avg_pool2d(error, 1).square().sum(1),
        "ab_error_cells": F.adaptive_avg_pool2d(error, CELLS).square().sum(1),
    }
    return {name: values.mean((1, 2)) for name, values in parts.items()}


def color_shares(row: dict[str, Tensor]) -> dict[str, PerPhoto]:
    """Metrics of a row's photos -> the same, but shares instead of what `measure_colors` gave.

    `strong_chroma_ratio`: chroma of strong colors over the truth's, whatever the hue.
    `strong_hue_cosine`: mean cosine of the hue error over those pixels that have a hue.
    `error_mean`, `error_cells`: shares of the squared a*, b* error.
    """
    parts = {
        "strong_chroma_ratio": ("strong_chroma", "strong_true"),
        "strong_hue_cosine": ("strong_cosine", "strong_hued"),
        "error_mean": ("ab_error_mean", "ab_error"),
        "error_cells": ("ab_error_cells", "ab_error"),
    }
    used = {key for pair in parts.values() for key in pair}
    shares: dict[str, PerPhoto] = {k: values for k, values in row.items() if k not in used}
    if "ab_error" in row:
        shares |= {name: (row[above], row[below]) for name, (above, below) in parts.items()}
    return shares
