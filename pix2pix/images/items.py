"""Metadata in boxes: the items of AVIF and HEIC, and what JPEG 2000 carries under a UUID.

Pillow and pi-heif write EXIF anew when they turn a picture, and lose text; here it is as it
came. Source: ISO/IEC 14496-12 (meta, iinf, iloc); XMP Specification, part 3, 1.1.4.
"""

import re

from pix2pix.images.boxes import boxes
from pix2pix.images.exif import HEAD

_MAX_ITEMS = 10_000
_MAX_ITEM = 16 * 2**20
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    bytes.fromhex("4a706754696666457869662d3e4a5032"): "exif",  # JpgTiffExif->JP2
    bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"): "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    bytes.fromhex("09a14e97c0b442e0bebf36df6f0ce36f"): "iptc",
}

Found = dict[str, bytes]


def collect(data: bytes) -> Found:
    """`exif` (as JPEG has it), `xmp` and `iptc` of a file of boxes, where they are."""
    found: Found = {}
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"uuid" and (name := _UUIDS.get(data[start : start + 16])):
            content = data[start + 16 : min(end, start + 16 + _MAX_ITEM)]
            found.setdefault(name, _exif(content) if name == "exif" else content)
        elif kind == b"meta":
            found |= _items(data, start + 4, end)
    return {name: content for name, content in found.items() if content}


def _exif(content: bytes) -> bytes:
    """Behind whatever stands before the TIFF header."""
    found = re.search(rb"II\*\0|MM\0\*", content[:64])
    return HEAD + content[found.start() :] if found else b""


def _items(data: bytes, start: int, end: int) -> Found:
    names: dict[int, str] = {}
    extents: dict[int, list[tuple[int, int]]] = {}
    for kind, first, last in boxes(data, start, end):
        if kind == b"iinf":
            wide = data[first] > 0
            for entry, at, stop in boxes(data, first + (8 if wide else 6), last):
                if entry == b"infe":
                    names |= _item_name(data, at, stop)
        elif kind == b"iloc":
            extents = _extents(data, first, last)
    found: Found = {}
    for item, name in names.items():
        places = extents.get(item, [])
        if sum(size for _, size in places) > _MAX_ITEM:
            continue
        content = b"".join(data[at : at + size] for at, size in places)
        found.setdefault(name, _exif(content[4:]) if name == "exif" else content)
    return found


def _item_name(data: bytes, at: int, stop: int) -> dict[int, str]:
    version = data[at] if at < stop else 0
    if version < 2:
        return {}
    width = 2 if version == 2 else 4
    item, at = _number(data, at + 4, width), at + 4 + width + 2
    if data[at : at + 4] == b"Exif":
        return {item: "exif"}
    if data[at : at + 4] == b"mime" and b"application/rdf+xml" in data[at:stop]:
        return {item: "xmp"}
    return {}


def _extents(data: bytes, at: int, stop: int) -> dict[int, list[tuple[int, int]]]:
    """item -> (offset, length) of its pieces in the file; those in `idat` are not followed."""
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = _number(data, at + 6, wide), at + 6 + wide
    found: dict[int, list[tuple[int, int]]] = {}
    total = 0
    for _ in range(min(count, _MAX_ITEMS)):
        item, at = _number(data, at, wide), at + wide
        method, at = (_number(data, at, 2) & 15, at + 2) if version else (0, at)
        at += 2  # the data reference
        base, at = _number(data, at, base_size), at + base_size
        pieces, at = _number(data, at, 2), at + 2
        total += pieces
        if total > _MAX_ITEMS or at > stop:
            return found
        for _ in range(pieces):
            at += index_size
            offset, at = _number(data, at, offset_size), at + offset_size
            length, at = _number(data, at, length_size), at + length_size
            if method == 0:
                found.setdefault(item, []).append((base + offset, length))
    return found


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "big")
