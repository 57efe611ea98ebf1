"""The first tab: one photo, before and after, at its full size to take home."""

from pathlib import Path
from typing import Any

import gradio as gr

from pix2pix.app.limits import PAGE_KEPT
from pix2pix.app.page.coloring import Coloring
from pix2pix.app.page.handlers import SLIDERS, Handlers
from pix2pix.app.page.panels import more_panel, picture_slider
from pix2pix.app.page.script import NOTHING, OPEN_CAMERA, TOGGLE_TOUCH
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.touch import touch_panel
from pix2pix.app.page.upload import make_upload


def photo_tab(coloring: Coloring, shelf: Shelf, samples: Path, event: dict[str, Any]) -> None:
    """Build the tab. `samples` is a folder of JPEG files to try, `event` what its events share."""
    gr.Markdown("# See your <span>black-and-white</span> photo in color.", elem_id="title")
    slider = picture_slider("before-after", at=30, visible=False)  # a face is in the middle
    panel = gr.Column(elem_id="touch-up")
    gr.Markdown("The colors are a guess: likely ones, not the true ones.", elem_id="note")
    notice = gr.Markdown(elem_id="notice", visible=False)
    controls, sliders, download = _controls(touching=coloring.colorizer.takes_hints)

    do = Handlers(coloring)
    opened, seed = gr.State(time_to_live=PAGE_KEPT), gr.State(None)
    touches: gr.Component = gr.State(None)
    shown = [slider, download]
    if coloring.colorizer.takes_hints:
        with panel:
            touches = touch_panel(do, coloring, [opened, seed], sliders, shown)
    inputs = [opened, seed, touches, *sliders]
    warmth = sliders[list(SLIDERS).index("temperature")]
    with gr.Column(elem_id="more", visible=False) as more:
        painted = [touches.input] if isinstance(touches, gr.HTML) else []
        changes = [*painted, *(one.release for one in sliders)]
        clear = more_panel(do, shelf, inputs, warmth, shown, changes, event)
    upload = make_upload("upload", shelf, label="Photo")
    camera = gr.Button("Use the camera", elem_id="camera", size="sm", variant="secondary")
    camera.click(None, js=OPEN_CAMERA)
    gallery = _gallery(samples)
    for source in [upload.upload, *([gallery.click] if gallery else [])]:
        asked = source(
            do.open,
            [gallery if gallery and source == gallery.click else upload, opened, *sliders],
            [opened, seed, notice, warmth, controls, more, *clear, *shown],
            trigger_mode="multiple",
            show_progress_on=[upload, slider],
            **event,
        )
        asked.failure(None, js=NOTHING, outputs=upload)
    slider.change(None, js=NOTHING, outputs=upload)  # the next photo may come
    released = {"trigger_mode": "always_last", "show_progress": "minimal"} | event
    for one in sliders:
        one.release(do.color, inputs, shown, **released)


def _controls(*, touching: bool) -> tuple[gr.Row, list[gr.Slider], gr.DownloadButton]:
    with gr.Row(elem_id="controls", visible=False) as row:
        sliders = [
            gr.Slider(elem_id=field, buttons=[], scale=2, min_width=220, **options)
            for field, options in SLIDERS.items()
        ]
        if touching:
            touch = gr.Button("Touch up the colors", elem_id="ask-touch", scale=1, min_width=180)
            touch.click(None, js=TOGGLE_TOUCH)
        download = gr.DownloadButton(
            "Download",
            variant="primary",
            elem_id="download",
            interactive=False,
            scale=1,
            min_width=180,
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
