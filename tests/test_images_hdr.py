"""HDR, linear and wide-gamut pictures: the same lightness as the SDR picture, and a word."""

import struct
import zlib

import numpy as np
import pytest
from bad_inputs import codings, pictures, profiles
from bad_inputs.outcomes import outcome

from pix2pix.images import Photo, coding, hdr, icc, read
from pix2pix.images.iso import av1, hevc
from pix2pix.images.iso import color as iso_color

GRAY, RGB = pictures.gray(), pictures.rgb()
LIGHT, GRAY_LIGHT = codings.linear(RGB), codings.linear(GRAY)
HDR = {"PQ": codings.PQ, "HLG": codings.HLG}
CHRM = {
    1: [0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060],
    12: [0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060],
}


def ok(data: bytes) -> Photo:
    found = outcome(data)
    assert found.photo is not None, (found.code, found.reason)
    return found.photo


def lightness(rgb: np.ndarray) -> np.ndarray:
    """uint8 sRGB (H, W, 3) -> L*, by the formulas of the standards."""
    return profiles.lightness(codings.linear(rgb) @ np.array(codings.XYZ[1][1]))


def off(photo: Photo, expected: np.ndarray = RGB) -> float:
    """The mean |dL*| from the SDR picture (H,W[,3])."""
    if expected.ndim == 2:
        expected = expected[..., None].repeat(3, axis=-1)
    return float(np.abs(lightness(photo.rgb) - lightness(expected)).mean())


def says_hdr(photo: Photo) -> bool:
    return any("becomes SDR" in warning for warning in photo.warnings)


def chunks(gamma: float | None = None, primaries: int | None = None) -> dict[str, bytes]:
    found = {} if gamma is None else {"gAMA": struct.pack(">I", round(gamma * 100_000))}
    if primaries is not None:
        found["cHRM"] = struct.pack(">8I", *(round(v * 100_000) for v in CHRM[primaries]))
    return found


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", HDR)
def test_sdr_in_an_hdr_png_looks_as_before(kind: str, bits: int):
    for primaries in (9, 12, 1):
        values = codings.coded(LIGHT, HDR[kind], primaries=primaries)
        photo = ok(codings.cicp_png(values, HDR[kind], primaries=primaries, bits=bits))
        assert off(photo) <= 1.5 and says_hdr(photo)
        assert np.abs(photo.rgb.astype(int) - RGB).mean() < 4  # colors, too
    gray = ok(codings.cicp_png(codings.coded(GRAY_LIGHT, HDR[kind]), HDR[kind], bits=bits))
    assert off(gray, GRAY) <= 1.5 and says_hdr(gray) and (np.ptp(gray.rgb, axis=-1) == 0).all()


@pytest.mark.parametrize("kind", HDR)
@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_sdr_in_an_hdr_avif_or_heif_looks_as_before(format: str, kind: str):
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    values = codings.coded(LIGHT, HDR[kind], primaries=9)
    data = codings.nclx(values, HDR[kind], format=format)
    assert off(ok(data)) <= 3 and says_hdr(ok(data))


@pytest.mark.parametrize("kind", HDR)
def test_an_hdr_profile_counts_as_the_code_points_it_names(kind: str):
    values = codings.coded(LIGHT, HDR[kind], primaries=9)
    pixels = np.rint(values * 255).astype(np.uint8)
    profile = codings.with_cicp_tag(profiles.rgb_profile("Rec2020"), 9, HDR[kind])
    for format, options in (("JPEG", {"quality": 98, "subsampling": 0}), ("TIFF", {})):
        photo = ok(pictures.encoded(pixels, format, icc_profile=profile, **options))
        assert off(photo) <= 3 and says_hdr(photo)
    assert coding.from_code_points(1, 13) is None
    plain = codings.with_cicp_tag(profiles.rgb_profile("P3"), 12, codings.SRGB)
    assert not says_hdr(ok(pictures.encoded(RGB, "PNG", icc_profile=plain)))


def test_an_old_hdr_profile_is_known_by_its_name():
    for name, transfer in (("BT.2100 PQ", "pq"), ("Rec2020 HLG", "hlg"), ("EPQR", None)):
        found = icc.coding(_renamed(icc.srgb_bytes(), name))
        assert (found.transfer if found else None) == transfer


