"""Files that lack their end: whole where every pixel is there, truncated where one is not."""

import random
import struct

import numpy as np
import pytest
from bad_inputs import jpegs, pictures, pngs
from bad_inputs.outcomes import outcome

from pix2pix.images import endings, read

GRAY, RGB = pictures.gray(120, 90), pictures.rgb(120, 90)
INK = np.dstack([255 - RGB, 255 - GRAY]) // 2
PAPER = np.vstack([RGB, np.full((120, 120, 3), 255, np.uint8)])  # nothing to see at its end
JPEGS = {
    "gray": pictures.encoded(GRAY, "JPEG"),
    "color": pictures.encoded(RGB, "JPEG"),
    "color 4:4:4": pictures.encoded(RGB, "JPEG", subsampling=0, quality=95),
    "progressive": pictures.encoded(RGB, "JPEG", progressive=True),
    "progressive gray": pictures.encoded(GRAY, "JPEG", progressive=True),
    "restart markers": pictures.encoded(RGB, "JPEG", restart_marker_rows=1),
    "restart markers, progressive": pictures.encoded(
        RGB, "JPEG", progressive=True, restart_marker_blocks=3
    ),
    "CMYK": jpegs.cmyk(INK),
    "CMYK, progressive": jpegs.cmyk(INK, progressive=True),
    "white below": pictures.encoded(PAPER, "JPEG"),
    "white below, progressive": pictures.encoded(PAPER, "JPEG", progressive=True),
}
PNG = pictures.encoded(RGB, "PNG")


def ending(data: bytes, expected: np.ndarray) -> str:
    """The code; for an OK with other pixels, or without the warning, that instead."""
    found = outcome(data)
    if found.photo is None:
        return found.code
    if (found.photo.rgb != expected).any():
        return "other pixels"
    return "whole" if endings.MISSING in found.photo.warnings else "no warning"


