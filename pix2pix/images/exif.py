"""EXIF as bytes: directories of values that are never decoded, so that text stays as it is.

Pillow reads text as Latin-1 and writes it as ASCII; here UTF-8 stays UTF-8 and Latin-1 stays
Latin-1, and the byte order stays as well. Source: TIFF 6.0, CIPA DC-008 (Exif 3.0).
"""

import struct
from dataclasses import dataclass, field

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
HEAD = b"Exif\0\0"
ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5
# type -> (bytes of a value, bytes of what has a byte order in it)
_TYPES = {
    1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2),
    9: (4, 4), 10: (8, 4), 11: (4, 4), 12: (8, 8), 129: (1, 1),
}  # fmt: skip
_BIG_TYPES = {13: 4, 16: 8, 17: 8, 18: 8}  # offsets and 64-bit numbers: known, not carried on
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
        """How many values there are."""
        return len(self.data) // _TYPES[self.kind][0]


Directory = dict[int, Entry]


@dataclass
class Block:
    """The directories of an EXIF block that are carried on."""

    order: str = "<"
    """"<" or ">"."""
    main: Directory = field(default_factory=dict)
    details: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    note_at: int = 0
    """Where the maker's note began."""
    damaged: bool = False
    """Whether something could not be read."""

    def short(self, value: int) -> Entry:
        """A 16-bit number."""
        return Entry(SHORT, struct.pack(self.order + "H", value))

    def long(self, value: int) -> Entry:
        """A 32-bit number."""
        return Entry(LONG, struct.pack(self.order + "I", value))

    def in_order(self, order: str) -> "Block":
        """The same values in another byte order."""
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
    """The bytes of an EXIF block or of a whole TIFF -> its directories.

    `first` is where the main one begins, by default where the header says. Raises ValueError when
    there is none.
    """
    data = data[len(HEAD) :] if data.startswith(HEAD) else data
    reader = _Reader(data)
    block = Block(reader.order)
    start = reader.first if first is None else first
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
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 8:
            raise ValueError("no TIFF header")
        self.data, self.order, self.damaged = data, order, False
        self.room = _MAX_DATA
        self.big = self.number(2, 2) == 43
        self.first = self.number(8, 8) if self.big else self.number(4, 4)

    def number(self, start: int, size: int) -> int:
        """An unsigned integer; 0 past the end."""
        return int.from_bytes(
            self.data[start : start + size], "little" if self.order == "<" else "big"
        )

    def directory(self, start: int) -> tuple[Directory, dict[int, int]]:
        """The entries of a directory, and where sub-directories and the maker's note begin."""
        width, size, word = (8, 20, 8) if self.big else (2, 12, 4)
        entries: Directory = {}
        places: dict[int, int] = {}
        count = self.number(start, width)
        room = max(0, len(self.data) - start - width) // size if start else 0
        self.damaged |= count > room or count > _MAX_ENTRIES
        for i in range(min(count, room, _MAX_ENTRIES)):
            position = start + width + i * size
            tag, kind = self.number(position, 2), self.number(position + 2, 2)
            number = self.number(position + 4, word)
            if tag in entries or tag in places:
                continue
            if tag in (EXIF_IFD, GPS_IFD):
                places[tag] = self.number(position + 4 + word, word)
                continue
            entry, where = self._entry(kind, number, position + 4 + word, word)
            if entry is not None:
                entries[tag] = entry
                if tag == MAKER_NOTE:
                    places[tag] = where
        return entries, places

    def _entry(self, kind: int, number: int, where: int, word: int) -> tuple[Entry | None, int]:
        if kind not in _TYPES:
            self.damaged |= kind not in _BIG_TYPES
            return None, 0
        length = number * _TYPES[kind][0]
        if length > word:
            where = self.number(where, word)
        if where + length > len(self.data):
            self.damaged = True
            return None, 0
        if not 0 < length <= self.room:
            return None, 0
        self.room -= length
        return Entry(kind, self.data[where : where + length]), where


def _swapped(directory: Directory) -> Directory:
    return {
        tag: Entry(e.kind, _reversed(e.data, _TYPES[e.kind][1])) for tag, e in directory.items()
    }


def _reversed(data: bytes, size: int) -> bytes:
    if size == 1:
        return data
    return b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))
