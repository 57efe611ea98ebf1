"""Takes: how much the colorings of several seeds differ, in what, and what each of them costs."""

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import rgb_to_lab
from pix2pix.report.curves import Figures, section
from pix2pix.report.intervals import Figure
from pix2pix.report.photos import Batch, to_tensor


class Takes:
    """Takes curve: seeds 1, 2 and 3 beside the plain result and beside each other.

    Of each take `psnr_lost` [dB], the PSNR of the plain result less that of the take, and
    `over_1_db`, the share of photos on which that is more than 1. `together`: `delta_e2000`, the
    mean CIEDE2000 between two takes over pixels and pairs, and `hue_share`, the share of the
    squared differences of a*, b* that is one of hue: da*^2 + db*^2 = dC^2 + dH^2.
    """

    name = "takes"
    SEEDS = (1, 2, 3)

    def __init__(self, colorizer: Any):
        self.colorizer = colorizer

    def measure(self, batch: Batch, model: Tensor) -> Figures:
        """As `curves.Curve`."""
        best = metrics.psnr(model, batch.truth)
        takes = [
            to_tensor(np.stack([self.colorizer.rgb(photo, seed=seed) for photo in batch.rgb8]))
            for seed in self.SEEDS
        ]
        figures = {
            str(seed): {"psnr_lost": best - metrics.psnr(take, batch.truth)}
            for seed, take in zip(self.SEEDS, takes, strict=True)
        }
        pairs = list(combinations(takes, 2))
        apart = torch.stack([metrics.delta_e2000(a, b) for a, b in pairs])
        together = {"delta_e2000": apart.mean(0)}
        parts = torch.stack([differences(a, b) for a, b in pairs]).sum(0)  # (2, B)
        together |= {"hue": parts[0], "difference": parts[1]}
        return figures | {"together": together}

    def summarize(self, figures: Figures) -> dict[str, Any]:
        """As `curves.Curve`."""
        table: dict[str, dict[str, Figure]] = {}
        for name, row in figures.items():
            if name == "together":
                shares = {"hue_share": (row["hue"], row["difference"])}
                table[name] = {"delta_e2000": row["delta_e2000"], **shares}
            else:
                table[name] = {**row, "over_1_db": (row["psnr_lost"] > 1).float()}
        return section(table)


def differences(a: Tensor, b: Tensor) -> Tensor:
    """Rgb (B,3,H,W) twice -> (2, B): mean squared difference of hue, and of a*, b* as a whole."""
    one, other = rgb_to_lab(a)[:, 1:], rgb_to_lab(b)[:, 1:]
    whole = (one - other).square().sum(1)  # (B, H, W)
    chroma = (one.norm(dim=1) - other.norm(dim=1)).square()
    return torch.stack([(whole - chroma).mean((1, 2)), whole.mean((1, 2))])
