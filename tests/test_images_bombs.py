"""Bombs and dimensions: refused by the header alone, or read within the time and memory stated."""

import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from bad_inputs import jpegs, pictures, pngs, tiffs
from bad_inputs.outcomes import outcome, peak_megabytes
from PIL import Image

from pix2pix.images import encode, read

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
MARGIN = 10  # stated times hold on an idle machine; tests run on busy ones


def _bigger_png(width: int, height: int) -> bytes:
    return pngs.png(width, height, compressed=zlib.compress(bytes(900)))


def _gif(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


def _gif_frames(count: int) -> bytes:
    data = pictures.encoded(GRAY, "GIF")
    start = data.index(b"," + bytes(4) + struct.pack("<HH", *GRAY.shape[::-1]))
    return data[:start] + data[start:-1] * count + b";"


def _bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + header + bytes(46)


def _webp(width: int, height: int) -> bytes:
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _tiff_loop() -> bytes:
    return tiffs.tiff(GRAY, following=8)


def _tiff_long_loop() -> bytes:
    first = tiffs.tiff(GRAY, following=0)
    second = len(first)
    data = bytearray(first + tiffs.directory([tiffs.long(256, 1)], following=8))
    position = 8 + 2 + 12 * struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, position, second)
    return bytes(data)


def _tiff_many_entries() -> bytes:
    more = [tiffs.long(tag, 1) for tag in range(5000, 65000)]
    return tiffs.tiff(GRAY, more=more)


def _tiff_many_pages() -> bytes:
    """Two million empty directories: as many pages as fit, each a few bytes."""
    first = tiffs.tiff(GRAY)
    count, base = 2_000_000, len(first)
    chain = np.zeros(count, dtype=[("entries", "<u2"), ("next", "<u4")])
    chain["next"] = base + 6 * (np.arange(count) + 1)
    data = bytearray(first)
    position = 8 + 2 + 12 * struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, position, base)
    return bytes(data) + chain.tobytes()


def _gif_comments() -> bytes:
    return (
        b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0, 0, 0) + b"!\xfe" + b"\x01x" * 2_000_000 + b"\0;"
    )


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "PNG declaring 50,000 x 50,000 in 1 KB": lambda: _bigger_png(50_000, 50_000),
    "PNG 2^31-1": lambda: _bigger_png(2**31 - 1, 2**31 - 1),
    "real 400 MP PNG": lambda: pngs.flat_bits(20_000, 20_000),
    "JPEG SOF 65500 x 65500": lambda: jpegs.frame(65500, 65500),
    "TIFF 2^31 x 2^31": lambda: tiffs.tiff(GRAY, declared=(2**31, 2**31)),
    "TIFF of one huge tile": lambda: tiffs.tiff(
        GRAY, more=[tiffs.long(322, 60_000), tiffs.long(323, 60_000)]
    ),
    "GIF 65535^2": lambda: _gif(65535, 65535),
    "BMP 60,000^2": lambda: _bmp(60_000, 60_000),
    "WebP 16,384^2": lambda: _webp(16_384, 16_384),
    "101 MP": lambda: _bigger_png(10_100, 10_000),
    "300 MP": lambda: _bigger_png(20_000, 15_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", TOO_LARGE)
def test_too_large_before_any_decoding(case: str):
    data = TOO_LARGE[case]()
    found = outcome(data)
    assert found.code == "too_large"
    assert found.seconds < 0.1 * MARGIN
    assert peak_megabytes(lambda: outcome(data)) < 20


def test_too_large_names_the_limit_and_the_flag():
    found = outcome(_bigger_png(10_100, 10_000))
    assert "100,000,000" in found.reason and "--max-pixels" in found.reason
    assert "10,100 x 10,000" in found.reason


def test_the_limit_is_the_callers():
    data = pictures.encoded(GRAY, "PNG")
    assert outcome(data, max_pixels=GRAY.size).code == "OK"
    assert outcome(data, max_pixels=GRAY.size - 1).code == "too_large"
    assert outcome(data, max_bytes=len(data)).code == "OK"
    assert outcome(data, max_bytes=len(data) - 1).code == "too_large"


@pytest.mark.slow
def test_a_lifted_limit_also_lifts_pillows_own():
    # 190 MP; Pillow refuses from 179 MP on, and a TIFF again when it is loaded
    data = pictures.encoded(Image.new("1", (20_000, 9_500)), "TIFF", compression="group4")
    before = Image.MAX_IMAGE_PIXELS
    photo = read(data, max_pixels=200_000_000)
    assert photo.rgb.shape == (9_500, 20_000, 3) and not photo.rgb.any()
    assert Image.MAX_IMAGE_PIXELS == before


def _big_tiff_entries() -> bytes:
    """BigTIFF counts entries in 64 bits."""
    count = 2_000_000
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, count) + bytes(20) * count


def _tiff_many_strips() -> bytes:
    count = 4_000_000
    data = tiffs.tiff(GRAY, more=[(273, tiffs.LONG, count, struct.pack("<I", 9000))])
    return data.ljust(9000, b"\0") + bytes(4 * count)


def _jpeg_segments() -> bytes:
    data = pictures.encoded(GRAY, "JPEG")
    return data[:2] + b"\xff\xfe\0\x02" * 3_000_000 + data[2:]


def _jpeg_exif() -> bytes:
    data = pictures.encoded(GRAY, "JPEG")
    return data[:2] + jpegs.segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 400 + data[2:]


