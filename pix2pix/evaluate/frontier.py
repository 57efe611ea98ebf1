"""Frontier: PSNR at equal color, because PSNR alone rewards the paler of two models."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import AB_SCALE, rgb_to_lab
from pix2pix.evaluate.curves import Curve
from pix2pix.evaluate.intervals import DRAWS, SEED, MetricTable, resample
from pix2pix.evaluate.photos import SEPIA, Crops, as_in_a_file
from pix2pix.evaluate.result import CurveName, Section


class FrontierCurve(Curve):
    """Frontier: PSNR at given shares of the true color, and the color at a given PSNR.

    The a*, b* of the model's result, as they are in its 8-bit picture, are multiplied by each of
    FACTORS and joined to the photo's L*; the same for sepia, the constant tint. Between factors
    PSNR [dB] and the share of the true colorfulness, each of the whole set, are interpolated
    linearly. A row at each of SHARES: `psnr`, and that less the PSNR of the set in gray and in
    sepia as it is, and `saturation`, the factor. A row at the PSNR of gray + ROOM dB: the largest
    `colorfulness_ratio` at which PSNR is no lower. None where the factors do not reach that far.
    The intervals are those of the bootstrap, each draw interpolated anew.
    """

    name: CurveName = "frontier"
    FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
    SHARES = (0.62, 0.65)
    ROOM = 0.9

    def measure(self, crops: Crops, plain: Tensor) -> MetricTable:
        """As Curve: of each of the rows `psnr` and `colorfulness` (B,), by factor."""
        L, true = crops.lab[:, :1] / 50 - 1, crops.lab[:, 1:]
        tint = torch.tensor(SEPIA).view(1, 2, 1, 1).expand_as(true)
        table = {
            "truth": {"colorfulness": metrics.colorfulness(crops.truth)},
            "gray": _score(as_in_a_file(L, 0 * true), crops.truth),
            "sepia": _score(as_in_a_file(L, tint / AB_SCALE), crops.truth),
        }
        for name, ab in {"model": rgb_to_lab(plain)[:, 1:], "sepia": tint}.items():
            for factor in self.FACTORS:
                colored = as_in_a_file(L, factor * ab / AB_SCALE)
                table[f"{name} x {factor:g}"] = _score(colored, crops.truth)
        return table

    def summarize(self, table: MetricTable) -> Section:
        """As Curve."""
        several = len(table["truth"]["colorfulness"]) > 1
        of_sets = _of_sets(table)
        found = self._rows("model", of_sets) | self._rows("sepia", of_sets)
        section: Section = {"rows": {}, "intervals": {}}
        for row, values in found.items():
            section["rows"][row] = {
                key: float(sets[0]) if np.isfinite(sets[0]) else None
                for key, sets in values.items()
            }
            section["intervals"][row] = {
                key: np.percentile(sets[1:], (2.5, 97.5)).tolist()
                for key, sets in values.items()
                if several and np.isfinite(sets).all()
            }
        return section

    def _rows(
        self, name: str, sets: Mapping[tuple[str, str], np.ndarray]
    ) -> dict[str, dict[str, np.ndarray]]:
        """Rows of the model or of sepia, of each metric the values of all sets (S,)."""
        rows = ["gray", *(f"{name} x {factor:g}" for factor in self.FACTORS)]
        color = np.stack([sets[row, "colorfulness"] for row in rows], 1)  # (S, K)
        psnr = np.stack([sets[row, "psnr"] for row in rows], 1)
        factors = np.broadcast_to((0.0, *self.FACTORS), psnr.shape)
        gray, sepia = sets["gray", "psnr"], sets["sepia", "psnr"]
        found = {}
        for share in self.SHARES:
            at = crossing(color, share)
            here = _between(psnr, at)
            found[f"{name} at {share:.0%} color"] = {
                "psnr": here,
                "over_gray": here - gray,
                "over_sepia": here - sepia,
                "saturation": _between(factors, at),
            }
        at = crossing(gray[:, None] + self.ROOM - psnr, 0)
        found[f"{name} at gray + {self.ROOM:g} dB"] = {
            "psnr": _between(psnr, at),
            "colorfulness_ratio": _between(color, at),
            "saturation": _between(factors, at),
        }
        return found


def crossing(values: np.ndarray, level: float) -> np.ndarray:
    """Find where curves (S, K), linear between their points, last rise above `level`.

    -> positions (S,) in [0, K - 1], counted in points; NaN for a curve that ends at or below it, or
    that is never so low.
    """
    below = values <= level
    last = below.shape[1] - 1 - below[:, ::-1].argmax(1)  # the last point below
    known = below.any(1) & ~below[:, -1]
    start = np.where(known, last, 0)
    row = np.arange(len(values))
    low, high = values[row, start], values[row, start + 1]
    step = np.where(known, high - low, 1)
    return np.where(known, start + (level - low) / step, np.nan)


def _between(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate curves (S, K) at positions (S,); NaN at NaN."""
    start = np.nan_to_num(at).astype(int).clip(max=values.shape[1] - 2)
    row, rest = np.arange(len(values)), at - start
    return np.asarray(values[row, start] * (1 - rest) + values[row, start + 1] * rest)


def _score(rgb: Tensor, truth: Tensor) -> dict[str, Tensor]:
    return {"psnr": metrics.psnr(rgb, truth), "colorfulness": metrics.colorfulness(rgb)}


def _of_sets(table: MetricTable) -> dict[tuple[str, str], np.ndarray]:
    """Means of the set and of each draw of it, (1 + DRAWS,); colorfulness over the truth's."""
    names = [(row, k) for row, values in table.items() for k in values if row != "truth"]
    true = table["truth"]["colorfulness"].double().numpy()
    above = np.stack([table[row][key].double().numpy() for row, key in names], 1)
    none = np.ones_like(true)
    below = np.stack([none if key == "psnr" else true for _, key in names], 1)
    whole = (above.sum(0) / below.sum(0))[None]
    drawn = resample(above, below, draws=DRAWS, seed=SEED)
    return dict(zip(names, np.concatenate([whole, drawn]).T, strict=True))
