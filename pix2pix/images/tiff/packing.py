"""Strips of samples, compressed as TIFF has it.

libtiff, through Pillow, does what zlib does not: to it a strip is a gray picture of 8 bits, as wide
as a row has bytes. Source: TIFF 6.0, sections 9, 13 and 14; libtiff for Zstandard.
"""

import io
import zlib

import numpy as np
from PIL import Image

from pix2pix.images.tiff import pages, structure

NONE, LZW, DEFLATE, PACKBITS, ZSTD = 1, 5, 8, 32773, 50000
# Pillow's names of what is written here; as LZMA would take ten minutes for 100 megapixels
_BY_NAME = {
    "raw": NONE,
    "packbits": PACKBITS,
    "tiff_adobe_deflate": DEFLATE,
    "tiff_deflate": DEFLATE,
    "lzma": DEFLATE,
    "zstd": ZSTD,
}
_BY_LIBTIFF = {LZW: "tiff_lzw", PACKBITS: "packbits", ZSTD: "zstd"}
_ROWS, _OFFSETS, _COUNTS = 278, 273, 279


def compression(name: str | None) -> int:
    """TIFF's number of the compression that Pillow calls `name`; LZW where it is none of ours."""
    found = _BY_NAME.get(name or "", LZW)
    return found if found != ZSTD or pages.has_codec(ZSTD) else DEFLATE


def differs(compression: int) -> bool:
    """Whether samples are to be replaced by their differences: predictor 2."""
    return compression in (LZW, DEFLATE, ZSTD)


def packed(samples: np.ndarray, compression: int, *, level: int = 6) -> bytes:
    """One strip (rows, W, channels) of little-endian samples -> its bytes; zlib by `level`."""
    if differs(compression):
        samples = np.concatenate((samples[:, :1], np.diff(samples, axis=1)), axis=1)
    rows = np.ascontiguousarray(samples).view(np.uint8).reshape(len(samples), -1)
    if compression in (NONE, DEFLATE):
        return rows.tobytes() if compression == NONE else zlib.compress(rows, level)
    file = io.BytesIO()
    name = _BY_LIBTIFF[compression]
    Image.fromarray(rows).save(file, "TIFF", compression=name, tiffinfo={_ROWS: len(rows)})
    data = file.getvalue()
    head = structure.header(data)
    entries = structure.directory(data, head, head.first, {_OFFSETS, _COUNTS})
    start = structure.first(entries, _OFFSETS, 0)
    return data[start : start + structure.first(entries, _COUNTS, 0)]
