"""The formats of archives: JPEG 2000 and the PNM family, read as the same picture as any other."""

import io
import random
import struct

import numpy as np
import pytest
from bad_inputs import exifs, jp2s, pictures, profiles
from bad_inputs.outcomes import outcome, peak_megabytes
from PIL import Image

from pix2pix.colorize import jobs
from pix2pix.errors import PhotoError
from pix2pix.images import EXTENSIONS, Photo, encode, output_format, read

pytestmark = pytest.mark.filterwarnings("error")

GRAY, RGB = pictures.gray(), pictures.rgb()
ALPHA = np.random.default_rng(1).integers(0, 256, GRAY.shape, dtype=np.uint8)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def ok(data: bytes) -> Photo:
    found = outcome(data)
    assert found.photo is not None, (found.code, found.reason)
    return found.photo


def levels(gray: np.ndarray, white: int) -> np.ndarray:
    """uint8 -> 0 to `white`."""
    return np.rint(gray / 255 * white).astype(np.uint16 if white > 255 else np.uint8)


# JPEG 2000 -------------------------------------------------------------------------------------

LAYOUTS = {
    "gray": lambda: (pictures.encoded(GRAY, "JPEG2000"), GRAY),
    "color": lambda: (pictures.encoded(RGB, "JPEG2000"), RGB),
    "codestream": lambda: (pictures.encoded(RGB, "JPEG2000", no_jp2=True), RGB),
    "tiles": lambda: (pictures.encoded(RGB, "JPEG2000", tile_size=(40, 40)), RGB),
    "an offset": lambda: (
        pictures.encoded(RGB, "JPEG2000", offset=(10, 7), tile_offset=(3, 3), tile_size=(40, 40)),
        RGB,
    ),
    "sYCC": lambda: (
        jp2s.jp2(
            jp2s.codestream(np.asarray(Image.fromarray(RGB).convert("YCbCr"))),
            color=jp2s.enumerated(18),
        ),
        RGB,
    ),
    "CMYK": lambda: (
        jp2s.jp2(
            jp2s.codestream(np.dstack([255 - RGB, np.zeros_like(GRAY)])),
            color=jp2s.enumerated(12),
        ),
        RGB,
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_jpeg_2000_is_read(name: str):
    data, expected = LAYOUTS[name]()
    photo = ok(data)
    expected = expected if expected.ndim == 3 else expected[..., None]
    assert photo.format == "JPEG2000" and photo.warnings == []
    assert np.abs(photo.rgb.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("bits", [1, 2, 4, 7, 9, 10, 12, 16])
def test_white_of_any_depth_is_white(bits: int):
    stored = levels(GRAY, 2**bits - 1)
    expected = np.rint(stored * (255 / (2**bits - 1)))[..., None]
    for data in (jp2s.codestream(stored, bits=bits), jp2s.jp2(jp2s.codestream(stored, bits=bits))):
        photo = ok(data)
        assert np.abs(photo.rgb.astype(int) - expected).max() <= 1
        assert bool(photo.warnings) == (bits > 8)


def test_a_palette_is_applied():
    colors = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    for bits in (8, 4):
        index = GRAY >> (8 - bits)
        used = colors[: 2**bits]
        stream = jp2s.codestream(index, bits=bits)
        photo = ok(jp2s.jp2(stream, color=jp2s.enumerated(16), more=jp2s.palette(used)))
        assert (photo.rgb == used[index]).all()


def test_alpha_is_kept():
    for colors in (GRAY, RGB):
        photo = ok(pictures.encoded(np.dstack([colors, ALPHA]), "JPEG2000"))
        assert photo.alpha is not None and (photo.alpha == ALPHA).all()


def test_a_profile_is_applied_and_xmp_carried():
    profile = profiles.rgb_profile("P3")
    stream = jp2s.codestream(RGB)
    uuid = jp2s.box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    photo = ok(jp2s.jp2(stream, color=b"\2\0\0" + profile, behind=uuid))
    expected = ok(pictures.encoded(RGB, "PNG", icc_profile=profile))
    assert (photo.rgb == expected.rgb).all() and photo.profiled and photo.xmp == XMP
    ink = np.dstack([255 - RGB, np.zeros_like(GRAY)])
    photo = ok(jp2s.jp2(jp2s.codestream(ink), color=b"\3\0\0" + profiles.cmyk_profile()))
    image = Image.frombytes("CMYK", RGB.shape[1::-1], ink.tobytes())
    expected = ok(pictures.encoded(image, "TIFF", icc_profile=profiles.cmyk_profile()))
    assert np.abs(photo.rgb.astype(int) - expected.rgb).max() <= 1


def test_exif_is_carried_and_further_frames_are_named():
    exif = jp2s.box(
        b"uuid", b"JpgTiffExif->JP2" + exifs.whole().tobytes().removeprefix(b"Exif\0\0")
    )
    more = jp2s.box(b"jp2c", jp2s.codestream(255 - GRAY))
    photo = ok(jp2s.jp2(jp2s.codestream(GRAY), behind=exif + more))
    assert photo.exif is not None
    assert any("1 further frame" in warning for warning in photo.warnings)
    assert (photo.rgb[..., 0] == GRAY).all()


REFUSED = {
    "two sizes": (lambda: jp2s.jp2(jp2s.codestream(GRAY), size=(97, 64)), "corrupt"),
    "CIELab": (
        lambda: jp2s.jp2(jp2s.codestream(RGB), color=jp2s.enumerated(14)),
        "unsupported_mode",
    ),
    "a JPM document": (
        lambda: jp2s.jp2(jp2s.codestream(GRAY)).replace(b"jp2 ", b"jpm "),
        "unsupported_format",
    ),
    "a film": (
        lambda: jp2s.jp2(jp2s.codestream(GRAY)).replace(b"jp2 ", b"mjp2"),
        "unsupported_format",
    ),
    "no codestream": (
        lambda: jp2s.jp2(jp2s.codestream(GRAY)).replace(b"\xff\x4f\xff\x51", bytes(4)),
        "corrupt",
    ),
    "100 channels": (lambda: jp2s.empty(64, 64, components=100), "unsupported_mode"),
    "38 bits": (lambda: jp2s.empty(64, 64, bits=38), "unsupported_mode"),
    "60,000 x 60,000": (lambda: jp2s.empty(60_000, 60_000), "too_large"),
    "9,000 x 9,000": (lambda: jp2s.empty(9000, 9000), "too_large"),
    "65,535 tiles": (lambda: jp2s.empty(255, 257, tile=(1, 1)), "too_large"),
    "precincts of a pixel": (lambda: jp2s.empty(1000, 1000, precincts=bytes(6)), "too_large"),
    "blocks of 4 x 4": (lambda: jp2s.empty(1400, 1400, block=(0, 0)), "too_large"),
    "65,535 layers": (
        lambda: jp2s.empty(900, 900, layers=65_535, precincts=b"\x77" * 6),
        "too_large",
    ),
    "no width": (lambda: jp2s.empty(0, 100, tile=(1, 1)), "corrupt"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_odd_jpeg_2000_is_refused_in_a_word_and_at_once(name: str):
    build, code = REFUSED[name]
    data = build()
    found = outcome(data)
    assert found.code == code, found.reason
    assert peak_megabytes(lambda: outcome(data)) < 20


@pytest.mark.slow
def test_a_small_jpeg_2000_takes_little():
    flat = pictures.encoded(np.full((1500, 1500), 200, np.uint8), "JPEG2000")
    assert len(flat) < 1000 and outcome(flat).code == "OK"
    assert peak_megabytes(lambda: read(flat)) < 100
    larger = pictures.encoded(np.full((4000, 3000), 200, np.uint8), "JPEG2000")
    assert len(larger) < 1000 and outcome(larger).code == "too_large"


# PNM -------------------------------------------------------------------------------------------


def pnm(kind: str, size: tuple[int, int], white: int | None, body: bytes) -> bytes:
    white_line = b"" if white is None else b"%d\n" % white
    return kind.encode() + b"\n# a scan # of it\n%d %d\n" % size + white_line + body


def numbers(values: np.ndarray) -> bytes:
    return b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in values)


SIZE = GRAY.shape[::-1]
BITS = GRAY > 128
FAMILY = {
    "P1": lambda: (pnm("P1", SIZE, None, numbers(1 - BITS)), BITS * 255),
    "P1 without spaces": lambda: (
        pnm("P1", SIZE, None, numbers(1 - BITS).replace(b" ", b"")),
        BITS * 255,
    ),
    "P2": lambda: (pnm("P2", SIZE, 255, numbers(GRAY)), GRAY),
    "P2 of 16 bits": lambda: (pnm("P2", SIZE, 65535, numbers(levels(GRAY, 65535))), GRAY),
    "P3": lambda: (pnm("P3", SIZE, 255, numbers(RGB)), RGB),
    "P4": lambda: (pnm("P4", SIZE, None, np.packbits(~BITS, axis=1).tobytes()), BITS * 255),
    "P5": lambda: (pnm("P5", SIZE, 255, GRAY.tobytes()), GRAY),
    "P5 to 15": lambda: (
        pnm("P5", SIZE, 15, levels(GRAY, 15).tobytes()),
        np.rint(levels(GRAY, 15) * 17.0),
    ),
    "P5 to 4,095": lambda: (
        pnm("P5", SIZE, 4095, levels(GRAY, 4095).astype(">u2").tobytes()),
        GRAY,
    ),
    "P5 to 1,000": lambda: (
        pnm("P5", SIZE, 1000, levels(GRAY, 1000).astype(">u2").tobytes()),
        GRAY,
    ),
    "P5 to 65,535": lambda: (
        pnm("P5", SIZE, 65535, levels(GRAY, 65535).astype(">u2").tobytes()),
        GRAY,
    ),
    "P6": lambda: (pnm("P6", SIZE, 255, RGB.tobytes()), RGB),
    "P6 of 16 bits": lambda: (
        pnm("P6", SIZE, 65535, levels(RGB, 65535).astype(">u2").tobytes()),
        RGB,
    ),
    "Pf": lambda: (_pfm("Pf", GRAY, "<f4", -1.0), GRAY),
    "PF": lambda: (_pfm("PF", RGB, ">f4", 2.5), RGB),
    "P7": lambda: (pam(RGB, "RGB"), RGB),
    "P7 of 16 bits": lambda: (pam(levels(GRAY, 65535), "GRAYSCALE"), GRAY),
}


def _pfm(kind: str, pixels: np.ndarray, dtype: str, scale: float) -> bytes:
    v = pixels[::-1] / 255
    light = np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)
    return f"{kind}\n{SIZE[0]} {SIZE[1]}\n{scale}\n".encode() + light.astype(dtype).tobytes()


def pam(samples: np.ndarray, kind: str) -> bytes:
    height, width, *channels = samples.shape
    white = 255 if samples.dtype == np.uint8 else 65535
    head = f"P7\nWIDTH {width}\n# of a scanner\nHEIGHT {height}\nDEPTH {(channels or [1])[0]}\n"
    head += f"MAXVAL {white}\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode() + samples.astype(samples.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("name", FAMILY)
def test_pnm_is_read(name: str):
    data, expected = FAMILY[name]()
    photo = ok(data)
    expected = np.asarray(expected, int)
    assert photo.format == "PNM"
    assert np.abs(photo.rgb - (expected if expected.ndim == 3 else expected[..., None])).max() <= 1


def test_alpha_of_pam_is_kept():
    for colors, kind in ((GRAY, "GRAYSCALE_ALPHA"), (RGB, "RGB_ALPHA")):
        photo = ok(pam(np.dstack([colors, ALPHA]), kind))
        assert photo.alpha is not None and (photo.alpha == ALPHA).all()


def test_several_pictures_of_a_pnm():
    data = FAMILY["P5"]()[0]
    photo = ok(data + data)
    assert photo.warnings == ["1 further frame ignored"]
    assert ok(data + b"\n").warnings == []


@pytest.mark.parametrize("name", FAMILY)
def test_a_cut_pnm_is_truncated(name: str):
    data, _ = FAMILY[name]()
    shortest = 4 if name == "Pf" else 8
    plain = data[1:2] in b"123"
    for cut in (len(data) - (30 if plain else 1), len(data) * 9 // 10, len(data) // 2):
        assert outcome(data[:cut]).code == "truncated"
    for cut in range(shortest, 28):
        assert outcome(data[:cut]).code in ("truncated", "unsupported_format"), cut


def test_a_cut_pnm_is_read_on_request():
    data, _ = FAMILY["P5"]()
    found = outcome(data[: len(data) * 2 // 3], allow_truncated=True)
    assert found.photo is not None and any("ends early" in w for w in found.photo.warnings)
    assert (found.photo.rgb[:20, :, 0] == GRAY[:20]).all()


ODD = {
    "more than there is": (b"P5\n100000 100000\n255\n" + bytes(100), "too_large"),
    "far more than there is": (b"P5\n9999999999 9999999999\n255\n" + bytes(100), "too_large"),
    "9,000 x 9,000 of 100 bytes": (b"P6\n9000 9000\n255\n" + bytes(100), "too_large"),
    "plain 9,000 x 9,000": (b"P3\n9000 9000\n255\n" + b"1 " * 50, "too_large"),
    "no height": (b"P5\n10 0\n255\n" + bytes(100), "corrupt"),
    "white 0": (b"P5\n10 10\n0\n" + bytes(100), "corrupt"),
    "white 65,536": (b"P5\n10 10\n65536\n" + bytes(300), "corrupt"),
    "a word": (b"P2\n10 10\n255\n" + b"12 abc " * 100, "corrupt"),
    "a minus": (b"P2\n10 10\n255\n" + b"-12 " * 100, "corrupt"),
    "above white": (b"P2\n10 10\n255\n" + b"256 " * 100, "corrupt"),
    "a long number": (b"P2\n1 1\n255\n" + b"1" * 100_000, "corrupt"),
    "2 in a bitmap": (b"P1\n10 10\n" + b"2" * 100, "corrupt"),
    "NaN": (b"Pf\n10 10\n-1.0\n" + b"\xff" * 400, "invalid_pixels"),
    "scale 0": (b"Pf\n10 10\n0\n" + bytes(400), "corrupt"),
    "9 channels": (pam(np.zeros((8, 8, 9), np.uint8), "MANY"), "unsupported_mode"),
    "a PAM without WIDTH": (b"P7\nHEIGHT 3\nDEPTH 1\nMAXVAL 255\nENDHDR\n123", "corrupt"),
    "a comment without end": (b"P5\n#" + b"x" * 200_000, "corrupt"),
    "a PAM without end": (b"P7\n" + b"# x\n" * 40_000, "corrupt"),
    "text": (b"P5 is what we call it, the fifth of our plans", "unsupported_format"),
    "a postcode": (b"P6 1AB, Portsmouth", "corrupt"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_odd_pnm_has_its_outcome_at_once(name: str):
    data, code = ODD[name]
    found = outcome(data)
    assert found.code == code, found.reason
    assert peak_megabytes(lambda: outcome(data)) < 20


# Both ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_damage_anywhere_ends_in_an_outcome():
    generator, seen = random.Random(3), set()
    for whole in [build()[0] for build in (*LAYOUTS.values(), *FAMILY.values())]:
        for _ in range(25):
            data = bytearray(whole)
            for _ in range(generator.choice([1, 3, 20])):
                position = generator.randrange(min(len(data), generator.choice([60, 400, 10**6])))
                data[position] = generator.randrange(256)
            try:
                photo = read(bytes(data), max_pixels=2_000_000)
            except PhotoError as error:
                seen.add(error.code)
                continue
            assert photo.rgb.dtype == np.uint8
    assert {"corrupt", "truncated"} <= seen


def test_copies_are_png_and_folders_take_every_extension():
    for data, name in ((LAYOUTS["color"]()[0], "a.jp2"), (FAMILY["P6"]()[0], "a.ppm")):
        photo = read(data)
        assert output_format(photo) == ("PNG", ".png")
        with Image.open(io.BytesIO(encode(photo.rgb, like=photo, model="test"))) as image:
            assert image.format == "PNG"
        assert jobs.output_name(name) == f"{name}.color.png"
    wanted = ".jp2 .j2k .j2c .jpc .jpf .jpx .pbm .pgm .ppm .pnm .pam .pfm .hif .heics .avifs .jfif"
    assert set(wanted.split()) <= set(EXTENSIONS)
    assert jobs.output_name("IMG_1.HIF") == "IMG_1.HIF.color.jpg"
    with pytest.raises(PhotoError, match="cannot write"):
        encode(RGB, like=read(LAYOUTS["color"]()[0]), model="test", format="JPEG2000")


def test_resolution_of_a_jpeg_2000():
    box = jp2s.box(b"res ", jp2s.box(b"resc", struct.pack(">4HBB", 11811, 1, 11811, 1, 0, 0)))
    photo = ok(jp2s.jp2(jp2s.codestream(GRAY), more=box))
    assert photo.dpi is not None and abs(photo.dpi[0] - 300) < 0.1
