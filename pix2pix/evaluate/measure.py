"""Measure a model on a folder of color photos, beside two baselines.

The gray row (no color at all) and the sepia row (one constant tint) say what the model's metrics
are worth: PSNR rewards desaturated color, so sepia is the row to beat, with colorfulness near the
truth's.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from pix2pix import metrics
from pix2pix.color import AB_SCALE, rgb_to_lab
from pix2pix.errors import DataError
from pix2pix.evaluate.colors import color_shares, measure_colors, strong
from pix2pix.evaluate.compare import BETTER, compare
from pix2pix.evaluate.curves import ColorizerLike, Curve
from pix2pix.evaluate.distances import measure_distances
from pix2pix.evaluate.feature_metrics import FeatureMetric
from pix2pix.evaluate.intervals import MetricTable, PerPhoto, section
from pix2pix.evaluate.photos import (
    SEPIA,
    Crops,
    OtherResults,
    as_in_a_file,
    color_each,
    read_crops,
)
from pix2pix.evaluate.result import CurveName, OfPhoto, Result, Skipped
from pix2pix.evaluate.workers import in_order

_LEAST_COLOR = 1.0  # mean colorfulness below which every ratio to the truth is noise
_PLAIN = ("gray", "sepia", "truth")  # rows that no model made


def evaluate(
    folder: str | Path,
    colorizer: ColorizerLike,
    *,
    size: int = 256,
    sepia: tuple[float, float] = SEPIA,
    other: ColorizerLike | None = None,
    against: str | Path | None = None,
    feature_metrics: Sequence[FeatureMetric] = (),
    curves: Sequence[Curve] = (),
) -> Result:
    """Compare colored photos with the true ones -> metrics of the rows gray, sepia, model, truth.

    Every photo under `folder` is resized so that its short side is `size` pixels and cropped to
    the center square. `sepia` is the tint a*, b* of the sepia row, the median of the training
    photos. `rows` holds the mean over the photos of PSNR [dB], SSIM, CIEDE2000 and colorfulness
    [0..255], that colorfulness over the truth's, and the mean of the differences' absolute values;
    how strong colors come out, and what the error of a*, b* is made of (colors.py); `intervals` the
    95 % bootstrap interval of each (None where it is undefined), `photos` the photos' own metrics,
    and `over_sepia` how far the model is from sepia, photo by photo.

    `feature_metrics` add to the rows; the intervals of distances between sets are the jackknife's.
    `other` is a second model: its row, and `compare`, the differences photo by photo (compare.py).
    `against` is a folder of another tool's results: the row `against`, over those photos that it
    has; `missing` lists the rest. Each of `curves` adds a section of its name.

    Files that cannot be read are listed under "skipped". Raises DataError when none can, or when
    the photos themselves are gray.
    """
    models = {"model": colorizer} | ({} if other is None else {"other": other})
    others = None if against is None else OtherResults(against, size)
    measured = _Measurements(models, sepia, others, feature_metrics, curves)
    skipped: list[Skipped] = []
    photos = (
        (crops, None if others is None else others.rows(crops))
        for crops in read_crops(folder, size, skipped)
    )
    for batch in in_order(measured.measure, photos):
        measured.add(batch)
    if not measured.paths:
        raise DataError(f"No photo could be read in {folder} ({len(skipped)} files skipped)")
    head: Result = {
        "folder": str(folder),
        "model": colorizer.name,
        "size": size,
        "sepia": list(sepia),
        "pictures": len(measured.paths),
        "skipped": skipped,
    }
    return head | measured.summarize(str(folder))


class _Batch(NamedTuple):
    """What was measured of some photos."""

    paths: list[str]
    there: Tensor  # (B,) bool: which photos the row `against` has
    rows: MetricTable
    features: list[MetricTable]  # by feature metric
    sections: dict[CurveName, MetricTable]


class _Measurements:
    """The metrics of all photos, gathered batch by batch."""

    def __init__(
        self,
        models: dict[str, ColorizerLike],
        sepia: tuple[float, float],
        others: OtherResults | None,
        feature_metrics: Sequence[FeatureMetric],
        curves: Sequence[Curve],
    ):
        self.models, self.sepia, self.others = models, sepia, others
        self.feature_metrics, self.curves = feature_metrics, curves
        self.paths: list[str] = []
        self.rows = _Columns()
        self.features = [_Columns() for _ in feature_metrics]
        self.sections = {curve.name: _Columns() for curve in curves}
        self.there: list[Tensor] = []

    def measure(self, batch: tuple[Crops, tuple[Tensor, Tensor] | None]) -> _Batch:
        """Color photos and measure their rows, `against` as it was found; for several threads."""
        crops, against = batch
        pictures = _pictures(crops, self.models, self.sepia)
        there = torch.ones(len(crops.paths), dtype=torch.bool)
        if against is not None:
            pictures["against"], there = against
        pictures["truth"] = crops.truth
        rows = {name: _metrics(rgb, crops) for name, rgb in pictures.items()}
        features = []
        for feature_metric in self.feature_metrics:
            measured = feature_metric.measure(pictures)
            features.append({k: {"features": row.pop("features")} for k, row in measured.items()})
            for name, row in measured.items():
                rows[name] |= row
        sections = {c.name: c.measure(crops, pictures["model"]) for c in self.curves}
        return _Batch(crops.paths, there, rows, features, sections)

    def add(self, batch: _Batch) -> None:
        """Add what was measured of a batch."""
        self.paths += batch.paths
        self.there.append(batch.there)
        self.rows.add(batch.rows)
        for columns, table in zip(self.features, batch.features, strict=True):
            columns.add(table)
        for name, table in batch.sections.items():
            self.sections[name].add(table)

    def summarize(self, folder: str) -> Result:
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
        rows = section(_with_ratio(table))
        for feature_metric, features in zip(self.feature_metrics, self.features, strict=True):
            distances, intervals = measure_distances(feature_metric, features.whole(), there)
            for name in distances:
                rows["rows"][name] |= distances[name]
                rows["intervals"][name] |= intervals[name]
        result: Result = {**rows, "over_sepia": section(_over_sepia(table))}
        if "other" in self.models:
            result["other"] = self.models["other"].name
            result["compare"] = compare(table["model"], table["other"], self.paths)
        if self.others is not None:
            result["against"] = {"folder": str(self.others.folder), "pictures": int(there.sum())}
            result["missing"] = self.others.missing
        sections = {name: columns.whole() for name, columns in self.sections.items()}
        for curve in self.curves:
            result[curve.name] = curve.summarize(sections[curve.name])
        result["photos"] = _photos(self.paths, {"rows": table} | sections)
        return result


class _Columns:
    """Metrics as they come, batch by batch."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))

    def add(self, table: MetricTable) -> None:
        for row, values in table.items():
            for metric, of_batch in values.items():
                self.parts[row][metric].append(of_batch)

    def whole(self) -> MetricTable:
        return {
            row: {metric: torch.cat(batches) for metric, batches in values.items()}
            for row, values in self.parts.items()
        }


