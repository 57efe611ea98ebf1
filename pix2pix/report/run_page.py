"""Run page: what is known of a run, or of weights, as one HTML file that needs no network."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from pix2pix.report import layers as of_layers
from pix2pix.report.evaluation import Evaluation
from pix2pix.report.layers import Layer
from pix2pix.report.paper import jpeg, render
from pix2pix.report.plot import Drawn
from pix2pix.terminal import escape
from pix2pix.train.history import History
from pix2pix.weights.header import Header

_MOST_ROWS = 20  # layers in the page; all are in layers.csv


@dataclass
class Report:
    """The contents of a report; what a run has not written yet is empty."""

    title: str
    is_run: bool
    headers: dict[str, Header] = field(default_factory=dict)  # by heading
    layers: list[Layer] = field(default_factory=list)
    history: History = field(default_factory=History)
    sheet: np.ndarray | None = None  # (H, W, 3) uint8
    evaluation: Evaluation | None = None
    config: str = ""
    notes: list[str] = field(default_factory=list)
    drawn: dict[str, Drawn] = field(default_factory=dict)  # layers, weights, curves, photos


def build_run_page(report: Report) -> str:
    """Render a report as a self-contained HTML document."""
    half, most = (of_layers.concentration(report.layers, share) for share in (0.5, 0.9))
    return render(
        "run.html",
        title=f"pix2pix report: {escape(report.title)}",
        report=report,
        sheet=None if report.sheet is None else jpeg(report.sheet),
        headers=_headers(report),
        logged=_logged(report.history),
        parameters=f"{sum(layer.parameters for layer in report.layers):,}",
        half=half,
        most=most,
        layers=[_layer(layer) for layer in report.layers[:_MOST_ROWS]],
    )


def _headers(report: Report) -> dict[str, list[str]]:
    """What each header says, by field."""
    shown = [vars(header) for header in report.headers.values()]
    fields = shown[0] if shown else {}
    return {
        name.replace("_", " "): [escape(_value(header[name])) for header in shown]
        for name in fields
    }


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={value[key]}" for key in sorted(value))
    return str(value)


def _logged(history: History) -> Iterable[list[str]]:
    for name, (_, values) in history.series.items():
        ends = (values[0], values[-1], np.min(values), np.max(values))
        yield [escape(name), str(len(values)), *(f"{value:.5g}" for value in ends)]


def _layer(layer: Layer) -> list[str]:
    shares = (f"{share:.1%}" for share in (layer.share, layer.cumulative_share))
    statistics = (f"{value:.3g}" for value in (layer.mean, layer.std, layer.min, layer.max))
    cells = [layer.name, layer.kind, layer.shape, f"{layer.parameters:,}", *shares, *statistics]
    return [escape(cell) for cell in [*cells, f"{layer.zeros:.1%}"]]
