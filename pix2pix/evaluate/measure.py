"""Measure a model on a folder of color photos, beside rows that cost nothing.

The gray row (no color at all) and the sepia row (one constant tint) say what the model's figures
are worth: PSNR rewards timid color, so sepia is the row to beat, with colorfulness near the
truth's.
"""

import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import AB_SCALE, net_to_rgb, rgb_to_net
from pix2pix.errors import BadHint, DataError
from pix2pix.report.compare import BETTER, compare
from pix2pix.report.curves import Colors, Curve, Film, Hints, Saturations, Sizes
from pix2pix.report.intervals import Figure, Intervals, Means, jackknife, summarize
from pix2pix.report.photos import Batch, Others, batches, to_tensor
from pix2pix.report.variety import Takes
from pix2pix.report.yardsticks import Squeeze, TorchMetrics, Yardstick

_LEAST_COLOR = 1.0  # mean colorfulness below which every ratio to the truth is noise
_PLAIN = ("gray", "sepia", "truth")  # rows that no model made
Columns = dict[str, dict[str, Tensor]]
"""Of each row and figure the values of the photos, (N,); features are (N,D)."""


def evaluate(
    folder: str | Path,
    colorizer: Colors,
    *,
    size: int = 256,
    sepia: tuple[float, float] = (-2.4, 11.0),
    features: str | Path | None = None,
    heads: str | Path | None = None,
    torchmetrics: bool = False,
    other: Colors | None = None,
    against: str | Path | None = None,
    hints: Sequence[int] = (),
    film: bool = False,
    sizes: bool = False,
    takes: bool = False,
    saturations: Sequence[float] = (),
) -> dict[str, Any]:
    """Compare colored photos with the true ones -> figures of the rows gray, sepia, model, truth.

    Every photo under `folder` is resized so that its short side is `size` pixels and cropped to
    the center square. `sepia` is the tint a*, b* of the sepia row, the median of the training
    photos. `rows` holds the mean over the photos of PSNR [dB], SSIM, CIEDE2000 and colorfulness
    [0..255], that colorfulness over the truth's, and the mean of the differences' absolute values;
    `intervals` the 95 % bootstrap interval of each (None where these photos tell none), `photos`
    the photos' own figures, and `over_sepia` how far the model is from sepia, photo by photo.

    With `features`, the weights of a SqueezeNet 1.1 (see `metrics.SqueezeFeatures`), also the
    Fréchet distance to the truth, the share of gray's distance that the row closes, and KID; with
    `heads` (`metrics.PerceptualDistance`) the paired LPIPS-like distance. `torchmetrics` adds the
    published LPIPS and FID (`yardsticks.TorchMetrics`). The intervals of distances between sets
    are the jackknife's.

    `other` is a second model: its row, and `compare`, the differences photo by photo (compare.py).
    `against` is a folder of another tool's results: the row `against`, over those photos that it
    has; `missing` lists the rest. `hints` (counts of points), `film`, `sizes`, `takes` and
    `saturations` (factors of the chroma) add a section each (curves.py and variety.py say how they
    are scored).

    Files that cannot be read are listed under "skipped". Raises DataError when none can,
    or when the photos themselves are gray; BadHint for `hints` of a model that takes none;
    YardstickError for what cannot be measured with.
    """
    if hints and not getattr(colorizer, "takes_hints", False):
        raise BadHint(f"{colorizer.name} takes no hints: leave --hints out")
    yardsticks: list[Yardstick] = [] if features is None else [Squeeze(features, heads)]
    yardsticks += [TorchMetrics()] if torchmetrics else []
    curves: list[Curve] = [Hints(colorizer, hints)] if hints else []
    curves += [Film(colorizer)] if film else []
    curves += [Sizes(colorizer)] if sizes else []
    curves += [Takes(colorizer)] if takes else []
    curves += [Saturations(colorizer, saturations)] if saturations else []
    others = None if against is None else Others(against, size)
    run = _Run({"model": colorizer} | ({} if other is None else {"other": other}), sepia)
    run.yardsticks, run.curves, run.others = yardsticks, curves, others
    skipped: list[dict[str, str]] = []
    for batch in batches(folder, size, skipped):
        run.take(batch)
    if not run.paths:
        raise DataError(f"No photo could be read in {folder} ({len(skipped)} files skipped)")
    return {
        "folder": str(folder),
        "model": colorizer.name,
        "size": size,
        "sepia": list(sepia),
        "pictures": len(run.paths),
        "skipped": skipped,
    } | run.result(str(folder))


