"""The first tab: one photo, before and after, at its full size to take home."""

from pathlib import Path
from typing import Any

import gradio as gr

from pix2pix.app.limits import PAGE_KEPT
from pix2pix.app.page.coloring import Coloring
from pix2pix.app.page.handlers import SLIDERS, VARIANTS, Handlers
from pix2pix.app.page.script import NOTHING, OPEN_CAMERA, TOGGLE_TOUCH
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.touch import touch_panel
from pix2pix.app.page.unsure import LEGEND
from pix2pix.app.page.upload import make_upload


def photo_tab(coloring: Coloring, shelf: Shelf, samples: Path, event: dict[str, Any]) -> None:
    """Build the tab. `samples` is a folder of JPEG files to try, `event` what its events share."""
    gr.Markdown("# See your <span>black-and-white</span> photo in color.", elem_id="title")
    slider = _slider("before-after", visible=False)
    panel = gr.Column(elem_id="touch-up")
    controls, sliders, download = _controls(touching=coloring.colorizer.takes_hints)
    upload = make_upload("upload", shelf, label="Photo")
    camera = gr.Button("Use the camera", elem_id="camera", size="sm", variant="secondary")
    camera.click(None, js=OPEN_CAMERA)
    gallery = _gallery(samples)
    gr.Markdown("The colors are a guess: likely ones, not the true ones.", elem_id="note")

    do = Handlers(coloring)
    opened, seed = gr.State(time_to_live=PAGE_KEPT), gr.State(None)
    touches: gr.Component = gr.State(None)
    shown = [slider, download]
    if coloring.colorizer.takes_hints:
        with panel:
            touches = touch_panel(do, coloring, [opened, seed], sliders, shown)
    inputs = [opened, seed, touches, *sliders]
    with gr.Column(elem_id="more", visible=False) as more:
        clear = _more(coloring, do, inputs, shown, event)
    for source in [upload.upload, *([gallery.click] if gallery else [])]:
        asked = source(
            do.open,
            [gallery if gallery and source == gallery.click else upload, opened, *sliders],
            [opened, seed, controls, more, *clear, *shown],
            trigger_mode="multiple",
            show_progress_on=[upload, slider],
            **event,
        )
        asked.failure(None, js=NOTHING, outputs=upload)
    slider.change(None, js=NOTHING, outputs=upload)  # the next photo may come
    released = {"trigger_mode": "always_last", "show_progress": "minimal"} | event
    for one in sliders:
        one.release(do.color, inputs, shown, **released)


def _more(
    coloring: Coloring,
    do: Handlers,
    inputs: list[gr.Component],
    shown: list[gr.Component],
    event: dict[str, Any],
) -> list[gr.Component]:
    """What is below the photo: variants, how sure the net is, the other model.

    Returns what a new photo hides.
    """
    opened, seed, touches, *sliders = inputs
    asked = [opened, touches, *sliders]
    patient = event | {"show_progress": "minimal", "trigger_mode": "once"}
    unsure = compare = other = None
    with gr.Row(elem_id="ask-more"):
        if coloring.colorizer.has_variants:
            other = gr.Button("Other takes", elem_id="ask-takes")
        if coloring.colorizer.knows_likely_colors:
            unsure = gr.Button("How sure is it?", elem_id="ask-unsure")
        if coloring.course is not None:
            compare = gr.Button("Compare with the course's model", elem_id="ask-models")
    variants = gr.Gallery(
        elem_id="takes",
        label="Other takes: choose one",
        show_label=False,
        columns=len(VARIANTS),
        allow_preview=False,
        format="jpeg",
        object_fit="contain",
        height="auto",
        buttons=[],
        interactive=False,
        visible=False,
    )
    with gr.Column(elem_id="unsure", visible=False) as how_sure:
        gr.HTML(LEGEND, apply_default_css=False)
        unsure_map = _slider("unsure-map")
    with gr.Column(elem_id="compared", visible=False) as compared:
        course = coloring.course.name if coloring.course else ""
        gr.Markdown(
            f"Left, the small model that the course trains (`{course}`); "
            f"right, the one above (`{coloring.colorizer.name}`)."
        )
        models = _slider("models")
    if other:
        other.click(do.variants, asked, variants, **patient)
        variants.select(do.choose, asked, [seed, *shown], **patient)
    if unsure:
        unsure.click(do.unsure, [opened, touches], [how_sure, unsure_map], **patient)
    if compare:
        compare.click(do.compare, asked, [compared, models], **patient)
    return [variants, how_sure, compared]


def _slider(name: str, *, visible: bool = True) -> gr.ImageSlider:
    return gr.ImageSlider(
        elem_id=name,
        show_label=False,
        interactive=False,
        visible=visible,
        max_height=620,  # a height would crop
        buttons=["fullscreen"],
    )


def _controls(*, touching: bool) -> tuple[gr.Row, list[gr.Slider], gr.DownloadButton]:
    with gr.Row(elem_id="controls", visible=False) as row:
        sliders = [
            gr.Slider(elem_id=field, buttons=[], scale=3, min_width=320, **options)
            for field, options in SLIDERS.items()
        ]
        if touching:
            touch = gr.Button("Touch up the colors", elem_id="ask-touch", scale=1, min_width=200)
            touch.click(None, js=TOGGLE_TOUCH)
        download = gr.DownloadButton(
            "Download",
            variant="primary",
            elem_id="download",
            interactive=False,
            scale=1,
            min_width=200,
        )
    return row, sliders, download


def _gallery(samples: Path) -> gr.Dataset | None:
    photos = sorted(samples.glob("*.jpg"))
    if not photos:
        return None
    return gr.Dataset(
        label="Or try one of these",
        components=["image"],
        samples=[[str(photo)] for photo in photos],
        layout="gallery",
        elem_id="samples",
    )
