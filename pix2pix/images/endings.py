"""Files that lack only their end: every pixel is there, the marker behind them is not.

Cameras, scanners and transfers leave it out, and the picture is whole then. The decoders fill what
is missing with gray, in silence once an end is put there, so that it has to be found out whether
something was: by decoders that are strict (PNG, JPEG 2000), or by what the bits behind the data
would change (JPEG).
"""

import hashlib
import random
from collections.abc import Callable

import numpy as np
from PIL import Image

from pix2pix.errors import PhotoError
from pix2pix.images import decoder, jpeg_scans, png
from pix2pix.images.bits import little
from pix2pix.images.formats import Container

MISSING = "the end of the file is missing, the picture is whole"
_JPEG_END = b"\xff\xd9"
# Bits that differ from the very first one on; FF would be a marker.
_PROBES = (
    bytes(random.Random(0).choices(range(0x55), k=96)),
    b"\xaa" + bytes(random.Random(1).choices(range(0x80, 0xFF), k=95)),
)
_STRIP_ROWS = 256


def completed(name: str, data: bytes, container: Container, *, max_pixels: int) -> bytes | None:
    """Append the end marker that a file of format `name` lacks; None where more is missing.

    Decodes it up to four times.
    """
    if name == "JPEG":
        return _jpeg(data, container, max_pixels)
    close = _CLOSE.get(name)
    whole = None if close is None else close(data)
    if whole is None or _digest(name, whole, container, max_pixels) is None:
        return None
    return whole


def _closed_webp(data: bytes) -> bytes:
    """The whole chunks of a WebP, the last one padded, under a size that is theirs."""
    position = 12
    while position + 8 <= len(data):
        end = position + 8 + little(data, position + 4, 4)
        if end > len(data):
            break
        position = end + (end & 1)
    chunks = data[12:position].ljust(position - 12, b"\0")
    return data[:4] + (4 + len(chunks)).to_bytes(4, "little") + data[8:12] + chunks


_CLOSE: dict[str, Callable[[bytes], bytes | None]] = {
    "PNG": png.closed,
    "JPEG2000": lambda data: data + _JPEG_END,
    "WEBP": _closed_webp,
}


def _jpeg(data: bytes, container: Container, max_pixels: int) -> bytes | None:
    ending = jpeg_scans.ending(data)
    if ending is None or not ending.complete:
        return None
    scanned = data[: ending.position]
    plain = len(scanned.rstrip(b"\0"))  # room that was made for the file and never filled
    half = len(scanned[:plain].rstrip(b"\xff"))  # of the end marker; but FF 00 is picture
    for cut in sorted({half, plain, min(plain + 1, len(scanned))}):
        whole = data[:cut] + _JPEG_END
        expected = _digest("JPEG", whole, container, max_pixels)
        if expected is not None and all(
            _digest("JPEG", data[:cut] + probe + _JPEG_END, container, max_pixels) == expected
            for probe in _PROBES
        ):
            return whole
    return None


def _digest(name: str, data: bytes, container: Container, max_pixels: int) -> bytes | None:
    """A hash of the pixels, None where the decoder refuses the file."""
    try:
        image = decoder.decode(data, name, container, max_pixels=max_pixels, warnings=[])
    except PhotoError:
        return None
    return _hash(image)


def _hash(image: Image.Image) -> bytes:
    digest = hashlib.blake2b()
    for top in range(0, image.height, _STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height)))
        digest.update(np.ascontiguousarray(np.asarray(strip)).data)
    return digest.digest()
