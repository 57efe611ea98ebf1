"""Modes, depth, alpha: every pixel layout ends as the same picture in 8-bit sRGB."""

import io
import struct
import zlib

import numpy as np
import pytest
from bad_inputs import jpegs, pictures, pngs, profiles, tiffs
from bad_inputs.outcomes import outcome
from PIL import Image, ImageCms

from pix2pix.images import Photo, encode, read

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
RGB = pictures.rgb()
DEEP = GRAY.astype(np.uint16) * 257 + 31  # not a multiple: rounding shows
ALPHA = np.random.default_rng(1).integers(0, 256, GRAY.shape, dtype=np.uint8)
INK = np.dstack([255 - RGB, 255 - GRAY]) // 2


def lightness(rgb: np.ndarray) -> np.ndarray:
    """rgb (...,3) uint8 sRGB -> L* in [0, 100], by the formulas of IEC 61966-2-1 and CIE 15."""
    v = rgb / 255
    linear = np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)
    return profiles.lightness(linear @ np.array([0.2126, 0.7152, 0.0722]))


def ok(data: bytes) -> Photo:
    found = outcome(data)
    assert found.code == "OK" and found.photo is not None, found.reason
    return found.photo


# 16 bit ----------------------------------------------------------------------------------------


def _tifffile(samples: np.ndarray, **options: object) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


