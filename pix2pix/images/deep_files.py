"""Files of 16 bits a channel, which Pillow cannot write in color: PNG and TIFF.

Pillow writes a picture of one pixel, with all metadata, and the pixels of 16 bits take its place.
Strips are compressed on all cores; the bytes do not depend on their number.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from pix2pix.errors import TooLarge
from pix2pix.images import png
from pix2pix.images.tiff import extract, packing, structure
from pix2pix.images.tiff.extract import longs, shorts
from pix2pix.images.tiff.structure import TiffHeader
from pix2pix.strips import share, thread_pool

Made = TypeVar("Made")
_STRIP_BYTES = 2**18
_MOST_BYTES = 2**32 - 2**26  # of a TIFF with offsets of 32 bits, metadata left aside
_AVERAGE = 3  # the filter of PNG that suits grain of 16 bits best, by one or two percent
_HEAD = TiffHeader("<", False, 0)
_SAMPLES = 258, 273, 277, 278, 279, 284, 317, 338, 339  # tags of the one pixel's layout


def png_file(
    small: bytes, rgb: np.ndarray, alpha: np.ndarray | None, *, frugal: bool
) -> io.BytesIO:
    """Put rgb (H, W, 3) and alpha (H, W) or None, uint16, into a PNG in the place of its pixels."""
    height, width = rgb.shape[:2]
    file = io.BytesIO()
    file.write(small[:8])
    written = False
    for kind, start, stop in png.chunks(small):
        if kind == b"IHDR":
            color = 2 if alpha is None else 6
            _write_chunk(file, kind, struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0))
        elif kind != b"IDAT":
            file.write(small[start - 8 : stop + 4])
        elif not written:
            written = True
            for part in _deflated(rgb, alpha, frugal=frugal):
                _write_chunk(file, kind, part)
    return file


def _write_chunk(file: io.BytesIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind)
    file.write(content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _deflated(rgb: np.ndarray, alpha: np.ndarray | None, *, frugal: bool) -> Iterator[bytes]:
    """One zlib stream (RFC 1950) in parts, each of which can be compressed without the others."""
    last = _strips(rgb, alpha)[-1]

    def work(rows: slice) -> tuple[bytes, bytes]:
        filtered = _filtered(_samples(rgb, alpha, slice(max(0, rows.start - 1), rows.stop)), rows)
        end = zlib.Z_FINISH if rows == last else zlib.Z_FULL_FLUSH
        return packing.deflate(filtered, end, frugal=frugal, raw=True), filtered

    checksum = 1
    for number, (packed, filtered) in enumerate(_mapped(work, _strips(rgb, alpha))):
        checksum = zlib.adler32(filtered, checksum)
        yield packed if number else b"\x78\x9c" + packed
    yield struct.pack(">I", checksum)


def _filtered(samples: np.ndarray, rows: slice) -> bytes:
    """Rows by the filter Average; `samples` begins one row above, but at the top."""
    channels = samples.shape[2]
    data = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    if rows.start == 0:
        data = np.concatenate((np.zeros_like(data[:1]), data))
    left = np.zeros_like(data[1:])
    left[:, 2 * channels :] = data[1:, : -2 * channels]
    mean = (left & data[:-1]) + ((left ^ data[:-1]) >> 1)  # of bytes, without a ninth bit
    result = np.empty((len(left), 1 + data.shape[1]), np.uint8)
    result[:, 0] = _AVERAGE
    np.subtract(data[1:], mean, out=result[:, 1:])
    return result.tobytes()


def tiff_file(
    small: bytes,
    rgb: np.ndarray,
    alpha: np.ndarray | None,
    *,
    compression: int,
    frugal: bool,
) -> io.BytesIO:
    """Put rgb (H, W, 3) and alpha (H, W) or None, uint16, into a TIFF in the place of its pixels.

    `compression` is one of packing.py's. Raises TooLarge beyond 4 GB.
    """
    height, width = rgb.shape[:2]
    channels = 3 if alpha is None else 4
    parts = _strips(rgb, alpha)
    file = io.BytesIO()
    file.write(bytes(8))
    offsets, counts = [], []

    def work(rows: slice) -> bytes:
        return packing.packed(_samples(rgb, alpha, rows), compression, frugal=frugal)

    for strip in _mapped(work, parts):
        offsets.append(file.tell())
        counts.append(len(strip))
        file.write(strip)
        file.write(bytes(len(strip) & 1))
        if file.tell() > _MOST_BYTES:
            raise TooLarge("TIFF holds at most 4 GB here")
    head = structure.header(small)
    fields = extract.page_fields(small, head, head.first)
    fields = {tag: field for tag, field in fields.items() if tag not in _SAMPLES} | {
        256: longs(_HEAD, width),
        257: longs(_HEAD, height),
        258: shorts(_HEAD, *[16] * channels),
        259: shorts(_HEAD, compression),
        262: shorts(_HEAD, 2),
        273: longs(_HEAD, *offsets),
        277: shorts(_HEAD, channels),
        278: longs(_HEAD, parts[0].stop),
        279: longs(_HEAD, *counts),
        284: shorts(_HEAD, 1),
    }
    if packing.differs(compression):
        fields[317] = shorts(_HEAD, 2)
    if alpha is not None:
        fields[338] = shorts(_HEAD, 2)  # not premultiplied
    first, directory = extract.directory(_HEAD, fields, file.tell())
    file.write(directory)
    file.seek(0)
    file.write(extract.magic(_HEAD, first))
    return file


def _samples(rgb: np.ndarray, alpha: np.ndarray | None, rows: slice) -> np.ndarray:
    part = rgb[rows] if alpha is None else np.dstack((rgb[rows], alpha[rows]))
    return part.astype("<u2", copy=False)


def _strips(rgb: np.ndarray, alpha: np.ndarray | None) -> list[slice]:
    height, width = rgb.shape[:2]
    rows = max(1, _STRIP_BYTES // (width * (6 if alpha is None else 8)))
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def _mapped(work: Callable[[slice], Made], parts: list[slice]) -> Iterator[Made]:
    """What `work` makes of each part, in their order, by all threads of this one's share."""
    if share() == 1:
        yield from map(work, parts)
        return
    with thread_pool() as pool:
        yield from pool.map(work, parts)