class _Run:
    """The figures of all photos, gathered batch by batch."""

    def __init__(self, models: dict[str, Colors], sepia: tuple[float, float]):
        self.models, self.sepia = models, sepia
        self.yardsticks: list[Yardstick] = []
        self.curves: list[Curve] = []
        self.others: Others | None = None
        self.paths: list[str] = []
        self.rows = _Columns()
        self.features: dict[int, _Columns] = defaultdict(_Columns)
        self.sections: dict[str, _Columns] = defaultdict(_Columns)
        self.there: list[Tensor] = []  # (B,) bool: which photos the row `against` has

    def take(self, batch: Batch) -> None:
        """Color a batch and measure every row of it."""
        self.paths += batch.paths
        pictures = _pictures(batch, self.models, self.sepia)
        there = torch.ones(len(batch.paths), dtype=torch.bool)
        if self.others is not None:
            pictures["against"], there = self.others.rows(batch)
        self.there.append(there)
        pictures["truth"] = batch.truth
        for name, rgb in pictures.items():
            self.rows.add(name, _figures(rgb, batch.truth))
        for i, yardstick in enumerate(self.yardsticks):
            for name, measured in yardstick.measure(pictures).items():
                self.features[i].add(name, {"features": measured.pop("features")})
                self.rows.add(name, measured)
        for curve in self.curves:
            for name, measured in curve.measure(batch, pictures["model"]).items():
                self.sections[curve.name].add(name, measured)

    def result(self, folder: str) -> dict[str, Any]:
        """Means, intervals and sections, as `evaluate` returns them. Raises DataError."""
        table, there = self.rows.whole(), torch.cat(self.there)
        true = table["truth"]["colorfulness"]
        if true.mean() < _LEAST_COLOR:
            raise DataError(f"The photos in {folder} are gray: there is no color to compare with")
        if self.others is not None and not there.any():
            raise DataError(f"{self.others.folder} has no version of any photo in {folder}")
        for name, row in table.items():
            if name != "truth":
                row["colorfulness_error"] = (row["colorfulness"] - true).abs()
        for values in table.get("against", {}).values():
            values[~there] = torch.nan
        means, intervals = summarize(_with_ratio(table))
        for i, yardstick in enumerate(self.yardsticks):
            distances, spans = _distances(yardstick, self.features[i].whole(), there)
            for name in distances:
                means[name] |= distances[name]
                intervals[name] |= spans[name]
        over, over_intervals = summarize(_over_sepia(table))
        result: dict[str, Any] = {
            "rows": means,
            "intervals": intervals,
            "over_sepia": {"rows": over, "intervals": over_intervals},
        }
        if "other" in self.models:
            result["other"] = self.models["other"].name
            result["compare"] = compare(table["model"], table["other"], self.paths)
        if self.others is not None:
            result["against"] = {"folder": str(self.others.folder), "pictures": int(there.sum())}
            result["missing"] = self.others.missing
        sections = {name: columns.whole() for name, columns in self.sections.items()}
        for curve in self.curves:
            result[curve.name] = curve.summarize(sections[curve.name])
        return result | {"photos": _photos(self.paths, {"rows": table} | sections)}


