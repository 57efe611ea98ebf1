"""What happens on a click of the first tab: the photo's pictures made, its download written."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from pix2pix.errors import BadHint
from pix2pix.hints import Hint, parse
from pix2pix.page.coloring import Coloring, Opened, Wish
from pix2pix.page.unsure import unsure_picture
from pix2pix.page.words import MESSAGES
from pix2pix.show.templates import render
from pix2pix.workers import check

TAKES = (1, 2, 3)  # seeds


class Handlers:
    """What happens on a click. `touches` is the painted colors as the page's script sends them.

    A slower answer that is no longer what the visitor asked for last is dropped: `Opened.wish`.
    It ends by saying nothing.
    """

    def __init__(self, coloring: Coloring):
        self.coloring = coloring

    def open(
        self, path: str | list[str], saturation: float, last: Opened | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """A file -> the photo's state, the controls, both pictures; then the download."""
        path = path if isinstance(path, str) else path[0]  # a sample comes as a row of one cell
        hidden, shown = gr.update(visible=False), gr.update(visible=True)
        wish = Wish(saturation)

        def first(colorizer: Any) -> tuple[Opened, str]:
            opened = self.coloring.open(path)
            check()
            return opened, self._after(colorizer, opened, wish)

        opened, after = self.coloring.ask(first)
        if last is not None:
            last.wish = None
        opened.wish = wish
        photo, opened.photo = opened.photo, None
        for pair, download in self._both(opened, after, wish, photo):
            said = opened, None, shown, shown, hidden, hidden, hidden, pair, download
            yield said if opened.wish == wish else (gr.skip(),) * len(said)

    def color(
        self,
        opened: Opened | None,
        saturation: float,
        seed: int | None = None,
        touches: str | None = None,
    ) -> Iterator[tuple[Any, Any]]:
        """Both pictures at a saturation; then the download of that saturation."""
        opened = _still_there(opened)
        wish = opened.wish = _wish(opened, saturation, seed, touches)
        after = self.coloring.ask(lambda c: self._after(c, opened, wish))
        yield from self._both(opened, after, wish)

    def touch(
        self, opened: Opened | None, saturation: float, seed: int | None, touches: str
    ) -> tuple[Any, Any]:
        """Both pictures after a dot or a stroke; the download waits for `write`."""
        opened = _still_there(opened)
        wish = opened.wish = _wish(opened, saturation, seed, touches)
        after = self.coloring.ask(lambda c: self._after(c, opened, wish), quick=True)
        if opened.wish != wish:
            return gr.skip(), gr.skip()
        return _pair(opened, after), _WAIT

    def write(
        self, opened: Opened | None, saturation: float, seed: int | None, touches: str
    ) -> Iterator[Any]:
        """The download of what was painted, once the visitor pauses."""
        opened = _still_there(opened)
        wish = _wish(opened, saturation, seed, touches)
        yield gr.skip()
        if opened.wish == wish:
            yield from self._download(opened, wish)

    def likely(self, opened: Opened | None, touches: str) -> str:
        """Colors to choose from for the last dot, likely ones given the dots before, as HTML."""
        opened = _still_there(opened)
        turn, hints = _told(opened, touches)
        if not hints:
            return ""
        *others, (x, y, _) = Wish(hints=hints).at(*opened.rgb.shape[:2])["hints"]
        found = self.coloring.ask(lambda c: c.suggest(opened.rgb, x, y, hints=others), quick=True)
        return _swatches(found, turn)

    def takes(self, opened: Opened | None, saturation: float, touches: str | None = None) -> Any:
        """Three more guesses, side by side."""
        opened = _still_there(opened)

        def all_takes(colorizer: Any) -> list[tuple[str, str]]:
            taken = []
            for i, seed in enumerate(TAKES, 1):
                check()
                wish = _wish(opened, saturation, seed, touches)
                taken.append((self._after(colorizer, opened, wish), str(i)))
            return taken

        return gr.update(value=self.coloring.ask(all_takes), visible=True)

    def choose(
        self,
        opened: Opened | None,
        saturation: float,
        touches: str | None,
        event: gr.SelectData,
    ) -> Iterator[tuple[Any, ...]]:
        """A click on a take: it comes to the top, and the download is that one."""
        seed = TAKES[event.index]
        for pair, download in self.color(opened, saturation, seed, touches):
            yield seed, pair, download

    def unsure(self, opened: Opened | None, touches: str | None = None) -> Any:
        """The photo, and how sure the net is of its colors."""
        opened = _still_there(opened)
        hints = _wish(opened, 1.0, None, touches).at(*opened.rgb.shape[:2])["hints"]

        def picture(colorizer: Any) -> str:
            spread = colorizer.unsure(opened.rgb, hints=hints)
            return self.coloring.preview(unsure_picture(spread, opened.rgb), "unsure")

        return gr.update(visible=True), (opened.before, self.coloring.ask(picture))

    def compare(self, opened: Opened | None, saturation: float, touches: str | None = None) -> Any:
        """The photo by the course's model and by the page's."""
        opened, course = _still_there(opened), self.coloring.course
        wish = _wish(opened, saturation, None, touches)

        def both(colorizer: Any) -> tuple[str, str]:
            return (
                self._after(course, opened, Wish(saturation)),
                self._after(colorizer, opened, wish),
            )

        return gr.update(visible=True), self.coloring.ask(both)

    def _after(self, colorizer: Any, opened: Opened, wish: Wish) -> str:
        rgb = colorizer.rgb(opened.rgb, **wish.at(*opened.rgb.shape[:2]))
        return self.coloring.preview(rgb, "after")

    def _both(
        self, opened: Opened, after: str, wish: Wish, photo: Any = None
    ) -> Iterator[tuple[Any, Any]]:
        """Show the pictures at once, write the file of full size meanwhile."""
        if opened.wish != wish:
            yield gr.skip(), gr.skip()
            return
        yield _pair(opened, after), _WAIT
        for download in self._download(opened, wish, photo):
            yield gr.skip(), download

    def _download(self, opened: Opened, wish: Wish, photo: Any = None) -> Iterator[Any]:
        def save(colorizer: Any) -> str:
            return self.coloring.save(colorizer, opened.path, photo=photo, wish=wish)

        try:
            path = self.coloring.ask(save)
        except gr.Error:
            if opened.wish == wish:
                yield gr.update(label="Download", interactive=False)
            raise
        # Gradio sends what was said last once more at the end: an old picture, where that is one.
        yield _ready(path) if opened.wish == wish else gr.skip()


