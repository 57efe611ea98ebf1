"""Painter: `recolor` and `recolor16` some rows at a time, for a picture too large for the memory.

The pixels are the same: how finely chroma is counted depends on the size of the picture and on its
ab alone. The table holds every chroma with every gray, as nothing is known of other rows.
"""

import numpy as np

from pix2pix.colorize.chroma import BIN, Chroma, Steps
from pix2pix.colorize.lightness import STRIP, as_stored, gray_levels
from pix2pix.colorize.recolor import (
    COARSE,
    Upsampled,
    by_pixel,
    by_pixel16,
    color_table,
    is_smooth,
    step_of,
)
from pix2pix.strips import Strip, parallel, strips


class Painter:
    """Joins the lightness of rows of a picture (H, W) to a*, b* of all of it, small."""

    def __init__(self, ab: np.ndarray, height: int, width: int, *, deep: bool = False):
        """`ab` (2, h, w) float32 holds a*, b*; `deep` pictures have 16 bits."""
        step = step_of(ab, height, width)
        self._steps = Steps.of(ab, step) if step <= COARSE and not deep else None
        self._block = 2 if self._steps and is_smooth(ab, height, width) else 1
        small = self._steps.position if self._steps else ab
        self._upsampled = Upsampled(small, height, width, self._block)
        if self._steps:
            colors = self._steps.colors()
            every = np.ones((colors.shape[1], 256 // BIN), bool)
            nowhere = np.zeros((0, 0), np.uint16)
            self._table, _ = color_table(Chroma(nowhere, self._block, colors, every))

    def paint(self, top: int, rgb: np.ndarray) -> np.ndarray:
        """Rows (n, W, 3) uint8 from `top` on -> (n, W, 3) uint8 sRGB, a view of (n, W, 4)."""
        rgb = as_stored(rgb)
        result = np.empty((*rgb.shape[:2], 4), np.uint8)
        if self._steps is None:
            by_pixel(rgb, self._upsampled, result, top)
        else:
            self._by_table(top, gray_levels(rgb), result.view(np.uint32)[..., 0])
        return result[..., :3]

    def paint16(self, top: int, grays: np.ndarray) -> np.ndarray:
        """Rows (n, W) uint16 from `top` on, of a `deep` picture -> (n, W, 3) uint16 sRGB."""
        result = np.empty((*grays.shape, 3), np.uint16)
        by_pixel16(grays, self._upsampled, result, top)
        return result

    def _by_table(self, top: int, grays: np.ndarray, colors: np.ndarray) -> None:
        block = self._block

        def work(strip: Strip) -> None:
            rows, columns = strip
            first, last = top + rows.start, top + rows.stop
            left, right = columns.start, columns.stop
            tall = slice(first // block, -(-last // block))
            wide = slice(left // block, -(-right // block))
            steps = self._steps.cut(self._upsampled[tall, wide])  # type: ignore[union-attr]
            start = steps[0].astype(np.intp)
            start *= self._steps.sides[1]  # type: ignore[union-attr]
            start += steps[1]
            start *= 256
            if block > 1:
                start = start.repeat(block, 1)[:, left % block :][:, : right - left]
                start = start.repeat(block, 0)[first % block :][: last - first]
            start += grays[strip]
            self._table.take(start, out=colors[strip], mode="wrap")

        parallel(work, strips(*grays.shape, pixels=STRIP))
