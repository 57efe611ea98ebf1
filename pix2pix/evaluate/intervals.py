"""Intervals: what a figure of a few hundred photos is worth, by the bootstrap or the jackknife.

All figures are resampled together, the same photos in every row, so that differences between rows
are paired. Means get the bootstrap. Distances between sets of photos do not bear it: a photo drawn
twice makes a set narrower than it is. They get the jackknife, which leaves photos out.
Source: Efron & Tibshirani 1993, chapters 13 (percentile intervals) and 11 (jackknife).
"""

from collections.abc import Callable, Mapping

import numpy as np
import scipy.stats
import torch
from torch import Tensor

Figure = Tensor | tuple[Tensor, Tensor]
"""One value a photo (N,), NaN where there is none; or two such, for the ratio of their sums."""
Means = dict[str, dict[str, float | None]]
"""None where a figure is not defined, such as a share of no color."""
Intervals = dict[str, dict[str, list[float] | None]]
"""None where fewer than two photos have a value: one says nothing of how far it varies."""

DRAWS, SEED = 1000, 0
GROUPS = 20  # of photos, which the jackknife leaves out in turn
_AT_ONCE = 2**24  # draws times photos held at a time: 128 MB


def summarize(
    table: Mapping[str, Mapping[str, Figure]], *, draws: int = DRAWS, seed: int = SEED
) -> tuple[Means, Intervals]:
    """Figures of rows -> their means, and for each the 95 % interval [low, high] of the mean.

    The interval is that of `draws` samples of the photos, as many and with replacement, the same
    for every figure. None for a figure that is not defined, and for an interval of one photo.
    """
    names = [(row, figure) for row, figures in table.items() for figure in figures]
    if not names:
        return {row: {} for row in table}, {row: {} for row in table}
    pairs = [_parts(table[row][figure]) for row, figure in names]
    above = np.stack([a for a, _ in pairs], 1)
    below = np.stack([b for _, b in pairs], 1)
    drawn = resample(above, below, draws=draws, seed=seed)
    means: Means = {row: {} for row in table}
    intervals: Intervals = {row: {} for row in table}
    for k, (row, figure) in enumerate(names):
        count = int((below[:, k] > 0).sum())  # of photos that say something
        means[row][figure] = float(above[:, k].sum() / below[:, k].sum()) if count else None
        ends = np.nanpercentile(drawn[:, k], (2.5, 97.5)).tolist() if count > 1 else None
        intervals[row][figure] = ends
    return means, intervals


def resample(above: np.ndarray, below: np.ndarray, *, draws: int, seed: int) -> np.ndarray:
    """Two (N, K) -> (draws, K): the ratio of their sums over each sample of the N photos.

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
    figures: Callable[[Tensor], Mapping[str, float | None]],
    whole: Mapping[str, float | None],
    count: int,
    *,
    seed: int = SEED,
) -> dict[str, list[float] | None]:
    """For each figure of a set of `count` photos its 95 % interval [low, high].

    `whole` are the figures, `figures` gives those of the photos at some places (n,). `GROUPS`
    groups of photos, or each photo where there are fewer, are left out in turn. {} for fewer than 4
    photos; None for a figure that some of these sets do not have.
    """
    groups = min(GROUPS, count)
    if count < 4:
        return {}
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    without = [
        figures(torch.cat([part for j, part in enumerate(order.tensor_split(groups)) if j != i]))
        for i in range(groups)
    ]
    intervals: dict[str, list[float] | None] = {}
    for name, value in whole.items():
        left = np.array([one[name] for one in without], float)  # None is NaN
        if value is None or not np.isfinite(left).all():
            intervals[name] = None
            continue
        error = np.sqrt((groups - 1) * left.var())  # standard error
        half = float(scipy.stats.t.ppf(0.975, groups - 1) * error)
        intervals[name] = [value - half, value + half]
    return intervals


def _parts(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """What is summed above and below the line (N,), 0 where a photo has no value."""
    if isinstance(figure, tuple):
        above, below = (part.double().numpy() for part in figure)
        here = np.isfinite(above) & np.isfinite(below)
        return np.where(here, above, 0), np.where(here, below, 0)
    values = figure.double().numpy()
    here = np.isfinite(values)
    return np.where(here, values, 0), here.astype(np.float64)