SIXTEEN = {
    "PNG": lambda s: pngs.from_samples(s),
    "TIFF I;16": lambda s: tiffs.tiff(s),
    "TIFF I;16B": lambda s: tiffs.tiff(s, order=">"),
    "TIFF I;16, white is 0": lambda s: tiffs.tiff(65535 - s, photometric=0),
    "TIFF I;16 deflated": lambda s: _tifffile(s, compression="zlib"),
    "TIFF I;16B deflated": lambda s: _tifffile(s, compression="zlib", byteorder=">"),
    "TIFF I;16 tiled": lambda s: _tifffile(s, tile=(32, 32)),
    "BigTIFF I;16": lambda s: _tifffile(s, bigtiff=True),
    "TIFF signed 16": lambda s: tiffs.tiff((s // 2).astype(np.int16), sample_format=2),
    "TIFF 32-bit integers": lambda s: tiffs.tiff(s.astype(np.int32), sample_format=2),
}


@pytest.mark.parametrize("name", SIXTEEN)
def test_16_bit_gray_keeps_its_lightness(name: str):
    if name == "TIFF signed 16":
        expected = lightness((DEEP // 2 / 257)[..., None].repeat(3, -1))
    else:
        expected = lightness((DEEP / 257)[..., None].repeat(3, -1))
    photo = ok(SIXTEEN[name](DEEP))
    assert np.abs(lightness(photo.rgb) - expected).max() <= 1
    assert any("8 bit" in warning for warning in photo.warnings)


TWELVE = {
    "in 16-bit words": lambda s: tiffs.tiff(s),
    "in 16-bit words of a PNG": lambda s: pngs.from_samples(s),
    "stated by MaxSampleValue": lambda s: tiffs.tiff(s, more=[tiffs.short(281, 4095)]),
    "packed": lambda s: tiffs.tiff(_pack12(s), bits=12, declared=s.shape[::-1]),
}


def _pack12(samples: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(samples.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    return np.packbits(bits).reshape(len(samples), -1)


@pytest.mark.parametrize("name", TWELVE)
def test_12_bit_is_scaled_by_4095(name: str):
    samples = np.rint(GRAY / 255 * 4095).astype(np.uint16)
    photo = ok(TWELVE[name](samples))
    assert np.abs(photo.rgb.astype(int) - GRAY[..., None]).max() <= 1


def test_white_is_what_the_file_states():
    samples = np.rint(GRAY / 255 * 1023).astype(np.uint16)
    photo = ok(tiffs.tiff(samples, more=[tiffs.short(281, 1023)]))
    assert np.abs(photo.rgb.astype(int) - GRAY[..., None]).max() <= 1


def test_a_dark_16_bit_picture_stays_dark():
    photo = ok(tiffs.tiff(GRAY.astype(np.uint16) * 60))  # up to 15,300: no 12-bit file
    assert photo.rgb.max() <= 60
    assert not ok(tiffs.tiff(np.zeros((4, 5), np.uint16))).rgb.any()


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_color_png(channels: int):
    samples = np.dstack([RGB, ALPHA])[..., :channels].astype(np.uint16) * 257
    photo = ok(pngs.from_samples(samples))
    assert (photo.rgb == RGB).all()
    assert photo.alpha is None if channels == 3 else (photo.alpha == ALPHA).all()
    assert "16-bit channels become 8 bit" in photo.warnings


def test_16_bit_gray_with_transparency():
    key = int(DEEP[3, 4])
    photo = ok(pngs.from_samples(DEEP, before=pngs.chunk(b"tRNS", struct.pack(">H", key))))
    assert photo.alpha is not None and ((photo.alpha == 0) == (key == DEEP)).all()


# Few bits and palettes -------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_1_bit(format: str):
    bits = Image.fromarray(GRAY > 128)
    photo = ok(pictures.encoded(bits, format))
    assert (photo.rgb[..., 0] == np.where(GRAY > 128, 255, 0)).all()


def test_1_bit_fax_tiff():
    photo = ok(pictures.encoded(Image.fromarray(GRAY > 128), "TIFF", compression="group4"))
    assert (photo.rgb[..., 0] == np.where(GRAY > 128, 255, 0)).all()


@pytest.mark.parametrize("bits", [2, 4])
def test_2_and_4_bit_gray(bits: int):
    levels = GRAY.astype(int) * 2**bits // 256
    rows = np.packbits(
        np.unpackbits(levels.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :].reshape(64, -1),
        axis=1,
    )
    photo = ok(pngs.png(96, 64, rows.tobytes(), bits=bits))
    assert (photo.rgb[..., 0] == levels * 255 // (2**bits - 1)).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_palette(format: str):
    image = Image.fromarray(RGB).quantize(64)
    expected = np.asarray(image.convert("RGB"))
    assert (ok(pictures.encoded(image, format)).rgb == expected).all()


@pytest.mark.parametrize("kind", ["index", "bytes"])
@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_palette_with_transparency(format: str, kind: str):
    image = Image.fromarray(RGB).quantize(64)
    index = np.asarray(image)
    if kind == "bytes" and format == "GIF":
        pytest.skip("GIF knows one transparent index only")
    table = np.arange(64, dtype=np.uint8) * 4 if kind == "bytes" else np.full(64, 255, np.uint8)
    table[5] = 0
    transparency = table.tobytes() if kind == "bytes" else 5
    photo = ok(pictures.encoded(image, format, transparency=transparency))
    assert photo.alpha is not None and (photo.alpha == table[index]).all()
    seen = table[index] > 0
    assert (photo.rgb[seen] == np.asarray(image.convert("RGB"))[seen]).all()


def test_rgb_png_with_a_transparent_color():
    color = tuple(int(v) for v in RGB[2, 3])
    photo = ok(pictures.encoded(RGB, "PNG", transparency=color))
    assert photo.alpha is not None
    assert ((photo.alpha == 0) == (color == RGB).all(-1)).all()


# Alpha -----------------------------------------------------------------------------------------

WITH_ALPHA = {
    "LA": Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(ALPHA)]),
    "RGBA": Image.fromarray(np.dstack([RGB, ALPHA])),
    "fully transparent": Image.fromarray(np.dstack([RGB, np.zeros_like(ALPHA)])),
}


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("name", WITH_ALPHA)
def test_alpha_is_bit_identical(name: str, format: str):
    image = WITH_ALPHA[name]
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    photo = ok(pictures.encoded(image, format, **options))
    expected = np.asarray(image.getchannel("A"))
    assert photo.alpha is not None and (photo.alpha == expected).all()
    assert (photo.rgb == np.asarray(image.convert("RGB"))).all()
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert copy.format == format and copy.alpha is not None
    assert (copy.alpha == expected).all() and (copy.rgb == photo.rgb).all()


def test_alpha_is_bit_identical_in_lossy_webp():
    photo = ok(pictures.encoded(WITH_ALPHA["RGBA"], "WEBP"))
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert (copy.alpha == ALPHA).all()


@pytest.mark.parametrize("format", ["JPEG", "BMP"])
def test_alpha_is_flattened_on_white_with_a_warning(format: str, tmp_path):
    from pix2pix.images import write

    photo = ok(pictures.encoded(WITH_ALPHA["RGBA"], "PNG"))
    warnings = write(photo.rgb, tmp_path / "out", like=photo, model="test", format=format)
    assert any("flattened on white" in warning for warning in warnings)
    a = ALPHA[..., None] / 255
    expected = RGB * a + 255 * (1 - a)
    found = read(tmp_path / "out")
    assert found.alpha is None
    assert np.abs(found.rgb - expected).mean() < (1 if format == "BMP" else 12)


# Ink -------------------------------------------------------------------------------------------

CMYK = {
    "CMYK, Adobe-inverted": {},
    "CMYK, not inverted": {"adobe": False},
    "YCCK": {"ycck": True},
}


@pytest.mark.parametrize("name", CMYK)
def test_cmyk_through_its_profile(name: str):
    profile = profiles.cmyk_profile()
    photo = ok(jpegs.cmyk(INK, icc_profile=profile, **CMYK[name]))
    image = Image.frombytes("CMYK", INK.shape[1::-1], INK.tobytes())
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(
        image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    difference = np.abs(lightness(photo.rgb) - lightness(np.asarray(expected)))
    assert difference.max() <= (3 if name == "YCCK" else 0.5)  # YCCK rounds twice
    assert photo.warnings == []


@pytest.mark.parametrize("name", CMYK)
def test_cmyk_without_a_profile(name: str):
    photo = ok(jpegs.cmyk(INK, **CMYK[name]))
    expected = np.asarray(Image.frombytes("CMYK", INK.shape[1::-1], INK.tobytes()).convert("RGB"))
    assert np.abs(photo.rgb.astype(int) - expected).max() <= (4 if name == "YCCK" else 2)


def test_cmyk_tiff():
    image = Image.frombytes("CMYK", INK.shape[1::-1], INK.tobytes())
    photo = ok(pictures.encoded(image, "TIFF"))
    assert (photo.rgb == np.asarray(image.convert("RGB"))).all()


# Float, Lab, integers --------------------------------------------------------------------------


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e6])
def test_float_tiff_is_scaled_to_its_white(white: float):
    samples = (GRAY / GRAY.max() * white).astype(np.float32)
    photo = ok(tiffs.tiff(samples, sample_format=3))
    expected = np.rint(GRAY / GRAY.max() * 255)
    assert np.abs(photo.rgb[..., 0] - expected).max() <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_float_with_nan_or_infinity(value: float):
    samples = (GRAY / 255).astype(np.float32)
    samples[10, 20] = value
    assert outcome(tiffs.tiff(samples, sample_format=3)).code == "invalid_pixels"


def test_cielab_tiff():
    lab = np.zeros((8, 8, 3), np.uint8)
    lab[..., 0] = np.linspace(0, 255, 64).reshape(8, 8)
    image = Image.frombytes("LAB", (8, 8), lab.tobytes())
    photo = ok(pictures.encoded(image, "TIFF"))
    assert np.abs(lightness(photo.rgb) - lab[..., 0] / 2.55).max() <= 1
    assert (np.ptp(photo.rgb, axis=-1) <= 3).all()  # a* = b* = 0 is gray


def test_32_bit_integers_beyond_16_bit_are_unsupported():
    samples = GRAY.astype(np.int32) * 100_000
    assert outcome(tiffs.tiff(samples, sample_format=2)).code == "unsupported_mode"
    assert outcome(tiffs.tiff(-samples, sample_format=2)).code == "unsupported_mode"


UNSUPPORTED = {
    "lossless JPEG": (jpegs.frame(8, 8, marker=0xC3), "unsupported_format"),
    "12-bit JPEG": (jpegs.frame(8, 8, marker=0xC1, bits=12), "unsupported_format"),
    "hierarchical JPEG": (jpegs.frame(8, 8, marker=0xC5), "unsupported_format"),
    "HEIC": (
        b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(4) + b"\0\0\0\x08mdat",
        "unsupported_format",
    ),
    "24-bit float TIFF": (tiffs.tiff(GRAY, bits=24, sample_format=3), "unsupported_mode"),
    "TIFF of unknown compression": (
        tiffs.tiff(GRAY, more=[tiffs.short(259, 34712)]),
        "unsupported_mode",
    ),
    "BMP of 7 bits": (
        b"BM" + struct.pack("<IHHIIiiHH", 90, 0, 0, 54, 40, 4, 4, 1, 7) + bytes(60),
        "unsupported_mode",
    ),
    "PNG of unknown color type": (
        pngs.png(1, 1, color=5, compressed=zlib.compress(b"\0\0")),
        "corrupt",
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_layouts_without_a_reading(name: str, monkeypatch):
    if name == "HEIC":
        monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)  # not installed
    data, code = UNSUPPORTED[name]
    found = outcome(data)
    assert found.code == code, found.reason
    if name == "HEIC":
        assert "pip install pi-heif" in found.reason


def test_arithmetic_coded_jpeg():
    assert (ok(jpegs.arithmetic()).rgb == 128).all()


def test_heic_with_its_package():
    import pillow_heif  # which makes the file, and then reads it no more

    pillow_heif.register_heif_opener()
    photo = ok(pictures.encoded(RGB, "HEIF", quality=95))
    assert np.abs(photo.rgb.astype(int) - RGB).mean() < 4
    assert Image.OPEN["HEIF"][0].__module__.startswith("pi_heif")


@pytest.mark.parametrize("pixels", [GRAY, RGB, np.dstack([RGB, ALPHA])], ids=["L", "RGB", "RGBA"])
def test_avif(pixels: np.ndarray):
    photo = ok(pictures.encoded(pixels, "AVIF", quality=95))
    expected = pixels[..., :3] if pixels.ndim == 3 else pixels[..., None]
    assert np.abs(photo.rgb.astype(int) - expected).mean() < 4
    assert (photo.alpha is None) == (pixels.shape[2:] != (4,))
