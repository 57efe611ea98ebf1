"""Chroma of a large picture from a small one: upsampled, and counted in steps for a table.

The table need not hold all chroma at all grays: tile by tile of the picture, what occurs lies in a
box of a*, b* and gray. `Chroma.units` is the union of the boxes.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pix2pix.colorize.lightness import STRIP
from pix2pix.strips import Strip, parallel, strips

BIN = 16
"""Grays of a bin: so many neighbors are in the table, or none of them."""

_TILE = 16  # [pixels]
_LITTLE = 1 / 16  # colors a pixel, of a table that is filled sooner than it is known what occurs
_MOST_CELLS = 2**16 - 1


@dataclass
class Chroma:
    """The chroma of each pixel, or of each block of them, in steps of a* and b*."""

    cells: np.ndarray
    """(H / block, W / block) uint16: the step of a* times the steps of b*, and the step of b*."""
    block: int
    """Pixels to a side."""
    colors: np.ndarray
    """(2, all cells) float32: a*, b*."""
    units: np.ndarray
    """(all cells, 256 / BIN): whether the cell occurs with a gray of the bin; or it may be so."""


@dataclass
class Steps:
    """The chroma of a small picture in steps of a* and b*."""

    step: float
    low: np.ndarray
    """(2,): where the first step of a* and that of b* is."""
    sides: tuple[int, int]
    """How many steps there are."""
    position: np.ndarray
    """(2, h, w) float32: in steps, and half a one, as integers cut."""

    @classmethod
    def of(cls, ab: np.ndarray, step: float) -> "Steps | None":
        """Count ab (2, h, w) in steps; None where they are too many."""
        low, high = ab.min((1, 2)), ab.max((1, 2))
        low = np.floor(low / step) * step  # so that zero is among the steps
        a, b = (int(n) for n in np.ceil((high - low) / step) + 1)
        if a * b > _MOST_CELLS:
            return None
        position = (ab - low[:, None, None]) / np.float32(step) + np.float32(0.5)
        return cls(step, low, (a, b), position)

    def cut(self, upsampled: np.ndarray) -> np.ndarray:
        """Positions (2, H, W), which are changed -> steps (2, H, W) uint16."""
        steps = np.empty(upsampled.shape, np.uint16)
        for channel, plane in enumerate(upsampled):
            plane.clip(0, self.sides[channel] - 0.5, out=plane)
            steps[channel] = plane  # cut
        return steps

    def colors(self) -> np.ndarray:
        """a*, b* (2, all cells) float32: the steps of a* times those of b*."""
        cells = np.arange(self.sides[0] * self.sides[1])
        colors = np.stack(np.divmod(cells, self.sides[1])) * self.step + self.low[:, None]
        return colors.astype(np.float32)


def quantized(ab: np.ndarray, grays: np.ndarray, block: int, step: float) -> Chroma | None:
    """Upsample ab (2, h, w) for a picture of grays (H, W), in steps; None for too many steps."""
    steps_of = Steps.of(ab, step)
    if steps_of is None:
        return None
    sides = steps_of.sides
    height, width = grays.shape
    upsampled = Upsampled(steps_of.position, height, width, block)
    cells = np.empty(upsampled.shape, np.uint16)
    tiles = -(-height // _TILE), -(-width // _TILE)
    boxes = np.empty((2, 3, *tiles), np.uint16)  # least and most of a*, b*, gray
    whole_table = sides[0] * sides[1] * 256 <= height * width * _LITTLE

    def work(strip: Strip) -> None:
        part, whole = _scaled(strip, _TILE // block), _scaled(strip, _TILE)
        steps = steps_of.cut(upsampled[part])
        np.multiply(steps[0], sides[1], out=cells[part])
        cells[part] += steps[1]
        if whole_table:
            return
        for i, least in enumerate((np.minimum, np.maximum)):
            boxes[(i, slice(2), *strip)] = _tile_extremes(least, steps, _TILE // block)
            boxes[(i, 2, *strip)] = _tile_extremes(least, grays[whole], _TILE)

    parallel(work, strips(*tiles, pixels=STRIP * block // _TILE**2))
    if whole_table:
        units = np.ones((sides[0] * sides[1], 256 // BIN), bool)
    else:
        boxes[:, 2] //= BIN
        units = _union(boxes.reshape(2, 3, -1), (*sides, 256 // BIN)).reshape(-1, 256 // BIN)
    return Chroma(cells, block, steps_of.colors(), units)


def _scaled(strip: Strip, times: int) -> Strip:
    rows, columns = (slice(part.start * times, part.stop * times) for part in strip)
    return rows, columns


def _tile_extremes(extreme: np.ufunc, planes: np.ndarray, tile: int) -> np.ndarray:
    """Minimum or maximum of each tile of planes (..., H, W); those at the edges may be smaller.

    `tile` is a power of two.
    """
    height = planes.shape[-2]
    whole, rest = np.split(planes, [height // tile * tile], -2)
    parts = [extreme.reduce(whole.reshape(*whole.shape[:-2], -1, tile, whole.shape[-1]), -2)]
    if height % tile:
        parts.append(extreme.reduce(rest, -2, keepdims=True))
    planes = np.concatenate(parts, -2)
    while tile > 1:  # of two neighbors each: a reduction along short rows is slow
        odd, planes = planes[..., 1::2], planes[..., ::2].copy()
        extreme(planes[..., : odd.shape[-1]], odd, out=planes[..., : odd.shape[-1]])
        tile //= 2
    return planes


def _union(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which points of a grid lie in one or more of N boxes: first and last points (2, 3, N).

    Each box is 1 and -1 at its corners, of which running sums along the axes make the box.
    """
    padded = [side + 1 for side in shape]
    first, last = boxes.astype(np.intp)
    corners: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for corner in np.ndindex(2, 2, 2):
        x, y, z = (
            high + 1 if far else low for far, low, high in zip(corner, first, last, strict=True)
        )
        corners[sum(corner) % 2].append((x * padded[1] + y) * padded[2] + z)
    more, less = (np.bincount(np.concatenate(at), minlength=math.prod(padded)) for at in corners)
    count = (more - less).reshape(padded)
    for axis in range(3):
        np.cumsum(count, axis, out=count)
    return count[tuple(slice(side) for side in shape)] > 0


