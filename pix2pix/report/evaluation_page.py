"""Page: what `evaluate` found as one HTML file, with the photos it did best and worst on."""

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from pix2pix import images
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.evaluate import table
from pix2pix.evaluate.curves import ColorizerLike
from pix2pix.evaluate.photos import center_square, to_tensor, to_uint8
from pix2pix.evaluate.result import Result
from pix2pix.report.paper import TABLES, jpeg, laid_out, page
from pix2pix.terminal import escape

_CRITERIA = {  # figure: heading, +1 when more is better, unit
    "psnr": ("PSNR", 1, " dB"),
    "ssim": ("SSIM", 1, ""),
    "delta_e2000": ("CIEDE2000", -1, ""),
    "lpips_like": ("LPIPS-like distance", -1, ""),
    "lpips": ("LPIPS", -1, ""),
    "colorfulness_error": ("Difference in colorfulness", -1, ""),
}
_PLACES = {"best": 0.0, "median": 0.5, "worst": 1.0}  # in the order from best to worst
_MOST_RATIO = 2.5  # photos nearly gray have ratios of any size: they stand at the edge
_INK, _ACCENT = "#010203", "#040506"  # stand-ins that become the page's own colors
_STYLE = """
tr.model { color: var(--accent); }
.figures { display: grid; gap: 16px;
           grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
figure { margin: 0; padding: 12px; background: var(--card); border: 1px solid var(--line);
         border-radius: 12px; min-width: 0; }
figure .row { display: grid; gap: 6px; grid-auto-columns: 1fr; grid-auto-flow: column; }
figure .row small { display: block; text-align: center; }
figcaption { margin-top: 6px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; min-width: 480px; max-width: 680px; height: auto;
      color: var(--ink); }
.note { border-left: 3px solid var(--accent); padding-left: 12px; }
"""


def build_evaluation_page(result: Result, models: Sequence[ColorizerLike]) -> str:
    """What `evaluate` returned, and the models it was given -> a self-contained HTML document.

    The photos shown are read and colored again.
    """
    body = [
        f"<h1>{html.escape(table.about(result))}</h1>",
        '<p class="note">This page holds photos of yours. Share it only as you would share them.'
        "</p>",
        _table(result),
        *(f'<p class="soft">{html.escape(note)}</p>' for note in table.notes(result)),
        "<h2>Each photo</h2>",
        '<p class="soft">A dot a photo: PSNR above that of the same photo in gray, against its '
        "colorfulness as a share of the true one. Right and high is good; low is worse than no "
        "color at all.</p>",
        f'<div class="scroll" tabindex="0" role="group" aria-label="Plot">{scatter(result)}</div>',
        *_pictures(result, models),
        *(
            f"<h2>{html.escape(heading)}</h2>{_section(heading, cells)}"
            for heading, cells in table.sections(result).items()
        ),
        _failed(result),
    ]
    return page(f"pix2pix evaluate: {result['model']}", "\n".join(body), style=TABLES + _STYLE)


def _table(result: Result) -> str:
    columns = table.columns_of(result)
    lines = []
    for name, row in result["rows"].items():
        halves = result["intervals"][name]
        cells = "".join(
            f"<td>{table.cell(key, row)}<small>{table.show_half(key, halves.get(key))}</small></td>"
            for key in columns
        )
        kind = ' class="model"' if name in ("model", "other") else ""
        lines.append(f'<tr{kind}><th scope="row">{table.label(name, result)}</th>{cells}</tr>')
    return laid_out("Figures", ["", *(table.COLUMNS[key][0] for key in columns)], lines)


def _section(heading: str, cells: table.Cells) -> str:
    lines = [
        f'<tr><th scope="row">{html.escape(first)}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in cells[1:]
    ]
    return laid_out(heading, cells[0], lines)


def pick(result: Result, figure: str) -> dict[str, int]:
    """The best, the median and the worst photo by a figure of the model: its place in `photos`."""
    sign = _CRITERIA[figure][1]
    values = np.array([photo["rows"]["model"][figure] for photo in result["photos"]], float)
    order = np.argsort(-sign * values, kind="stable")
    return {place: int(order[round(at * (len(order) - 1))]) for place, at in _PLACES.items()}


