"""Files under 1 kB of every format, built to take much memory or time, and a gauge for both."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from bad_inputs import jpegs, pictures, pngs, tiffs

SIZES = [(2_990, 3_000), (1, 65_535), (65_535, 65_535), (9_000, 9_000), (10_000, 10_000)]


def gif(
    screen: tuple[int, int],
    frame: tuple[int, int, int, int],
    *,
    before: bytes = b"",
    flags: int = 8,
) -> bytes:
    """A screen, and one frame (left, top, width, height) with the flags of a graphic control."""
    start = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    control = b"!\xf9\x04" + bytes([flags]) + b"\0\0\1\0"
    return start + before + control + b"," + struct.pack("<HHHHB", *frame, 0) + b"\2\2\x44\1\0;"


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, body: bytes = b"") -> bytes:
    """A header of 40 bytes, a palette for few bits, and what follows."""
    palette = bytes(4 * 2**bits) if bits <= 4 else b""
    start = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + palette + body


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def vp8l(width: int, height: int) -> tuple[bytes, bytes]:
    """A lossless picture of one color: codes of one symbol take no bits, however large it is."""
    flat = pictures.encoded(Image.new("RGB", (64, 64)), "WEBP", lossless=True)
    size = (width - 1 | height - 1 << 14).to_bytes(4, "little")
    return b"VP8L", flat[20:21] + size[:3] + bytes([size[3] | flat[24] & 0xF0]) + flat[25:]


def vp8x(width: int, height: int) -> tuple[bytes, bytes]:
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"VP8X", bytes(4) + canvas


def _gifs() -> Iterator[tuple[str, bytes]]:
    for width, height in SIZES:
        for flags in (0, 8, 9, 12, 13):  # what happens to the frame, and its transparency
            yield f"frame, {flags}", gif((10, 10), (0, 0, width, height), flags=flags)
        yield "screen", gif((width, height), (0, 0, 1, 1), flags=9)
        yield "offset", gif((10, 10), (width - 1, height - 1, 1, 1))
        yield "behind junk", gif((10, 10), (0, 0, width, height), before=b"junk")
        yield "empty block", gif((10, 10), (0, 0, width, height), before=b"!\xfe\0!\xff\0\0")


def _bmps() -> Iterator[tuple[str, bytes]]:
    for width, height in (*SIZES, (9_000_000, 1), (65_535, 137), (1, 9_000_000), (3_000, -3_000)):
        for bits in (1, 4, 8, 24, 32):
            yield f"{bits} bits", bmp(width, height, bits, body=bytes(300))
        yield "RLE of lines", bmp(width, height, 8, 1, b"\0\0" * 300)
        yield "RLE of jumps", bmp(width, height, 8, 1, b"\0\2\xff\xff" * 200)
        yield "RLE4", bmp(width, height, 4, 2, b"\xff\x11" * 300)


def _webps() -> Iterator[tuple[str, bytes]]:
    for mode, color in (("RGB", "black"), ("RGBA", (9, 9, 9, 99))):
        flat = Image.new(mode, (2_990, 3_000), color)
        yield mode, pictures.encoded(flat, "WEBP", lossless=True)
    for width, height in ((2_990, 3_000), (1, 16_383), (16_383, 16_383), (9_000, 9_000)):
        yield "flat", webp(vp8l(width, height))
        yield "canvas", webp(vp8x(width, height), vp8l(width, height))
        yield "canvas alone", webp(vp8x(width, height), vp8l(1, 1))
        yield "small canvas", webp(vp8x(1, 1), vp8l(width, height))
        lossy = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(200)
        yield "lossy", webp((b"VP8 ", lossy))


def _pngs() -> Iterator[tuple[str, bytes]]:
    for width, height in SIZES:
        for color, bits in ((0, 1), (0, 16), (2, 8), (2, 16), (3, 8), (6, 8), (6, 16)):
            header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
            parts = pngs.chunk(b"IHDR", header) + pngs.chunk(b"PLTE", bytes(9))
            parts += pngs.chunk(b"IDAT", zlib.compress(bytes(200_000)))
            yield f"{color}, {bits}", b"\x89PNG\r\n\x1a\n" + parts + pngs.chunk(b"IEND", b"")


def _jpegs() -> Iterator[tuple[str, bytes]]:
    for width, height in SIZES:
        yield "frame", jpegs.frame(min(width, 65_500), min(height, 65_500))
    flat = pictures.encoded(Image.new("L", (16, 16), 90), "JPEG", quality=50, progressive=True)
    place = flat.index(b"\xff\xc2") + 5
    wide = flat[:place] + struct.pack(">HH", 3_000, 2_990) + flat[place + 4 :]
    yield "progressive", wide
    scan = wide[wide.index(b"\xff\xda") : -2]
    yield "scans", (wide[:-2] + scan * 20)[:1_020] + b"\xff\xd9"


def _tiffs() -> Iterator[tuple[str, bytes]]:
    pixel = np.zeros((1, 200), np.uint8)
    for width, height in SIZES:
        for compression in (1, 4, 5, 7, 50000):
            for kind, bits, samples in ((1, 1, 1), (1, 8, 1), (1, 16, 3), (3, 64, 1), (3, 64, 3)):
                more = [tiffs.short(259, compression), tiffs.short(277, samples)]
                more += [tiffs.short(262, 1 if samples == 1 else 2)]
                yield (
                    f"{compression}, {bits} x {samples}",
                    tiffs.tiff(
                        pixel, bits=bits, sample_format=kind, more=more, declared=(width, height)
                    ),
                )
    tile = [tiffs.long(322, 8_192), tiffs.long(323, 8_192), tiffs.long(324, 8), tiffs.long(325, 9)]
    yield "tile", tiffs.tiff(pixel, more=tile)
    yield "samples", tiffs.tiff(pixel, more=[tiffs.short(277, 65_535)])


def _isos() -> Iterator[tuple[str, bytes]]:
    for size in ((2_048, 2_048), (3_000, 2_900), (9_000, 9_000)):
        if size[0] > 3_000:
            data = pictures.encoded(Image.new("L", (64, 64), 9), "AVIF", quality=1, speed=10)
            place = data.index(b"ispe") + 8
            yield (
                "AVIF that says more",
                data[:place] + struct.pack(">II", *size) + data[place + 8 :],
            )
            continue
        data = pictures.encoded(Image.new("L", size, 9), "AVIF", quality=1, speed=10)
        place = data.index(b"ispe") + 8
        yield "AVIF", data
        yield "AVIF that says less", data[:place] + struct.pack(">II", 64, 64) + data[place + 8 :]


FORMATS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "GIF": _gifs,
    "BMP": _bmps,
    "WEBP": _webps,
    "PNG": _pngs,
    "JPEG": _jpegs,
    "TIFF": _tiffs,
    "AVIF": _isos,
}

_GAUGE = """
import os, sys
from PIL import Image
from pix2pix import images
from pix2pix.errors import PhotoError

Image.init()

def run(path):
    child = os.fork()
    if child == 0:
        code = 0
        if path:
            try:
                images.read(path)
            except PhotoError as error:
                code = 1
            except BaseException:
                code = 2
        os._exit(code)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime

idle = run("")[1]
for path in sys.stdin.read().split():
    code, peak, seconds = run(path)
    print(code, (peak - idle) / 1024, seconds, flush=True)
"""


def gauged(paths: list[Path]) -> list[tuple[str, float, float]]:
    """(outcome, peak MiB above idle, seconds of processor) of reading each in a process of its own.

    The outcome is "read", "refused" with a typed error, "untyped" or "died".
    """
    done = subprocess.run(
        [sys.executable, "-c", _GAUGE],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    names = {0: "read", 1: "refused", 2: "untyped"}
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(names.get(int(c), "died"), float(mb), float(s)) for c, mb, s in lines]
