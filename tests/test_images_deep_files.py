"""Files of 16 bits: every sample, all metadata, and the compression of the source."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pix2pix import images, strips
from pix2pix.errors import TooLarge
from pix2pix.images import Photo, containers, deep_files, icc, writing
from pix2pix.images.depth import Deep
from pix2pix.images.tiff import layout, packing
from pix2pix.images.tiff.bands import bands
from pix2pix.images.tiff.pages import has_codec

CHANCE = np.random.default_rng(0)
SIZES = [(1, 1), (1, 7), (300, 1), (5, 6), (333, 401)]  # the last is of several strips
COMPRESSIONS = {
    "raw": packing.NONE,
    "tiff_lzw": packing.LZW,
    "tiff_adobe_deflate": packing.DEFLATE,
    "packbits": packing.PACKBITS,
    "zstd": packing.ZSTD,
    "lzma": packing.DEFLATE,
    "jpeg": packing.LZW,
}


def samples(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Half of it noise, half of it flat."""
    found = CHANCE.integers(0, 65536, (height, width, channels), dtype=np.uint16)
    found[height // 2 :] = found[0, 0]
    return found


def like(alpha: np.ndarray | None = None, format: str = "PNG", **fields: object) -> Photo:
    grays = np.zeros((1, 1), np.uint16)
    mask = None if alpha is None else (alpha >> 8).astype(np.uint8)
    photo = Photo(np.zeros((1, 1, 3), np.uint8), mask, format, deep=Deep(grays, alpha, ["lost"]))
    return replace(photo, **fields)


def of_png(data: bytes) -> np.ndarray:
    """The upper bytes as Pillow reads them, the lower ones by a layout with its bytes swapped."""
    upper, lower = (Image.open(io.BytesIO(data)) for _ in range(2))
    tile = lower.tile[0]
    assert tile.args in ("RGB;16B", "RGBA;16B")
    lower.tile = [tile._replace(args=tile.args[:-1] + "L")]
    return np.asarray(upper).astype(np.uint16) << 8 | np.asarray(lower)


def of_tiff(data: bytes) -> np.ndarray:
    page = layout.of_page(data, containers.inspect("TIFF", data), deep=True)
    assert page is not None
    return np.concatenate([values for _, values in bands(data, page)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transparent", [False, True])
def test_png(size: tuple[int, int], transparent: bool):
    rgb, alpha = samples(*size), samples(*size, 1)[..., 0] if transparent else None
    data = images.encode(rgb, like=like(alpha), model="m")
    found = of_png(data)
    np.testing.assert_array_equal(found[..., :3], rgb)
    assert found.shape[2] == 3 + transparent
    if transparent:
        np.testing.assert_array_equal(found[..., 3], alpha)


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("transparent", [False, True])
def test_tiff_is_compressed_as_its_source(name: str, transparent: bool):
    expected = COMPRESSIONS[name]
    if expected == packing.ZSTD and not has_codec(expected):
        expected = packing.DEFLATE
    for size in SIZES:
        rgb, alpha = samples(*size), samples(*size, 1)[..., 0] if transparent else None
        source = like(alpha, "TIFF", encoding={"compression": name})
        data = images.encode(rgb, like=source, model="m")
        with Image.open(io.BytesIO(data)) as image:
            assert image.tag_v2[259] == expected
            assert (np.asarray(image)[..., :3] == rgb >> 8).all()
        found = of_tiff(data)
        np.testing.assert_array_equal(found[..., :3], rgb)
        assert not transparent or (found[..., 3] == alpha).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_large_ones_are_compressed_in_half_the_time(format: str, monkeypatch: pytest.MonkeyPatch):
    rgb, source = samples(333, 401), like(None, format, encoding={"compression": "lzma"})
    usual = images.encode(rgb, like=source, model="m")
    monkeypatch.setattr(writing, "_FRUGAL", 1)
    frugal = images.encode(rgb, like=source, model="m")
    decode = of_png if format == "PNG" else of_tiff
    np.testing.assert_array_equal(decode(frugal), rgb)
    assert frugal != usual and len(frugal) < 1.05 * len(usual)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["raw", "tiff_adobe_deflate", "packbits"])
def test_another_reader_sees_the_same(name: str, transparent: bool):
    tifffile = pytest.importorskip("tifffile")
    rgb, alpha = samples(333, 401), samples(333, 401, 1)[..., 0] if transparent else None
    source = like(alpha, "TIFF", encoding={"compression": name})
    found = tifffile.imread(io.BytesIO(images.encode(rgb, like=source, model="m")))
    np.testing.assert_array_equal(found, rgb if alpha is None else np.dstack([rgb, alpha]))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_threads_change_no_byte(format: str):
    rgb = samples(500, 401)
    with strips.sharing(1):
        alone = images.encode(rgb, like=like(format=format), model="m")
    with strips.sharing(3):
        assert images.encode(rgb, like=like(format=format), model="m") == alone


def told(format: str) -> Photo:
    """A photo whose file says a lot."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0132] = "a bridge", "1936:01:02 03:04:05"
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "seen from the west")
    buffer = io.BytesIO()
    profile = icc.srgb_bytes()
    options = {"pnginfo": info} if format == "PNG" else {}
    picture = Image.fromarray(samples(9, 8).astype(np.uint8))
    picture.save(buffer, format, exif=exif, dpi=(300, 300), icc_profile=profile, **options)
    return images.read(buffer.getvalue())


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_it_says_what_the_8_bit_copy_says(format: str):
    source, rgb = told(format), samples(9, 8)
    shallow = images.read(images.encode((rgb >> 8).astype(np.uint8), like=source, model="m"))
    deep = images.read(images.encode(rgb, like=source, model="m"), deep=True)
    assert deep.deep is not None and source.exif is not None
    for name in ("exif", "xmp", "resources", "texts", "dpi", "profiled"):
        assert getattr(deep, name) == getattr(shallow, name), name
    assert deep.profiled and deep.dpi == pytest.approx((300, 300), rel=1e-3)


def test_8_bit_alpha_is_scaled():
    alpha = np.array([[0, 1, 255]], np.uint8)
    source = replace(like(), alpha=alpha, deep=None)
    found = of_png(images.encode(samples(1, 3), like=source, model="m"))
    assert found[0, :, 3].tolist() == [0, 257, 65535]


def test_other_formats_get_8_bits_and_a_warning():
    rgb, lost = samples(9, 8), []
    data = images.encode(rgb, like=like(), model="m", format="WEBP", warnings=lost)
    assert images.read(data).rgb.shape == rgb.shape and lost == ["lost"]
    levels = np.array([0, 128, 129, 65535], np.uint16).reshape(1, 4, 1).repeat(3, 2)
    bmp = images.read(images.encode(levels, like=like(), model="m", format="BMP"))
    assert bmp.rgb[0, :, 0].tolist() == [0, 0, 1, 255]


def test_a_tiff_beyond_its_offsets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deep_files, "_MOST_BYTES", 2**18)
    with pytest.raises(TooLarge, match="4 GB"):
        images.write(samples(500, 401), tmp_path / "a.tif", like=like(format="TIFF"), model="m")
    assert list(tmp_path.iterdir()) == []