def test_a_jpeg_cut_anywhere_in_its_scans_is_truncated(capsys):
    """Also where zeros stand for the rest, as in a download that made room for the file first."""
    tried, wrong = 0, []
    for name, data in JPEGS.items():
        first, expected = data.index(b"\xff\xda"), read(data).rgb
        scans = len(data) - 2 - first
        for percent in (1, 2, 3, 5, 10, 20, 40, 60, 80, 95):
            rest = data[: len(data) - 2 - max(1, scans * percent // 100)]
            for kind, cut in (("cut", rest), ("zeros", rest + bytes(300))):
                tried += 1
                code = ending(cut, expected)
                if code != "truncated":
                    wrong.append((name, percent, kind, code))
    with capsys.disabled():
        print(f"\ncut JPEGs not told: {len(wrong)} of {tried}")
    assert wrong == []


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_cut_at_a_marker_inside_its_scans_is_truncated(name: str):
    """There every scan or restart interval that was begun is whole, but others are missing."""
    data = JPEGS[name]
    first, expected = data.index(b"\xff\xda"), read(data).rgb
    places = [i for i in range(first + 2, len(data) - 4) if data[i] == 255 and data[i + 1]]
    for place in random.Random(0).sample(places, min(12, len(places))):
        for position in (place, place + 2):
            assert ending(data[:position], expected) == "truncated"


BEHIND = {
    "nothing": b"",
    "half the marker": b"\xff",
    "filled": b"\xff\xff\xff\xff",
    "zeros": bytes(700),
    "a maker's trailer": b"SEFH\xff\x25\x00\x09maker's notes" * 20,
    "a trailer that ends as a picture does": b"SEFH\xff\x25\x00\x09notes" * 20 + b"\xff\xd9",
    "another picture": JPEGS["gray"],
}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_jpeg_without_its_end_marker_is_whole(behind: str):
    for data in JPEGS.values():
        assert ending(data[:-2] + BEHIND[behind], read(data).rgb) == "whole"


@pytest.mark.parametrize("name", JPEGS)
def test_the_end_of_another_picture_is_not_that_of_a_cut_one(name: str):
    data = JPEGS[name]
    assert outcome(data[: len(data) * 3 // 4] + JPEGS["gray"]).code == "truncated"


def test_scan_data_that_end_in_a_stuffed_byte():
    """FF 00 is picture, though zeros behind the data are not."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        data = pictures.encoded(rng.integers(0, 256, (8, 8), dtype=np.uint8), "JPEG", quality=95)
        if data[-4:-2] == b"\xff\x00":
            break
    else:
        pytest.fail("no such picture")
    assert ending(data[:-2], read(data).rgb) == "whole"
    assert ending(data[:-2] + bytes(9), read(data).rgb) == "whole"


def test_a_damaged_jpeg_is_not_called_truncated():
    data = bytearray(JPEGS["gray"])
    data[len(data) // 2 : len(data) // 2 + 4] = b"\xff\xd8\xff\xe0"
    assert outcome(bytes(data)).code in ("OK", "corrupt", "truncated")
    data = bytearray(JPEGS["gray"])
    start = data.index(b"\xff\xc4")
    data[start + 5 : start + 21] = b"\xff" * 16  # an impossible code table
    assert outcome(bytes(data)).code == "corrupt"


def test_a_png_without_iend_is_whole_and_one_without_pixels_is_not():
    assert ending(PNG[:-12], RGB) == "whole"
    assert ending(PNG[:-12] + bytes(300), RGB) == "whole"
    assert ending(PNG[:-5], RGB) == "whole"
    two = PNG.index(b"IDAT") + 4
    size = struct.unpack(">I", PNG[two - 8 : two - 4])[0]
    half = pngs.chunk(b"IDAT", PNG[two : two + size // 2])
    assert outcome(PNG[: two - 8] + half).code == "truncated"
    assert outcome(PNG[: two - 8]).code == "truncated"
    assert outcome(PNG[: two + size - 40]).code == "truncated"
    assert ending(PNG[: two + size - 3], RGB) == "whole"  # in the checksum behind the pixels


def test_a_jpeg_2000_without_its_end_marker_is_whole():
    for options in ({}, {"no_jp2": True}, {"tile_size": (32, 32)}):
        data = pictures.encoded(GRAY, "JPEG2000", **options)
        assert data.endswith(b"\xff\xd9")
        assert ending(data[:-2], read(data).rgb) == "whole"
        for cut in (3, 4, 9, 20, len(data) // 100, len(data) // 10, len(data) // 2):
            assert outcome(data[:-cut]).code == "truncated", cut


@pytest.mark.parametrize("format", ["GIF", "WEBP", "BMP"])
def test_a_file_shorter_than_it_says_is_whole_where_the_pixels_are(format: str):
    data = pictures.encoded(GRAY, format, **({"lossless": True} if format == "WEBP" else {}))
    expected = read(data).rgb
    if format == "GIF":
        short = data.removesuffix(b";")
    elif format == "WEBP":
        short = data[:4] + struct.pack("<I", len(data) + 12) + data[8:]
    else:
        short = data[:2] + struct.pack("<I", len(data) + 2) + data[6:]
    assert ending(short, expected) == "whole"


def test_a_webp_that_lost_its_padding_or_metadata_is_whole():
    for lossless in (True, False):
        plain = pictures.encoded(GRAY, "WEBP", lossless=lossless)
        size = int.from_bytes(plain[16:20], "little")
        if size % 2:
            assert ending(plain[:-1], read(plain).rgb) == "whole"
        data = pictures.encoded(GRAY, "WEBP", lossless=lossless, xmp=b"<x/>" * 50)
        for cut in (3, 60, 207):  # the last chunk in part
            assert ending(data[:-cut], read(data).rgb) == "whole"
        assert outcome(data[:-260]).code == "truncated"


def test_a_truncated_jpeg_is_still_read_on_request():
    data = JPEGS["progressive"]
    found = outcome(data[: len(data) * 2 // 3], allow_truncated=True)
    assert found.photo is not None
    assert any("ends early" in warning for warning in found.photo.warnings)