def _ready(path: str) -> Any:
    return gr.update(value=path, label="Download", interactive=True)


_WAIT = gr.update(label="Preparing ...", interactive=False)


def _pair(opened: Opened, after: str) -> Any:
    return gr.update(value=(opened.before, after), visible=True)


def _still_there(opened: Opened | None) -> Opened:
    if opened is None or not os.path.exists(opened.before):
        raise gr.Error(MESSAGES["unreadable"], print_exception=False)
    return opened


def _wish(opened: Opened, saturation: float, seed: int | None, touches: str | None) -> Wish:
    """What the visitor wants; of what was painted the newest, and nothing of another photo.

    Raises gr.Error for a text that the page's script did not send.
    """
    if touches:
        turn, hints = _told(opened, touches)
        if turn >= opened.turn:
            opened.turn, opened.hints = turn, hints
    return Wish(saturation, seed, opened.hints)


def _told(opened: Opened, touches: str) -> tuple[int, tuple[Hint, ...]]:
    """What was painted when: {"photo": "...", "turn": 3, "hints": ["x,y,#rrggbb"]} as JSON.

    `photo` is the address of its picture on the page; x and y are fractions of the sides.
    """
    try:
        told = json.loads(touches)
        if Path(opened.before).parent.name not in told["photo"]:
            return -1, ()
        return int(told["turn"]), tuple(parse(text) for text in told["hints"])
    except (BadHint, ValueError, KeyError, TypeError) as error:
        raise gr.Error(MESSAGES["hint"], print_exception=False) from error


def _swatches(found: list[tuple[tuple[int, int, int], float]], turn: int) -> str:
    """Colors and their shares -> a row of buttons; `turn` tells which dot they are for."""
    colors = [("#{:02x}{:02x}{:02x}".format(*rgb), f"{share:.0%}") for rgb, share in found]
    return render(Path(__file__).with_name("likely.html"), colors=colors, turn=turn)