def _pictures(
    crops: Crops, models: dict[str, ColorizerLike], sepia: tuple[float, float]
) -> dict[str, Tensor]:
    """Each row's photos, rgb (B, 3, H, W) in [0, 1] in steps of 1/255 as in a file."""
    L = crops.lab[:, :1] / 50 - 1
    none = torch.zeros_like(L).expand(-1, 2, -1, -1)
    tint = torch.tensor(sepia).view(1, 2, 1, 1) / AB_SCALE
    rgb8 = crops.rgb8
    return {
        "gray": as_in_a_file(L, none),
        "sepia": as_in_a_file(L, tint.expand_as(none)),
        **{name: color_each(rgb8, model.rgb) for name, model in models.items()},
    }


def _metrics(rgb: Tensor, crops: Crops) -> dict[str, Tensor]:
    colorfulness = {"colorfulness": metrics.colorfulness(rgb)}
    if rgb is crops.truth:
        return colorfulness | {"strong_area": strong(crops.lab[:, 1:]).float().mean((1, 2))}
    lab = rgb_to_lab(rgb)
    return {
        "psnr": metrics.psnr(rgb, crops.truth),
        "ssim": metrics.ssim(rgb, crops.truth),
        "delta_e2000": metrics.ciede2000(lab, crops.lab).mean((1, 2)),
        **measure_colors(lab[:, 1:], crops.lab[:, 1:]),
        **colorfulness,
    }


def _with_ratio(table: MetricTable) -> dict[str, dict[str, PerPhoto]]:
    """The table with shares of the truth's color, and of the error, in place of their parts."""
    true = table["truth"]["colorfulness"]
    rows = {name: color_shares(row) for name, row in table.items()}
    for name, row in rows.items():
        if name != "truth":
            row["colorfulness_ratio"] = (table[name]["colorfulness"], true)
    del rows["gray"]["strong_hue_cosine"]  # it has no hue
    return rows


def _over_sepia(table: MetricTable) -> MetricTable:
    """Of each model's row, metrics less sepia's."""
    return {
        name: {k: row[k] - table["sepia"][k] for k in BETTER if k in row}
        for name, row in table.items()
        if name not in _PLAIN
    }


def _photos(paths: list[str], sections: dict[str, MetricTable]) -> list[OfPhoto]:
    """What is known of each photo alone; null for what is not."""
    photos: list[OfPhoto] = [{"path": path} for path in paths]
    for section_name, table in sections.items():
        for row, columns in table.items():
            for metric, values in columns.items():
                for photo, value in zip(photos, values.tolist(), strict=True):
                    unknown = isinstance(value, float) and not math.isfinite(value)
                    known = photo.setdefault(section_name, {}).setdefault(row, {})
                    known[metric] = None if unknown else value
    return photos
