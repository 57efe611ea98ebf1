"""Where the numbers and the parts of a picture file stand, so that mutations hit them.

A walker reads a valid seed and gives its fields (numbers: sizes, counts, offsets, types) and its
blocks (segments, chunks, boxes, entries, which can be left out, doubled or moved).
"""

import functools
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

PNG = b"\x89PNG\r\n\x1a\n"
_CONTAINERS = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"moov": 8, b"trak": 8, b"mdia": 8}
_CONTAINERS |= {b"minf": 8, b"stbl": 8, b"dinf": 8, b"iinf": 14, b"iref": 12, b"jp2h": 8}
_DIRECTORIES = {0x8769, 0x8825, 0xA005, 330}
_LONGEST = 64  # bytes of a box or segment whose every number counts as a field


class Field(NamedTuple):
    """An unsigned integer of `size` bytes."""

    at: int
    size: int
    order: str


@dataclass
class Layout:
    """What a walker found."""

    fields: list[Field]
    blocks: list[tuple[int, int]]


@functools.cache
def layout(format: str, data: bytes) -> Layout:
    """The fields and blocks of a valid file."""
    found = Layout([], [])
    if data.startswith(b"\xff\x4f"):  # a bare codestream
        _markers(data, 2, found)
    elif format in _WALKERS:
        _WALKERS[format](data, found)
    elif data[4:8] in (b"ftyp", b"jP  "):
        _iso(data, 0, len(data), found)
    found.fields[:] = [field for field in found.fields if field.at + field.size <= len(data)]
    found.blocks[:] = [(a, b) for a, b in found.blocks if 0 <= a < b <= len(data)]
    return found


def _jpeg(data: bytes, found: Layout) -> None:
    _markers(data, 2, found)
    for start, stop in list(found.blocks):
        if data[start + 4 : start + 10] == b"Exif\0\0":
            _tiff_at(data, start + 10, found)
        if data[start + 4 : start + 8] == b"MPF\0":
            _tiff_at(data, start + 8, found)
        at = data.find(b"8BIM", start, stop)
        while at >= 0:
            found.fields += [Field(at + 4, 2, ">"), Field(at + 6, 2, ">"), Field(at + 8, 4, ">")]
            found.blocks.append((at, min(stop, at + 12 + _number(data, at + 8, 4, ">"))))
            at = data.find(b"8BIM", at + 4, stop)


def _markers(data: bytes, at: int, found: Layout) -> None:
    """Segments of a JPEG or a JPEG 2000 codestream, as far as the first scan or tile."""
    while at + 4 <= len(data) and data[at] == 0xFF:
        stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found.blocks.append((at, stop))
        found.fields += [Field(at + 1, 1, ">"), Field(at + 2, 2, ">")]
        if data[at + 1] not in range(0xE0, 0xF0):
            _every(data, at + 4, min(stop, at + _LONGEST), found, sizes=(1, 2))
        if data[at + 1] in (0xDA, 0x93):
            found.blocks.append((stop, len(data)))
            break
        at = stop


def _every(
    data: bytes, start: int, stop: int, found: Layout, *, sizes: tuple[int, ...], order: str = ">"
) -> None:
    for size in sizes:
        found.fields += [Field(at, size, order) for at in range(start, stop - size + 1, size)]


def _png(data: bytes, found: Layout) -> None:
    at = 8
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        found.blocks.append((at, at + 12 + size))
        found.fields.append(Field(at, 4, ">"))
        if kind == b"eXIf":
            _tiff_at(data, at + 8, found)
        elif kind not in (b"IDAT", b"iTXt"):
            stop = at + 8 + min(size, _LONGEST)
            if kind == b"IHDR":
                _every(data, at + 8, stop, found, sizes=(4,))
            _every(data, at + 8, stop, found, sizes=(1, 4))
        at += 12 + size


def _gif(data: bytes, found: Layout) -> None:
    found.fields += [Field(6, 2, "<"), Field(8, 2, "<"), *(Field(at, 1, "<") for at in (10, 11))]
    at = 13 + _table(data[10])
    while at < len(data) and data[at] in b",!":
        start = at
        if data[at] == 0x2C:
            _every(data, at + 1, at + 9, found, sizes=(2,), order="<")
            found.fields.append(Field(at + 9, 1, "<"))
            at += 10 + _table(data[at + 9])
            found.fields.append(Field(at, 1, "<"))
            at += 1
        else:
            found.fields.append(Field(at + 1, 1, "<"))
            _every(data, at + 3, at + 7, found, sizes=(1,), order="<")
            at += 2
        while at < len(data) and data[at]:
            found.fields.append(Field(at, 1, "<"))
            found.blocks.append((at, at + 1 + data[at]))
            at += 1 + data[at]
        at += 1
        found.blocks.append((start, at))


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes, found: Layout) -> None:
    found.fields.append(Field(4, 4, "<"))
    _riff(data, 12, len(data), found)