class Upsampled:
    """A small picture (C, h, w) float32, to be upsampled bicubically one strip at a time.

    To (C, H, W), or with `block` to a value for each block of as many pixels a side, that of its
    middle. Every output row is computed from its own four input rows, wherever the strip ends.
    Only a picture h rows high is held at full width. Kernel as torch's F.interpolate(mode=
    "bicubic"), a = -0.75.
    """

    def __init__(self, small: np.ndarray, height: int, width: int, block: int = 1):
        size = min(small.shape[1], height), min(small.shape[2], width)
        if size != small.shape[1:]:  # a picture smaller than the net's input: average
            small = np.stack([_averaged(plane, *size) for plane in small])
        self.shape = -(-height // block), -(-width // block)
        self._taps = _cubic_taps(size[0] * block / height, size[0], slice(0, self.shape[0]))
        columns = size[1] * block / width, size[1]
        self._wide = np.empty((*small.shape[:2], self.shape[1]), np.float32)
        for _, part in strips(1, self.shape[1]):
            index, weight = _cubic_taps(*columns, part)
            self._wide[..., part] = _weighted(small, 2, index, weight)

    def __getitem__(self, strip: Strip) -> np.ndarray:
        """Upsample what is at (rows, columns) -> (C, rows, columns)."""
        rows, columns = strip
        index, weight = self._taps
        return _weighted(self._wide[..., columns], 1, index[:, rows], weight[:, rows, None])


def _averaged(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    shrunk = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(shrunk)


def _weighted(image: np.ndarray, axis: int, index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of four takes along an axis. No matrix product: its threads would be in our threads' way,
    and its result would depend on their number.
    """
    total = image.take(index[0], axis)
    total *= weight[0]
    for k in range(1, 4):
        piece = image.take(index[k], axis)
        piece *= weight[k]
        total += piece
    return total


def _cubic_taps(scale: float, size: int, outputs: slice) -> tuple[np.ndarray, np.ndarray]:
    """The input positions and weights (4, N) of N outputs, for one axis.

    An output is `scale` inputs wide, of which there are `size`. Source: Keys 1981, cubic
    convolution, with a = -0.75.
    """
    a = -0.75
    position = (np.arange(outputs.start, outputs.stop) + 0.5) * scale - 0.5
    first = np.floor(position)
    t = position - first
    x = np.stack((t + 1, t, 1 - t, 2 - t))  # distances of the taps
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    index = (first.astype(np.intp) + np.arange(-1, 3)[:, None]).clip(0, size - 1)
    return index, np.where(x <= 1, near, far).astype(np.float32)
