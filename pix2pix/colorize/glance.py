"""Glance: the small copies by which a picture is judged, of its rows as they come.

What a net sees is equal to what `PictureModel._shrink` makes of the whole picture: Pillow averages
blocks of pixels before it resizes, and here only the blocks of a few rows are in memory.
"""

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.colorize import incolor
from pix2pix.colorize.lightness import in_one_plane
from pix2pix.colorize.model import REDUCED

_BILINEAR = Image.Resampling.BILINEAR


class Glance:
    """Takes a picture (H, W) row by row -> what a net sees, and what tells of its colors."""

    def __init__(self, height: int, width: int, net: tuple[int, int]):
        """`net` is the (height, width) of the net's input."""
        self._size, self._net = (width, height), net
        self._least = min(net[0], height), min(net[1], width)
        self._tall = max(1, int(height / self._least[0] / REDUCED))  # of a block, as Pillow has it
        self._wide = max(1, int(width / self._least[1] / REDUCED))
        self._skips = incolor.skips(height, width)
        self._rows = 0
        self._rest: np.ndarray | None = None  # rows that fill no block yet
        self._blocks: list[np.ndarray] = []
        self._sampled: list[np.ndarray] = []

    def add(self, rgb: np.ndarray) -> None:
        """Take the next rows (n, W, 3) uint8."""
        down, across = self._skips
        self._sampled.append(rgb[-self._rows % down :: down, ::across].copy())
        self._rows += len(rgb)
        pixels = rgb[..., 0] if in_one_plane(rgb) else rgb
        if self._rest is not None:
            missing = self._tall - len(self._rest)
            self._rest = np.concatenate([self._rest, pixels[:missing]])
            if len(self._rest) < self._tall:
                return
            self._average(self._rest)
            pixels, self._rest = pixels[missing:], None
        whole = len(pixels) // self._tall * self._tall
        if whole:
            self._average(pixels[:whole])
        if whole < len(pixels):
            self._rest = pixels[whole:].copy()

    def small(self) -> np.ndarray:
        """What the net sees (h, w, 3) uint8; the picture must be complete."""
        if self._rest is not None:
            self._average(self._rest)
            self._rest = None
        image = _image(np.concatenate(self._blocks))
        width, height = self._size
        box = (0, 0, width / self._wide, height / self._tall)
        image = image.resize(self._least[::-1], _BILINEAR, box=box)
        if self._least != self._net:
            image = image.resize(self._net[::-1], _BILINEAR, reducing_gap=REDUCED)
        array = np.asarray(image)
        return array if array.ndim == 3 else np.broadcast_to(array[..., None], (*self._net, 3))

    def sampled(self) -> np.ndarray:
        """Pixels of the picture (h, w, 3) uint8 for `incolor`: in one plane where all are gray."""
        if all(in_one_plane(rows) for rows in self._sampled):
            plane = np.concatenate([rows[..., 0] for rows in self._sampled])
            return np.broadcast_to(plane[..., None], (*plane.shape, 3))
        return np.concatenate(self._sampled)

    def _average(self, pixels: np.ndarray) -> None:
        """Rows that are whole blocks, or the last ones."""
        self._blocks.append(np.asarray(_image(pixels).reduce((self._wide, self._tall))))


def _image(pixels: np.ndarray) -> Image.Image:
    """(H, W) or (H, W, 3) uint8 as L or RGB."""
    if pixels.ndim == 2:
        return Image.fromarray(np.ascontiguousarray(pixels))
    return images.to_image(pixels)
