"""TIFF written piece by piece: what Pillow and the package's own reader find in it."""

import io

import numpy as np
import pytest
from bad_inputs import pictures
from large_tiffs import HEAD, Memory, bound, opened, page, tiled
from PIL import Image, TiffImagePlugin

from pix2pix.images import read
from pix2pix.images.tiff import extract, output, structure

RGB = pictures.rgb(200, 150)
GRAY = pictures.gray(200, 150)


@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("pixels", [GRAY, RGB, np.dstack([RGB, GRAY])], ids=["L", "RGB", "RGBA"])
def test_tiles_come_back(pixels, compression: str, big: bool, monkeypatch):
    if compression == "jpeg" and pixels.ndim == 3 and pixels.shape[2] == 4:
        pytest.skip("JPEG knows no alpha")
    if big:
        monkeypatch.setattr(output, "MOST_CLASSIC", 0)
    data = tiled(pixels, 64, compression)
    assert data[2] == (43 if big else 42)
    [image] = opened(data)
    off = np.abs(np.asarray(image.convert(image.mode)).astype(int) - pixels)
    assert off.mean() <= (6 if compression == "jpeg" else 0)
    assert read(data).warnings == []


def test_pages_keep_their_order_and_fields():
    said = TiffImagePlugin.ImageFileDirectory_v2()
    said[270], said[0x8769] = "the first", {0x9003: "1901:02:03 04:05:06"}
    first, second = page(RGB, tiffinfo=said, dpi=(300, 300)), page(GRAY, compression="tiff_lzw")
    pages = opened(bound((first, {297: extract.shorts(HEAD, 0, 2)}), second))
    assert [image.mode for image in pages] == ["RGB", "L"]
    assert pages[0].tag_v2[270] == "the first" and pages[0].tag_v2[297] == (0, 2)
    assert pages[0].info["dpi"] == (300, 300) and 270 not in pages[1].tag_v2
    np.testing.assert_array_equal(np.asarray(pages[1]), GRAY)
    with Image.open(io.BytesIO(bound(first, second))) as image:
        assert image.getexif().get_ifd(0x8769)[0x9003] == "1901:02:03 04:05:06"


def test_a_big_endian_page_is_kept_as_it_is():
    tags = {270: "words", 282: 240.0, 283: 240.0, 296: 2}
    source = page(RGB, big_tiff=True, tiffinfo=tags)
    swapped = bytearray(_big_endian(RGB))
    for data in (source, bytes(swapped)):
        sink = Memory()
        writer = output.TiffWriter(sink)
        writer.keep(data, structure.header(data).first)
        writer.finish()
        [image] = opened(bytes(sink.data))
        np.testing.assert_array_equal(np.asarray(image), RGB)
        assert image.tag_v2[270] == "words" and float(image.tag_v2[282]) == 240


def _big_endian(pixels: np.ndarray) -> bytes:
    head = structure.TiffHeader(">", False, 0)
    height, width = pixels.shape[:2]
    fields = {
        256: extract.longs(head, width),
        257: extract.longs(head, height),
        258: extract.shorts(head, 8, 8, 8),
        259: extract.shorts(head, 1),
        262: extract.shorts(head, 2),
        270: (2, 6, b"words\0"),
        273: extract.longs(head, 8),
        277: extract.shorts(head, 3),
        278: extract.longs(head, height),
        279: extract.longs(head, pixels.size),
        282: (5, 1, extract.numbers(head, "u4", 240, 1)),
    }
    return extract.assembled(head, fields, pixels.tobytes())
