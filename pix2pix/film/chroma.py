"""Chroma: the Cb and Cr that give a film's luma the colors that a net predicts.

Luma is no lightness: a saturated blue of the same luma is lighter than gray. As luma stays, the
color is the one of the wanted a*, b* whose luma is that of the frame, at whatever lightness that
is; where no screen color of that luma is as vivid, it is as vivid as there is. All of it is in a
table over luma, a* and b*, through which Pillow sends a frame at the size of its chroma.
"""

import math
from functools import lru_cache
from typing import Any

import av
import numpy as np
from PIL import Image, ImageFilter

from pix2pix.color import lab_to_rgb, linear_to_srgb, srgb_to_linear
from pix2pix.film.picture import Picture, plane_view

_SIDE = 52  # of the table; _GRAY is one of its nodes, so that gray stays exactly gray
_GRAY = 120  # of 0 to 255: no color
_STEP = 0.9  # of a*, b*: those in sRGB are within -108 to 99
_LIGHTNESSES = 65  # at which a color's luma is computed, to find the one with the wanted luma
_BT2020 = 9
# Linear sRGB to linear BT.2020. Source: ITU-R BT.2087-0
_TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]], np.float32
)


def colored(luma: np.ndarray, ab: np.ndarray, picture: Picture) -> av.VideoFrame:
    """Join a frame's luma (H, W) and a*, b* (2, h, w) to a frame: luma is copied, bit by bit.

    The new frame has neither time nor tags.
    """
    frame = av.VideoFrame(picture.width, picture.height, picture.format)
    plane = plane_view(frame, 0, picture.bits, luma.shape)
    if picture.bits == 8:
        plane[:] = luma
    else:  # encoders abort on what is no number of so many bits
        np.minimum(luma, 2**picture.bits - 1, out=plane)
    for number, values in enumerate(_chroma(plane, ab, picture), 1):
        target = plane_view(frame, number, picture.bits, values.shape)
        np.left_shift(values, picture.bits - 8, out=target, dtype=target.dtype)
    return frame


def _chroma(luma: np.ndarray, ab: np.ndarray, picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Cb and Cr (H', W') uint8 for luma (H, W) in `picture.bits` and a*, b* (2, h, w)."""
    height, width = picture.chroma_size
    bands = [Image.fromarray(_luma_at_chroma(luma, picture))]
    shift = 0.0 if picture.centered else 0.5 * (picture.ratio[0] - 1)  # columns of luma
    for plane in ab:
        values = _resized(plane, picture, shift) / np.float32(_STEP) + np.float32(_GRAY)
        bands.append(Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8)))
    table = _table(picture.weights, picture.full, picture.primaries == _BT2020)
    found = Image.merge("RGB", bands).filter(table)
    cb, cr = (np.asarray(found.getchannel(i)) for i in (0, 1))
    return cb, cr


def _resized(plane: np.ndarray, picture: Picture, shift: float) -> np.ndarray:
    """A plane (h, w) of color at the places (H', W') of chroma, which lie `shift` to the left."""
    height, width = picture.chroma_size
    down, across = plane.shape[0] / picture.height, plane.shape[1] / picture.width
    margin = math.ceil(max(across, down)) + 1
    padded = np.pad(plane, margin, mode="edge")
    left = margin - shift * across
    right, bottom = left + width * picture.ratio[0] * across, height * picture.ratio[1] * down
    box = left, margin, right, margin + bottom
    bicubic = Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(padded).resize((width, height), bicubic, box))


def _luma_at_chroma(luma: np.ndarray, picture: Picture) -> np.ndarray:
    """The mean luma (H', W') uint8 where the samples of chroma lie: on every other column."""
    across, down = picture.ratio
    dtype = np.uint16 if picture.bits <= 10 else np.uint32
    planes: Any = np.asarray(luma, dtype)
    count = 1
    if down == 2:
        planes = np.pad(planes, ((0, planes.shape[0] % 2), (0, 0)), mode="edge")
        planes = planes[::2] + planes[1::2]
        count *= 2
    if across == 2:
        planes = np.pad(planes, ((0, 0), (1, planes.shape[1] % 2)), mode="edge")
        even = planes[:, 1::2]
        if picture.centered:
            planes = even + planes[:, 2::2]
            count *= 2
        else:
            planes = planes[:, :-1:2] + 2 * even + planes[:, 2::2]
            count *= 4
    shift = count.bit_length() - 1 + picture.bits - 8
    half = (1 << shift) >> 1
    return ((planes + dtype(half)) >> dtype(shift)).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _table(weights: tuple[float, float], full: bool, wide: bool) -> ImageFilter.Color3DLUT:
    """Luma (as 8-bit code), a* and b* (as _STEP and _GRAY have them) -> Cb, Cr, nothing."""
    nodes = np.linspace(0, 255, _SIDE)
    tones = nodes / 255 if full else (nodes - 16) / 219
    axis = ((nodes - _GRAY) * _STEP).astype(np.float32)
    L = np.linspace(0, 100, _LIGHTNESSES, dtype=np.float32)
    red_share, blue_share = weights
    table = np.empty((_SIDE, _SIDE, _SIDE, 3), np.float32)  # b*, a*, luma
    table[..., 2] = 0
    scale = (255 if full else 224) / 255
    for i, b in enumerate(axis):
        lab = np.empty((3, _SIDE, _LIGHTNESSES), np.float32)
        lab[0], lab[1], lab[2] = L, axis[:, None], b
        rgb = lab_to_rgb(lab)
        if wide:
            linear = np.tensordot(_TO_BT2020, srgb_to_linear(rgb), 1)
            rgb = linear_to_srgb(linear)
        lumas = red_share * rgb[0] + (1 - red_share - blue_share) * rgb[1] + blue_share * rgb[2]
        for j, own in enumerate(lumas):
            own = np.maximum.accumulate(own)
            for channel, (color, share) in enumerate(((2, blue_share), (0, red_share))):
                difference = (rgb[color, j] - lumas[j]) / (2 * (1 - share))
                table[i, j, :, channel] = np.interp(tones, own, difference) * scale
    table[..., :2] += 128 / 255
    return ImageFilter.Color3DLUT(_SIDE, table.reshape(-1), channels=3)
