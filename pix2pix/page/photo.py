"""The first tab: one photo, before and after, at its full size to take home."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from torch import nn

from pix2pix.page.coloring import Coloring, Opened
from pix2pix.page.script import NOTHING, OPEN_CAMERA
from pix2pix.page.upload import make_upload
from pix2pix.page.words import MESSAGES
from pix2pix.workers import check

TAKES = (1, 2, 3)  # seeds
KEPT = 3600  # [s] that a visitor's files stay on the disk


def photo_tab(coloring: Coloring, samples: Path, event: dict[str, Any]) -> None:
    """Build the tab. `samples` is a folder of JPEG files to try, `event` what its events share."""
    gr.Markdown("# See your <span>black-and-white</span> photo in color.", elem_id="title")
    slider = gr.ImageSlider(
        elem_id="before-after",
        show_label=False,
        interactive=False,
        visible=False,
        max_height=620,  # a height would crop
        buttons=["fullscreen"],
    )
    controls, saturation, download = _controls()
    upload = make_upload("upload", label="Photo")
    camera = gr.Button("Use the camera", elem_id="camera", size="sm", variant="secondary")
    camera.click(None, js=OPEN_CAMERA)
    gallery = _gallery(samples)
    gr.Markdown("The colors are a guess: likely ones, not the true ones.", elem_id="note")

    do = Handlers(coloring)
    opened, seed = gr.State(time_to_live=KEPT), gr.State(None)
    shown = [slider, download]
    with gr.Column(elem_id="more", visible=False) as more:
        clear = _more(coloring, do, [opened, saturation, seed], shown, event)
    for source in [upload.upload, *([gallery.click] if gallery else [])]:
        asked = source(
            do.open,
            [gallery if gallery and source == gallery.click else upload, saturation],
            [opened, seed, controls, more, *clear, *shown],
            trigger_mode="multiple",
            show_progress_on=[upload, slider],
            **event,
        )
        asked.failure(None, js=NOTHING, outputs=upload)
    slider.change(None, js=NOTHING, outputs=upload)  # the next photo may come
    released = {"trigger_mode": "always_last", "show_progress": "minimal"} | event
    saturation.release(do.color, [opened, saturation, seed], shown, **released)


def has_takes(coloring: Coloring) -> bool:
    """Whether a seed changes anything: whether the net has dropout."""
    modules = coloring.colorizer.generator.modules()
    return any(isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0 for m in modules)


def _more(
    coloring: Coloring,
    do: "Handlers",
    inputs: list[Any],
    shown: list[Any],
    event: dict[str, Any],
) -> list[Any]:
    """What is below the photo: other takes, the other model -> what a new photo hides."""
    opened, saturation, seed = inputs
    patient = event | {"show_progress": "minimal", "trigger_mode": "once"}
    compare = None
    with gr.Row(elem_id="ask-more"):
        if has_takes(coloring):
            other = gr.Button("Other takes", elem_id="ask-takes")
        if coloring.course is not None:
            compare = gr.Button("Compare with the course's model", elem_id="ask-models")
    takes = gr.Gallery(
        elem_id="takes",
        label="Other takes: choose one",
        show_label=False,
        columns=len(TAKES),
        allow_preview=False,
        format="jpeg",
        object_fit="contain",
        height="auto",
        buttons=[],
        interactive=False,
        visible=False,
    )
    if has_takes(coloring):
        other.click(do.takes, [opened, saturation], takes, **patient)
    with gr.Column(elem_id="compared", visible=False) as compared:
        course = coloring.course.name if coloring.course else ""
        gr.Markdown(
            f"Left, the small model that the course trains (`{course}`); "
            f"right, the one above (`{coloring.colorizer.name}`)."
        )
        models = gr.ImageSlider(
            elem_id="models",
            show_label=False,
            interactive=False,
            max_height=620,
            buttons=["fullscreen"],
        )
    if compare:
        compare.click(do.compare, [opened, saturation], [compared, models], **patient)
    takes.select(do.choose, inputs[:2], [seed, *shown], **patient)
    return [takes, compared]


def _controls() -> tuple[gr.Row, gr.Slider, gr.DownloadButton]:
    with gr.Row(elem_id="controls", visible=False) as row:
        saturation = gr.Slider(
            0,
            2,
            1,
            step=0.05,
            label="Color strength",
            elem_id="saturation",
            buttons=[],
            scale=3,
            min_width=320,
        )
        download = gr.DownloadButton(
            "Download",
            variant="primary",
            elem_id="download",
            interactive=False,
            scale=1,
            min_width=200,
        )
    return row, saturation, download


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


class Handlers:
    """What happens on a click."""

    def __init__(self, coloring: Coloring):
        self.coloring = coloring

    def open(self, path: str | list[str], saturation: float) -> Iterator[tuple[Any, ...]]:
        """A file -> the photo's state, the controls, both pictures; then the download."""
        path = path if isinstance(path, str) else path[0]  # a sample comes as a row of one cell
        hidden, shown = gr.update(visible=False), gr.update(visible=True)

        def first(colorizer: Any) -> tuple[Opened, str]:
            opened = self.coloring.open(path)
            check()
            return opened, self._after(colorizer, opened, saturation, None)

        opened, after = self.coloring.ask(first)
        photo, opened.photo = opened.photo, None
        for pair, download in self._both(opened, after, saturation, None, photo):
            yield opened, None, shown, shown, hidden, hidden, pair, download

    def color(
        self, opened: Opened | None, saturation: float, seed: int | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """Both pictures at a saturation; then the download of that saturation."""
        opened = _still_there(opened)
        after = self.coloring.ask(lambda c: self._after(c, opened, saturation, seed))
        yield from self._both(opened, after, saturation, seed)

    def takes(self, opened: Opened | None, saturation: float) -> Any:
        """Three more guesses, side by side."""
        opened = _still_there(opened)

        def all_takes(colorizer: Any) -> list[tuple[str, str]]:
            taken = []
            for i, seed in enumerate(TAKES, 1):
                check()
                taken.append((self._after(colorizer, opened, saturation, seed), str(i)))
            return taken

        return gr.update(value=self.coloring.ask(all_takes), visible=True)

    def choose(
        self, opened: Opened | None, saturation: float, event: gr.SelectData
    ) -> Iterator[tuple[Any, ...]]:
        """A click on a take: it comes to the top, and the download is that one."""
        seed = TAKES[event.index]
        for pair, download in self.color(opened, saturation, seed):
            yield seed, pair, download

    def compare(self, opened: Opened | None, saturation: float) -> Any:
        """The photo by the course's model and by the page's."""
        opened, course = _still_there(opened), self.coloring.course

        def both(colorizer: Any) -> tuple[str, str]:
            return (
                self._after(course, opened, saturation, None),
                self._after(colorizer, opened, saturation, None),
            )

        return gr.update(visible=True), self.coloring.ask(both)

    def _after(self, colorizer: Any, opened: Opened, saturation: float, seed: int | None) -> str:
        rgb = colorizer.rgb(opened.rgb, saturation=saturation, seed=seed)
        return self.coloring.preview(rgb, "after")

    def _both(
        self,
        opened: Opened,
        after: str,
        saturation: float,
        seed: int | None,
        photo: Any = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Show the pictures at once, write the file of full size meanwhile."""
        wait = gr.update(label="Preparing ...", interactive=False)
        yield gr.update(value=(opened.before, after), visible=True), wait

        def save(colorizer: Any) -> str:
            return self.coloring.save(
                colorizer, opened.path, photo=photo, saturation=saturation, seed=seed
            )

        try:
            path = self.coloring.ask(save)
        except gr.Error:
            yield gr.skip(), gr.update(label="Download", interactive=False)
            raise
        yield gr.skip(), gr.update(value=path, label="Download", interactive=True)


def _still_there(opened: Opened | None) -> Opened:
    if opened is None or not os.path.exists(opened.before):
        raise gr.Error(MESSAGES["unreadable"], print_exception=False)
    return opened
