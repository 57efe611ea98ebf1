"""Strips and tiles of a TIFF that is to be written: pixels -> their bytes, compressed.

LZW and run lengths are libtiff's, through Pillow, which is given the bytes of a piece as a gray
picture; zlib and libjpeg need no TIFF around them. Source: TIFF 6.0, sections 9, 13 and 14; TIFF
Technical Note 2 for JPEG.
"""

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from pix2pix.images.tiff import extract, structure
from pix2pix.images.tiff.extract import Fields, longs, shorts
from pix2pix.images.tiff.structure import TiffHeader

_HEAD = TiffHeader("<", False, 0)
_CODES = {"raw": 1, "tiff_lzw": 5, "jpeg": 7, "tiff_adobe_deflate": 8, "packbits": 32773}
_DIFFERENCED = ("tiff_lzw", "tiff_adobe_deflate")  # horizontally, as photographs take a third less
_GRAY, _RGB, _YCBCR, _ALPHA = 1, 2, 6, 2
_TABLES = 347
Encoder = Callable[[np.ndarray], bytes]
"""(H, W, C) pixels of a piece -> its bytes."""


def fields(compression: str, channels: int, *, bits: int = 8, quality: int = 92) -> Fields:
    """What a directory says of the pixels of gray, RGB or RGBA, by the number of channels."""
    jpeg, gray = compression == "jpeg", channels == 1
    found: Fields = {
        258: shorts(_HEAD, *[bits] * channels),
        259: shorts(_HEAD, _CODES[compression]),
        262: shorts(_HEAD, _GRAY if gray else _YCBCR if jpeg else _RGB),
        277: shorts(_HEAD, channels),
        284: shorts(_HEAD, 1),
    }
    if compression in _DIFFERENCED:
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


def encoder(compression: str, *, quality: int = 92) -> Encoder:
    """Make the function that compresses pieces, uint8 or uint16, as `fields` say."""
    if compression == "jpeg":
        return lambda pixels: _jpeg(pixels, quality, stream=2)
    differenced = compression in _DIFFERENCED

    def encode(pixels: np.ndarray) -> bytes:
        values = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
        if differenced:
            steps = values.copy()
            steps[:, 1:] -= values[:, :-1]
            values = steps
        if compression == "tiff_adobe_deflate":
            return zlib.compress(values.data)
        return values.tobytes() if compression == "raw" else _packed(values, compression)

    return encode


def _jpeg(pixels: np.ndarray, quality: int, *, stream: int) -> bytes:
    """The tables of a JPEG alone (`stream` 1), or one without them (2)."""
    buffer = io.BytesIO()
    plane = pixels.shape[2] == 1
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if plane else pixels))
    image.save(buffer, "JPEG", quality=quality, subsampling=0 if plane else 2, streamtype=stream)
    return buffer.getvalue()


def _packed(values: np.ndarray, compression: str) -> bytes:
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    buffer = io.BytesIO()
    whole = {278: len(rows)}  # in one strip
    Image.fromarray(rows).save(buffer, "TIFF", compression=compression, tiffinfo=whole)
    data = buffer.getvalue()
    head = structure.header(data)
    found = structure.directory(data, head, head.first, {273, 279})
    start = structure.first(found, 273, 0)
    return data[start : start + structure.first(found, 279, 0)]


def rows_of(height: int) -> Fields:
    """The field that says how high a strip is."""
    return {278: longs(_HEAD, height)}
