"""Intervals: how far to trust a mean over a few hundred photos, by bootstrap or jackknife.

All metrics are resampled together, the same photos in every row, so that differences between rows
are paired. Means get the bootstrap. Distances between sets of photos do not bear it: a photo drawn
twice makes a set narrower than it is. They get the jackknife, which leaves photos out.
Source: Efron & Tibshirani 1993, chapters 13 (percentile intervals) and 11 (jackknife).
"""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pix2pix.evaluate.result import Intervals, Means, Section
from pix2pix.evaluate.workers import in_order

Name = TypeVar("Name", bound=Hashable)
MetricTable = dict[str, dict[str, Tensor]]
"""By row and metric the photos' values, (N,); hints have (N, K), features (N, D)."""
PerPhoto = Tensor | tuple[Tensor, Tensor]
"""One value a photo (N,), NaN where there is none; or two such, for the ratio of their sums."""

DRAWS, SEED = 1000, 0
GROUPS = 20  # of photos, which the jackknife leaves out in turn
_AT_ONCE = 2**24  # draws times photos held at a time: 128 MB
# fmt: off
T_975 = dict(zip(range(3, GROUPS), (  # degrees of freedom: 97.5 % quantile of Student's t
    3.1824463052837078, 2.7764451051977934, 2.5705818356363146, 2.4469118511449786,
    2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274,
    2.200985160091639, 2.1788128296672284, 2.1603686564627913, 2.144786687917804,
    2.131449545559776, 2.1199052992212546, 2.1098155778333156, 2.1009220402410382,
    2.0930240544083087,
), strict=True))
# fmt: on


def summarize(
    table: Mapping[str, Mapping[str, PerPhoto]], *, draws: int = DRAWS, seed: int = SEED
) -> tuple[Means, Intervals]:
    """Bootstrap per-photo values -> their means, and of each the 95 % interval [low, high].

    The interval is that of `draws` samples of the photos, as many and with replacement, the same
    for every metric. None for a metric that is not defined, and for an interval of one photo.
    """
    names = [(row, metric) for row, metrics in table.items() for metric in metrics]
    if not names:
        return {row: {} for row in table}, {row: {} for row in table}
    pairs = [_parts(table[row][metric]) for row, metric in names]
    above = np.stack([a for a, _ in pairs], 1)
    below = np.stack([b for _, b in pairs], 1)
    drawn = resample(above, below, draws=draws, seed=seed)
    means: Means = {row: {} for row in table}
    intervals: Intervals = {row: {} for row in table}
    for k, (row, metric) in enumerate(names):
        count = int((below[:, k] > 0).sum())  # of photos that say something
        means[row][metric] = float(above[:, k].sum() / below[:, k].sum()) if count else None
        ends = np.nanpercentile(drawn[:, k], (2.5, 97.5)).tolist() if count > 1 else None
        intervals[row][metric] = ends
    return means, intervals


def section(table: Mapping[str, Mapping[str, PerPhoto]]) -> Section:
    """Bootstrap per-photo values -> the `rows` of their means and the `intervals` of these."""
    rows, intervals = summarize(table)
    return {"rows": rows, "intervals": intervals}


def resample(above: np.ndarray, below: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Draw bootstrap samples: two (N, K) -> the ratio of their sums over each, (draws, K).

    NaN for a sample in which the second sum is 0, such as one without any photo of a sparse row.
    """
    rng = np.random.default_rng(seed)
    count = len(above)
    ratios = []
    for start in range(0, draws, step := max(1, _AT_ONCE // count)):
        here = min(step, draws - start)
        chosen = rng.integers(count, size=(here, count)) + count * np.arange(here)[:, None]
        times = np.bincount(chosen.ravel(), minlength=here * count).reshape(here, count)
        weight = times.astype(np.float64)
        sums = weight @ below
        ratios.append((weight @ above) / np.where(sums > 0, sums, np.nan))
    return np.concatenate(ratios)


def jackknife(
    metrics_of: Callable[[Tensor], Mapping[Name, float | None]],
    whole: Mapping[Name, float | None],
    count: int,
    *,
    seed: int = SEED,
) -> dict[Name, list[float] | None]:
    """Jackknife the metrics of a set of `count` photos -> of each the 95 % interval [low, high].

    `whole` are the metrics of all, `metrics_of` gives those of the photos at some places (n,) and
    is called from several threads.
    `GROUPS` groups of photos, or each photo where there are fewer, are left out in turn. {} for
    fewer than 4 photos; None for a metric that some of these sets do not have.
    """
    groups = min(GROUPS, count)
    if count < 4:
        return {}
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    parts = order.tensor_split(groups)
    sets = [torch.cat([*parts[:i], *parts[i + 1 :]]) for i in range(groups)]
    without = list(in_order(metrics_of, sets))
    intervals: dict[Name, list[float] | None] = {}
    for name, value in whole.items():
        left = np.array([one[name] for one in without], float)  # None is NaN
        if value is None or not np.isfinite(left).all():
            intervals[name] = None
            continue
        error = np.sqrt((groups - 1) * left.var())  # standard error
        half = float(T_975[groups - 1] * error)
        intervals[name] = [value - half, value + half]
    return intervals


def _parts(values: PerPhoto) -> tuple[np.ndarray, np.ndarray]:
    """What is summed above and below the line (N,), 0 where a photo has no value."""
    if isinstance(values, tuple):
        above, below = (part.double().numpy() for part in values)
        here = np.isfinite(above) & np.isfinite(below)
        return np.where(here, above, 0), np.where(here, below, 0)
    numbers = values.double().numpy()
    here = np.isfinite(numbers)
    return np.where(here, numbers, 0), here.astype(np.float64)