class _Columns:
    """Figures as they come, batch by batch."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))

    def add(self, row: str, figures: dict[str, Tensor]) -> None:
        for figure, values in figures.items():
            self.parts[row][figure].append(values)

    def whole(self) -> Columns:
        return {
            row: {figure: torch.cat(values) for figure, values in figures.items()}
            for row, figures in self.parts.items()
        }


def _pictures(
    batch: Batch, models: dict[str, Colors], sepia: tuple[float, float]
) -> dict[str, Tensor]:
    """Each row's version of the photos, rgb (B,3,H,W) in [0, 1] in steps of 1/255 as in a file."""
    L, ab = rgb_to_net(batch.truth)
    tint = torch.tensor(sepia).view(1, 2, 1, 1) / AB_SCALE
    rgb8 = batch.rgb8
    colored = {
        name: to_tensor(np.stack([model.rgb(photo) for photo in rgb8]))
        for name, model in models.items()
    }
    return {
        "gray": (255 * net_to_rgb(L, torch.zeros_like(ab))).round() / 255,
        "sepia": (255 * net_to_rgb(L, tint.expand_as(ab))).round() / 255,
        **colored,
    }


def _figures(rgb: Tensor, truth: Tensor) -> dict[str, Tensor]:
    colorfulness = {"colorfulness": metrics.colorfulness(rgb)}
    if rgb is truth:
        return colorfulness
    return {
        "psnr": metrics.psnr(rgb, truth),
        "ssim": metrics.ssim(rgb, truth),
        "delta_e2000": metrics.delta_e2000(rgb, truth),
    } | colorfulness


def _with_ratio(table: Columns) -> dict[str, dict[str, Figure]]:
    """The table, and of each row but truth the colorfulness over the truth's."""
    true = table["truth"]["colorfulness"]
    figures: dict[str, dict[str, Figure]] = {name: {**row} for name, row in table.items()}
    for name, row in figures.items():
        if name != "truth":
            row["colorfulness_ratio"] = (table[name]["colorfulness"], true)
    return figures


def _over_sepia(table: Columns) -> Columns:
    """Of each model's row, figures less sepia's."""
    return {
        name: {k: row[k] - table["sepia"][k] for k in BETTER if k in row}
        for name, row in table.items()
        if name not in _PLAIN
    }


def _distances(yardstick: Yardstick, columns: Columns, here: Tensor) -> tuple[Means, Intervals]:
    """The figures that features give; those of `against` only over the photos `here` (N,)."""
    distances: Means = {}
    intervals: Intervals = {}
    for name, row in columns.items():
        if name != "truth":
            chosen = here if name == "against" else torch.ones_like(here)
            compared = (row, columns["truth"], columns["gray"])
            features = [c["features"][chosen] for c in compared]
            summary = functools.partial(_summary, yardstick, features)
            if len(features[0]) < 2:  # a distance between sets is none of single photos
                distances[name] = dict.fromkeys(yardstick.figures)
                intervals[name] = {}
                continue
            distances[name] = {**yardstick.summarize(*features)}
            intervals[name] = jackknife(summary, distances[name], len(features[0]))
    return distances, intervals


def _summary(
    yardstick: Yardstick, features: list[Tensor], places: Tensor
) -> Mapping[str, float | None]:
    """The figures of the photos at `places` (n,) alone."""
    return yardstick.summarize(*(f[places] for f in features))


def _photos(paths: list[str], sections: dict[str, Columns]) -> list[dict[str, Any]]:
    """What is known of each photo alone; null for what is not."""
    photos: list[dict[str, Any]] = [{"path": path} for path in paths]
    for section, columns in sections.items():
        for row, figures in columns.items():
            for figure, values in figures.items():
                for photo, value in zip(photos, values.tolist(), strict=True):
                    known = photo.setdefault(section, {}).setdefault(row, {})
                    known[figure] = _known(value)
    return photos


def _known(value: Any) -> Any:
    """None for a number that is none; lists, of hints, as they are."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
