"""Evaluation: the photos' own metrics in the JSON that `pix2pix evaluate --json` writes."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2pix.errors import DataError
from pix2pix.report.paper import csv_text

METRICS = ("psnr", "colorfulness_ratio", "delta_e2000")
_ROWS = ("gray", "sepia", "model", "other", "against")  # in the order of columns and legends

Values = list[float | None]


@dataclass(frozen=True)
class Evaluation:
    """Per-photo values by metric and row, such as gray and model; None where there is none."""

    about: str
    paths: list[str]
    names: dict[str, str]  # by row what it is called
    values: dict[str, dict[str, Values]]


def read_evaluation(path: str | Path) -> Evaluation:
    """Read the JSON. Raises DataError when `pix2pix evaluate` did not write it."""
    try:
        result = json.loads(Path(path).read_bytes())
    except (OSError, RecursionError, ValueError) as error:
        raise DataError(f"no JSON that can be read: {error}") from error
    try:
        return _take(result)
    except (AttributeError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise DataError(f"not what `pix2pix evaluate --json` writes: {why}") from error


def _take(result: Any) -> Evaluation:
    photos = result["photos"]
    rows = [name for name in _ROWS if any(name in photo["rows"] for photo in photos)]
    if not rows:
        raise KeyError("photos")
    names = {name: name for name in rows} | {"model": str(result["model"])}
    if "other" in result:
        names |= {"model": f"A {result['model']}", "other": f"B {result['other']}"}
    shown = " and ".join(names[name] for name in ("model", "other") if name in rows)
    folder, size = str(result["folder"]), int(result["size"])
    return Evaluation(
        f"{shown} on {len(photos)} photos of {folder} at {size} px",
        [str(photo["path"]) for photo in photos],
        {name: names[name] for name in rows},
        {
            metric: {
                name: [_value(photo["rows"], name, metric) for photo in photos] for name in rows
            }
            for metric in METRICS
        },
    )


def _value(rows: dict[str, Any], name: str, metric: str) -> float | None:
    row = rows.get(name, {})
    if metric != "colorfulness_ratio":
        return _known(row.get(metric))
    value, true = _known(row.get("colorfulness")), _known(rows["truth"]["colorfulness"])
    return None if value is None or true is None else _known(value / true if true > 0 else None)


def _known(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def to_csv(evaluation: Evaluation) -> str:
    """Write CSV, a line a photo: its path, then every metric of every row, such as gray_psnr."""
    columns = [(name, metric) for metric in METRICS for name in evaluation.names]
    head = ["path", *(f"{name}_{metric}" for name, metric in columns)]
    paths = [path.encode(errors="backslashreplace").decode() for path in evaluation.paths]
    values = [evaluation.values[metric][name] for name, metric in columns]
    return csv_text([head, *zip(paths, *values, strict=True)])
