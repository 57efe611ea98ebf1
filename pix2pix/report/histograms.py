"""Histograms: of a net's weights and of the photos' metrics, each as a figure.

Needs matplotlib.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from pix2pix.report.evaluation import Evaluation
from pix2pix.report.layers import Histogram
from pix2pix.report.plot import MOST_RATIO, RATIO_LABEL, WIDTH, Palette, bare, literal, panels

_BINS = 30  # over the photos
_METRICS = {
    "psnr": "PSNR [dB]",
    "colorfulness_ratio": RATIO_LABEL,
    "delta_e2000": "CIEDE2000",
}


def weights(histograms: Sequence[Histogram], colors: Palette) -> Figure:
    """Plot a histogram of the weights of each layer or group, with logarithmic counts."""
    figure, grid = panels(len(histograms), 4, height=1.75)
    for axes, one in zip(grid, histograms, strict=True):
        axes.set_title(literal(one.name))
        axes.stairs(one.counts, one.edges, baseline=0.1, fill=True, color=colors.accent, alpha=0.75)
        axes.set_yscale("log")
        axes.set_ylim(0.7, max(13, 2.5 * one.counts.max()))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(4))
        bare(axes)
    figure.supxlabel("weight")
    figure.supylabel("count")
    return figure


def photos(evaluation: Evaluation, colors: Palette) -> Figure:
    """Plot a histogram over the photos of each metric, a line a row: gray, sepia, the model."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    grid = figure.subplots(1, len(_METRICS))
    looks = {
        "gray": (colors.soft, 1, "--"),
        "sepia": (colors.ink, 1.2, ":"),
        "model": (colors.accent, 2.2, "-"),
        "other": (colors.second, 2.2, "-"),
        "against": (colors.ink, 1.2, "-."),
    }
    for axes, (key, label) in zip(grid, _METRICS.items(), strict=True):
        rows = {
            name: np.array([v for v in values if v is not None])
            for name, values in evaluation.values[key].items()
        }
        if key == "colorfulness_ratio":
            rows = {name: values.clip(0, MOST_RATIO) for name, values in rows.items()}
        edges = np.histogram_bin_edges(np.concatenate(list(rows.values())), _BINS)
        counts = {name: np.histogram(values, edges)[0] for name, values in rows.items()}
        for name, count in counts.items():
            color, width, line = looks[name]
            style = {"color": color, "linewidth": width, "linestyle": line}
            axes.stairs(count, edges, label=literal(evaluation.names[name]), **style)
        axes.stairs(counts["model"], edges, fill=True, color=colors.accent, alpha=0.25)
        _cut(axes, {name: int(count.max()) for name, count in counts.items()})
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(label)
        bare(axes)
    grid[0].set_ylabel("photos")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))
    return figure


def _cut(axes: Axes, highest: dict[str, int]) -> None:
    """Cut the axis where gray, all of it without color, would press the others flat."""
    others = max(1, *(count for name, count in highest.items() if name != "gray"))
    gray = highest.get("gray", 0)
    axes.set_ylim(0, 1.05 * max(others, gray, 1))
    if gray > 2 * others:
        axes.set_ylim(0, 1.18 * others)
        said = f"gray goes up to {gray}"
        axes.text(0.1, 0.97, said, transform=axes.transAxes, fontsize=8, va="top")
