"""Hints of a film: colors that are known at a place and a time, and follow what they are on.

A hint holds from its time on until the scene ends, or what it is on is lost. It is followed on the
small gray frames: the patch around it is looked for where it was before, and near there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pix2pix.colorize import hints
from pix2pix.colorize.hints import Hint
from pix2pix.errors import BadHint
from pix2pix.film.scenes import Small, gain

_HALF = 7  # [px of the small frame] of the patch around a hint
_WAY = 8  # that a thing may move from one frame to the next
_LEARNED = 0.1  # share of the patch that is taken anew at each frame, as things turn
_LAZY = 0.0006  # difference of tone that a step of 1 px must be worth: even patches stay
_LOST = 0.6, 0.025  # mean difference, in deviations of the patch and in tone, of another thing
_PATIENCE = 3  # frames out of sight until a hint is given up


@dataclass(frozen=True)
class TimedHint:
    """A hint, and the time [s] from the film's start at which it holds first."""

    hint: Hint
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """As on the command line."""
        x, y, color = self.hint
        return f"{x:g},{y:g},#{bytes(color).hex()}@{self.seconds:g}"


def parse(text: str) -> TimedHint:
    """ "120,80,#c03020@12.5" -> the hint at 12.5 s; without @ at 0. Raises BadHint."""
    place, _, time = text.partition("@")
    if "@" in text and not re.fullmatch(r"\s*\d+(\.\d*)?\s*", time):
        raise BadHint(f"hint {text!r}: after @ are seconds such as 12.5")
    return TimedHint(hints.parse(place), float(time or 0))


@dataclass
class _Followed:
    timed: TimedHint
    at: tuple[float, float] = (0.0, 0.0)  # row, column of the small frame
    patch: np.ndarray | None = None  # None: not begun
    missed: int = 0
    over: bool = False


@dataclass
class Follower:
    """The hints of a film, from frame to frame."""

    timed: Sequence[TimedHint]
    size: tuple[int, int]
    """Height and width of the upright frames, in whose pixels hints are."""
    lost: list[str] = field(default_factory=list)
    """A line for each hint that was lost before its scene was over."""

    def __post_init__(self) -> None:
        hints.check([timed.hint for timed in self.timed], *self.size)
        self._all = [_Followed(timed) for timed in self.timed]
        self._before: Small | None = None

    def next(self, small: Small, seconds: float, *, cut: bool) -> list[Hint]:
        """The hints of the next frame, at `seconds` from the start. `cut`: it begins a scene."""
        found = []
        for followed in self._all:
            if followed.patch is not None and cut:
                followed.over = True
            if followed.over or seconds < followed.timed.seconds - 1e-6:
                continue
            if followed.patch is None:
                self._begin(followed, small)
            else:
                self._follow(followed, small, seconds)
            if not followed.over and not followed.missed:
                found.append(self._hint(followed, small))
        self._before = small
        return found

    def _begin(self, followed: _Followed, small: Small) -> None:
        height, width = small.tones.shape
        x, y, _ = followed.timed.hint
        row, column = y / self.size[0] * height - 0.5, x / self.size[1] * width - 0.5
        followed.at = row, column
        followed.patch = _window(small.tones, round(row), round(column), _HALF)

    def _follow(self, followed: _Followed, small: Small, seconds: float) -> None:
        assert followed.patch is not None and self._before is not None
        row, column = map(round, followed.at)
        brighter = np.float32(gain(small.tones, self._before.tones))
        around = _window(small.tones, row, column, _HALF + _WAY)
        views = np.lib.stride_tricks.sliding_window_view(around, followed.patch.shape)
        cost = np.abs(views - followed.patch * brighter).mean((2, 3))  # (2 _WAY + 1,) * 2
        steps = np.arange(-_WAY, _WAY + 1)
        lazy = np.hypot(steps[:, None], steps) * np.float32(_LAZY)
        best = np.unravel_index(int((cost + lazy).argmin()), cost.shape)
        most = max(_LOST[0] * float(followed.patch.std()), _LOST[1])
        height, width = small.tones.shape
        moved = followed.at[0] + steps[best[0]], followed.at[1] + steps[best[1]]
        outside = not (-0.5 <= moved[0] < height - 0.5 and -0.5 <= moved[1] < width - 0.5)
        if float(cost[best]) > most or outside:
            followed.missed += 1
            if followed.missed >= _PATIENCE or outside:
                followed.over = True
                self.lost.append(f"hint {followed.timed.text}: out of sight at {seconds:.2f} s")
            return
        followed.at, followed.missed = moved, 0
        patch = views[best]
        followed.patch = (
            followed.patch + _LEARNED * (patch / brighter - followed.patch)
        ) * brighter

    def _hint(self, followed: _Followed, small: Small) -> Hint:
        height, width = small.tones.shape
        row, column = followed.at
        x = min(max((column + 0.5) * self.size[1] / width, 0), self.size[1] - 1e-3)
        y = min(max((row + 0.5) * self.size[0] / height, 0), self.size[0] - 1e-3)
        return x, y, followed.timed.hint[2]


def _window(plane: np.ndarray, row: int, column: int, half: int) -> np.ndarray:
    """The square of `half` around a place of a plane (h, w), whose edges go on outside."""
    rows = np.arange(row - half, row + half + 1).clip(0, plane.shape[0] - 1)
    columns = np.arange(column - half, column + half + 1).clip(0, plane.shape[1] - 1)
    return plane[np.ix_(rows, columns)]