def _renamed(profile: bytes, name: str) -> bytes:
    """The profile with another description, of type text as in ICC 2."""
    count, data = int.from_bytes(profile[128:132], "big"), bytearray(profile)
    for entry in range(132, 132 + 12 * count, 12):
        if data[entry : entry + 4] == b"desc":
            text = name.encode() + b"\0"
            tag = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
            tag = tag.ljust(-(-len(tag) // 4) * 4, b"\0")
            data[entry + 4 : entry + 12] = struct.pack(">II", len(data), len(tag))
            data += tag
            data[:4] = len(data).to_bytes(4, "big")
    return bytes(data)


def test_highlights_are_rolled_off_in_order_and_white_stays_white():
    ramp = np.linspace(0, 5, 256)[None].repeat(16, axis=0)  # up to 1,015 cd/m2
    for transfer in HDR.values():
        photo = ok(codings.cicp_png(codings.coded(ramp, transfer), transfer))
        row = photo.rgb[0, :, 0].astype(int)
        assert (np.diff(row) >= 0).all() and row[0] == 0 and row[-1] >= 254
        assert len(np.unique(row[64:])) > 15  # what is brighter than paper does not clip at once
        assert 150 < row[51] < 250  # paper white, below its highlights


def test_the_roll_off_is_that_of_bt_2390():
    """By a second hand: 1,000 cd/m2 to 203, in the variables of the report."""
    light = np.array([1.0, 50, 150, 203, 500, 900, 1000])
    e1 = hdr.light_to_pq(light) / hdr.light_to_pq(np.array(1000.0))
    most = float(hdr.light_to_pq(np.array(203.0)) / hdr.light_to_pq(np.array(1000.0)))
    knee = 1.5 * most - 0.5
    expected = []
    for e in e1:
        t = (e - knee) / (1 - knee)
        p = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
        expected.append(e if e < knee else p + (3 * t**2 - 2 * t**3) * most)
    tone = hdr.ToSRGB(coding.Coding("pq"), float(hdr.light_to_pq(np.array(1000.0))), [])
    found = tone.gray(hdr.light_to_pq(light))
    shown = hdr.pq_to_light(np.array(expected) * hdr.light_to_pq(np.array(1000.0))) / 203
    assert np.abs(found.astype(int) - hdr.encode(shown)).max() <= 1
    assert abs(float(hdr.pq_to_light(np.array(0.58068888))) - 203) < 0.1  # BT.2408: 58 %
    assert abs(float(hdr.hlg_to_scene(np.array(0.75))) - 0.265) < 0.001  # BT.2408: 75 %


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 1 / 3])
def test_gama_is_applied(gamma: float):
    """What png_gama of 1.0 holds is linear light, and 1/1.8 what a Mac of old showed."""
    photo = ok(codings.png_with(LIGHT**gamma, **chunks(gamma)))
    assert off(photo) <= (1.5 if gamma == 1 else 0.5) and not says_hdr(photo)
    gray = ok(codings.png_with(GRAY_LIGHT**gamma, **chunks(gamma)))
    assert off(gray, GRAY) <= 0.2


def test_chrm_is_applied():
    values = codings.coded(LIGHT, codings.SRGB, primaries=12)
    photo = ok(codings.png_with(values, **chunks(0.45455, 12)))
    assert np.abs(photo.rgb.astype(int) - RGB).mean() < 0.8
    assert np.abs(ok(codings.png_with(values)).rgb.astype(int) - RGB).mean() > 1.6


def test_the_order_of_precedence_of_png():
    linear, wrong = codings.coded(LIGHT, codings.LINEAR), chunks(1.0)
    sdr = codings.coded(LIGHT, codings.SRGB)
    assert off(ok(codings.png_with(sdr, sRGB=b"\0", **wrong))) <= 0.5
    profile = b"icc\0\0" + zlib.compress(profiles.rgb_profile("P3"))
    with_profile = ok(codings.png_with(sdr, iCCP=profile, **wrong))
    assert (with_profile.rgb == ok(codings.png_with(sdr, iCCP=profile)).rgb).all()
    assert off(ok(codings.png_with(linear, cICP=bytes([1, 8, 0, 1]), sRGB=b"\0"))) <= 1.5
    stated = ok(codings.png_with(sdr, cICP=bytes([1, 13, 0, 1]), iCCP=profile))
    assert np.abs(stated.rgb.astype(int) - RGB).max() <= 1


ODD = {
    "gAMA 0": {"gAMA": bytes(4)},
    "gAMA short": {"gAMA": b"\0\1"},
    "gAMA absurd": {"gAMA": b"\0\0\0\1"},
    "cHRM of zeros": {"cHRM": bytes(32)},
    "cHRM on a line": {"cHRM": struct.pack(">8I", *[31270, 32900] + [30000, 30000] * 3)},
    "cHRM short": {"cHRM": bytes(8)},
    "cICP short": {"cICP": b"\1"},
    "cICP unknown": {"cICP": bytes([200, 200, 0, 1])},
    "cICP not stated": {"cICP": bytes([2, 2, 0, 1])},
}


