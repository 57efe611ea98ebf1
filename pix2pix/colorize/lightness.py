"""Lightness of an 8-bit picture as gray levels: what of it stays when its colors are replaced.

It takes two look-ups and a third a pixel: the luminance of red and green, that of blue, and the
level of the sum.
"""

import threading
from functools import cache

import numpy as np

from pix2pix import color
from pix2pix.strips import Strip, parallel, strips

STRIP = 2**17
"""Pixels of a strip: what is computed of it stays in the processor's cache."""

_WHITE = 65534  # Y is counted in so many parts: with both shares rounded up it is below 2**16


def gray_levels(rgb: np.ndarray) -> np.ndarray:
    """The 8-bit gray (H, W) uint8 with the lightness of each pixel of rgb (H, W, 3) uint8.

    Of a gray picture in one plane it is that plane. For `recolor`, to be had before ab is known.
    """
    if in_one_plane(rgb):
        return rgb[..., 1]
    rgb = as_stored(rgb)
    result = np.empty(rgb.shape[:2], np.uint8)
    scratch = Scratch()

    def work(strip: Strip) -> None:
        _fill(rgb[strip], result[strip], scratch)

    parallel(work, strips(*rgb.shape[:2], pixels=STRIP))
    return result


def lightness(rgb: np.ndarray) -> np.ndarray:
    """L* (H, W) float32 of rgb (H, W, 3) uint8; of one in one plane it is looked up."""
    return of_grays()[rgb[..., 1]] if in_one_plane(rgb) else color.rgb8_to_lab(rgb)[0]


@cache
def of_grays() -> np.ndarray:
    """L* (256,) float32 of the grays."""
    L = color.rgb8_to_lab(np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, 2))[0, :, 0]
    L.flags.writeable = False  # all callers share it
    return L


class Scratch(threading.local):
    """Each thread's memory for strips: fresh pages would cost as much as look-ups."""

    def __init__(self) -> None:
        self.index = np.empty(STRIP, np.intp)
        self.luminance = np.empty((2, STRIP), np.uint16)


def _fill(rgb: np.ndarray, grays: np.ndarray, scratch: Scratch) -> None:
    """`gray_levels` of a strip (H, W, 3) that is `as_stored`."""
    if is_gray(rgb):  # the usual old photo
        grays[:] = rgb[..., 1]
        return
    index = scratch.index[: grays.size].reshape(grays.shape)
    y, of_blue = scratch.luminance[:, : grays.size].reshape(2, *grays.shape)
    red_and_green, blue, gray = _tables()
    np.copyto(index, rgb[..., :2].view(np.uint16)[..., 0])
    red_and_green.take(index, out=y, mode="wrap")
    np.copyto(index, rgb[..., 2])
    blue.take(index, out=of_blue, mode="wrap")
    y += of_blue
    gray.take(y, out=grays, mode="wrap")


@cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look-up tables: Y of red and green (65536,), Y of blue (256,), gray levels of Y (65536,).

    Red and green are two bytes as they lie, Y is uint16, levels are uint8.
    """
    linear = color.srgb_to_linear(np.arange(256, dtype=np.float32) / 255)
    shares = np.multiply.outer(color.LINEAR_TO_XYZ[1], linear) * _WHITE  # (3, 256) of Y
    red, green = np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2).T
    red_and_green = np.rint(shares[0, red] + shares[1, green]).astype(np.uint16)
    levels = color.linear_to_srgb(np.arange(2**16, dtype=np.float32) / _WHITE) * 255
    return red_and_green, np.rint(shares[2]).astype(np.uint16), np.rint(levels).astype(np.uint8)


def in_one_plane(rgb: np.ndarray) -> bool:
    """Whether the channels of rgb (H, W, 3) are the same memory, as those of gray photos are."""
    return rgb.strides[2] == 0


def as_stored(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 whose red, green and blue lie side by side: itself, or a copy."""
    return rgb if rgb.strides[2] in (0, 1) else np.ascontiguousarray(rgb)


def is_gray(rgb: np.ndarray) -> bool:
    """Whether R = G = B all over rgb (H, W, 3) uint8."""
    if in_one_plane(rgb):
        return True
    return not any(  # a color picture shows it in the first row
        (part[..., :2] != part[..., 1:]).any() for part in (rgb[:1], rgb[1:])
    )
