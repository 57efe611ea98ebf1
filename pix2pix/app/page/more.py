"""What the buttons below the photo do; panels.py has the buttons and what they open."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from pix2pix.app.page.unsure import unsure_picture
from pix2pix.colorize.reference import Reference
from pix2pix.colorize.takes import takes
from pix2pix.colorize.workers import check
from pix2pix.templates import render

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer


TAKE_SIDE = 640  # [px] of a take's picture


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
