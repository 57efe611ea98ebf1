"""The panel for touching up: the colored photo to paint on, and what to paint with."""

from typing import Any

import gradio as gr

from pix2pix.limits import PAGE_AT_ONCE, PAGE_STROKES
from pix2pix.page.coloring import Coloring
from pix2pix.page.handlers import Handlers
from pix2pix.page.touch_script import FAILED, PAINT

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
_QUICK = "".join(
    f'<button type="button" class="quick" data-color="{color}" style="background:{color}" '
    f'title="{name}" aria-label="{name}"></button>'
    for color, name in _COLORS.items()
)
_PHOTO = """
<p class="how">Tap what has the wrong color, or draw along it. What belongs together follows.</p>
<div class="frame"><canvas tabindex="0" role="application" aria-label="Your photo in color.
 The arrow keys move a cross, Enter puts the color there."></canvas>
<p class="status" role="status"></p></div>
"""
_TOOLS = f"""
<div class="colors">
<label class="own"><input type="color" value="#a3392c" aria-label="Color to paint with">
<span>Color</span></label>{_QUICK}
</div>
<div class="tools">
<button type="button" class="pick" aria-pressed="false">Pick from photo</button>
<button type="button" class="was" aria-pressed="false">As it was</button>
<button type="button" class="undo" disabled>Undo</button>
<button type="button" class="clear" disabled>Clear all</button>
<button type="button" class="done">Done</button>
</div>
"""


def touch_panel(
    do: Handlers,
    coloring: Coloring,
    photo: list[gr.State],
    sliders: list[gr.Slider],
    shown: list[gr.Component],
) -> gr.HTML:
    """Fill the panel, out of sight until TOGGLE is called -> what it paints, a JSON text.

    `photo` is its state and its seed; `shown` the pictures and the download.
    """
    slider, download = shown
    gr.HTML(_PHOTO, elem_id="touch-photo", apply_default_css=False)
    likely = gr.HTML(elem_id="likely", apply_default_css=False)
    painted = gr.HTML(  # the last, as its script looks for the others
        "", html_template=_TOOLS, js_on_load=PAINT, elem_id="touch", apply_default_css=False
    )
    many: dict[str, Any] = {
        "concurrency_limit": PAGE_AT_ONCE if coloring.workers else PAGE_STROKES,
        "api_visibility": "private",
    }
    last: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "hidden"}
    inputs: list[gr.Component] = [*photo, painted, *sliders]
    painted.input(do.touch, inputs, [slider, download], **many, **last).failure(None, js=FAILED)
    painted.submit(do.write, inputs, download, **many, **last)
    if coloring.colorizer.knows_likely_colors:
        painted.click(do.likely, [photo[0], painted], likely, **many, **last)
    return painted
