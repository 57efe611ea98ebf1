"""Compare two models on the same photos, photo by photo."""

from collections.abc import Sequence

from torch import Tensor

from pix2pix.evaluate.intervals import section
from pix2pix.evaluate.result import Comparison, Gain

BETTER = {  # metric: +1 when more is better
    "psnr": 1,
    "ssim": 1,
    "delta_e2000": -1,
    "colorfulness_error": -1,
    "lpips_like": -1,
    "lpips": -1,
}
_NAMED = 5


def compare(model: dict[str, Tensor], other: dict[str, Tensor], paths: Sequence[str]) -> Comparison:
    """Metrics (N,) of two models on N photos -> how much, and how often, the first is better.

    `rows` and `intervals` hold of each metric the mean `difference`, model less other, and
    `share_better`, the share of the photos on which the model is better (equal ones count half);
    `gains` and `losses` the five photos where its PSNR is most above and below the other's.
    """
    table = {}
    for metric, sign in BETTER.items():
        if metric in model:
            difference = model[metric] - other[metric]
            share = ((sign * difference).sign() + 1) / 2
            table[metric] = {"difference": difference, "share_better": share}
    gain = table["psnr"]["difference"]
    order = gain.argsort(descending=True, stable=True).tolist()
    named: list[Gain] = [{"path": paths[i], "psnr": float(gain[i])} for i in order]
    return {
        **section(table),
        "gains": [photo for photo in named[:_NAMED] if photo["psnr"] > 0],
        "losses": [photo for photo in named[: -_NAMED - 1 : -1] if photo["psnr"] < 0],
    }
