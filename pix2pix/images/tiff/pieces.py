"""Strips and tiles of a TIFF that is to be written: its fields, and pixels -> bytes.

JPEG is libjpeg's, without its tables, which stand in the directory; all others are packing.py's.
Source: TIFF 6.0, section 14; TIFF Technical Note 2 for JPEG.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from pix2pix.images.tiff import extract, packing
from pix2pix.images.tiff.extract import Fields, shorts
from pix2pix.images.tiff.structure import TiffHeader

JPEG = 7
"""The compression beside those of packing.py."""
_HEAD = TiffHeader("<", False, 0)
_GRAY, _RGB, _YCBCR, _ALPHA = 1, 2, 6, 2
_TABLES = 347
Encoder = Callable[[np.ndarray], bytes]
"""(H, W, C) pixels of a piece, uint8 or uint16 -> its bytes."""


def fields(compression: int, channels: int, *, bits: int = 8, quality: int = 92) -> Fields:
    """What a directory says of the pixels of gray, RGB or RGBA, by the number of channels."""
    jpeg, gray = compression == JPEG, channels == 1
    found: Fields = {
        258: shorts(_HEAD, *[bits] * channels),
        259: shorts(_HEAD, compression),
        262: shorts(_HEAD, _GRAY if gray else _YCBCR if jpeg else _RGB),
        277: shorts(_HEAD, channels),
        284: shorts(_HEAD, 1),
    }
    if packing.differs(compression):
        found[317] = shorts(_HEAD, 2)
    if channels == 4:
        found[338] = shorts(_HEAD, _ALPHA)
    if jpeg:
        tables = _jpeg(np.zeros((16, 16, channels), np.uint8), quality, stream=1)
        found[_TABLES] = 7, len(tables), tables
    if jpeg and not gray:
        found[530] = shorts(_HEAD, 2, 2)  # predicted color is smooth
        white = [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1]
        found[532] = 5, 6, extract.numbers(_HEAD, "u4", *white)
    return found


def encoder(compression: int, *, quality: int = 92, frugal: bool = False) -> Encoder:
    """Make the function that compresses pieces as `fields` say; `frugal` as packing.py."""
    if compression == JPEG:
        return lambda pixels: _jpeg(pixels, quality, stream=2)

    def encode(pixels: np.ndarray) -> bytes:
        little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
        return packing.packed(little, compression, frugal=frugal)

    return encode


def _jpeg(pixels: np.ndarray, quality: int, *, stream: int) -> bytes:
    """The tables of a JPEG alone (`stream` 1), or one without them (2)."""
    buffer = io.BytesIO()
    plane = pixels.shape[2] == 1
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if plane else pixels))
    sampling = 0 if plane else 2
    image.save(buffer, "JPEG", quality=quality, subsampling=sampling, streamtype=stream)
    return buffer.getvalue()
