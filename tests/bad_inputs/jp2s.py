"""JPEG 2000 files that Pillow cannot write: depths, palettes, profiles, and headers that lie."""

import struct

import numpy as np

from .pictures import encoded


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def codestream(pixels: np.ndarray, *, bits: int = 8, **options: object) -> bytes:
    """Values of 0 to 2**bits - 1 in that many bits; fewer than 8 by way of 8."""
    if bits < 8:  # the decoder adds half of what the stated depth holds
        pixels = (pixels.astype(int) + 128 - 2 ** (bits - 1)).astype(np.uint8)
    elif 8 < bits < 16:
        pixels = (pixels.astype(int) + 2**15 - 2 ** (bits - 1)).astype(np.uint16)
    data = bytearray(encoded(pixels, "JPEG2000", no_jp2=True, **options))
    components = int.from_bytes(data[40:42], "big")
    if bits not in (8, 16):
        data[42 : 42 + 3 * components : 3] = bytes([bits - 1]) * components
    return bytes(data)


def jp2(
    stream: bytes,
    *,
    size: tuple[int, int] | None = None,
    color: bytes = b"",
    more: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A JP2 around a codestream; `color` is the content of its colr box."""
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    width, height = size or (right - left, bottom - top)
    components = int.from_bytes(stream[40:42], "big")
    header = struct.pack(">IIHBBBB", height, width, components, stream[42], 7, 0, 0)
    color = color or enumerated(17 if components < 3 else 16)
    boxes = box(b"jp2h", box(b"ihdr", header) + more + box(b"colr", color))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + boxes + box(b"jp2c", stream) + behind


def enumerated(number: int) -> bytes:
    return struct.pack(">BBBI", 1, 0, 0, number)


def palette(colors: np.ndarray) -> bytes:
    """(N, 3) uint8 -> the boxes pclr and cmap."""
    entries = struct.pack(">HB", len(colors), 3) + bytes([7, 7, 7]) + colors.tobytes()
    mapped = b"".join(struct.pack(">HBB", 0, 1, channel) for channel in range(3))
    return box(b"pclr", entries) + box(b"cmap", mapped)


def empty(
    width: int,
    height: int,
    *,
    components: int = 1,
    bits: int = 8,
    tile: tuple[int, int] | None = None,
    layers: int = 1,
    levels: int = 5,
    block: tuple[int, int] = (4, 4),
    precincts: bytes = b"",
) -> bytes:
    """A codestream of that size whose tiles hold nothing; `block` are exponents less 2."""
    tile_width, tile_height = tile or (width, height)
    siz = struct.pack(
        ">HIIIIIIIIH", 0, width, height, 0, 0, tile_width, tile_height, 0, 0, components
    ) + bytes([bits - 1, 1, 1] * components)
    style = bytes([bool(precincts), 0]) + struct.pack(">HB", layers, 0)
    style += bytes([levels, *block, 0, 1]) + precincts
    quantization = b"\x40" + bytes([0x48] * (1 + 3 * levels))
    parts = b"".join(
        b"\xff" + bytes([kind]) + struct.pack(">H", 2 + len(content)) + content
        for kind, content in ((0x51, siz), (0x52, style), (0x5C, quantization))
    )
    tiles = -(-width // tile_width) * -(-height // tile_height)
    body = b"".join(
        b"\xff\x90" + struct.pack(">HHIBB", 10, number, 14, 0, 1) + b"\xff\x93"
        for number in range(min(tiles, 20))
    )
    return b"\xff\x4f" + parts + body + b"\xff\xd9"
