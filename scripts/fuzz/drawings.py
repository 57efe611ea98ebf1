"""The drawings in seeds, and BMP files, some of which Pillow does not write."""

import functools
import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Makers = dict[str, Callable[[], bytes]]


@functools.cache
def gray(width: int = 48, height: int = 32) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 4, (height, width))
    return Image.fromarray((128 + 60 * np.sin(x / 9) * np.cos(y / 7) + noise).astype(np.uint8))


@functools.cache
def color(mode: str = "RGB", width: int = 48, height: int = 32) -> Image.Image:
    bands = [gray(width, height).point(lambda v, i=i: v * (4 - i) // 4) for i in range(4)]
    return Image.merge(mode, bands[: len(mode)])


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _bmp_rle(bits: int) -> bytes:
    """4 or 8 bits a pixel, runs, a literal run, ends of lines, an end."""
    table = b"".join(bytes([v * 255 // (2**bits - 1)] * 3 + [0]) for v in range(2**bits))
    row = bytes([12, 3, 0, 4, 1, 2, 3, 4] if bits == 8 else [12, 0x35, 0, 4, 0x12, 0x34]) + b"\0\0"
    pixels = row * 8 + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, 16, 8, 1, bits, 3 - bits // 4, len(pixels), 0, 0, 0, 0)
    start = 14 + len(head + table)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + table + pixels


def _bmp_fields(*, size: int = 124) -> bytes:
    """16 bits a pixel by masks, top line first, the longest header."""
    pixels = np.arange(24 * 16, dtype="<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", size, 24, -16, 1, 16, 3, len(pixels), 2835, 2835, 0, 0)
    head = (head + struct.pack("<4I", 0xF800, 0x7E0, 0x1F, 0)).ljust(size, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + size + len(pixels), 0, 0, 14 + size) + head + pixels


def bmps() -> Makers:
    return {
        "24 bit": lambda: saved(color(), "BMP", dpi=(300, 300)),
        "32 bit": lambda: saved(color("RGBA"), "BMP"),
        "gray": lambda: saved(gray(), "BMP"),
        "1 bit": lambda: saved(gray().convert("1"), "BMP"),
        "palette": lambda: saved(color().quantize(16), "BMP"),
        "RLE8": lambda: _bmp_rle(8),
        "RLE4": lambda: _bmp_rle(4),
        "bit fields": lambda: _bmp_fields(),
    }