def _png_chunks() -> bytes:
    return pngs.png(2, 2, bytes(4), before=pngs.chunk(b"IDAT", b"") * 400_000)


OK_OR_CORRUPT: dict[str, tuple[Callable[[], bytes], float]] = {
    "TIFF IFD loop": (_tiff_loop, 1),
    "TIFF IFD loop of two": (_tiff_long_loop, 1),
    "TIFF with 60,000 IFD entries": (_tiff_many_entries, 1),
    "TIFF with 2,000,000 pages": (_tiff_many_pages, 1),
    "TIFF with 4,000,000 strips": (_tiff_many_strips, 1),
    "BigTIFF with 2,000,000 entries": (_big_tiff_entries, 1),
    "GIF comment of 2,000,000 blocks": (_gif_comments, 1),
    "PNG with 400,000 chunks": (_png_chunks, 1),
    "JPEG with 3,000,000 segments": (_jpeg_segments, 1),
    "JPEG with 26 MB of EXIF": (_jpeg_exif, 1),
    "progressive JPEG with 1,000 scans": (lambda: jpegs.scans(1000, 1000, 1000), 30 / MARGIN),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", OK_OR_CORRUPT)
def test_ok_or_corrupt_in_time(case: str):
    build, seconds = OK_OR_CORRUPT[case]
    data = build()
    found = outcome(data)
    assert found.code in ("OK", "corrupt"), found.reason
    assert found.seconds < seconds * MARGIN
    assert peak_megabytes(lambda: outcome(data)) < 150


def test_a_jpeg_of_more_scans_than_30_seconds_decode_is_a_timeout():
    data = jpegs.scans(3000, 200, 200)
    assert outcome(data).code == "OK"  # small pictures may have many
    header = data.index(b"\xff\xc2") + 5
    large = data[:header] + struct.pack(">HH", 9000, 9000) + data[header + 4 :]
    found = outcome(large)
    assert found.code == "timeout" and found.seconds < 1 * MARGIN


@pytest.mark.slow
def test_scan_markers_behind_the_picture_are_not_scans():
    """A phone's motion photo has a video behind it, in which any two bytes occur."""
    data = pictures.encoded(pictures.gray(3000, 2000), "JPEG")
    assert outcome(data + b"\xff\xda" * 10_000).code == "OK"


@cache
def _bomb(kind: bytes) -> bytes:
    content = pngs.text_bomb(200 * 2**20) if kind == b"zTXt" else pngs.profile_bomb(200 * 2**20)
    return pngs.with_chunk(pictures.encoded(GRAY, "PNG"), kind, content)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"], ids=["zTXt", "iCCP"])
def test_png_with_200_mb_of_text_or_profile(kind: bytes):
    data = _bomb(kind)
    found = outcome(data)
    assert found.code == "OK" and found.photo is not None
    assert (found.photo.rgb[..., 0] == GRAY).all()
    assert any("ignored" in warning for warning in found.photo.warnings)
    assert peak_megabytes(lambda: outcome(data)) < 150


def test_gif_with_2000_frames_decodes_only_the_first(monkeypatch):
    data = _gif_frames(2000)
    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.seek", None)  # nobody steps through it
    found = outcome(data)
    assert found.code == "OK" and found.photo is not None, found.reason
    assert found.photo.warnings == ["1,999 further frames ignored"]
    assert (found.photo.rgb[..., 0] == GRAY).all()
    assert found.seconds < 0.2 * MARGIN


ZERO = {
    "PNG": pngs.png(0, 5, compressed=zlib.compress(b"")),
    "JPEG": jpegs.frame(0, 5),
    "JPEG of no height": jpegs.frame(5, 0),
    "GIF": _gif(0, 5),
    "BMP": _bmp(0, 5),
    "TIFF": tiffs.tiff(GRAY, declared=(0, 5)),
}


@pytest.mark.parametrize("name", ZERO)
def test_zero_width_is_corrupt(name: str):
    assert outcome(ZERO[name]).code == "corrupt"


SIZES = [(1, 1), (1, 2), (2, 1), (3, 7), (1, 500), (4000, 1), (1, 65500), (31, 33), (255, 257)]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_size_keeps_its_size(size: tuple[int, int], format: str):
    if format == "WEBP" and max(size) > 16383:
        pytest.skip("WebP holds at most 16,383 pixels a side")
    found = outcome(pictures.encoded(pictures.gray(*size), format))
    assert found.code == "OK" and found.photo is not None
    assert found.photo.rgb.shape == (size[1], size[0], 3)


@pytest.mark.slow
@pytest.mark.parametrize("megapixels", [50, 100])
def test_large_photos_within_the_memory_bar(megapixels: int):
    """Read, colored in place and encoded: at most 24 bytes a pixel above idle."""
    width, height = 10_000, megapixels * 100
    data = pictures.encoded(Image.new("L", (width, height), 90), "JPEG", quality=80)
    sizes = []

    def work() -> None:
        photo = read(data)
        sizes.append(photo.rgb.shape)
        colored = photo.rgb.copy()  # what a colorizer returns
        sizes.append(len(encode(colored, like=photo, model="test")))

    peak = peak_megabytes(work)
    assert sizes[0] == (height, width, 3) and sizes[1] > 0
    assert peak * 2**20 <= 24 * width * height