def _riff(data: bytes, at: int, stop: int, found: Layout) -> None:
    while at + 8 <= stop:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        found.blocks.append((at, at + 8 + size + (size & 1)))
        found.fields.append(Field(at + 4, 4, "<"))
        if kind in (b"VP8X", b"ANIM", b"ANMF"):
            found.fields.append(Field(at + 8, 1, "<"))
            wide = range(at + (12 if kind == b"VP8X" else 8), at + 8 + min(size, 16), 3)
            found.fields += [Field(each, 3, "<") for each in wide]
        elif kind in (b"VP8 ", b"VP8L"):
            _every(data, at + 8, at + 8 + min(size, 12), found, sizes=(1, 2), order="<")
        elif kind == b"EXIF":
            _tiff_at(data, at + (14 if data[at + 8 : at + 12] == b"Exif" else 8), found)
        if kind == b"ANMF":
            _riff(data, at + 24, at + 8 + size, found)
        at += 8 + size + (size & 1)


def _bmp(data: bytes, found: Layout) -> None:
    found.fields += [Field(2, 4, "<"), Field(10, 4, "<"), Field(14, 4, "<")]
    stop = 14 + int.from_bytes(data[14:18], "little")
    _every(data, 14, stop, found, sizes=(2, 4), order="<")
    start = int.from_bytes(data[10:14], "little")
    found.blocks += [(14, stop), (stop, start), (start, len(data))]
    if int.from_bytes(data[30:34], "little") in (1, 2):
        _every(data, start, len(data), found, sizes=(1,), order="<")


def _tiff(data: bytes, found: Layout) -> None:
    _tiff_at(data, 0, found)


def _tiff_at(data: bytes, base: int, found: Layout) -> None:
    """The directories of a TIFF that stands at `base`, as EXIF does."""
    order = {b"II": "<", b"MM": ">"}.get(data[base : base + 2])
    if order is None:
        return
    big = _number(data, base + 2, 2, order) == 43
    wide, count = (8, 8) if big else (4, 2)
    found.fields += [Field(base + 2, 2, order), Field(base + wide, wide, order)]
    waiting, seen = [_number(data, base + wide, wide, order)], set[int]()
    while waiting:
        offset = waiting.pop()
        if not offset or offset in seen or base + offset + count > len(data):
            continue
        seen.add(offset)
        at = base + offset
        found.fields.append(Field(at, count, order))
        stop = at + count + (4 + 2 * wide) * _number(data, at, count, order)
        for entry in range(at + count, min(stop, len(data)), 4 + 2 * wide):
            found.blocks.append((entry, entry + 4 + 2 * wide))
            found.fields += [Field(entry, 2, order), Field(entry + 2, 2, order)]
            found.fields += [Field(entry + 4, wide, order), Field(entry + 4 + wide, wide, order)]
            found.fields.append(Field(entry + 4 + wide, 2, order))
            if _number(data, entry, 2, order) in _DIRECTORIES:
                waiting.append(_number(data, entry + 4 + wide, wide, order))
        found.fields.append(Field(stop, wide, order))
        waiting.append(_number(data, stop, wide, order))


def _number(data: bytes, at: int, size: int, order: str) -> int:
    return int.from_bytes(data[at : at + size], "little" if order == "<" else "big")


def _iso(data: bytes, at: int, stop: int, found: Layout) -> None:
    """Boxes within boxes of AVIF, HEIF and JP2."""
    while at + 8 <= stop:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + size if 8 <= size <= stop - at else stop
        found.blocks.append((at, end))
        found.fields.append(Field(at, 4, ">"))
        if kind == b"jp2c":
            _markers(data, at + 10, found)
        elif kind in _CONTAINERS:
            _iso(data, at + _CONTAINERS[kind], end, found)
        elif kind != b"mdat":
            _every(data, at + 8, min(end, at + 8 + _LONGEST), found, sizes=(1, 2, 4))
        at = end


def repaired(data: bytes) -> bytes:
    """A PNG whose chunks have true checksums, as far as its lengths lead."""
    if not data.startswith(PNG):
        return data
    whole, at = bytearray(data), 8
    while at + 12 <= len(whole):
        stop = at + 8 + int.from_bytes(whole[at : at + 4], "big")
        if stop + 4 > len(whole):
            break
        whole[stop : stop + 4] = struct.pack(">I", zlib.crc32(whole[at + 4 : stop]))
        at = stop + 4
    return bytes(whole)


_WALKERS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
}