@pytest.mark.parametrize("name", ODD)
def test_impossible_statements_are_read_as_srgb(name: str):
    sdr = codings.coded(LIGHT, codings.SRGB)
    assert np.abs(ok(codings.png_with(sdr, **ODD[name])).rgb.astype(int) - RGB).max() <= 1


def test_codings_that_are_not_read_are_refused():
    for stated in ([1, 9, 0, 1], [1, 10, 0, 1], [1, 17, 0, 1], [1, 13, 0, 0]):
        found = outcome(codings.png_with(LIGHT, cICP=bytes(stated)))
        assert found.code == "unsupported_mode", found.reason


def test_wide_primaries_of_avif_become_srgb():
    values = codings.coded(LIGHT, codings.SRGB, primaries=12)
    photo = ok(codings.nclx(values, codings.SRGB, primaries=12))
    assert np.abs(photo.rgb.astype(int) - RGB).mean() < 3 and not says_hdr(photo)
    plain = pictures.encoded(RGB, "AVIF", quality=98, subsampling="4:4:4")
    assert np.abs(photo.rgb.astype(int) - read(plain).rgb).mean() < 3


def test_an_sdr_avif_beside_a_profile_is_what_the_profile_says():
    profile = profiles.rgb_profile("P3")
    data = pictures.encoded(RGB, "AVIF", quality=98, icc_profile=profile)
    assert iso_color.coding(data) is None


def test_what_belongs_to_a_gain_map_is_not_the_pictures():
    """A colr box that is linked to another item than the main one."""
    sdr = pictures.encoded(RGB, "AVIF")
    start = sdr.index(b"colrnclx") - 4
    box = sdr[start : start + 19]
    assert len(box) == int.from_bytes(box[:4], "big")
    other = box[:12] + struct.pack(">HH", 9, 16) + box[16:]
    assert iso_color.coding(sdr.replace(box, other)) is not None
    properties = sdr.index(b"ipco") - 4
    end = properties + int.from_bytes(sdr[properties : properties + 4], "big")
    data = sdr[:end] + other + sdr[end:]
    for kind in (b"ipco", b"iprp", b"meta"):
        at = data.index(kind) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(other)
        data = data[:at] + size.to_bytes(4, "big") + data[at + 4 :]
    assert iso_color.coding(data) is None


def _bits(*fields: tuple[int, int]) -> bytes:
    """(value, bits) ... -> bytes, padded with zeros."""
    text = "".join(f"{value:0{count}b}" for value, count in fields if count)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def test_av1_says_it_in_its_sequence_header():
    size = [(7, 4), (7, 4), (63, 8), (63, 8)]
    color = [(1, 1), (0, 1), (1, 1), (9, 8), (16, 8), (9, 8)]
    reduced = _bits((0, 3), (1, 1), (1, 1), (5, 5), *size, (0, 6), *color)
    full = _bits(
        *[(0, 3), (1, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (9, 5), (0, 1)],
        *size,
        *[(0, 1), (0, 3), (0, 4), (1, 1), (0, 2), (0, 1), (1, 1), (1, 1), (0, 3), (0, 3)],
        *color,
    )
    for header in (reduced, full):
        config = b"\x81\0\x0c\0" + b"\x0a" + bytes([len(header)]) + header
        assert av1.color(config) == (9, 16)
    assert av1.color(b"\x81\0\x0c\0") is None and av1.color(b"") is None


def test_hevc_says_it_in_its_parameters():
    """A HEIC without a colr box, whose codec alone knows; and then one that says PQ there."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    data = codings.without_colr(pictures.encoded(RGB, "HEIF", quality=90))
    at = data.index(b"hvcC") + 4
    config = data[at : at - 8 + int.from_bytes(data[at - 8 : at - 4], "big")]
    stated = hevc.color(config)
    assert stated is not None and iso_color.coding(data) == coding.from_code_points(*stated)
    bits = int.from_bytes(config, "big")
    needle = (stated[0] << 8 | stated[1]) << 8
    places = [
        shift for shift in range(8 * len(config) - 24) if (bits >> shift) & 0xFFFF00 == needle
    ]
    pq = (9 << 16 | 16 << 8) ^ needle
    changed = [(bits ^ pq << shift).to_bytes(len(config), "big") for shift in places]
    (found,) = [other for other in changed if hevc.color(other) == (9, 16)][:1]
    inside = iso_color.coding(data.replace(config, found))
    assert inside is not None and inside.transfer == "pq"
    for end in range(0, len(config), 7):
        hevc.color(config[:end])  # no exception
