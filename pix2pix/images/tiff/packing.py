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


def deflate(data: bytes, flush: int = zlib.Z_FINISH, *, frugal: bool, raw: bool = False) -> bytes:
    """Compress by zlib; `frugal` takes half the time. Grain of 16 bits hardly repeats itself.

    The stream is `raw` where it has neither header nor checksum.
    """
    strategy = zlib.Z_RLE if frugal else zlib.Z_DEFAULT_STRATEGY
    bits = -zlib.MAX_WBITS if raw else zlib.MAX_WBITS
    squeeze = zlib.compressobj(1 if frugal else 6, zlib.DEFLATED, bits, strategy=strategy)
    return squeeze.compress(data) + squeeze.flush(flush)


def packed(samples: np.ndarray, compression: int, *, frugal: bool = False) -> bytes:
    """One strip (rows, W, channels) of little-endian samples -> its bytes; see `deflate`."""
    if differs(compression):
        samples = np.concatenate((samples[:, :1], np.diff(samples, axis=1)), axis=1)
    rows = np.ascontiguousarray(samples).view(np.uint8).reshape(len(samples), -1)
    if compression in (NONE, DEFLATE):
        data = rows.tobytes()
        return data if compression == NONE else deflate(data, frugal=frugal)
    file = io.BytesIO()
    name = _BY_LIBTIFF[compression]
    Image.fromarray(rows).save(file, "TIFF", compression=name, tiffinfo={_ROWS: len(rows)})
    data = file.getvalue()
    head = structure.header(data)
    entries = structure.directory(data, head, head.first, {_OFFSETS, _COUNTS})
    start = structure.first(entries, _OFFSETS, 0)
    return data[start : start + structure.first(entries, _COUNTS, 0)]
