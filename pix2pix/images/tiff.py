"""TIFF's structure: its header, its directories and the chain that they form.

EXIF's multi-picture index has the same structure and is read with the same functions.
Source: TIFF 6.0; BigTIFF as libtiff defines it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_PAGES = 10_000
_DTYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}

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
    start, _, size = extent(data, head, offset)
    count = length(data, head, offset)
    fields = np.frombuffer(data, np.uint8, count * size, min(start, len(data)))
    stated = fields.reshape(count, size)[:, :2].copy().view(head.order + "u2")[:, 0]
    entries: Entries = {}
    for index in np.flatnonzero(np.isin(stated, list(tags))):
        tag = int(stated[index])
        if tag not in entries:
            values = _values(data, head, start + size * int(index))
            if values is not None:
                entries[tag] = values
    return entries


def chain(data: bytes, head: Header) -> Iterator[int]:
    """Where each page's directory is, a loop cut, at most MAX_PAGES."""
    seen: set[int] = set()
    offset = head.first
    while 0 < offset < len(data) and offset not in seen and len(seen) < MAX_PAGES:
        seen.add(offset)
        yield offset
        _, stop, _ = extent(data, head, offset)
        offset = head.number(data[stop : stop + (8 if head.big else 4)])


def extent(data: bytes | memoryview, head: Header, offset: int) -> tuple[int, int, int]:
    """(start, stop, size) of a directory's entries."""
    field, size = (8, 20) if head.big else (2, 12)
    start = offset + field
    return start, start + size * head.number(data[offset:start]), size


def length(data: bytes, head: Header, offset: int) -> int:
    """How many entries of a directory lie within the file."""
    start, stop, size = extent(data, head, offset)
    return max(0, min(stop, len(data)) - start) // size


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
