"""Color profiles: converted to sRGB where they can be, ignored with a warning where not."""

import io
import random

import numpy as np
import pytest
from bad_inputs import pictures, pngs, profiles
from bad_inputs.outcomes import outcome
from PIL import Image, ImageCms

from pix2pix.images import Photo, encode, icc, read

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
RGB = pictures.rgb()
RAMP = np.arange(256, dtype=np.uint8)[None].repeat(4, axis=0)


def ok(data: bytes) -> Photo:
    found = outcome(data)
    assert found.code == "OK" and found.photo is not None, found.reason
    return found.photo


def lightness(rgb: np.ndarray) -> np.ndarray:
    """rgb (...,3) uint8 sRGB -> L* in [0, 100], by the formulas of IEC 61966-2-1 and CIE 15."""
    v = rgb / 255
    linear = np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)
    return profiles.lightness(linear @ np.array([0.2126, 0.7152, 0.0722]))


def by_lcms(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """rgb or gray (H, W) uint8 in `profile` -> sRGB, by LittleCMS on its own."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    image = ImageCms.profileToProfile(Image.fromarray(pixels), source, target, outputMode="RGB")
    return np.asarray(image)


@pytest.mark.parametrize("space", profiles.SPACES)
def test_rgb_profiles_are_converted(space: str):
    profile = profiles.rgb_profile(space)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    photo = ok(pictures.encoded(pixels, "PNG", icc_profile=profile))
    difference = np.abs(lightness(photo.rgb) - lightness(by_lcms(pixels, profile)))
    assert difference.max() <= 0.5
    assert photo.warnings == []
    assert (photo.rgb != pixels).any()


@pytest.mark.parametrize("space", profiles.SPACES)
def test_rgb_profiles_by_their_own_formula(space: str):
    """Colors inside sRGB, against the matrix and the gamma that the profile was made of."""
    gamma = profiles.SPACES[space][-1]
    pixels = np.random.default_rng(0).integers(115, 140, (32, 32, 3), dtype=np.uint8)
    y = ((pixels / 255) ** gamma) @ profiles.to_xyz(space)[1]
    photo = ok(pictures.encoded(pixels, "PNG", icc_profile=profiles.rgb_profile(space)))
    # sRGB's own luminance relative to D50
    v = photo.rgb / 255
    linear = np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)
    found = linear @ np.array([0.2225, 0.7169, 0.0606])
    assert np.abs(profiles.lightness(found) - profiles.lightness(y)).max() <= 0.5


def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_srgb_profiles_change_nothing():
    assert (ok(pictures.encoded(RGB, "PNG", icc_profile=_srgb())).rgb == RGB).all()
    gray = ok(pictures.encoded(GRAY, "PNG", icc_profile=_srgb()))
    assert (gray.rgb == GRAY[..., None]).all() and gray.warnings == []
    for mode in ("L", "RGB"):  # and cost nothing
        assert icc.to_srgb(_srgb(), mode=mode, warnings=[]) is None


CURVES = {
    "gamma 1.8": 1.8,
    "gamma 2.2": 2.2,
    "dot gain 20 %": profiles.dot_gain(0.2),
    "dot gain 30 %": profiles.dot_gain(0.3),
}


@pytest.mark.parametrize("name", CURVES)
def test_gray_profiles_are_applied(name: str):
    curve = CURVES[name]
    profile = profiles.gray_profile(curve)
    photo = ok(pictures.encoded(RAMP, "PNG", icc_profile=profile))
    found = lightness(photo.rgb)
    assert np.abs(found - lightness(by_lcms(RAMP, profile))).max() <= 0.5
    y = (RAMP / 255) ** curve if isinstance(curve, float) else np.broadcast_to(curve, RAMP.shape)
    dark = 1 if isinstance(curve, float) else 3  # 8 bits are coarse near black
    assert np.abs(found - profiles.lightness(y))[:, 16:].max() <= dark
    assert (np.ptp(photo.rgb, axis=-1) == 0).all()


@pytest.mark.parametrize("name", CURVES)
def test_gray_profiles_are_applied_to_16_bit(name: str):
    profile = profiles.gray_profile(CURVES[name])
    deep = RAMP.astype(np.uint16) * 257
    data = pngs.with_chunk(pngs.from_samples(deep), b"iCCP", pngs.compressed_profile(profile))
    shallow = ok(pictures.encoded(RAMP, "PNG", icc_profile=profile))
    assert np.abs(ok(data).rgb.astype(int) - shallow.rgb).max() <= 1


def test_an_rgb_profile_acts_on_gray_pixels_through_its_neutral_axis():
    profile = profiles.rgb_profile("ProPhoto")
    photo = ok(pictures.encoded(RAMP, "JPEG", quality=100, icc_profile=profile))
    expected = by_lcms(RAMP[..., None].repeat(3, axis=-1), profile)
    assert np.abs(lightness(photo.rgb) - lightness(expected)).max() <= 0.5


BAD = {
    "gray profile on RGB data": profiles.gray_profile(1.8),
    "CMYK profile on RGB data": profiles.cmyk_profile(),
    "random bytes as ICC": random.Random(8).randbytes(3000),
    "random bytes behind a header": profiles.rgb_profile("P3")[:140]
    + random.Random(9).randbytes(3000),
    "cut profile": profiles.rgb_profile("P3")[:300],
    "4 MB ICC": profiles.rgb_profile("P3").ljust(4 * 2**20, b"\0"),
    "4 MB of random bytes": random.Random(10).randbytes(4 * 2**20),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("name", BAD)
def test_useless_profiles_warn_and_are_read_as_srgb(name: str, format: str):
    options = {"lossless": True} if format == "WEBP" else {}
    plain = read(pictures.encoded(RGB, format, **options))
    photo = ok(pictures.encoded(RGB, format, icc_profile=BAD[name], **options))
    assert (photo.rgb == plain.rgb).all()
    assert len(photo.warnings) == 1 and "profile" in photo.warnings[0]
    if name == "gray profile on RGB data":
        assert "made for 'GRAY' pixels, the picture has RGB" in photo.warnings[0]


@pytest.mark.parametrize("chunks", ["gAMA", "cHRM", "both"])
def test_gama_and_chrm_only(chunks: str):
    data = pictures.encoded(RGB, "PNG")
    if chunks != "cHRM":
        data = pngs.with_chunk(data, b"gAMA", (45455).to_bytes(4, "big"))
    if chunks != "gAMA":
        primaries = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]
        data = pngs.with_chunk(data, b"cHRM", b"".join(v.to_bytes(4, "big") for v in primaries))
    assert (ok(data).rgb == RGB).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_copy_of_a_profiled_photo_says_srgb(format: str):
    profile = profiles.rgb_profile("Adobe RGB")
    photo = ok(pictures.encoded(RGB, format, icc_profile=profile))
    data = encode(photo.rgb, like=photo, model="test")
    with Image.open(io.BytesIO(data)) as image:
        found = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(found)
    assert np.abs(read(data).rgb.astype(int) - photo.rgb).mean() < 8
    plain = read(pictures.encoded(RGB, format))
    with Image.open(io.BytesIO(encode(plain.rgb, like=plain, model="test"))) as image:
        assert "icc_profile" not in image.info


def test_gray_profile_of_a_gray_photo_does_not_reach_the_color_copy():
    photo = ok(pictures.encoded(GRAY, "JPEG", icc_profile=profiles.gray_profile(2.2)))
    data = encode(photo.rgb, like=photo, model="test")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGB" and image.info["icc_profile"][16:20] == b"RGB "


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "GIF"])
def test_black_stays_black_and_white_white(format: str, level: int):
    photo = ok(pictures.encoded(np.full((40, 50), level, np.uint8), format))
    assert (photo.rgb == level).all()
    copy = read(encode(photo.rgb, like=photo, model="test"))
    assert np.abs(copy.rgb.astype(int) - level).max() <= 1


SUBJECTS = {
    "noise": np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8),
    "drawing": np.where(GRAY > 128, 255, 0).astype(np.uint8),
    "QR": np.kron(np.random.default_rng(4).integers(0, 2, (25, 25)), np.ones((4, 4))).astype(bool),
    "sepia": (GRAY[..., None] * np.array([1.0, 0.85, 0.65])).astype(np.uint8),
    "color": RGB,
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_any_subject_is_ok(name: str):
    pixels = SUBJECTS[name]
    photo = ok(pictures.encoded(pixels, "PNG"))
    assert photo.rgb.shape[:2] == pixels.shape[:2] and photo.warnings == []
