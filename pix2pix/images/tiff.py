"""TIFF before decoding: its directories, pages, strips and what its samples mean.

EXIF's multi-picture index has the same structure and is read with the same functions.
Source: TIFF 6.0; BigTIFF as libtiff defines it.
"""

from dataclasses import dataclass

import numpy as np

from pix2pix.errors import Corrupt, TooLarge, UnsupportedMode
from pix2pix.images.formats import Container

MAX_PAGES = 10_000
_DTYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _STRIP_BYTES, _MAX_SAMPLE, _SAMPLE_FORMAT = 273, 279, 281, 339
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_TAGS = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _MAX_SAMPLE, _SAMPLE_FORMAT}
_TAGS |= {_STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES}
_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000, 50001}
_LOSSY = {6, 7, 50001}
_BYTES = {1, 2, 7}  # types that stay one object
_MAX_ENTRIES, _MAX_NUMBERS = 65_535, 1_000_000
# A tile is decoded whole, however little of it is picture.
_MAX_TILE = 2**26

Entries = dict[int, np.ndarray]


@dataclass(frozen=True)
class Header:
    """Byte order ("<" or ">"), classic or BigTIFF, and where the first directory is."""

    order: str
    big: bool
    first: int

    def number(self, data: bytes | memoryview) -> int:
        """An unsigned integer in the file's byte order."""
        return int.from_bytes(data, "little" if self.order == "<" else "big")


def inspect(data: bytes) -> Container:
    """The first page's layout and the number of pages.

    Raises UnsupportedMode for a compression not known here, TooLarge for absurd tiles, Corrupt for
    absurd directories.
    """
    try:
        head = header(data)
    except ValueError:
        return Container(cut=True)
    _check_counts(data, head)
    entries = directory(data, head, head.first, _TAGS)
    compression = _first(entries, _COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        raise UnsupportedMode(f"TIFF compression {compression}")
    if _first(entries, _TILE_WIDTH, 0) * _first(entries, _TILE_HEIGHT, 0) > _MAX_TILE:
        raise TooLarge(f"TIFF tiles of more than {_MAX_TILE:,} pixels")
    count = pages(data, head)
    bits = _first(entries, _BITS, 1)
    container = Container(frames=count, many=count == MAX_PAGES, deep=bits > 8)
    if _WIDTH in entries and _HEIGHT in entries:
        container.size = _first(entries, _WIDTH, 0), _first(entries, _HEIGHT, 0)
    container.white = _white(entries, bits)
    container.inverted = _first(entries, _PHOTOMETRIC, 1) == 0
    container.lossless = compression not in _LOSSY
    container.cut = head.first >= len(data) or not _strips_fit(entries, len(data))
    return container


def header(data: bytes) -> Header:
    """The first 8 (BigTIFF: 16) bytes. Raises ValueError if they are not those of a TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    plain = Header(order, False, 0)
    if plain.number(data[2:4]) == 43:
        return Header(order, True, plain.number(data[8:16]))
    return Header(order, False, plain.number(data[4:8]))


def directory(data: bytes, head: Header, offset: int, tags: set[int]) -> Entries:
    """The integers of `tags` in the directory at `offset`; those past the file's end are absent."""
    start, stop, size = _extent(data, head, offset)
    entries: Entries = {}
    for position in range(start, min(stop, len(data) - size + 1), size):
        tag = head.number(data[position : position + 2])
        if tag in tags and tag not in entries:
            values = _values(data, head, position)
            if values is not None:
                entries[tag] = values
    return entries


def pages(data: bytes, head: Header) -> int:
    """How many directories are chained, a loop cut, at most MAX_PAGES."""
    seen: set[int] = set()
    offset = head.first
    while 0 < offset < len(data) and offset not in seen and len(seen) < MAX_PAGES:
        seen.add(offset)
        _, stop, _ = _extent(data, head, offset)
        offset = head.number(data[stop : stop + (8 if head.big else 4)])
    return max(1, len(seen))


def _extent(data: bytes | memoryview, head: Header, offset: int) -> tuple[int, int, int]:
    """(start, stop, size) of a directory's entries."""
    field, size = (8, 20) if head.big else (2, 12)
    start = offset + field
    return start, start + size * head.number(data[offset:start]), size


def _check_counts(data: bytes, head: Header) -> None:
    """Pillow turns each number of a directory into an object, however many there are."""
    start, stop, size = _extent(data, head, head.first)
    if stop - start > _MAX_ENTRIES * size:
        raise Corrupt(f"more than {_MAX_ENTRIES:,} entries in a TIFF directory")
    for position in range(start, min(stop, len(data) - size + 1), size):
        kind = head.number(data[position + 2 : position + 4])
        count = head.number(data[position + 4 : position + 4 + (8 if head.big else 4)])
        if kind not in _BYTES and _MAX_NUMBERS < count <= len(data):
            raise Corrupt(f"more than {_MAX_NUMBERS:,} numbers in a TIFF entry")


def _values(data: bytes, head: Header, position: int) -> np.ndarray | None:
    field = 8 if head.big else 4
    dtype = _DTYPES.get(head.number(data[position + 2 : position + 4]))
    number = head.number(data[position + 4 : position + 4 + field])
    if dtype is None:
        return None
    position += 4 + field
    size = number * int(dtype[1])
    if size > field:  # an offset stands in the place of the values
        position = head.number(data[position : position + field])
    if not 0 < size <= len(data) - position:
        return None
    return np.frombuffer(data, head.order + dtype, number, position)


def _first(entries: Entries, tag: int, default: int) -> int:
    return int(entries[tag][0]) if tag in entries else default


def _white(entries: Entries, bits: int) -> int | None:
    """The value of white in integer samples of 9 to 16 bits, where the file states it."""
    if not 8 < bits <= 16 or _first(entries, _SAMPLE_FORMAT, 1) != 1:
        return None
    stated = _first(entries, _MAX_SAMPLE, 0)
    if 255 < stated < 2**bits - 1:
        return stated
    return None if bits == 16 else 2**bits - 1


def _strips_fit(entries: Entries, size: int) -> bool:
    for offsets, counts in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
        if offsets in entries and counts in entries:
            ends = zip(entries[offsets][-16:], entries[counts][-16:], strict=False)
            return all(int(offset) + int(count) <= size for offset, count in ends)
    return False
