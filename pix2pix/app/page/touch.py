"""The panel for touching up: the colored photo to paint on, and what to paint with."""

from pathlib import Path
from typing import Any

import gradio as gr

from pix2pix.app.limits import PAGE_AT_ONCE, PAGE_STROKES
from pix2pix.app.page.coloring import Coloring
from pix2pix.app.page.handlers import Handlers
from pix2pix.app.page.script import PAINT, TOUCH_FAILED
from pix2pix.templates import render

_COLORS = {  # what people know the color of; how light it is does not count
    "#c68863": "Skin",
    "#a3392c": "Brick",
    "#7a4a2b": "Wood",
    "#d9a520": "Gold",
    "#5d8c3a": "Grass",
    "#2f6f73": "Teal",
    "#5b8fc7": "Sky",
    "#31478f": "Navy",
    "#7d4a8c": "Violet",
    "#c9748f": "Rose",
    "#808080": "Gray",
}
_HERE = Path(__file__).parent


def touch_panel(
    do: Handlers,
    coloring: Coloring,
    photo: list[gr.State],
    sliders: list[gr.Slider],
    shown: list[gr.Component],
) -> gr.HTML:
    """Fill the panel, out of sight until TOGGLE_TOUCH is called -> what it paints, a JSON text.

    `photo` is its state and its seed; `shown` the pictures and the download.
    """
    slider, download = shown
    canvas = (_HERE / "touch_photo.html").read_text("utf-8")
    gr.HTML(canvas, elem_id="touch-photo", apply_default_css=False)
    likely = gr.HTML(elem_id="likely", apply_default_css=False)
    painted = gr.HTML(  # the last, as its script looks for the others
        "",
        html_template=render(_HERE / "touch_tools.html", colors=_COLORS),
        js_on_load=PAINT,
        elem_id="touch",
        apply_default_css=False,
    )
    many: dict[str, Any] = {
        "concurrency_limit": PAGE_AT_ONCE if coloring.workers else PAGE_STROKES,
        "api_visibility": "private",
    }
    last: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden"}
    inputs: list[gr.Component] = [*photo, painted, *sliders]
    painted.input(do.touch, inputs, [slider, download], **many, **last).failure(
        None, js=TOUCH_FAILED
    )
    painted.submit(do.write, inputs, download, **many, **last)
    if coloring.colorizer.knows_likely_colors:
        painted.click(do.likely, [photo[0], painted], likely, **many, **last)
    return painted
