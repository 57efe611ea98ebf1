"""Event handlers of the first tab: they make the pictures of a photo, and write its download."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from pix2pix.app.page.coloring import Coloring, Opened
from pix2pix.app.page.words import MESSAGES, sorry
from pix2pix.colorize.hints import Hint, parse
from pix2pix.colorize.wish import MOST_TEMPERATURE, Wish
from pix2pix.colorize.workers import check
from pix2pix.errors import BadHint
from pix2pix.images import Photo
from pix2pix.templates import render

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer

Update = dict[str, Any]
"""What a component becomes: `gr.update` or `gr.skip`."""
Pair = tuple[str, str]
"""Paths of two pictures, side by side."""

SLIDERS: dict[str, dict[str, Any]] = {
    "saturation": {"label": "Color strength", "minimum": 0, "maximum": 2, "value": 1, "step": 0.05},
    "temperature": {
        "label": "Warmth",
        "minimum": -MOST_TEMPERATURE,
        "maximum": MOST_TEMPERATURE,
        "value": 0,
        "step": 1,
    },
}
"""The page's sliders, as gr.Slider takes them, by the field of a `Wish` that each sets."""


class NewPhoto(NamedTuple):
    """What `Handlers.open` gives, in the order of its outputs."""

    opened: Opened
    seed: None
    notice: Update
    warmth: float
    controls: Update
    more: Update
    takes: Update
    how_sure: Update
    compared: Update
    alike: Update
    pictures: Update
    download: Update


class Handlers:
    """The functions behind the first tab's events.

    `touches` is the painted colors as the page's script sends them, `sliders` the values of
    SLIDERS. A slower answer that is no longer what the visitor asked for last is dropped:
    `Opened.wish`. It ends by saying nothing.
    """

    def __init__(self, coloring: Coloring):
        self.coloring = coloring

    def open(
        self, path: str | list[str], last: Opened | None, *sliders: float
    ) -> "Iterator[NewPhoto | tuple[Update, ...]]":
        """A file -> the photo's state, the controls, both pictures; then the download.

        Warmth starts afresh: it is set for a photo, by what is in it.
        """
        path = path if isinstance(path, str) else path[0]  # a sample comes as a row of one cell
        hidden, shown = gr.update(visible=False), gr.update(visible=True)
        afresh = named(*sliders) | {"temperature": 0.0}
        wish = Wish(**afresh, hints=(), seed=None, like=None)

        def first(colorizer: "Colorizer") -> tuple[Opened, str]:
            opened = self.coloring.open(path, colorizer)
            check()
            return opened, self.coloring.color(colorizer, opened, wish)

        opened, after = self.coloring.ask(first)
        if last is not None:
            last.wish = None
        opened.wish = wish
        photo, opened.photo = opened.photo, None
        for pictures, download in self._both(opened, after, wish, photo):
            if opened.wish == wish:
                notice = gr.update(value=opened.notice, visible=bool(opened.notice))
                panels = shown, shown, hidden, hidden, hidden, hidden
                yield NewPhoto(opened, None, notice, 0.0, *panels, pictures, download)
            else:
                yield (gr.skip(),) * len(NewPhoto._fields)

    def color(
        self, opened: Opened | None, seed: int | None, touches: str | None, *sliders: float
    ) -> Iterator[tuple[Update, Update]]:
        """Both pictures as the sliders say; then the download of that."""
        opened = still_there(opened)
        wish = opened.wish = wish_of(opened, touches, *sliders, seed=seed)
        after = self.coloring.ask(lambda c: self.coloring.color(c, opened, wish))
        yield from self._both(opened, after, wish)

    def touch(
        self, opened: Opened | None, seed: int | None, touches: str, *sliders: float
    ) -> tuple[Update, Update]:
        """Both pictures after a dot or a stroke; the download waits for `write`."""
        opened = still_there(opened)
        wish = opened.wish = wish_of(opened, touches, *sliders, seed=seed)
        after = self.coloring.ask(lambda c: self.coloring.color(c, opened, wish), quick=True)
        if opened.wish != wish:
            return gr.skip(), gr.skip()
        return _pair(opened, after), _WAIT

    def write(
        self, opened: Opened | None, seed: int | None, touches: str, *sliders: float
    ) -> Iterator[Update]:
        """The download of what was painted, once the visitor pauses."""
        opened = still_there(opened)
        wish = wish_of(opened, touches, *sliders, seed=seed)
        yield gr.skip()
        if opened.wish == wish:
            yield from self._download(opened, wish)

    def likely(self, opened: Opened | None, touches: str) -> str:
        """Colors to choose from for the last dot, likely ones given the dots before, as HTML."""
        opened = still_there(opened)
        turn, hints = _parse(opened, touches)
        if not hints:
            return ""
        *others, (x, y, _) = Wish(hints=hints).at(*opened.rgb.shape[:2]).hints
        found = self.coloring.ask(lambda c: c.suggest(opened.rgb, x, y, hints=others), quick=True)
        return _swatches(found, turn)

    def _both(
        self, opened: Opened, after: str, wish: Wish, photo: Photo | None = None
    ) -> Iterator[tuple[Update, Update]]:
        """Show the pictures at once, write the file of full size meanwhile."""
        if opened.wish != wish:
            yield gr.skip(), gr.skip()
            return
        yield _pair(opened, after), _WAIT
        for download in self._download(opened, wish, photo):
            yield gr.skip(), download

    def _download(self, opened: Opened, wish: Wish, photo: Photo | None = None) -> Iterator[Update]:
        try:
            path = self.coloring.ask(lambda c: self.coloring.save(c, opened.path, wish, photo))
        except gr.Error:
            if opened.wish == wish:
                yield gr.update(label="Download", interactive=False)
            raise
        # Gradio sends what was said last once more at the end: an old picture, where that is one.
        yield _ready(path) if opened.wish == wish else gr.skip()


