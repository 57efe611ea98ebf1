"""What a file says about itself, read from its bytes before a decoder runs.

Frames are counted without decoding them, damage and absurd structure are found where Pillow would
be silent or slow, and a file that ends early is told from one that is broken. JPEG, PNG and TIFF
have a file each; the simpler containers are here.
"""

from pix2pix.errors import Corrupt
from pix2pix.images import jpeg, jpeg2000, png, pnm, tiff
from pix2pix.images.formats import Container

_MAX_FRAMES = 10_000
_MAX_BLOCKS = 1_000_000
_MAX_BLOCKS_BEFORE_PICTURE = 100_000


def inspect(name: str, data: bytes) -> Container:
    """The structure of a file of format `name`.

    Raises Corrupt for damage that a decoder would pass over, UnsupportedFormat and UnsupportedMode
    for kinds that are not decoded here, TookTooLong for files built to take minutes.
    """
    container = _INSPECTORS[name](data)
    if container.size is not None and 0 in container.size and not container.cut:
        raise Corrupt("width or height is zero")
    return container


def _inspect_gif(data: bytes) -> Container:
    """Blocks of a GIF; sub-blocks of one byte each would keep Pillow busy for hours."""
    container = Container(frames=0, lossless=True)
    position, blocks = 13 + _color_table(data, 10), 0
    while (kind := data[position : position + 1]) in (b",", b"!", b"\x00") and kind:
        if kind == b",":
            container.frames += 1
            position += 11 + _color_table(data, position + 9)
        else:
            position += 2 if kind == b"!" else 1
        while kind != b"\x00" and position < len(data) and data[position]:
            position += 1 + data[position]
            blocks += 1
            if blocks > _MAX_BLOCKS_BEFORE_PICTURE and not container.frames:
                raise Corrupt(f"more than {_MAX_BLOCKS_BEFORE_PICTURE:,} GIF blocks, no picture")
            if blocks > _MAX_BLOCKS or container.frames > _MAX_FRAMES:
                container.many = True
                return container
        position += kind != b"\x00"
    container.cut = position > len(data) or not container.frames or not kind
    container.frames = max(1, container.frames)
    return container


def _color_table(data: bytes, position: int) -> int:
    """The bytes of the color table that the flags at `position` announce."""
    flags = data[position] if position < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _inspect_webp(data: bytes) -> Container:
    container = Container(cut=_little(data[4:8]) + 8 > len(data))
    position, frames, chunks = 12, 0, 0
    while position + 8 <= len(data) and chunks < _MAX_BLOCKS_BEFORE_PICTURE:
        kind, size = data[position : position + 4], _little(data[position + 4 : position + 8])
        start = position + 8
        if kind == b"VP8X" and len(data) >= start + 10:
            container.size = (
                1 + _little(data[start + 4 : start + 7]),
                1 + _little(data[start + 7 : start + 10]),
            )
        elif kind == b"ANMF":
            frames += 1
            kind = data[start + 16 : start + 20]  # the first chunk inside
        container.lossless |= kind == b"VP8L"
        position, chunks = start + size + (size & 1), chunks + 1
    container.frames, container.many = max(1, frames), position + 8 <= len(data)
    return container


def _inspect_bmp(data: bytes) -> Container:
    return Container(lossless=True, cut=_little(data[2:6]) > len(data) or len(data) < 26)


def _inspect_iso(data: bytes) -> Container:
    """Top-level boxes of AVIF and HEIF; Pillow knows their frames from the header."""
    position = 0
    for _ in range(_MAX_FRAMES):
        if position + 8 > len(data):
            return Container(cut=position != len(data))
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size == 0:  # to the end of the file
            return Container()
        if size < 8:
            raise Corrupt("a box of impossible size")
        position += size
    raise Corrupt(f"more than {_MAX_FRAMES:,} boxes")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_INSPECTORS = {
    "JPEG": jpeg.inspect,
    "PNG": png.inspect,
    "TIFF": tiff.inspect,
    "GIF": _inspect_gif,
    "WEBP": _inspect_webp,
    "BMP": _inspect_bmp,
    "AVIF": _inspect_iso,
    "HEIF": _inspect_iso,
    "JPEG2000": jpeg2000.inspect,
    "PNM": pnm.inspect,
}
