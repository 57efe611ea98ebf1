"""Distances between sets of photos: metrics of a row's features, and their intervals."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pix2pix.evaluate.feature_metrics import FeatureMetric
from pix2pix.evaluate.intervals import MetricTable, jackknife
from pix2pix.evaluate.result import Intervals, Means


def measure_distances(
    feature_metric: FeatureMetric, columns: MetricTable, here: Tensor
) -> tuple[Means, Intervals]:
    """Features of all rows -> the metrics of every row but truth, and their intervals.

    Those of `against` are over the photos `here`, (N,) bool; None where there are fewer than two.
    """
    features = {name: row["features"] for name, row in columns.items()}
    against = features.pop("against", None)
    distances, intervals = _of_rows(feature_metric, features)
    if against is not None:
        rows = {"against": against, "truth": features["truth"], "gray": features["gray"]}
        found = _of_rows(feature_metric, {name: row[here] for name, row in rows.items()})
        distances["against"], intervals["against"] = found[0]["against"], found[1]["against"]
    return distances, intervals


def _of_rows(
    feature_metric: FeatureMetric, features: Mapping[str, Tensor]
) -> tuple[Means, Intervals]:
    rows = [name for name in features if name != "truth"]
    count = len(features["truth"])
    if count < 2:  # a distance between sets is none of single photos
        return {name: dict.fromkeys(feature_metric.names) for name in rows}, {n: {} for n in rows}
    of_some = feature_metric.summarize(features)

    def flat(places: Tensor) -> dict[tuple[str, str], float | None]:
        means = of_some(places)
        return {(name, metric): v for name, row in means.items() for metric, v in row.items()}

    whole = flat(torch.arange(count))
    distances: Means = {name: {} for name in rows}
    for (name, metric), value in whole.items():
        distances[name][metric] = value
    intervals: Intervals = {name: {} for name in rows}
    for (name, metric), ends in jackknife(flat, whole, count).items():
        intervals[name][metric] = ends
    return distances, intervals
