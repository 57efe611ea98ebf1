"""TIFF's structure: its header, its directories and the chain that they form.

EXIF's multi-picture index has the same structure and is read with the same functions.
Source: TIFF 6.0; BigTIFF as libtiff defines it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

MAX_PAGES = 10_000
_DTYPES = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
"""Type -> bytes of a value."""
Entries = dict[int, np.ndarray]
_MOST_READ = 2**26  # [bytes] of the values of an entry, where they are not in memory already


class Data(Protocol):
    """A TIFF: its bytes, or what reads them from a file where they are asked for (source.py)."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes:
        """The bytes of a slice with step 1."""


@dataclass(frozen=True)
class TiffHeader:
    """Byte order ("<" or ">"), classic or BigTIFF, and where the first directory is."""

    order: str
    big: bool
    first: int

    @property
    def word(self) -> int:
        """[bytes] of an offset or a count."""
        return 8 if self.big else 4

    def number(self, data: bytes | memoryview) -> int:
        """An unsigned integer in the file's byte order."""
        return int.from_bytes(data, "little" if self.order == "<" else "big")


def header(data: Data | memoryview) -> TiffHeader:
    """The first 8 (BigTIFF: 16) bytes. Raises ValueError if they are not those of a TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    plain = TiffHeader(order, False, 0)
    if plain.number(data[2:4]) == 43:
        return TiffHeader(order, True, plain.number(data[8:16]))
    return TiffHeader(order, False, plain.number(data[4:8]))


def directory(data: Data, head: TiffHeader, offset: int, tags: set[int]) -> Entries:
    """The integers of `tags` in the directory at `offset`; those past the file's end are absent."""
    places = positions(data, head, offset)
    count, size = len(places), places.step
    fields = np.frombuffer(_view(data, places.start, count * size), np.uint8, count * size)
    stated = fields.reshape(count, size)[:, :2].copy().view(head.order + "u2")[:, 0]
    entries: Entries = {}
    for index in np.flatnonzero(np.isin(stated, list(tags))):
        tag = int(stated[index])
        if tag not in entries:
            values = _values(data, head, places[index])
            if values is not None:
                entries[tag] = values
    return entries


def first(entries: Entries, tag: int, default: int) -> int:
    """The first number of a tag."""
    return int(entries[tag][0]) if tag in entries else default


def chain(data: Data, head: TiffHeader) -> Iterator[int]:
    """Where each page's directory is, a loop cut, at most MAX_PAGES."""
    seen: set[int] = set()
    offset = head.first
    while 0 < offset < len(data) and offset not in seen and len(seen) < MAX_PAGES:
        seen.add(offset)
        yield offset
        _, stop, _ = extent(data, head, offset)
        offset = head.number(data[stop : stop + head.word])


def extent(data: Data | memoryview, head: TiffHeader, offset: int) -> tuple[int, int, int]:
    """(start, stop, size) of a directory's entries."""
    field, size = (8, 20) if head.big else (2, 12)
    start = offset + field
    return start, start + size * head.number(data[offset:start]), size


def positions(data: Data | memoryview, head: TiffHeader, offset: int) -> range:
    """Where those entries of a directory begin that lie within the file."""
    start, stop, size = extent(data, head, offset)
    return range(start, start + max(0, min(stop, len(data)) - start) // size * size, size)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory, its values still in the file."""

    tag: int
    kind: int
    count: int
    place: int  # where the values begin: inside of the entry, or where it points

    @property
    def length(self) -> int:
        """[bytes] of the values, 0 for a type that is not known."""
        return self.count * SIZES.get(self.kind, 0)


def entry(data: Data, head: TiffHeader, position: int) -> Entry:
    """The entry that begins at `position`."""
    tag, kind = (head.number(data[position + at : position + at + 2]) for at in (0, 2))
    place = position + 4 + head.word
    count = head.number(data[position + 4 : place])
    if count * SIZES.get(kind, 0) > head.word:
        place = head.number(data[place : place + head.word])
    return Entry(tag, kind, count, place)


def _values(data: Data, head: TiffHeader, position: int) -> np.ndarray | None:
    found = entry(data, head, position)
    dtype = _DTYPES.get(found.kind)
    if dtype is None or not 0 < found.length <= len(data) - found.place:
        return None
    if found.length > _MOST_READ and not isinstance(data, bytes):
        return None
    values = _view(data, found.place, found.length)
    return np.frombuffer(values, head.order + dtype, found.count)


def _view(data: Data, start: int, length: int) -> bytes | memoryview:
    """Some bytes, without a copy where they are in memory."""
    stop = start + length
    return memoryview(data)[start:stop] if isinstance(data, bytes) else data[start:stop]
