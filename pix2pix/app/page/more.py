"""Below the photo: other takes, how sure the net is, before and after in one file, another model.

`more_panel` builds it, `More` has the functions behind its buttons.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from PIL import Image

from pix2pix.app.page.coloring import Opened
from pix2pix.app.page.handlers import (
    Handlers,
    Pair,
    Update,
    named,
    still_there,
    wish_of,
)
from pix2pix.app.page.script import NOTHING, SAVE, hiding, showing
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.unsure import LEGEND, unsure_picture
from pix2pix.app.page.upload import make_upload
from pix2pix.colorize.reference import Reference
from pix2pix.colorize.takes import takes
from pix2pix.colorize.workers import check
from pix2pix.templates import render

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer


TAKE_SIDE = 640  # [px] of a take's picture
COLUMNS = 3  # of takes: cooler, as it is, warmer
_COMPARED = "<p>Left, a small model that saw few photos; right, the one above.</p>"


class More:
    """The functions behind the buttons below the photo; arguments are as for `Handlers`.

    What they show is dropped where the visitor asked for other colors meanwhile.
    """

    def __init__(self, do: Handlers):
        self.do, self.coloring = do, do.coloring

    def show_takes(
        self, opened: Opened | None, seed: int | None, touches: str | None, *sliders: float
    ) -> Update:
        """The takes side by side, small."""
        opened = still_there(opened)
        last = opened.wish
        wish = wish_of(opened, touches, *sliders, seed=seed)
        small = Image.fromarray(opened.rgb)
        small.thumbnail((TAKE_SIDE, TAKE_SIDE), Image.Resampling.LANCZOS)
        rgb = np.asarray(small)
        found = takes(wish, variants=self.coloring.colorizer.has_variants)

        def color(colorizer: "Colorizer") -> list[tuple[str, str]]:
            shown = []
            for name, take in found:
                check()
                after = colorizer.color(rgb, take.at(*rgb.shape[:2]))
                shown.append((self.coloring.preview(after, "take"), name.capitalize()))
            return shown

        shown = self.coloring.ask(color)
        if opened.wish is not last:
            return gr.skip()
        opened.takes = tuple(take for _, take in found)
        return gr.update(value=shown, visible=True)

    def choose(
        self, event: gr.SelectData, opened: Opened | None, touches: str | None, *sliders: float
    ) -> Iterator[tuple[int | None, Update | float, Update, Update]]:
        """A click on a take -> its seed, the warmth slider, both pictures; then the download."""
        take = still_there(opened).takes[event.index]
        chosen = named(*sliders) | {"temperature": take.temperature}
        warmth: Update | float = take.temperature
        for pair, download in self.do.color(opened, take.seed, touches, *chosen.values()):
            yield take.seed, warmth, pair, download
            warmth = gr.skip()  # which may have been moved since

    def unsure(
        self, opened: Opened | None, touches: str | None = None
    ) -> tuple[Update, Update | Pair]:
        """The photo, and how sure the net is of its colors."""
        opened = still_there(opened)
        last = opened.wish
        hints = wish_of(opened, touches).at(*opened.rgb.shape[:2]).hints

        def picture(colorizer: "Colorizer") -> str:
            spread = colorizer.unsure(opened.rgb, hints=hints)
            return self.coloring.preview(unsure_picture(spread, opened.rgb), "unsure")

        made = self.coloring.ask(picture)
        if opened.wish is not last:
            return gr.skip(), gr.skip()
        return gr.update(visible=True), (opened.before, made)

    def compare(
        self, opened: Opened | None, touches: str | None, *sliders: float
    ) -> tuple[Update, Update | Pair]:
        """The photo by the course's model, which takes no hints and colors, and by the page's."""
        opened, course = still_there(opened), self.coloring.course
        last = opened.wish
        wish = wish_of(opened, touches, *sliders)

        def both(colorizer: "Colorizer") -> Pair:
            assert course is not None
            plain = replace(wish, hints=(), like=None)
            return (
                self.coloring.color(course, opened, plain),
                self.coloring.color(colorizer, opened, wish),
            )

        made = self.coloring.ask(both)
        if opened.wish is not last:
            return gr.skip(), gr.skip()
        return gr.update(visible=True), made

    def like(
        self,
        path: str,
        opened: Opened | None,
        seed: int | None,
        touches: str | None,
        *sliders: float,
    ) -> Iterator[tuple[Update, Update | str, Update, Update]]:
        """A photo in color -> it, small, and both pictures with its colors; then the download."""
        opened, coloring = still_there(opened), self.coloring

        def read(_: "Colorizer") -> Reference:
            return Reference.of(path, max_pixels=coloring.max_pixels)

        opened.like = coloring.ask(read)
        address = coloring.preview(opened.like.rgb, "like")
        seen: Update | str = render(Path(__file__).with_name("alike.html"), path=address)
        for pair, download in self.do.color(opened, seed, touches, *sliders):
            yield gr.update(visible=True), seen, pair, download
            seen = gr.skip()

    def unlike(
        self, opened: Opened | None, seed: int | None, touches: str | None, *sliders: float
    ) -> Iterator[tuple[Update, Update, Update]]:
        """Both pictures without the colors of another photo; then the download."""
        opened = still_there(opened)
        opened.like = None
        for pair, download in self.do.color(opened, seed, touches, *sliders):
            yield gr.update(visible=False), pair, download

    def in_one(
        self, opened: Opened | None, seed: int | None, touches: str | None, *sliders: float
    ) -> str:
        """Before and after in one picture -> the path of its file, to show to somebody."""
        opened = still_there(opened)
        wish = wish_of(opened, touches, *sliders, seed=seed)
        return self.coloring.ask(lambda c: self.coloring.save_both(c, opened, wish))


def more_panel(
    do: Handlers,
    shelf: Shelf,
    inputs: list[gr.Component],
    warmth: gr.Slider,
    shown: list[gr.Component],
    changes: list[Any],
    event: dict[str, Any],
) -> list[gr.Component]:
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
        unsure = gr.Button(
            "How sure is it?", elem_id="ask-unsure", visible=coloring.colorizer.knows_likely_colors
        )
        one = gr.Button("Save before and after", elem_id="ask-one")
        compare = gr.Button(
            "Compare models",
            elem_id="ask-models",
            visible=coloring.course is not None,
        )
        file = gr.DownloadButton(visible=False)
    gallery = _gallery()
    how_sure, unsure_map = _pictures("unsure", "unsure-map", LEGEND)
    compared, models = _pictures("compared", "models", _COMPARED)
    panels = [gallery, how_sure, compared]
    for button, function, given, made in (
        (other, more.show_takes, inputs, [gallery]),
        (unsure, more.unsure, [opened, touches], [how_sure, unsure_map]),
        (compare, more.compare, asked, [compared, models]),
    ):
        others = [panel for panel in panels if panel is not made[0]]
        button.click(None, js=hiding(len(others)), outputs=others)
        done = button.click(function, given, made, **patient)
        done.success(None, js=showing(str(made[0].elem_id)))
    gallery.select(None, js=showing("before-after"))
    gallery.select(more.choose, asked, [seed, warmth, *shown], **patient)
    one.click(more.in_one, inputs, file, **patient).success(None, file, js=SAVE)
    alike, changed = _like_panel(more, shelf, inputs, shown, patient)
    for change in [*changes, *changed]:
        change(None, js=hiding(len(panels)), outputs=panels)
    return [*panels, alike]


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
        gr.Markdown("Use the colors of a photo of the same place or the same people:")
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
