"""EXIF as bytes: directories of values that are never decoded, so that text stays as it is.

Pillow reads text as Latin-1 and writes it as ASCII; here UTF-8 stays UTF-8 and Latin-1 stays
Latin-1, and the byte order stays as well. Source: TIFF 6.0, CIPA DC-008 (Exif 3.0).
"""

import struct
from dataclasses import dataclass, field

from pix2pix.images.tiff import structure

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
HEAD = b"Exif\0\0"
ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5
_UNITS = {5: 4, 10: 4}  # bytes of what has a byte order, where a value is two numbers
_BIG_TYPES = (13, 16, 17, 18)  # offsets and 64-bit numbers: known, not carried on
_MAX_ENTRIES = 10_000
_MAX_DATA = 32 * 2**20  # [bytes] of all values; many entries may point at the same ones
MAKER_NOTE = 0x927C


@dataclass(frozen=True)
class Entry:
    """One tag's value: TIFF type, and its bytes in the byte order of the block."""

    kind: int
    data: bytes

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self.data) // structure.SIZES[self.kind]


Directory = dict[int, Entry]


@dataclass
class Block:
    """The directories of an EXIF block that are carried on."""

    order: str = "<"  # "<" or ">"
    main: Directory = field(default_factory=dict)
    details: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    note_at: int = 0  # where the maker's note began
    damaged: bool = False  # whether something could not be read

    def short(self, value: int) -> Entry:
        """Pack a 16-bit number."""
        return Entry(SHORT, struct.pack(self.order + "H", value))

    def long(self, value: int) -> Entry:
        """Pack a 32-bit number."""
        return Entry(LONG, struct.pack(self.order + "I", value))

    def in_order(self, order: str) -> "Block":
        """Convert to another byte order."""
        if order == self.order:
            return self
        return Block(
            order,
            _swapped(self.main),
            _swapped(self.details),
            _swapped(self.gps),
            note_at=self.note_at,
        )


def parse(data: bytes, *, first: int | None = None) -> Block:
    """Parse the bytes of an EXIF block or of a whole TIFF -> its directories.

    `first` is where the main one begins, by default where the header says. Raises ValueError when
    there is none.
    """
    data = data[len(HEAD) :] if data.startswith(HEAD) else data
    reader = _Reader(data)
    block = Block(reader.head.order)
    start = reader.head.first if first is None else first
    block.main, places = reader.directory(start)
    seen = {start}
    for tag in (EXIF_IFD, GPS_IFD):
        pointer = places.pop(tag, None)
        if pointer is None:
            continue
        if pointer in seen:
            reader.damaged = True
            continue
        seen.add(pointer)
        found, inside = reader.directory(pointer)
        if tag == GPS_IFD:
            block.gps = found
        else:
            block.details, block.note_at = found, inside.get(MAKER_NOTE, 0)
    if not (block.main or block.details or block.gps):
        raise ValueError("no entry can be read")
    block.damaged = reader.damaged
    return block


class _Reader:
    """Directories of a TIFF structure, classic or big; what lies outside of it is left out."""

    def __init__(self, data: bytes):
        self.data, self.head = data, structure.header(data)
        self.damaged = False
        self.room = _MAX_DATA

    def directory(self, offset: int) -> tuple[Directory, dict[int, int]]:
        """Read a directory's entries, and the offsets of sub-directories and the maker's note."""
        entries: Directory = {}
        places: dict[int, int] = {}
        _, stop, _ = structure.extent(self.data, self.head, offset)
        there = structure.positions(self.data, self.head, offset) if offset else range(0)
        self.damaged |= there.stop < stop or len(there) > _MAX_ENTRIES
        for position in there[:_MAX_ENTRIES]:
            found = structure.entry(self.data, self.head, position)
            if found.tag in entries or found.tag in places:
                continue
            if found.tag in (EXIF_IFD, GPS_IFD):
                pointer = position + 4 + self.head.word
                places[found.tag] = self.head.number(self.data[pointer : pointer + self.head.word])
            elif (data := self._data(found)) is not None:
                entries[found.tag] = Entry(found.kind, data)
                if found.tag == MAKER_NOTE:
                    places[found.tag] = found.place
        return entries, places

    def _data(self, found: structure.Entry) -> bytes | None:
        if found.kind in _BIG_TYPES:
            return None
        if found.kind not in structure.SIZES or found.place + found.length > len(self.data):
            self.damaged = True
            return None
        if not 0 < found.length <= self.room:
            return None
        self.room -= found.length
        return self.data[found.place : found.place + found.length]


def _swapped(directory: Directory) -> Directory:
    return {
        tag: Entry(e.kind, _reversed(e.data, _UNITS.get(e.kind, structure.SIZES[e.kind])))
        for tag, e in directory.items()
    }


def _reversed(data: bytes, size: int) -> bytes:
    if size == 1:
        return data
    return b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))