def _pictures(result: Result, models: Sequence[ColorizerLike]) -> list[str]:
    """Best, median and worst photo by each figure that the photos have, a block a figure."""
    measured = [figure for figure in _CRITERIA if figure in result["photos"][0]["rows"]["model"]]
    places = {figure: pick(result, figure) for figure in measured}
    rows = {
        i: _row(result, models, i) for i in {i for found in places.values() for i in found.values()}
    }
    blocks = []
    for figure in measured:
        heading, _, unit = _CRITERIA[figure]
        cards = []
        for place, i in places[figure].items():
            photo = result["photos"][i]
            value = table.show(figure, photo["rows"]["model"][figure])
            path = html.escape(escape(photo["path"]))
            caption = f"<b>{place.capitalize()}</b> {value}{unit} <small>{path}</small>"
            caption = f"<figcaption>{caption}</figcaption>"
            cards.append(f'<figure><div class="row">{rows[i]}</div>{caption}</figure>')
        blocks.append(f'<h2>{heading}</h2><div class="figures">{"".join(cards)}</div>')
    return blocks


def _row(result: Result, models: Sequence[ColorizerLike], i: int) -> str:
    """Photo i in all its versions, side by side."""
    photo = result["photos"][i]["path"]
    shown = _versions(Path(result["folder"]) / photo, result["size"], models)
    path = html.escape(escape(photo))
    return "".join(
        f'<div><img src="{jpeg(rgb)}" alt="{path}: {html.escape(name)}" loading="lazy">'
        f"<small>{html.escape(name)}</small></div>"
        for name, rgb in shown.items()
    )


def _versions(path: Path, size: int, models: Sequence[ColorizerLike]) -> dict[str, np.ndarray]:
    """A photo in gray, as each model colors it, and as it was: (size,size,3) uint8 by label."""
    truth = center_square(images.read(path).rgb, size)
    L, ab = rgb_to_net(to_tensor(truth[None]))
    letters = ("",) if len(models) == 1 else ("A ", "B ")
    return {
        "gray": to_uint8(net_to_rgb(L, torch.zeros_like(ab)))[0],
        **{a + model.name: model.rgb(truth) for a, model in zip(letters, models, strict=True)},
        "truth": truth,
    }


def scatter(result: Result) -> str:
    """PSNR over gray against colorfulness over the truth's, a dot a photo -> inline SVG."""
    rows = [photo["rows"] for photo in result["photos"]]
    gain = np.array([row["model"]["psnr"] - row["gray"]["psnr"] for row in rows])
    true = np.array([row["truth"]["colorfulness"] for row in rows])
    ratio = np.array([row["model"]["colorfulness"] for row in rows]) / np.maximum(true, 1e-6)
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "pix2pix",
        "font.family": "sans-serif",
    }
    style |= dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    )
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.8, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=_INK, linewidth=0.8, alpha=0.5)
        axes.axvline(1, color=_INK, linewidth=0.8, alpha=0.5, linestyle=(0, (4, 3)))
        axes.scatter(
            ratio.clip(0, _MOST_RATIO), gain, s=22, color=_ACCENT, alpha=0.65, linewidths=0
        )
        axes.set_xlim(0, max(1.2, min(_MOST_RATIO, ratio.max()) * 1.03))
        axes.set_xlabel(f"colorfulness / true colorfulness (cut at {_MOST_RATIO:g})")
        axes.set_ylabel("PSNR over gray [dB]")
        axes.spines[["top", "right"]].set_visible(False)
        axes.patch.set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    start, end = svg.index("<metadata>"), svg.index("</metadata>") + len("</metadata>")
    svg = svg[:start] + svg[end:]  # links to vocabularies
    svg = svg.replace(_INK, "currentColor").replace(_ACCENT, "var(--accent)")
    return svg.replace("<svg ", '<svg role="img" aria-label="Scatter plot of the photos" ', 1)


def _failed(result: Result) -> str:
    failed = result["skipped"] + result.get("missing", [])
    lines = (escape(f"{one['path']}: {one['code']}: {one['reason']}") for one in failed)
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<h2>Left out</h2><ul>{items}</ul>" if failed else ""
