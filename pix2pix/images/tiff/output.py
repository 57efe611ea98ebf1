"""Write a TIFF piece by piece: pixels as they come, pages one after the other, directories last.

So neither the pixels of a page nor two pages need be in memory, and a file that ends below 4 GB is
a classic TIFF, any other a BigTIFF. Source: TIFF 6.0, section 2; BigTIFF as libtiff defines it.
"""

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pix2pix.images.tiff import extract, grid, structure
from pix2pix.images.tiff.extract import Field, Fields
from pix2pix.images.tiff.structure import Data, TiffHeader

MOST_CLASSIC = 2**32 - 2**24
"""[bytes] of a file whose offsets do with 32 bits, and some room."""
_HEADER = 16  # [bytes] of BigTIFF's, the longer one
_CLASSIC, _BIG = TiffHeader("<", False, 0), TiffHeader("<", True, 0)
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 273, 279, 324, 325
_LONG, _LONG8 = 4, 16
_BITS = 258
_UNITS = {5: 4, 10: 4}  # [bytes] of what has a byte order, where a value is two numbers
_SHORT_VALUES = 8  # [bytes] that may lie within an entry


class Sink(Protocol):
    """Where the bytes go, as `files.replacing` gives one."""

    def __call__(self, data: bytes, /) -> object:
        """Write behind the others."""

    def begin_with(self, data: bytes, /) -> None:
        """Write over the first bytes."""


@dataclass
class _Directory:
    """A directory to come: values that are long lie in the file already."""

    short: dict[int, tuple[int, int, bytes]] = dataclasses.field(
        default_factory=dict
    )  # type, count, values
    placed: dict[int, tuple[int, int, int]] = dataclasses.field(
        default_factory=dict
    )  # type, count, offset
    numbers: dict[int, list[int]] = dataclasses.field(
        default_factory=dict
    )  # of 64 bits in a BigTIFF
    below: dict[int, "_Directory"] = dataclasses.field(default_factory=dict)

    @property
    def size(self) -> int:
        """[bytes] that it takes at most."""
        entries = 32 * (2 + len(self.short) + len(self.placed) + len(self.below))
        numbers = sum(16 + 8 * len(values) for values in self.numbers.values())
        return entries + numbers + sum(inner.size for inner in self.below.values())


class TiffWriter:
    """A little-endian TIFF: `add` strips or tiles, then the `page` they are; at last `finish`."""

    def __init__(self, sink: Sink):
        self._sink = sink
        self._size = 0
        self._pages: list[_Directory] = []
        self.add(bytes(_HEADER))

    def add(self, piece: bytes) -> int:
        """Write some bytes, a strip or tile -> where they are."""
        at = self._size
        padded = piece + bytes(len(piece) & 1)
        self._sink(padded)
        self._size += len(padded)
        return at

    def page(self, fields: Fields, data: Data, offsets: list[int], counts: list[int]) -> None:
        """End a page: what its directory says, and where its strips or tiles are.

        `fields` are those of `data`, a TIFF; of the places of strips or tiles among them only the
        tags count.
        """
        directory = self._directory(fields, data)
        for tag in fields.keys() & {_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES}:
            directory.short.pop(tag, None)
            directory.placed.pop(tag, None)
            directory.numbers[tag] = offsets if tag in (_STRIPS, _TILES) else counts
        self._pages.append(directory)

    def copy(self, page: bytes, more: Fields) -> None:
        """Write the only page of a TIFF, its strips as they are, with some more fields."""
        head = structure.header(page)
        fields = extract.page_fields(page, head, head.first)
        entries = structure.directory(page, head, head.first, {_STRIPS, _STRIP_SIZES})
        places, counts = entries[_STRIPS].tolist(), entries[_STRIP_SIZES].tolist()
        pieces = zip(places, counts, strict=True)
        offsets = [self.add(page[place : place + count]) for place, count in pieces]
        self.page(fields | more, page, offsets, counts)

    def keep(self, data: Data, offset: int) -> None:
        """Write the page of `data` whose directory is at `offset`, its strips or tiles as they are.

        Its samples must have no byte order: see `is_plain`.
        """
        head = structure.header(data)
        fields = extract.page_fields(data, head, offset, own=True, skip=grid.OWN)
        found = grid.of_page(data, head, offset, cut=False)
        counts = [int(count) for count in found.counts]
        pieces = zip(found.offsets.tolist(), counts, strict=True)
        offsets = [self.add(data[place : place + count]) for place, count in pieces]
        self.page(fields | grid.places(head, found, [0]), data, offsets, counts)

    def finish(self) -> None:
        """Write the directories, the last one first, and the header."""
        size = self._size + sum(directory.size for directory in self._pages)
        head = _BIG if size > MOST_CLASSIC else _CLASSIC
        following = 0
        for directory in reversed(self._pages):
            following = self._write(directory, head, following)
        magic = b"II+\0\x08\0\0\0" if head.big else b"II*\0"
        self._sink.begin_with(magic + extract.numbers(head, f"u{head.word}", following))

    def _directory(self, fields: Fields, data: Data) -> _Directory:
        result = _Directory()
        head = structure.header(data)
        for tag, field in fields.items():
            if tag in extract.POINTERS:
                inner = extract.sub_fields(data, head, field)
                result.below[tag] = self._directory(inner, data)
                continue
            kind, count, values = little(head, field)
            if len(values) <= _SHORT_VALUES:
                result.short[tag] = kind, count, values
            else:
                result.placed[tag] = kind, count, self.add(values)
        return result

    def _write(self, directory: _Directory, head: TiffHeader, following: int = 0) -> int:
        """Write a directory and those below it -> where it is."""
        word, code = head.word, f"u{head.word}"
        found = dict(directory.short)
        kind = _LONG8 if head.big else _LONG
        for tag, places in directory.numbers.items():
            found[tag] = kind, len(places), extract.numbers(head, code, *places)
        for tag, inner in directory.below.items():
            found[tag] = kind, 1, extract.numbers(head, code, self._write(inner, head))
        for tag, (its_kind, count, at) in directory.placed.items():
            found[tag] = its_kind, count, extract.numbers(head, code, at)
        entries = [extract.numbers(head, "u8" if head.big else "u2", len(found))]
        for tag in sorted(found):
            its_kind, count, values = found[tag]
            if len(values) > word:
                values = extract.numbers(head, code, self.add(values))
            start = extract.numbers(head, "u2", tag, its_kind)
            start += extract.numbers(head, code, count)
            entries.append(start + values.ljust(word, b"\0"))
        return self.add(b"".join(entries) + extract.numbers(head, code, following))


def little(head: TiffHeader, field: Field) -> Field:
    """A field of a TIFF as a little-endian one has it."""
    kind, count, values = field
    if head.order == "<":
        return field
    size = _UNITS.get(kind, structure.SIZES.get(kind, 1))
    return kind, count, np.frombuffer(values, f">u{size}").astype(f"<u{size}").tobytes()


def is_plain(head: TiffHeader, fields: Fields) -> bool:
    """Whether the samples of a page are the same bytes in a little-endian TIFF."""
    _, _, bits = little(head, fields.get(_BITS, (3, 1, b"")))
    return head.order == "<" or max(bits[:1], default=1) <= 8
