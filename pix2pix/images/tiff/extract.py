"""One page of a TIFF as a file of its own, in the classic layout that Pillow starts from.

For pages that are not the first, and for big-endian BigTIFF, which Pillow takes for a classic
file. Numbers of 64 bits become 32; the pixels stay where they are.
"""

import io
from collections.abc import Set

import numpy as np

from pix2pix.errors import Corrupt, UnsupportedMode
from pix2pix.images.tiff import structure
from pix2pix.images.tiff.structure import Data, TiffHeader

_NARROW = {16: 4, 17: 9, 18: 4}  # types of BigTIFF alone -> classic ones
POINTERS = {34665, 34853, 40965}
"""Fields that are directories: Exif, GPS, Interoperability."""
_MAX_DEPTH, _MAX_BYTES = 2, 2**26
# What stands in the first directory for the whole file: descriptions, dates, names, rights, maker
# and model, XMP, IPTC, Exif, GPS. Color profile and resolution are the page's own.
_SHARED = {269, 270, 271, 272, 305, 306, 315, 316, 700, 33432, 33723, 34377, 34665, 34853}
_ORIENTATION, SUB_DIRECTORIES = 274, 330

Field = tuple[int, int, bytes]  # type, count, values in the file's byte order
Fields = dict[int, Field]


def alone(data: bytes, offset: int) -> bytes:
    """The file, with the page at `offset` as its first and only one.

    Raises UnsupportedMode above 4 GB, Corrupt where the fields overlap absurdly.
    """
    head = structure.header(data)
    if len(data) + _MAX_BYTES >= 2**32:
        raise UnsupportedMode("TIFF of 4 GB with its picture behind a preview")
    buffer = io.BytesIO(data)
    buffer.seek(0, io.SEEK_END)
    buffer.write(bytes(len(data) & 1))
    tail = _Tail(data, head, buffer.tell())
    first = tail.add(page_fields(data, head, offset))
    buffer.write(tail.written)
    buffer.seek(0)
    buffer.write(magic(head, first))
    return buffer.getvalue()


def sketch(data: Data, offset: int, layout: Fields) -> bytes:
    """A file with what the page at `offset` says besides its pixels, which have another layout."""
    head = structure.header(data)
    fields = page_fields(data, head, offset)
    for tag in (266, 273, 279, 317, 320, 322, 323, 324, 325, 338, 347):
        fields.pop(tag, None)
    tail = _Tail(data, head, 8)
    first = tail.add(fields | layout)
    return magic(head, first) + tail.written


def assembled(head: TiffHeader, fields: Fields, pixels: bytes, data: Data = b"") -> bytes:
    """A file of `pixels`, from its 8th byte on, and one directory; `data` is what EXIF lies in."""
    first, written = directory(head, fields, 8 + len(pixels) + len(pixels) % 2, data)
    return b"".join((magic(head, first), pixels, bytes(len(pixels) & 1), written))


def directory(head: TiffHeader, fields: Fields, base: int, data: Data = b"") -> tuple[int, bytes]:
    """Where a directory begins, and the bytes from `base` on: what it points to, and itself."""
    tail = _Tail(data, head, base)
    return tail.add(fields), tail.written


def page_fields(
    data: Data, head: TiffHeader, offset: int, *, own: bool = False, skip: Set[int] = frozenset()
) -> Fields:
    """All fields of a page, and what it lacks of those that the first one has for the file.

    Without the latter where all that it has is its `own`; and without those to `skip`.
    """
    skip = skip | {SUB_DIRECTORIES}
    fields = _fields(data, head, offset, skip)
    if offset != head.first and not own:
        tags = {SUB_DIRECTORIES}
        below = structure.directory(data, head, head.first, tags).get(SUB_DIRECTORIES, ())
        shared = _SHARED | {_ORIENTATION} if offset in below else _SHARED
        first = _fields(data, head, head.first, skip)
        fields = {tag: first[tag] for tag in shared & first.keys()} | fields
    return fields


def sub_fields(data: Data, head: TiffHeader, field: Field) -> Fields:
    """The fields of the directory that one of `POINTERS` points at."""
    return _fields(data, head, head.number(field[2][: 8 if field[0] in _NARROW else 4]))


def shorts(head: TiffHeader, *values: int) -> Field:
    """A field of 16-bit numbers."""
    return 3, len(values), numbers(head, "u2", *values)


def longs(head: TiffHeader, *values: int) -> Field:
    """A field of 32-bit numbers."""
    return 4, len(values), numbers(head, "u4", *values)


def numbers(head: TiffHeader, code: str, *values: int) -> bytes:
    """`values` as numpy's type `code`, in the file's byte order."""
    return np.array(values, head.order + code).tobytes()


def magic(head: TiffHeader, first: int) -> bytes:
    """The first 8 bytes of a file whose first directory is at `first`."""
    return (b"II*\0" if head.order == "<" else b"MM\0*") + numbers(head, "u4", first)


def _fields(data: Data, head: TiffHeader, offset: int, skip: Set[int] = frozenset()) -> Fields:
    fields: Fields = {}
    total = 0
    for position in structure.positions(data, head, offset):
        entry = structure.entry(data, head, position)
        stop = entry.place + entry.length
        if not entry.length or stop > len(data) or entry.tag in fields or entry.tag in skip:
            continue
        total += entry.length
        if total > _MAX_BYTES:
            raise Corrupt(f"more than {_MAX_BYTES:,} bytes in a TIFF directory")
        values = data[entry.place : stop]
        wide = entry.tag in POINTERS  # which may lie beyond 4 GB
        fields[entry.tag] = (
            (entry.kind, entry.count, values)
            if wide
            else _narrow(head, entry.kind, entry.count, values)
        )
    return fields


def _narrow(head: TiffHeader, kind: int, count: int, values: bytes) -> Field:
    if kind not in _NARROW:
        return kind, count, values
    wide = np.frombuffer(values, head.order + "u8")
    if wide.max() >= 2**32:
        raise Corrupt("a TIFF entry that points past the file's end")
    return _NARROW[kind], count, wide.astype(head.order + "u4").tobytes()


class _Tail:
    """Directories and their values, as they will stand from `base` on."""

    def __init__(self, data: Data, head: TiffHeader, base: int):
        self.data, self.head, self.base = data, head, base
        self.written = b""

    def add(self, fields: Fields, depth: int = 0) -> int:
        """Appends a directory and those below it; returns its offset."""
        head = self.head
        fields = dict(fields)
        for tag in POINTERS & fields.keys():
            inner = sub_fields(self.data, head, fields.pop(tag))
            if inner and depth < _MAX_DEPTH:
                fields[tag] = longs(head, self.add(inner, depth + 1))
        entries = []
        for tag in sorted(fields):
            kind, count, values = fields[tag]
            if len(values) > 4:
                values = numbers(head, "u4", self._append(values))
            prefix = numbers(head, "u2", tag, kind) + numbers(head, "u4", count)
            entries.append(prefix + values.ljust(4, b"\0"))
        return self._append(numbers(head, "u2", len(entries)) + b"".join(entries) + bytes(4))

    def _append(self, values: bytes) -> int:
        position = self.base + len(self.written)
        self.written += values + bytes(len(values) & 1)
        return position
