"""Compare two models on the same photos, photo by photo."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pix2pix.report.intervals import summarize

BETTER = {  # figure: +1 when more is better
    "psnr": 1,
    "ssim": 1,
    "delta_e2000": -1,
    "colorfulness_error": -1,
    "lpips_like": -1,
    "lpips": -1,
}
_NAMED = 5


def compare(
    model: dict[str, Tensor], other: dict[str, Tensor], paths: Sequence[str]
) -> dict[str, Any]:
    """Figures (N,) of two models on N photos -> how much, and how often, the first is better.

    `rows` and `intervals` hold of each figure the mean `difference`, model less other, and
    `share_better`, the share of the photos on which the model is better (equal ones count half);
    `gains` and `losses` the five photos where its PSNR is most above and below the other's.
    """
    table = {}
    for figure, sign in BETTER.items():
        if figure in model:
            difference = model[figure] - other[figure]
            share = ((sign * difference).sign() + 1) / 2
            table[figure] = {"difference": difference, "share_better": share}
    rows, intervals = summarize(table)
    gain = table["psnr"]["difference"]
    order = gain.argsort(descending=True, stable=True).tolist()
    named = [{"path": paths[i], "psnr": float(gain[i])} for i in order]
    return {
        "rows": rows,
        "intervals": intervals,
        "gains": [photo for photo in named[:_NAMED] if photo["psnr"] > 0],
        "losses": [p for p in named[: -_NAMED - 1 : -1] if p["psnr"] < 0],
    }
