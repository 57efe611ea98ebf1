"""Coloring: the frames of a film through the net, several at a time, and back in their order.

Decoding, following and joining luma and chroma run in the calling thread, each net in one of its
own, the encoder in its own: in numpy, FFmpeg and ONNX Runtime they do not wait for each other. No
more frames are in memory than are on their way.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import av
import numpy as np

from pix2pix import strips
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.hints import Hint
from pix2pix.colorize.model import net_size
from pix2pix.colorize.wish import Wish
from pix2pix.film import chroma
from pix2pix.film.hints import Follower, TimedHint
from pix2pix.film.picture import Picture, luma, to_gray
from pix2pix.film.scenes import Small, is_cut
from pix2pix.film.steady import Steady
from pix2pix.images import orientation


@dataclass(frozen=True)
class Look:
    """How a film is to be colored."""

    model: Colorizer
    wish: Wish
    hints: tuple[TimedHint, ...] = ()

    @property
    def scale(self) -> float:
        """What the net's ab is multiplied by to be a*, b*."""
        header = self.model.header
        return header.ab_scale * header.saturation * self.wish.saturation


@dataclass
class _Frame:
    pts: int
    duration: int
    luma: np.ndarray
    small: Small
    cut: bool
    ab: "Future[np.ndarray]"


class Painter:
    """Colors the frames of one film, from the first, or from a later one that it was brought to."""

    def __init__(self, look: Look, picture: Picture, turned: int, steady: Steady):
        """`turned`: how players turn and mirror the picture, by EXIF's orientation, 1 to 8."""
        self.look, self.picture, self.turned, self.steady = look, picture, turned, steady
        shape = picture.height, picture.width
        if turned > 4:
            shape = picture.width, picture.height
        model = look.model
        area = model.header.area_for(*shape)
        self._size = net_size(*shape, area=area, multiple=model.engine.multiple)
        self._grays = to_gray(picture)
        self._follower = Follower(look.hints, shape)
        self._before: tuple[Small, list[Hint], Future[np.ndarray]] | None = None
        self._seen: Small | None = None
        self._start: float | None = None

    @property
    def lost(self) -> list[str]:
        """A line for each hint that was lost."""
        return self._follower.lost

    def paint(self, frames: Iterable[Any], *, skip: int) -> Generator[Any, None, None]:
        """Color frames, but for the first `skip`, which are only looked at -> the colored ones."""
        with strips.thread_pool() as pool:
            waiting: deque[_Frame] = deque()
            most = 2 * strips.share() + 1
            try:
                for number, frame in enumerate(frames):
                    values, gray, small, cut, hints = self._look(frame)
                    if number < skip:
                        continue
                    ab = self._same(small, hints)
                    if ab is None:
                        wish = replace(self.look.wish, hints=hints)
                        rgb = np.broadcast_to(gray[..., None], (*gray.shape, 3))
                        ab = pool.submit(self.look.model.predict, rgb, wish)
                    self._before = small, hints, ab
                    # a view of the decoder's memory, which goes with the frame
                    waiting.append(
                        _Frame(frame.pts, frame.duration, np.array(values), small, cut, ab)
                    )
                    if len(waiting) > most:
                        yield self._finished(waiting.popleft())
                while waiting:
                    yield self._finished(waiting.popleft())
            finally:
                for one in waiting:
                    one.ab.cancel()

    def _look(self, frame: Any) -> tuple[np.ndarray, np.ndarray, Small, bool, list[Hint]]:
        """What is seen of a frame before it is colored: luma, upright gray, small, cut, hints."""
        values = luma(frame, self.picture)
        gray = self._grays.take(values, mode="clip")
        if self.turned != 1:
            gray = np.ascontiguousarray(orientation.turned(gray, self.turned))
        small = Small.of(gray, self._size)
        cut = self._seen is not None and is_cut(self._seen, small)
        self._seen = small
        seconds = float(frame.pts * frame.time_base) if frame.time_base else 0.0
        if self._start is None:
            self._start = seconds
        hints = self._follower.next(small, seconds - self._start, cut=cut)
        return values, gray, small, cut, hints

    def _same(self, small: Small, hints: list[Hint]) -> "Future[np.ndarray] | None":
        """The answer for the frame before, where this one is the same: films made faster repeat."""
        if self._before is None:
            return None
        before, known, ab = self._before
        return ab if hints == known and np.array_equal(before.gray, small.gray) else None

    def _finished(self, frame: _Frame) -> av.VideoFrame:
        ab = self.steady.next(frame.ab.result(), frame.small, cut=frame.cut)
        if self.turned != 1:
            ab = np.stack([orientation.turned_back(plane, self.turned) for plane in ab])
        colored = chroma.colored(frame.luma, ab * np.float32(self.look.scale), self.picture)
        colored.pts, colored.duration = frame.pts, frame.duration
        return colored
