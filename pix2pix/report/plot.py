"""Plot: one figure as PNG, in the colors of a light page, and as SVG in those of the page it is in.

Needs matplotlib.
"""

import html
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """The colors of a figure."""

    ink: str
    soft: str
    accent: str
    second: str
    paper: str


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG and as PNG."""

    svg: str
    png: bytes


Draw = Callable[[Palette], Figure]
Sizes = Mapping[str, float | str]  # settings of matplotlib

WIDTH = 9.6  # [in]
MOST_RATIO = 2.5  # photos nearly gray have ratios of any size: they stand at the edge
RATIO_LABEL = f"colorfulness / true colorfulness (cut at {MOST_RATIO:g})"
_DPI = 120
_LIGHT = Palette("#1c1917", "#57534e", "#c2410c", "#1d4ed8", "#fafaf9")
_IN_PAGE = Palette("#010203", "#070809", "#040506", "#0a0b0c", "none")  # stand-ins for these:
_MEANT = {
    _IN_PAGE.ink: "currentColor",
    _IN_PAGE.soft: "var(--soft)",
    _IN_PAGE.accent: "var(--accent)",
    _IN_PAGE.second: "var(--second)",
}
_SIZES: Sizes = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.labelsize": 10,
}


def draw(make: Draw, label: str) -> Drawn:
    """Render a figure as PNG and SVG; `label` is its text alternative in the page."""
    with matplotlib.rc_context(_settings(_LIGHT, _SIZES)):
        png = io.BytesIO()
        make(_LIGHT).savefig(png, format="png", dpi=_DPI, facecolor=_LIGHT.paper)
    return Drawn(in_page(make, label), png.getvalue())


def in_page(make: Draw, label: str, sizes: Sizes = _SIZES) -> str:
    """Render a figure as an inline SVG element, in the colors of the page around it."""
    with matplotlib.rc_context(_settings(_IN_PAGE, sizes)):
        file = io.StringIO()
        make(_IN_PAGE).savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub("<metadata>.*</metadata>", "", svg, flags=re.DOTALL)  # links to vocabularies
    for color, meant in _MEANT.items():
        svg = svg.replace(color, meant)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)


def _settings(colors: Palette, sizes: Sizes) -> dict[Any, Any]:
    keys = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "pix2pix",
        "font.family": "sans-serif",
        **sizes,
        **dict.fromkeys(keys, colors.ink),
    }


def panels(count: int, columns: int, *, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, `columns` a row, each `height` inches; the rest stays blank."""
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(WIDTH, 0.5 + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[count:]:
        axes.set_visible(False)
    return figure, grid[:count]


def bare(axes: Axes) -> None:
    """Hide the upper and right spine, and the background."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.patch.set_visible(False)


def literal(text: str) -> str:
    """Escape a name from a file for matplotlib: cut at 40 characters, no mathtext."""
    return "".join(c if c.isprintable() else "?" for c in text[:40]).replace("$", r"\$")