def _ready(path: str) -> Update:
    return gr.update(value=path, label="Download", interactive=True)


_WAIT = gr.update(label="Preparing ...", interactive=False)


def _pair(opened: Opened, after: str) -> Update:
    return gr.update(value=(opened.before, after), visible=True)


def still_there(opened: Opened | None) -> Opened:
    """The photo, or a message that its files are gone."""
    if opened is None or not os.path.exists(opened.before):
        raise sorry(MESSAGES["unreadable"])
    return opened


def named(*sliders: float) -> dict[str, float]:
    """The sliders' values by their fields of a Wish; those left out stay where they start."""
    return dict(zip(SLIDERS, sliders, strict=False))


def wish_of(opened: Opened, touches: str | None, *sliders: float, seed: int | None = None) -> Wish:
    """All that was asked for: by sliders, painted, a take, a photo to take colors from."""
    hints = painted(opened, touches)
    return Wish(**named(*sliders), seed=seed, hints=hints, like=opened.like)


def painted(opened: Opened, touches: str | None) -> tuple[Hint, ...]:
    """The hints that were painted last, and none of another photo.

    Raises gr.Error for a text that the page's script did not send.
    """
    if touches:
        turn, hints = _parse(opened, touches)
        if turn >= opened.turn:
            opened.turn, opened.hints = turn, hints
    return opened.hints


def _parse(opened: Opened, touches: str) -> tuple[int, tuple[Hint, ...]]:
    """Parse {"photo": "...", "turn": 3, "hints": ["x,y,#rrggbb"]} -> turn, hints.

    `photo` is the address of its picture on the page; x and y are fractions of the sides.
    """
    try:
        painted = json.loads(touches)
        if Path(opened.before).parent.name not in painted["photo"]:
            return -1, ()
        return int(painted["turn"]), tuple(parse(text) for text in painted["hints"])
    except (BadHint, ValueError, KeyError, TypeError) as error:
        raise sorry(MESSAGES["hint"]) from error


def _swatches(found: list[tuple[tuple[int, int, int], float]], turn: int) -> str:
    """Colors, likely ones first -> a row of buttons; `turn` is that of the dot they are for."""
    colors = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb, _ in found]
    return render(Path(__file__).with_name("likely.html"), colors=colors, turn=turn)
