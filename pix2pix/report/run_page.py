"""Run page: what is known of a run, or of weights, as one HTML file that needs no network."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pix2pix.history import History
from pix2pix.report import layers as of_layers
from pix2pix.report import plot
from pix2pix.report.evaluation import Evaluation
from pix2pix.report.layers import Layer
from pix2pix.report.paper import TABLES, jpeg, laid_out, page
from pix2pix.report.plot import Drawn
from pix2pix.terminal import escape
from pix2pix.weights import Header

_MOST_ROWS = 20  # layers in the page; all are in layers.csv
_STYLE = """
svg { display: block; width: 100%; min-width: 720px; height: auto; color: var(--ink); }
pre { overflow-x: auto; padding: 12px; background: var(--card); border: 1px solid var(--line);
      border-radius: 12px; font-size: .85em; }
#header :is(th, td) { text-align: left; white-space: normal; overflow-wrap: anywhere; }
#header th[scope="row"] { white-space: nowrap; }
#layers :is(th, td) { padding: 4px 7px; font-size: .85rem; }
.scroll + :is(.scroll, #layers) { margin-top: 16px; }
.note { border-left: 3px solid var(--accent); padding-left: 12px; }
.sheet img { min-width: 720px; border-radius: 0; }
"""


@dataclass
class Report:
    """What was found; what a run has not written yet is empty."""

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
    """A self-contained HTML document."""
    body = [f"<h1>{_text(report.title)}</h1>"]
    if report.sheet is not None:
        body.append(
            '<p class="note">This page holds photos of yours. Share it only as you would share '
            "them.</p>"
        )
    body += [f'<p class="note">{_text(note)}</p>' for note in report.notes]
    body += [_header(report), *_history(report), *_photos(report), *_layers(report)]
    if report.config:
        body.append(f"<h2>Configuration</h2><pre>{html.escape(report.config)}</pre>")
    style = TABLES + plot.STYLE + _STYLE
    return page(f"pix2pix report: {escape(report.title)}", "\n".join(body), style=style)


def _text(text: str) -> str:
    return html.escape(escape(text))


def _header(report: Report) -> str:
    heading = "Header" if report.is_run else "Weights"
    if not report.headers:
        return f"<h2>{heading}</h2>{_soft('No weights yet.')}"
    shown = [vars(header) for header in report.headers.values()]
    lines = []
    for key in shown[0]:
        cells = [_text(_value(one[key])) for one in shown]
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        if len(cells) > 1 and len(set(cells)) == 1:
            row = f'<td colspan="{len(cells)}">{cells[0]}</td>'
        lines.append(f'<tr><th scope="row">{key.replace("_", " ")}</th>{row}</tr>')
    table = laid_out("Header", ["", *report.headers], lines)
    return f'<h2>{heading}</h2><div id="header">{table}</div>'


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={value[key]}" for key in sorted(value))
    return str(value)


def _history(report: Report) -> Iterable[str]:
    if not report.is_run:
        return
    history = report.history
    if "curves" in report.drawn:
        count = len(history.rows)
        rows = "row" if count == 1 else "rows"
        about = _soft(f"{count} {rows}, up to step {history.last}.")
        yield f"<h2>Curves</h2>{about}{_plot(report, 'curves', 'Curves over the steps')}" + _logged(
            history
        )
    else:
        yield f"<h2>Curves</h2>{_soft('Nothing logged yet.')}"
    if report.sheet is not None:
        said = "The same photos in gray, at some of the run's validations, and as they are."
        image = f'<img src="{jpeg(report.sheet)}" alt="Validation photos as the run colored them">'
        yield (
            f"<h2>Validation pictures</h2>{_soft(said)}"
            f'<div class="scroll sheet" tabindex="0" role="group" aria-label="Pictures">{image}'
            "</div>"
        )


def _logged(history: History) -> str:
    lines = []
    for name, (_, values) in history.series.items():
        ends = (values[0], values[-1], np.min(values), np.max(values))
        lines.append(_row(name, [str(len(values)), *(f"{value:.5g}" for value in ends)]))
    return laid_out("Logged", ["", "values", "first", "last", "lowest", "highest"], lines)


def _photos(report: Report) -> Iterable[str]:
    if report.evaluation is not None:
        said = (
            f"{escape(report.evaluation.about)}, as pix2pix evaluate measured it: how many photos "
            "have what."
        )
        yield f"<h2>Photos</h2>{_soft(said)}" + _plot(
            report, "photos", "Histograms over the photos"
        )


def _layers(report: Report) -> Iterable[str]:
    layers = report.layers
    if not layers:
        return
    half, most = (of_layers.concentration(layers, share) for share in (0.5, 0.9))
    said = (
        f"{sum(layer.parameters for layer in layers):,} parameters in {len(layers)} layers; the "
        f"largest {half} hold half of them, the largest {most} nine tenths. The figures from mean "
        "to zeros are those of a layer's largest tensor."
    )
    plotted = _plot(report, "layers", "Parameters by layer, and their concentration")
    head = ["", "kind", "shape", "parameters", "share", "together", "mean", "std", "min", "max"]
    table = laid_out("Layers", [*head, "zeros"], [_layer(one) for one in layers[:_MOST_ROWS]])
    more = _soft(f"All {len(layers)} are in layers.csv.") if len(layers) > _MOST_ROWS else ""
    yield f'<h2>Parameters</h2>{_soft(said)}{plotted}<div id="layers">{table}</div>{more}'
    if "weights" in report.drawn:
        said = (
            "Weights of convolutions and linear layers by group, counts on a logarithmic axis; "
            "without biases and the scales of normalizations."
        )
        plotted = _plot(report, "weights", "Histograms of the weights")
        yield f"<h2>Weights by layer</h2>{_soft(said)}{plotted}"


def _layer(layer: Layer) -> str:
    shares = (f"{share:.1%}" for share in (layer.share, layer.cumulative_share))
    figures = (f"{value:.3g}" for value in (layer.mean, layer.std, layer.min, layer.max))
    cells = [layer.kind, layer.shape, f"{layer.parameters:,}", *shares, *figures]
    return _row(layer.name, [*cells, f"{layer.zeros:.1%}"])


def _row(name: str, cells: Sequence[str]) -> str:
    row = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{_text(name)}</th>{row}</tr>'


def _soft(text: str) -> str:
    return f'<p class="soft">{html.escape(text)}</p>'


def _plot(report: Report, name: str, label: str) -> str:
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
        f"{report.drawn[name].svg}</div>"
    )
