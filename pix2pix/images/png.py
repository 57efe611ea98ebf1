"""PNG before decoding: checksums, frames, depth, and a copy without anything but the picture.

Source: PNG specification, third edition (W3C 2025), which includes APNG.
"""

import zlib
from collections.abc import Iterator

from pix2pix.errors import Corrupt
from pix2pix.images.formats import Container

_MAX_CHUNKS = 200_000
_MAX_EXTRAS = 10_000
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_ESSENTIAL = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"eXIf"}


def inspect(data: bytes) -> Container:
    """Walks all chunks. Raises Corrupt for a bad checksum, which Pillow does not check in IDAT."""
    container = Container(cut=True, lossless=True)
    extras, frames, first_is_frame, pixels = 0, 1, False, False
    for number, (kind, start, end) in enumerate(_chunks(data)):
        if number > _MAX_CHUNKS:
            raise Corrupt(f"more than {_MAX_CHUNKS:,} PNG chunks")
        if kind[0] & 0x20 == 0:  # a capital: critical
            if zlib.crc32(data[start - 4 : end]) != _big(data[end : end + 4]):
                raise Corrupt(f"bad checksum in the PNG chunk {kind.decode('latin-1')!r}")
        else:
            extras += 1
        if kind == b"IHDR" and end - start >= 13:
            container.size = _big(data[start : start + 4]), _big(data[start + 4 : start + 8])
            container.deep = data[start + 8] == 16
        elif kind == b"acTL":
            frames = _big(data[start : start + 4])
        elif kind == b"fcTL":
            first_is_frame |= not pixels
        elif kind == b"IDAT":
            pixels = True
        elif kind == b"IEND":
            container.cut = False
        if extras > _MAX_EXTRAS and not pixels:
            raise Corrupt(f"more than {_MAX_EXTRAS:,} PNG chunks before the picture")
    container.frames = max(1, frames + (frames > 1 and not first_is_frame))
    return container


def essential(data: bytes) -> bytes:
    """The same picture without text, profile, animation and private chunks."""
    kept = [data[start - 8 : end + 4] for kind, start, end in _chunks(data) if kind in _ESSENTIAL]
    return data[:8] + b"".join(kept)


def texts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each chunk of text."""
    for kind, start, end in _chunks(data):
        if kind in _TEXT:
            yield kind, data[start:end]


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end of its content) of each whole chunk, up to IEND."""
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + _big(data[position : position + 4])
        if end + 4 > len(data):
            return
        kind = data[position + 4 : position + 8]
        yield kind, position + 8, end
        if kind == b"IEND":
            return
        position = end + 4


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")
