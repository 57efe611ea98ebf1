"""JPEG files that Pillow cannot write: segments, repeated scans, processes, ink conventions."""

import struct

import numpy as np
from PIL import Image

from .pictures import encoded, gray


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment right behind its first marker."""
    return data[:2] + segment(marker, content) + data[2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(width: int, height: int, *, marker: int = 0xC0, bits: int = 8) -> bytes:
    """A JPEG with any frame header, and no picture worth the name."""
    header = struct.pack(">BHHB3B", bits, height, width, 1, 1, 0x11, 0)
    tables = segment(0xDB, b"\0" + b"\1" * 64)
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x00" * 64
    return b"\xff\xd8" + tables + segment(marker, header) + scan + b"\xff\xd9"


def arithmetic() -> bytes:
    """An arithmetic-coded gray block of 8x8: code bytes of zero say "no difference" and "end"."""
    data = encoded(np.full((8, 8), 128, np.uint8), "JPEG")
    start = data.index(b"\xff\xda")
    head = data[:start].replace(b"\xff\xc0", b"\xff\xc9", 1)
    return head + data[start : start + 10] + b"\x00\x00\xff\xd9"


def scans(count: int, width: int, height: int) -> bytes:
    """A progressive gray JPEG whose smallest scan is repeated until there are `count`."""
    data = encoded(gray(width, height), "JPEG", progressive=True)
    starts = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    ends = [*starts[1:], len(data) - 2]
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        tables = data.find(b"\xff\xc4", start, end)  # those of the next scan
        pieces.append(data[start : tables if tables > 0 else end])
    smallest = min(range(len(pieces)), key=lambda i: len(pieces[i]))
    end = starts[smallest] + len(pieces[smallest])
    return data[:end] + pieces[smallest] * (count - len(starts)) + data[end:]


def cmyk(ink: np.ndarray, *, adobe: bool = True, ycck: bool = False, **options: object) -> bytes:
    """ink (H, W, 4) uint8, 255 is full -> a JPEG: inverted with Adobe's marker, or plain."""
    if ycck:
        ycc = np.asarray(Image.fromarray(ink[..., :3]).convert("YCbCr"))
        ink = np.dstack([255 - ycc, ink[..., 3]])
    stored = ink if adobe else 255 - ink
    image = Image.frombytes("CMYK", (ink.shape[1], ink.shape[0]), stored.tobytes())
    data = encoded(image, "JPEG", quality=100, **options)
    start = data.index(b"\xff\xee\x00\x0eAdobe")
    if ycck:
        return data[: start + 15] + b"\x02" + data[start + 16 :]
    return data if adobe else data[:start] + data[start + 16 :]


def multi_picture(first: np.ndarray, others: int) -> bytes:
    """An MPO: `first` and `others` more pictures behind it."""
    more = [Image.fromarray(255 - first) for _ in range(others)]
    return encoded(first, "MPO", save_all=True, append_images=more)
