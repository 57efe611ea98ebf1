"""EXIF blocks: whole, of garbage, pointing at themselves."""

import struct
from typing import Any

from PIL import Image

from .tiffs import directory, header, long, short

ORIENTATION, MAKE, EXIF_IFD, GPS_IFD = 274, 271, 0x8769, 0x8825
WRITTEN, MAKER_NOTE, WIDTH, HEIGHT, COLOR_SPACE = 0x9003, 0x927C, 0xA002, 0xA003, 0xA001
LATITUDE = 2
HEAD = b"Exif\0\0"


def whole(orientation: int = 1, **extra: Any) -> Image.Exif:
    """A camera's block: make, date, size, color space, GPS."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[MAKE] = "Voigtlander"
    exif[EXIF_IFD] = {WRITTEN: "1954:07:04 12:00:00", WIDTH: 4, HEIGHT: 4, COLOR_SPACE: 65535}
    exif[EXIF_IFD].update(extra.get("more", {}))
    exif[GPS_IFD] = {1: "N", LATITUDE: (48.0, 8.0, 12.5), 3: "E", 4: (11.0, 34.0, 30.0)}
    return exif


def with_thumbnail(thumbnail: bytes) -> bytes:
    """A block whose second directory holds a thumbnail."""
    second = 8 + 2 + 2 * 12 + 4
    start = second + 2 + 2 * 12 + 4
    first = directory([short(ORIENTATION, 1), long(0x011A, 1)], following=second)
    body = directory([long(0x0201, start), long(0x0202, len(thumbnail))])
    return HEAD + header() + first + body + thumbnail


def recursive() -> bytes:
    """A block whose Exif and GPS directories are the first directory itself, as is the next."""
    entries = [short(ORIENTATION, 6), long(EXIF_IFD, 8), long(GPS_IFD, 8)]
    return HEAD + header() + directory(entries, following=8)


def endless_count() -> bytes:
    """A block whose text is said to be 4 GB long."""
    entry = (MAKE, 2, 2**32 - 1, struct.pack("<I", 40))
    return HEAD + header() + directory([short(ORIENTATION, 1), entry])
