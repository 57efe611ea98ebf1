"""Below the photo: other takes, how sure the net is, before and after in one file, another model.

more.py has the functions behind the buttons. One panel is open at a time.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.blocks import Block

from pix2pix.app.page.handlers import Handlers
from pix2pix.app.page.more import More
from pix2pix.app.page.script import NOTHING, SAVE, hiding, showing
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.unsure import LEGEND
from pix2pix.app.page.upload import make_upload

COLUMNS = 3  # of takes: cooler, as it is, warmer
_COMPARED = "<p>Left, a small model that saw few photos; right, the one above.</p>"


def more_panel(
    do: Handlers,
    shelf: Shelf,
    inputs: list[gr.Component],
    warmth: gr.Slider,
    shown: list[gr.Component],
    changes: list[Any],
    event: dict[str, Any],
) -> list[Block]:
    """Build the panel. `inputs` are the photo's state, its seed, what is painted and the sliders.

    `changes` are the events after which what was made here shows another photo than the visitor
    has. Returns what a new photo hides.
    """
    more, coloring = More(do), do.coloring
    opened, seed, touches, *sliders = inputs
    asked = [opened, touches, *sliders]
    patient = event | {"show_progress": "minimal", "trigger_mode": "once"}
    with gr.Row(elem_id="ask-more"):
        other = gr.Button("Other takes", elem_id="ask-takes")
        if coloring.colorizer.knows_likely_colors:
            unsure = gr.Button("How sure is it?", elem_id="ask-unsure")
        one = gr.Button("Save before and after", elem_id="ask-one")
        if coloring.course is not None:
            compare = gr.Button("Compare models", elem_id="ask-models")
        file = gr.DownloadButton(visible=False)
    gallery = _gallery()
    how_sure, unsure_map = _pictures("unsure", "unsure-map", LEGEND)
    compared, models = _pictures("compared", "models", _COMPARED)
    panels: list[Block] = [gallery, how_sure, compared]
    _opens(other, more.show_takes, inputs, [gallery], panels, patient)
    if coloring.colorizer.knows_likely_colors:
        _opens(unsure, more.unsure, [opened, touches], [how_sure, unsure_map], panels, patient)
    if coloring.course is not None:
        _opens(compare, more.compare, asked, [compared, models], panels, patient)
    gallery.select(None, js=showing("before-after"))
    gallery.select(more.choose, asked, [seed, warmth, *shown], **patient)
    one.click(more.in_one, inputs, file, **patient).success(None, file, js=SAVE)
    alike, changed = _like_panel(more, shelf, inputs, shown, patient)
    for change in [*changes, *changed]:
        change(None, js=hiding(len(panels)), outputs=panels)
    return [*panels, alike]


def _opens(
    button: gr.Button,
    function: Callable[..., Any],
    inputs: list[gr.Component],
    outputs: list[Block],
    panels: list[Block],
    patient: dict[str, Any],
) -> None:
    """Let a button open the first of `outputs`, in sight, and hide the other panels."""
    others = [panel for panel in panels if panel is not outputs[0]]
    button.click(None, js=hiding(len(others)), outputs=others)
    opened = button.click(function, inputs, outputs, **patient)
    opened.success(None, js=showing(str(outputs[0].elem_id)))


def _like_panel(
    more: More,
    shelf: Shelf,
    inputs: list[gr.Component],
    shown: list[gr.Component],
    patient: dict[str, Any],
) -> tuple[gr.Row, list[Any]]:
    """Where another photo is given for its colors -> what shows it, the events that change it."""
    able = more.coloring.colorizer.takes_reference
    with gr.Accordion("Colors from another photo", open=False, visible=able, elem_id="further"):
        gr.Markdown(
            "Give a photo in color of the same place, the same people or the same roll of film. "
            "Any other one may make the colors worse."
        )
        like = make_upload("like", shelf, label="Photo in color")
        with gr.Row(elem_id="alike", visible=False) as alike:
            seen = gr.HTML(apply_default_css=False)
            without = gr.Button("Stop using this photo")
    if not able:
        return alike, []
    given = like.upload(more.like, [like, *inputs], [alike, seen, *shown], **patient)
    given.then(None, js=NOTHING, outputs=like)
    without.click(more.unlike, inputs, [alike, *shown], **patient)
    for change in (like.upload, without.click):
        change(None, js=showing("before-after"))
    return alike, [like.upload, without.click]


def _pictures(name: str, pictures: str, text: str) -> tuple[gr.Column, gr.ImageSlider]:
    """A panel out of sight, with a text above two pictures."""
    with gr.Column(elem_id=name, visible=False) as panel:
        gr.HTML(text, apply_default_css=False)
        return panel, picture_slider(pictures)


def picture_slider(name: str, *, at: float = 50, visible: bool = True) -> gr.ImageSlider:
    """Two pictures in one frame, with a handle `at` so many percent of the width between them."""
    return gr.ImageSlider(
        elem_id=name,
        show_label=False,
        interactive=False,
        visible=visible,
        slider_position=at,
        max_height=620,  # a height would crop
        buttons=["fullscreen"],
    )


def _gallery() -> gr.Gallery:
    return gr.Gallery(
        elem_id="takes",
        label="Other takes: choose one",
        show_label=False,
        columns=COLUMNS,
        allow_preview=False,
        format="jpeg",
        object_fit="contain",
        height="auto",
        buttons=[],
        interactive=False,
        visible=False,
    )
