"""What a file says about itself, read from its bytes before a decoder runs.

Frames are counted without decoding them, damage and absurd structure are found where Pillow would
be silent or slow, and truncated files are distinguished from corrupt ones. `_INSPECTORS` names
the function of each format; WebP and BMP, the simplest, are here.
"""

import struct
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from functools import partial

from pix2pix.errors import Corrupt, PhotoError, TooLarge, one_line
from pix2pix.images import gif, jpeg, jpeg2000, png, pnm
from pix2pix.images.bits import little
from pix2pix.images.formats import Container
from pix2pix.images.iso import color as iso_color
from pix2pix.images.iso import heif
from pix2pix.images.tiff import pages as tiff_pages

_MAX_CHUNKS = 100_000
# So few bytes hold no photo, only a bomb; a blank page of A4 in 300 dpi still passes.
_SMALL, _MAX_PIXELS_OF_SMALL = 1024, 9_000_000
# Pillow decodes run lengths in Python, and fills up what they leave out byte by byte.
_RLE, _RLE_RATIO, _RLE_SLACK, _RLE_WIDTH = (1, 2), 128, 2**20, 65_535


def inspect(name: str, data: bytes) -> Container:
    """Read the structure of a file of format `name`, without decoding it.

    Raises Corrupt for damage that a decoder would pass over, UnsupportedFormat and UnsupportedMode
    for kinds that are not decoded here, TookTooLong for files built to take minutes.
    """
    with sound(name):
        container = _INSPECTORS[name](data)
        if name in ("AVIF", "HEIF"):
            container.coding = iso_color.coding(data)
    if container.size is not None and 0 in container.size and not container.cut:
        raise Corrupt("width or height is zero")
    return container


@contextmanager
def sound(name: str) -> Iterator[None]:
    """Reading the structure of a file of format `name` raises Corrupt within, whatever it meets."""
    try:
        yield
    except PhotoError:
        raise
    except (ValueError, LookupError, ArithmeticError, struct.error) as error:
        # numbers that point past the end, in whichever of a hundred places
        raise Corrupt(f"the structure of the {name} cannot be read: {one_line(error)}") from error


def check_density(size: tuple[int, int], data: Sized) -> None:
    """Raise TooLarge for a decompression bomb: millions of pixels in hardly any bytes."""
    width, height = size
    if len(data) < _SMALL and width * height > _MAX_PIXELS_OF_SMALL:
        raise TooLarge(f"{width:,} x {height:,} pixels from {len(data)} bytes")


def _inspect_webp(data: bytes) -> Container:
    """Canvas, frames and bitstreams of a WebP: a decoder allocates the largest of them."""
    stop = little(data, 4, 4) + 8
    container = Container(cut=stop > len(data))
    position, frames, chunks = 12, 0, 0
    sizes = [(1, 1)]
    while position + 8 <= min(stop, len(data)) and chunks < _MAX_CHUNKS:
        kind, size = data[position : position + 4], little(data, position + 4, 4)
        start = position + 8
        if kind == b"VP8X":
            sizes.append(_webp_pair(data, start + 4))
        elif kind == b"ANMF":
            frames += 1
            sizes.append(_webp_pair(data, start + 6))
            kind, start = data[start + 16 : start + 20], start + 24  # the first chunk inside
        if kind == b"VP8L":
            container.lossless = True
            bits = little(data, start + 1, 4)
            sizes.append((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
        elif kind == b"VP8 ":
            pair = little(data, start + 6, 2), little(data, start + 8, 2)
            sizes.append((pair[0] & 0x3FFF, pair[1] & 0x3FFF))
        position, chunks = position + 8 + size + (size & 1), chunks + 1
    container.size = max(size[0] for size in sizes), max(size[1] for size in sizes)
    container.frames, container.many = max(1, frames), chunks == _MAX_CHUNKS
    return container


def _webp_pair(data: bytes, start: int) -> tuple[int, int]:
    return 1 + little(data, start, 3), 1 + little(data, start + 3, 3)


def _inspect_bmp(data: bytes) -> Container:
    container = Container(lossless=True, cut=little(data, 2, 4) > len(data) or len(data) < 26)
    if little(data, 14, 4) == 12:
        container.size = little(data, 18, 2), little(data, 20, 2)
        return container
    height = int.from_bytes(data[22:26], "little", signed=True)  # negative: from the top down
    width, height = container.size = little(data, 18, 4), abs(height)
    if little(data, 30, 4) in _RLE and len(data) >= 34:
        if width > _RLE_WIDTH or width * height > _RLE_RATIO * len(data) + _RLE_SLACK:
            raise Corrupt(f"run lengths of {len(data):,} bytes for {width:,} x {height:,} pixels")
    return container


_INSPECTORS: dict[str, Callable[[bytes], Container]] = {
    "JPEG": jpeg.inspect,
    "PNG": png.inspect,
    "TIFF": tiff_pages.inspect,
    "GIF": gif.inspect,
    "WEBP": _inspect_webp,
    "BMP": _inspect_bmp,
    "AVIF": partial(heif.inspect, coded=b"av01"),
    "HEIF": partial(heif.inspect, coded=b""),
    "JPEG2000": jpeg2000.inspect,
    "PNM": pnm.inspect,
}
