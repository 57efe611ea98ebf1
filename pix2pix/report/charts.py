"""Charts: a net's layers, and a run's curves over its steps, each as a figure. Needs matplotlib."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from pix2pix.report import layers as of_layers
from pix2pix.report.layers import Layer
from pix2pix.report.plot import WIDTH, Palette, bare, literal, panels
from pix2pix.train.history import History

_MOST_BARS = 20
_LOG_FROM = 100  # a series over more than this factor gets a logarithmic axis
_MOST_DOTS = 60  # values of a series that are marked one by one
_TITLES = {  # column: title, axis
    "val_psnr": ("PSNR, validation photos", "PSNR [dB]"),
    "val_colorfulness": ("Colorfulness, validation photos", "share of the truth's"),
    "val_l1": ("L1 of ab, validation photos", "mean |Δab| / 110"),
    "grad_norm": ("Norm of the gradient", "norm"),
    "critic_grad_norm": ("Norm of the critic's gradient", "norm"),
    "images_per_second": ("Speed", "images per second"),
}
_FIRST, _LAST = ("val_psnr", "val_colorfulness", "val_l1"), ("images_per_second",)


def parameters(layers: Sequence[Layer], colors: Palette) -> Figure:
    """Plot the parameters of the largest layers, and their cumulative share over the layers."""
    shown = layers[:_MOST_BARS]
    figure = Figure(figsize=(WIDTH, 5.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    title = f"The {len(shown)} largest of {len(layers)} layers"
    left.set_title(title if len(shown) < len(layers) else f"All {len(layers)} layers")
    left.barh(range(len(shown)), [layer.parameters for layer in shown], color=colors.accent)
    left.set_yticks(range(len(shown)), [literal(layer.name) for layer in shown])
    for row, layer in enumerate(shown):
        share = f"{100 * layer.share:.2g}" if layer.share < 0.995 else "100"
        left.annotate(
            f"{share} %",
            (layer.parameters, row),
            (5, 0),
            textcoords="offset points",
            va="center",
            color=colors.soft,
            fontsize=8,
        )
    left.set_ylim(len(shown) - 0.4, -0.6)
    left.set_xlim(0, 1.14 * max(layer.parameters for layer in shown))
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.xaxis.set_major_formatter(EngFormatter())
    left.set_xlabel("parameters")
    _concentration(right, layers, colors)
    for axes in (left, right):
        bare(axes)
    return figure


def _concentration(axes: Axes, layers: Sequence[Layer], colors: Palette) -> None:
    held = [0.0, *(100 * layer.cumulative_share for layer in layers)]
    axes.set_title("Cumulative share of the parameters")
    axes.plot(range(len(held)), held, color=colors.accent)
    for share in (0.5, 0.9):
        count = of_layers.concentration(layers, share)
        axes.plot((0, count), (100 * share,) * 2, ":", color=colors.soft)
        axes.plot(count, 100 * share, "o", color=colors.accent)
        text = f"{count} hold {100 * share:.0f} %"
        axes.annotate(text, (count, 100 * share), (8, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, len(layers))
    axes.set_ylim(0, 102)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("number of largest layers")
    axes.set_ylabel("share of all parameters [%]")


def columns_of(history: History) -> list[str]:
    """The columns that get a chart, in its order: validation, losses, norms, speed."""
    inner = [c for c in history.series if c not in (*_FIRST, *_LAST, "val_psnr_gray")]
    inner.sort(key=lambda column: column in _TITLES)
    return [c for c in (*_FIRST, *inner, *_LAST) if c in history.series]


def curves(history: History, colors: Palette) -> Figure:
    """Plot each column over the steps; PSNR beside gray's, colorfulness below the truth's."""
    columns = columns_of(history)
    figure, grid = panels(len(columns), 2, height=2.35)
    for axes, column in zip(grid, columns, strict=True):
        other = column if column.startswith("val_") else f"Loss term {column}"
        title, unit = _TITLES.get(column, (other, "loss"))
        axes.set_title(literal(title))
        axes.set_ylabel(unit)
        axes.set_xlabel("step")
        _line(axes, history, column, colors.accent, label="the net")
        if column == "val_psnr":
            _beside_gray(axes, history, colors)
        if column == "val_colorfulness":
            axes.axhline(1, color=colors.soft, linewidth=1, linestyle="--", label="the truth")
            axes.legend()
        axes.set_xlim(0, 1.02 * max(1, history.last or 0))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if axes.get_yscale() == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        bare(axes)
    return figure


def _line(
    axes: Axes, history: History, column: str, color: str, *, label: str, line: str = "-"
) -> None:
    steps, values = history.series[column]
    dots = "o" if len(values) <= _MOST_DOTS else ""
    axes.plot(steps, values, line, color=color, marker=dots, markersize=3.5, label=label)
    drawn = [value for value in values if math.isfinite(value)]
    if drawn and min(drawn) > 0 and max(drawn) > _LOG_FROM * min(drawn):
        axes.set_yscale("log")


def _beside_gray(axes: Axes, history: History, colors: Palette) -> None:
    if "val_psnr_gray" in history.series:
        _line(axes, history, "val_psnr_gray", colors.soft, label="gray", line="--")
    if (best := history.best) is not None:
        steps, values = history.series["val_psnr"]
        label = f"best, step {best}"
        value = values[steps.index(best)]
        (ring,) = axes.plot(best, value, "o", color=colors.second, label=label)
        ring.set(markersize=9, markerfacecolor="none", linestyle="none")
    axes.legend()
