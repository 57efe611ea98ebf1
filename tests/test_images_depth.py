"""Depth: what files of 16 bits have besides their 8-bit picture, in every layout."""

import io
import struct

import numpy as np
import pytest
from bad_inputs import codings, pngs, profiles, tiffs
from PIL import Image

from pix2pix.colorize.lightness import gray_levels
from pix2pix.images import depth, grays16, read

tifffile = pytest.importorskip("tifffile")

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)  # all levels
CHANCE = np.random.default_rng(0)
COLOR = CHANCE.integers(0, 65536, (64, 96, 3), dtype=np.uint16)
ALPHA = CHANCE.integers(0, 65536, (64, 96), dtype=np.uint16)
GRAY = RAMP[:64, :96] * 200
WEIGHTS = np.array([0.212671, 0.715160, 0.072169])


def encoded(light: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB in [0, 65535]; IEC 61966-2-1."""
    return 65535 * np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)


def gray_of(samples: np.ndarray) -> np.ndarray:
    """RGB (..., 3) uint16 sRGB -> the gray in [0, 65535] of the same luminance."""
    v = samples / 65535
    return encoded(np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92) @ WEIGHTS)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def color_tiff(samples: np.ndarray, **options: object) -> bytes:
    return tiff(samples, photometric="rgb", **options)


def turned(samples: np.ndarray) -> np.ndarray:
    """As orientation 6 wants it shown."""
    return np.rot90(samples, -1)


ORIENTED = [(274, 3, 1, 6, True)]
GRAYS = {
    "PNG": lambda: (pngs.from_samples(RAMP), RAMP),
    "PNG of RGB": lambda: (pngs.from_samples(RAMP[..., None].repeat(3, 2)), RAMP),
    "TIFF": lambda: (tiff(RAMP), RAMP),
    "TIFF, big-endian": lambda: (tiffs.tiff(RAMP, order=">"), RAMP),
    "TIFF, white is 0": lambda: (tiffs.tiff(65535 - RAMP, photometric=0), RAMP),
    "TIFF of RGB": lambda: (color_tiff(RAMP[..., None].repeat(3, 2)), RAMP),
    "TIFF on its side": lambda: (tiff(RAMP, extratags=ORIENTED), turned(RAMP)),
    "TIFF of 12 bits": lambda: (tiffs.tiff(RAMP >> 4), (RAMP >> 4) * (65535 / 4095)),
    "TIFF, white stated": lambda: (
        tiffs.tiff(RAMP >> 6, more=[tiffs.short(281, 1023)]),
        (RAMP >> 6) * (65535 / 1023),
    ),
    "PGM": lambda: (b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes(), RAMP),
}
COLORS = {
    "PNG": lambda: pngs.from_samples(COLOR),
    "TIFF": lambda: color_tiff(COLOR),
    "TIFF, big-endian": lambda: color_tiff(COLOR, byteorder=">", compression="zlib"),
    "TIFF in tiles": lambda: color_tiff(COLOR, tile=(32, 32), compression="zlib", predictor=True),
    "TIFF in planes": lambda: color_tiff(np.moveaxis(COLOR, 2, 0), planarconfig="separate"),
    "BigTIFF": lambda: color_tiff(COLOR, bigtiff=True, byteorder=">"),
}
ALPHAS = {
    "PNG": lambda: (pngs.from_samples(np.dstack([COLOR, ALPHA])), gray_of(COLOR)),
    "PNG of gray": lambda: (pngs.from_samples(np.dstack([GRAY, ALPHA])), GRAY),
    "TIFF": lambda: (color_tiff(np.dstack([COLOR, ALPHA]), extrasamples=[2]), gray_of(COLOR)),
    "TIFF of gray": lambda: (
        tiff(np.dstack([GRAY, ALPHA]), photometric="minisblack", extrasamples=[2]),
        GRAY,
    ),
}


@pytest.mark.parametrize("name", GRAYS)
def test_gray_has_all_its_levels(name: str):
    data, expected = GRAYS[name]()
    photo = read(data, deep=True)
    assert photo.deep is not None and photo.deep.alpha is None
    assert np.abs(photo.deep.grays - expected).max() <= 0.51
    np.testing.assert_array_equal(photo.rgb, read(data).rgb)


@pytest.mark.parametrize("name", COLORS)
def test_color_has_its_lightness(name: str):
    photo = read(COLORS[name](), deep=True)
    assert photo.deep is not None
    assert np.abs(photo.deep.grays - gray_of(COLOR)).max() < 1
    np.testing.assert_array_equal(photo.rgb, read(COLORS[name]()).rgb)


@pytest.mark.parametrize("name", ALPHAS)
def test_alpha_has_16_bits_too(name: str):
    data, expected = ALPHAS[name]()
    photo = read(data, deep=True)
    assert photo.deep is not None
    np.testing.assert_array_equal(photo.deep.alpha, ALPHA)
    assert np.abs(photo.deep.grays - expected).max() < 1


@pytest.mark.parametrize("samples", [COLOR, GRAY], ids=["color", "gray"])
def test_one_transparent_value(samples: np.ndarray):
    key = np.atleast_1d(samples[3, 4])
    chunk = pngs.chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    deep = read(pngs.from_samples(samples, before=chunk), deep=True).deep
    assert deep is not None and deep.alpha is not None
    same = (samples.reshape(64, 96, -1) == key).all(2)
    np.testing.assert_array_equal(deep.alpha, np.where(same, 0, 65535))


def test_a_png_is_turned_as_its_picture():
    exif = Image.Exif()
    exif[274] = 6
    data = pngs.with_chunk(pngs.from_samples(COLOR), b"eXIf", exif.tobytes()[6:])
    deep = read(data, deep=True).deep
    assert deep is not None and np.abs(deep.grays - turned(gray_of(COLOR))).max() < 1


def test_lab():
    L = np.dstack([RAMP, np.zeros_like(RAMP), np.zeros_like(RAMP)])
    deep = read(tiff(L, photometric="cielab"), deep=True).deep
    L_star = RAMP / 655.35
    expected = encoded(np.where(L_star > 8, ((L_star + 16) / 116) ** 3, L_star / (24389 / 27)))
    assert deep is not None and np.abs(deep.grays - expected).max() < 1


def test_premultiplied_color_is_divided():
    alpha = np.maximum(ALPHA, 8000)
    inside = (COLOR * (alpha[..., None] / 65535)).astype(np.uint16)
    deep = read(color_tiff(np.dstack([inside, alpha]), extrasamples=[1]), deep=True).deep
    assert deep is not None
    np.testing.assert_array_equal(deep.alpha, alpha)
    assert np.abs(deep.grays - gray_of(COLOR)).max() < 24  # what was cut above, times 8


# Profiles and codings --------------------------------------------------------------------------


def with_profile(samples: np.ndarray, profile: bytes) -> bytes:
    return pngs.with_chunk(pngs.from_samples(samples), b"iCCP", pngs.compressed_profile(profile))


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_a_gray_profile(gamma: float):
    deep = read(with_profile(RAMP, profiles.gray_profile(gamma)), deep=True).deep
    expected = encoded((RAMP / 65535) ** gamma)
    assert deep is not None and np.abs(deep.grays - expected).max() < 16  # gamma has 8 bits there
    assert np.diff(deep.grays.ravel().astype(int)).min() >= 0


@pytest.mark.parametrize("space", ["Adobe RGB", "ProPhoto"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_neutral_axis_of_a_color_profile(space: str, channels: int):
    samples = RAMP if channels == 1 else RAMP[..., None].repeat(3, 2)
    deep = read(with_profile(samples, profiles.rgb_profile(space)), deep=True).deep
    expected = encoded((RAMP / 65535) ** profiles.SPACES[space][-1])
    assert deep is not None and np.abs(deep.grays - expected).max() < 64  # a quarter of a level
    assert np.diff(deep.grays.ravel().astype(int)).min() >= 0


def test_a_color_profile_acts_as_in_8_bits():
    colors = (COLOR // 4 + 20000).astype(np.uint16)  # within sRGB
    photo = read(with_profile(colors, profiles.rgb_profile("Adobe RGB")), deep=True)
    assert photo.deep is not None
    off = photo.deep.grays / 257 - gray_levels(photo.rgb)
    assert np.abs(off).max() < 2 and np.abs(off).mean() < 0.7
    plain = read(pngs.from_samples(colors), deep=True).deep
    assert np.abs(photo.deep.grays.astype(int) - plain.grays).max() > 500  # and it did act


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gamma_of_png(channels: int):
    values = np.linspace(0, 1, 4096).reshape(64, 64)
    values = values if channels == 1 else values[..., None].repeat(3, 2)
    photo = read(codings.png_with(values, gAMA=struct.pack(">I", 100_000)), deep=True)
    light = np.linspace(0, 1, 4096).reshape(64, 64)
    assert photo.deep is not None and np.abs(photo.deep.grays - encoded(light)).max() < 2


# What is said ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [tiff(RAMP), color_tiff(COLOR)], ids=["gray", "color"])
def test_what_is_kept_is_no_warning(data: bytes):
    plain, kept = read(data), read(data, deep=True)
    assert plain.deep is None
    assert any("8 bit" in line for line in plain.warnings)
    assert kept.warnings == [] and kept.deep is not None and kept.deep.lost == plain.warnings


def test_a_guessed_white_is_said():
    photo = read(tiffs.tiff(RAMP >> 4), deep=True)
    assert photo.warnings == ["white is 4,095 of 65,535"]


def test_8_bits_have_no_depth():
    for samples in (COLOR.astype(np.uint8), ALPHA.astype(np.uint8)):
        assert read(pngs.from_samples(samples), deep=True).deep is None
    assert read(tiffs.tiff(ALPHA.astype(np.uint8)), deep=True).deep is None


@pytest.mark.parametrize("data", [color_tiff(COLOR), pngs.from_samples(COLOR)])
def test_where_16_bits_cannot_be_had_8_are_read(data: bytes, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(depth, "bands", fails)
    monkeypatch.setattr(depth, "_open_lower", fails)
    photo = read(data, deep=True)
    assert photo.deep is None and photo.warnings == ["16-bit channels become 8 bit"]


def test_lightness_of_an_array():
    assert np.abs(grays16(COLOR) - gray_of(COLOR)).max() < 1
    np.testing.assert_array_equal(grays16(RAMP), RAMP)
    np.testing.assert_array_equal(grays16(RAMP[..., None]), RAMP)
    np.testing.assert_array_equal(grays16(np.dstack([COLOR, ALPHA])), grays16(COLOR))
