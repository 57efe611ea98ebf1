"""Variants: how much the colorings of several seeds differ, in what, and what each costs."""

from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import rgb_to_lab
from pix2pix.evaluate.curves import Curve
from pix2pix.evaluate.intervals import MetricTable, PerPhoto, section
from pix2pix.evaluate.photos import Crops, color_each
from pix2pix.evaluate.result import CurveName, Section


class VariantCurve(Curve):
    """Seeds 1, 2 and 3 beside the plain result and beside each other; `takes` in the result.

    Of each variant `psnr_lost` [dB], the PSNR of the plain result less that of the variant, and
    `over_1_db`, the share of photos on which that is more than 1. `together`: `delta_e2000`, the
    mean CIEDE2000 between two variants over pixels and pairs, and `hue_share`, the share of the
    squared differences of a*, b* that is one of hue: da*^2 + db*^2 = dC^2 + dH^2.
    """

    name: CurveName = "takes"
    SEEDS = (1, 2, 3)

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve."""
        best = metrics.psnr(plain, crops.truth)
        variants = [
            color_each(crops.rgb8, partial(self.colorizer.rgb, seed=seed)) for seed in self.SEEDS
        ]
        table = {
            str(seed): {"psnr_lost": best - metrics.psnr(variant, crops.truth)}
            for seed, variant in zip(self.SEEDS, variants, strict=True)
        }
        pairs = list(combinations(variants, 2))
        apart = torch.stack([metrics.delta_e2000(a, b) for a, b in pairs])
        hue, difference = torch.stack([differences(a, b) for a, b in pairs]).sum(0)  # (B,) each
        together = {"delta_e2000": apart.mean(0), "hue": hue, "difference": difference}
        return table | {"together": together}

    def summarize(self, table: MetricTable) -> Section:
        """As Curve."""
        rows: dict[str, dict[str, PerPhoto]] = {
            name: {**row, "over_1_db": (row["psnr_lost"] > 1).float()}
            for name, row in table.items()
            if name != "together"
        }
        row = table["together"]
        shares = {"hue_share": (row["hue"], row["difference"])}
        return section(rows | {"together": {"delta_e2000": row["delta_e2000"], **shares}})


def differences(a: Tensor, b: Tensor) -> Tensor:
    """Two RGB (B, 3, H, W) -> mean squared difference of hue, and of all a*, b*: (2, B)."""
    one, other = rgb_to_lab(a)[:, 1:], rgb_to_lab(b)[:, 1:]
    whole = (one - other).square().sum(1)  # (B, H, W)
    chroma = (one.norm(dim=1) - other.norm(dim=1)).square()
    return torch.stack([(whole - chroma).mean((1, 2)), whole.mean((1, 2))])
