"""Page: what `evaluate` found as one HTML file, with the photos it did best and worst on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pix2pix import images
from pix2pix.evaluate import table
from pix2pix.evaluate.curves import ColorizerLike
from pix2pix.evaluate.photos import center_square, gray_of
from pix2pix.evaluate.result import Result
from pix2pix.report.paper import jpeg, render
from pix2pix.report.plot import MOST_RATIO, RATIO_LABEL, Palette, bare, in_page
from pix2pix.terminal import escape

_CRITERIA = {  # metric: heading, +1 when more is better, unit
    "psnr": ("PSNR", 1, " dB"),
    "ssim": ("SSIM", 1, ""),
    "delta_e2000": ("CIEDE2000", -1, ""),
    "lpips_like": ("LPIPS-like distance", -1, ""),
    "lpips": ("LPIPS", -1, ""),
    "colorfulness_error": ("Difference in colorfulness", -1, ""),
}
_PLACES = {"best": 0.0, "median": 0.5, "worst": 1.0}  # in the order from best to worst


def build_evaluation_page(result: Result, models: Sequence[ColorizerLike]) -> str:
    """Render what `evaluate` returned, with the models it was given -> a self-contained page.

    The photos shown are read and colored again.
    """
    failed = result["skipped"] + result.get("missing", [])
    columns = table.columns_of(result)
    return render(
        "evaluation.html",
        title=f"pix2pix evaluate: {result['model']}",
        about=table.about(result),
        head=["", *(table.COLUMNS[key][0] for key in columns)],
        rows=_rows(result, columns),
        notes=table.notes(result),
        scatter=scatter(result),
        pictures=_pictures(result, models),
        sections=table.sections(result),
        failed=[escape(f"{one['path']}: {one['code']}: {one['reason']}") for one in failed],
    )


def _rows(result: Result, columns: Sequence[str]) -> Iterator[tuple[str, str, table.Cells]]:
    """Of each row its kind, its name, and of each metric the value and half its interval."""
    for kind, row in result["rows"].items():
        halves = result["intervals"][kind]
        cells = [[table.cell(key, row), table.show_half(key, halves.get(key))] for key in columns]
        yield kind, table.label(kind, result), cells


def pick_photos(result: Result, metric: str) -> dict[str, int]:
    """Pick the best, the median and the worst photo by a metric of the model: its index."""
    sign = _CRITERIA[metric][1]
    values = np.array([photo["rows"]["model"][metric] for photo in result["photos"]], float)
    order = np.argsort(-sign * values, kind="stable")
    return {place: int(order[round(at * (len(order) - 1))]) for place, at in _PLACES.items()}


class _Card(NamedTuple):
    place: str
    value: str
    path: str
    versions: dict[str, str]  # addresses of pictures by label


def _pictures(result: Result, models: Sequence[ColorizerLike]) -> dict[str, list[_Card]]:
    """Best, median and worst photo by each metric that the photos have, by the metric's heading."""
    measured = [metric for metric in _CRITERIA if metric in result["photos"][0]["rows"]["model"]]
    places = {metric: pick_photos(result, metric) for metric in measured}
    folder, size = Path(result["folder"]), result["size"]
    versions = {
        i: _versions(folder / result["photos"][i]["path"], size, models)
        for i in {i for found in places.values() for i in found.values()}
    }
    blocks: dict[str, list[_Card]] = {}
    for metric, found in places.items():
        heading, _, unit = _CRITERIA[metric]
        for place, i in found.items():
            photo = result["photos"][i]
            value = table.show(metric, photo["rows"]["model"][metric]) + unit
            card = _Card(place.capitalize(), value, escape(photo["path"]), versions[i])
            blocks.setdefault(heading, []).append(card)
    return blocks


def _versions(path: Path, size: int, models: Sequence[ColorizerLike]) -> dict[str, str]:
    """A photo in gray, as each model colors it, and as it was."""
    truth = center_square(images.read(path).rgb, size)
    letters = ("",) if len(models) == 1 else ("A ", "B ")
    versions = {
        "gray": gray_of(truth),
        **{a + model.name: model.rgb(truth) for a, model in zip(letters, models, strict=True)},
        "truth": truth,
    }
    return {label: jpeg(rgb) for label, rgb in versions.items()}


def scatter(result: Result) -> str:
    """Scatter plot of PSNR over gray against colorfulness over the truth's -> inline SVG."""
    rows = [photo["rows"] for photo in result["photos"]]
    gain = np.array([row["model"]["psnr"] - row["gray"]["psnr"] for row in rows])
    true = np.array([row["truth"]["colorfulness"] for row in rows])
    ratio = np.array([row["model"]["colorfulness"] for row in rows]) / np.maximum(true, 1e-6)

    def make(colors: Palette) -> Figure:
        figure = Figure(figsize=(6.8, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=colors.ink, linewidth=0.8, alpha=0.5)
        axes.axvline(1, color=colors.ink, linewidth=0.8, alpha=0.5, linestyle=(0, (4, 3)))
        shown = ratio.clip(0, MOST_RATIO)
        axes.scatter(shown, gain, s=22, color=colors.accent, alpha=0.65, linewidths=0)
        axes.set_xlim(0, max(1.2, min(MOST_RATIO, ratio.max()) * 1.03))
        axes.set_xlabel(RATIO_LABEL)
        axes.set_ylabel("PSNR over gray [dB]")
        bare(axes)
        return figure

    return in_page(make, "Scatter plot of the photos", sizes={})
