"""Metadata in boxes: the items of AVIF and HEIC, and what JPEG 2000 carries under a UUID.

Pillow and pi-heif write EXIF anew when they turn a picture, and lose text; here it is as it
came. Source: ISO/IEC 14496-12 (meta, iinf, iloc); XMP Specification, part 3, 1.1.4.
"""

import contextlib
import re

from pix2pix.images.iso.boxes import boxes, item_extents, item_types
from pix2pix.images.metadata.exif import HEAD

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
    """Extract `exif` (as JPEG has it), `xmp` and `iptc` from a file of boxes."""
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
            for item, type, said in item_types(data, first, last, boxes):
                if type == b"Exif":
                    names[item] = "exif"
                elif type == b"mime" and b"application/rdf+xml" in said:
                    names[item] = "xmp"
        elif kind == b"iloc":
            with contextlib.suppress(ValueError):  # those before the fault count
                for item, offset, length, method in item_extents(data, first):
                    if method == 0:
                        extents.setdefault(item, []).append((offset, length))
    found: Found = {}
    for item, name in names.items():
        places = extents.get(item, [])
        if sum(size for _, size in places) > _MAX_ITEM:
            continue
        content = b"".join(data[at : at + size] for at, size in places)
        found.setdefault(name, _exif(content[4:]) if name == "exif" else content)
    return found
