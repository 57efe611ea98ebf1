"""How still the colors of a film stand where nothing moves, and how fast they follow what does.

    python benchmarks/still.py WEIGHTS FRAMES

A photograph with grain and flicker, on which another one moves, is colored as a film is. Prints, as
JSON: the processor `seconds` of a pass of the net; the mean change of a*, b* from a frame to the
next where nothing moves, frame `by_frame` and as they are `kept`; and the share of the color before
that is `left` where something has moved in the meantime.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from PIL import Image
from reel import RATE, SIZE, Worn, scene

from pix2pix import Colorizer, strips
from pix2pix.colorize.wish import Wish
from pix2pix.film.coloring import Look, Painter
from pix2pix.film.picture import Picture
from pix2pix.film.scenes import Small
from pix2pix.film.steady import Steady

_SPEED, _RADIUS = 4, 90  # [px] a frame, and of what moves
_LEVEL = 60  # by which it is brighter
_BEGIN = 4  # frames that the means take to begin
_PICTURE = Picture(*SIZE, "gray", 8, 8, (2, 2), 6, True, 6, 6, False, False, False)


class Watched(Steady):
    """Keeps what the net said of each frame, and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.by_frame: list[np.ndarray] = []
        self.kept: list[np.ndarray] = []

    def next(self, ab: np.ndarray, small: Small, *, cut: bool) -> np.ndarray:
        """As a film's frames are steadied."""
        self.by_frame.append(ab)
        self.kept.append(super().next(ab, small, cut=cut))
        return self.kept[-1]


def frames(count: int) -> Iterator[tuple[av.VideoFrame, np.ndarray]]:
    """Frames, and where in each the thing that moves is (H, W)."""
    ground, thing, worn = scene(0), scene(5 * RATE).clip(0, 255 - _LEVEL) + _LEVEL, Worn()
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    for number in range(count):
        left = _RADIUS + _SPEED * number
        mask = np.hypot(rows - SIZE[1] // 2, columns - left) < _RADIUS
        plane = np.where(mask, np.roll(thing, _SPEED * number, 1), ground)
        frame = av.VideoFrame.from_ndarray(worn(plane), "gray")
        frame.pts, frame.time_base, frame.duration = number, Fraction(1, RATE), 1
        yield frame, mask


def measured(model: Colorizer, count: int) -> dict[str, float]:
    """Color so many frames -> the change of still colors, and what is left behind."""
    look, steady = Look(model, Wish()), Watched()
    painter = Painter(look, _PICTURE, 1, steady)
    pictures, masks = zip(*frames(count), strict=True)
    for _ in painter.paint(pictures, skip=0):
        pass
    by_frame, kept = (np.stack(seen) * look.scale for seen in (steady.by_frame, steady.kept))
    size = by_frame.shape[-2:]
    shares = np.stack([_small(mask, size) for mask in masks])  # (N, h, w)
    still = ~_grown(shares.max(0) > 0)
    changes = [
        float(np.abs(np.diff(seen[_BEGIN:], axis=0))[..., still].mean())
        for seen in (by_frame, kept)
    ]
    moved = (shares[1:] > 0.5) != (shares[:-1] > 0.5)  # (N - 1, h, w)
    before, truth, now = kept[:-1] - by_frame[1:], by_frame[1:], kept[1:]
    there = np.broadcast_to(moved[:, None], before.shape)
    left = float(((now - truth) * before)[there].sum() / np.square(before[there]).sum())
    return {"by_frame": changes[0], "kept": changes[1], "left": left}


def _small(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The share (h, w) of a mask at the places of the net's color."""
    image = Image.fromarray(mask.astype(np.float32))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BOX))


def _grown(mask: np.ndarray, reach: int = 8) -> np.ndarray:
    """A mask (h, w) and all that is near it."""
    for axis in (0, 1):
        mask = np.any([np.roll(mask, by, axis) for by in range(-reach, reach + 1)], 0)
    return mask


def seconds(model: Colorizer, passes: int = 7) -> float:
    """Processor seconds of a pass of the net on a frame, on one thread."""
    gray = np.broadcast_to(np.rint(scene(0)).astype(np.uint8)[..., None], (*SIZE[::-1], 3))
    taken = []
    with strips.sharing(1):
        for _ in range(passes + 1):
            start = time.process_time()
            model.predict(gray)
            taken.append(time.process_time() - start)
    return statistics.median(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("weights")
    parser.add_argument("frames", type=int)
    given = parser.parse_args()
    model = Colorizer.from_pretrained(given.weights, device="cpu")
    print(json.dumps({"seconds": seconds(model)} | measured(model, given.frames)))


if __name__ == "__main__":
    main()
