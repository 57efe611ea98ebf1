"""TIFF: the picture and not its preview, layouts that Pillow lacks, and codes that are true."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from bad_inputs import exifs, pictures, tiffs
from bad_inputs.outcomes import outcome, peak_megabytes
from PIL import Image

from pix2pix.images import Photo, read
from pix2pix.images.tiff import pages as tiff_pages

pytestmark = pytest.mark.filterwarnings("error")

GRAY = pictures.gray()
RGB = pictures.rgb()
SMALL = GRAY[::4, ::4]
ALPHA = np.random.default_rng(1).integers(0, 256, GRAY.shape, dtype=np.uint8)


def ok(data: bytes, **options: bool) -> Photo:
    found = outcome(data, **options)
    assert found.code == "OK" and found.photo is not None, found.reason
    return found.photo


# The picture among the pages -------------------------------------------------------------------

Step = tuple[np.ndarray, dict[str, object]]


def _pages(*steps: Step, **options: object) -> bytes:
    """Pages one after the other; `subifds` of one makes the next ones its own."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for samples, how in steps:
            kind = {"photometric": "rgb" if samples.ndim == 3 else "minisblack"}
            writer.write(samples, metadata=None, **{**kind, **how})
    return buffer.getvalue()


PREVIEW: Step = (SMALL, {"subfiletype": 1})
MASK: Step = (SMALL > 99, {"subfiletype": 4, "photometric": "mask"})
FULL: Step = (GRAY, {"subfiletype": 0})
PLAIN: Step = (GRAY, {})


def _below(step: Step, count: int) -> Step:
    return step[0], {**step[1], "subifds": count}


def _old_kind(kind: int) -> Step:
    return SMALL, {"extratags": [(255, 3, 1, kind, True)]}


CHOICES: dict[str, tuple[list[Step], int]] = {  # steps, further pages
    "a preview first": ([PREVIEW, FULL], 0),
    "a preview marked the old way": ([_old_kind(2), PLAIN], 0),
    "previews first": ([PREVIEW, PREVIEW, PLAIN, PLAIN], 1),
    "below a preview": ([_below(PREVIEW, 1), FULL], 0),
    "below a preview, behind another": ([_below(PREVIEW, 2), PREVIEW, FULL], 0),
    "a mask first": ([MASK, PLAIN], 0),
    "a pyramid below": ([_below(PLAIN, 2), PREVIEW, PREVIEW], 0),
    "a pyramid behind": ([PLAIN, PREVIEW, PREVIEW], 0),
    "a page of its own first": ([(GRAY, {"subfiletype": 2}), (SMALL, {"subfiletype": 2})], 1),
    "all called previews": ([PREVIEW, (GRAY, {"subfiletype": 1}), PREVIEW], 0),
    "one page called a preview": ([(GRAY, {"subfiletype": 1})], 0),
    "full pages below": ([_below(PLAIN, 1), FULL], 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classic", "big", "big-endian", "big and big-endian"])
@pytest.mark.parametrize("name", CHOICES)
def test_the_picture_is_the_first_full_page(name: str, kind: str):
    steps, further = CHOICES[name]
    data = _pages(
        *steps,
        bigtiff=kind[:3] == "big" and kind != "big-endian",
        byteorder=">" if "endian" in kind else "<",
    )
    photo = ok(data)
    assert (photo.rgb[..., 0] == GRAY).all()
    plural = "" if further == 1 else "s"
    assert photo.warnings == ([f"{further} further frame{plural} ignored"] if further else [])


def test_a_page_below_itself_is_no_loop():
    data = bytearray(_pages(_below(PREVIEW, 1), FULL))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        place = file.pages[0].tags[330].valueoffset
    data[place : place + 4] = data[4:8]
    assert ok(bytes(data)).rgb.shape[:2] == SMALL.shape


def test_descriptions_of_the_first_page_hold_for_the_picture_its_size_and_color_do_not():
    profile = b"a profile that is none"
    first: Step = (
        SMALL,
        {
            "subfiletype": 1,
            "subifds": 1,
            "description": "On the beach",
            "resolution": (72, 72),
            "resolutionunit": 2,
            "iccprofile": profile,
            "extratags": [(274, 3, 1, 6, True), (315, 2, 0, "A. Nobody", True)],
        },
    )
    picture: Step = (GRAY, {"subfiletype": 0, "resolution": (600, 600), "resolutionunit": 2})
    photo = ok(_pages(first, picture, bigtiff=True))
    exif = Image.Exif()
    exif.load(photo.exif)
    assert (exif[270], exif[315]) == ("On the beach", "A. Nobody")
    assert photo.dpi == (600, 600) and not photo.profiled
    assert (photo.rgb[..., 0] == np.rot90(GRAY, -1)).all()  # orientation holds for what is below


def test_a_page_of_its_own_is_not_turned_as_the_preview_before_it():
    first: Step = (SMALL, {"subfiletype": 1, "extratags": [(274, 3, 1, 6, True)]})
    assert (ok(_pages(first, FULL)).rgb[..., 0] == GRAY).all()


@pytest.mark.parametrize("bigtiff", [False, True])
def test_exif_of_the_chosen_page_is_found(bigtiff: bool):
    block = exifs.whole().tobytes()
    inner = pictures.encoded(GRAY, "TIFF", exif=block, big_tiff=bigtiff)
    head = 16 if bigtiff else 8
    (place,) = struct.unpack_from("<Q" if bigtiff else "<I", inner, head // 2)
    # the directory of a preview at the end of the file, and the picture as the next page
    entries = [
        tiffs.long(254, 1),
        tiffs.long(256, 8),
        tiffs.long(257, 8),
        tiffs.short(258, 8),
        tiffs.short(262, 1),
        tiffs.long(273, 0),
        tiffs.long(279, 64),
    ]
    if bigtiff:
        body = b"".join(
            struct.pack("<HHQ", tag, kind, count) + value.ljust(8, b"\0")
            for tag, kind, count, value in entries
        )
        preview = struct.pack("<Q", len(entries)) + body + struct.pack("<Q", place)
    else:
        preview = tiffs.directory(entries, following=place)
    data = bytearray(inner + preview)
    struct.pack_into("<Q" if bigtiff else "<I", data, head // 2, len(inner))
    photo = ok(bytes(data))
    found = Image.Exif()
    found.load(photo.exif)
    assert found.get_ifd(exifs.EXIF_IFD)[exifs.WRITTEN] == "1954:07:04 12:00:00"
    assert found.get_ifd(exifs.GPS_IFD)[exifs.LATITUDE] == (48.0, 8.0, 12.5)
    assert (photo.rgb[..., 0] == GRAY).all()


# Camera raw files ------------------------------------------------------------------------------

CFA: Step = (GRAY, {"photometric": "cfa", "subfiletype": 0})
RAW: dict[str, Callable[[], bytes]] = {
    "sensor data first": lambda: _pages(CFA),
    "sensor data below a preview": lambda: _pages(_below(PREVIEW, 1), CFA),
    "sensor data below a page": lambda: _pages(_below(PLAIN, 1), CFA),
    "sensor data behind": lambda: _pages(PREVIEW, CFA),
    "linear raw": lambda: _pages(PREVIEW, (RGB, {"photometric": "linear_raw"})),
    "DNG": lambda: _pages((GRAY, {"extratags": [(50706, 1, 4, b"\1\4\0\0", True)]})),
    "big-endian": lambda: _pages(_below(PREVIEW, 1), CFA, byteorder=">"),
    "a maker's compression": lambda: tiffs.tiff(GRAY, more=[tiffs.short(259, 34713)]),
    "CR2": lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + tiffs.tiff(GRAY)[8:],
    "ORF": lambda: b"IIRO\x08\0\0\0" + bytes(99),
    "RW2": lambda: b"IIU\0\x18\0\0\0" + bytes(99),
    "RAF": lambda: b"FUJIFILMCCD-RAW 0201" + bytes(99),
    "CR3": lambda: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(99),
}


@pytest.mark.parametrize("name", RAW)
def test_a_camera_raw_file_is_called_so(name: str):
    found = outcome(RAW[name]())
    assert found.code == "unsupported_format" and "a camera raw file" in found.reason


# Layouts ---------------------------------------------------------------------------------------

NAMES = {"L": 1, "RGB": 2, "CMYK": 5}


def _compressed(raw: np.ndarray, compression: str | None) -> bytes:
    """uint8 (rows, bytes) as one strip, as libtiff compresses it."""
    if compression is None:
        return raw.tobytes()
    with tifffile.TiffFile(
        io.BytesIO(pictures.encoded(raw, "TIFF", compression=compression, strip_size=2**30))
    ) as file:
        (page,) = file.pages
        assert len(page.dataoffsets) == 1
        file.filehandle.seek(page.dataoffsets[0])
        return file.filehandle.read(page.databytecounts[0])


COMPRESSIONS = {None: 1, "tiff_lzw": 5, "tiff_adobe_deflate": 8, "packbits": 32773}


def _tiff(
    samples: np.ndarray,
    *,
    photometric: int,
    compression: str | None = None,
    order: str = "<",
    predictor: int = 1,
    extra: tuple[int, ...] = (),
    planar: bool = False,
    more: list[tiffs.Entry] | None = None,
) -> bytes:
    """(H, W, channels) in strips of the whole height."""
    height, width, channels = samples.shape
    planes = [samples[..., i : i + 1] for i in range(channels)] if planar else [samples]
    strips = [
        _compressed(_predicted(plane, predictor, order).reshape(height, -1), compression)
        for plane in planes
    ]
    body, places = b"", []
    for strip in strips:
        places.append(8 + len(body))
        body += strip + bytes(len(strip) & 1)
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    arrays = {
        258: ("H", [8 * samples.dtype.itemsize] * channels),
        273: ("I", places),
        279: ("I", [len(strip) for strip in strips]),
        339: ("H", [kind] * channels),
    }
    if extra:
        arrays[338] = ("H", list(extra))
    entries = [
        tiffs.long(256, width, order),
        tiffs.long(257, height, order),
        tiffs.short(259, COMPRESSIONS[compression], order=order),
        tiffs.short(262, photometric, order=order),
        tiffs.short(277, channels, order=order),
        tiffs.long(278, height, order),
        tiffs.short(284, 2 if planar else 1, order=order),
        tiffs.short(317, predictor, order=order),
    ]
    for tag, (code, values) in arrays.items():
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            place = struct.pack(order + "I", 8 + len(body))
            body, packed = body + packed, place
        entries.append((tag, 3 if code == "H" else 4, len(values), packed.ljust(4, b"\0")))
    entries = [e for e in entries if e[0] not in {m[0] for m in more or []}] + (more or [])
    entries.sort(key=lambda entry: entry[0])
    return tiffs.header(order, 8 + len(body)) + body + tiffs.directory(entries, order=order)


def _predicted(samples: np.ndarray, predictor: int, order: str) -> np.ndarray:
    """What is compressed, as bytes (H, W x channels x size)."""
    height, width, channels = samples.shape
    size = samples.dtype.itemsize
    if predictor == 2:
        whole = samples.view(f"u{size}")
        samples = np.diff(whole, axis=1, prepend=np.zeros_like(whole[:, :1]))
    if predictor == 3:
        big = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1)
        parts = np.moveaxis(big.view(np.uint8).reshape(height, -1, size), 2, 1)
        parts = parts.reshape(height, -1, channels)
        return np.diff(parts, axis=1, prepend=np.zeros_like(parts[:, :1]))
    return np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(order))).view(np.uint8)


def _as(kind: str, values: np.ndarray) -> np.ndarray:
    """8-bit values -> the same in another type, (H, W, channels)."""
    values = values if values.ndim == 3 else values[..., None]
    if kind[0] == "f":
        return (values / 255).astype(kind)
    return np.rint(values / 255.0 * np.iinfo(kind).max).astype(kind)


LAYOUTS: dict[str, tuple[int, np.ndarray, tuple[int, ...], str]] = {
    # photometric, values, extra samples, types
    "gray": (1, GRAY, (), "f2 f4 f8 u4"),
    "gray, 0 is white": (0, 255 - GRAY, (), "f2 f8 u4"),
    "gray and alpha": (1, np.dstack([GRAY, ALPHA]), (2,), "u1 u2 u4 f4"),
    "gray and infrared": (1, np.dstack([GRAY, ALPHA]), (0,), "u1 u2 f4"),
    "gray, 0 is white, and infrared": (0, np.dstack([255 - GRAY, ALPHA]), (0,), "u1 u2"),
    "gray and an unnamed channel": (1, np.dstack([GRAY, ALPHA]), (), "u1 u2"),
    "RGB": (2, RGB, (), "f2 f4 f8 u4"),
    "RGB and alpha": (2, np.dstack([RGB, ALPHA]), (2,), "f4 f8"),
    "RGB, infrared and alpha": (2, np.dstack([RGB, GRAY, ALPHA]), (0, 2), "u2"),
}
CODINGS = {
    "plain": {},
    "big-endian": {"order": ">"},
    "LZW": {"compression": "tiff_lzw"},
    "LZW of differences": {"compression": "tiff_lzw", "predictor": 2, "order": ">"},
    "deflate": {"compression": "tiff_adobe_deflate", "order": ">"},
    "PackBits in planes": {"compression": "packbits", "planar": True},
    "planes": {"planar": True, "order": ">"},
}


@pytest.mark.slow
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_that_pillow_lacks(name: str, coding: str):
    photometric, values, extra, kinds = LAYOUTS[name]
    expected = RGB if photometric == 2 else GRAY[..., None]
    for kind in kinds.split():
        options = dict(CODINGS[coding])
        if kind[0] == "f" and "predictor" in options:
            options["predictor"] = 3
        data = _tiff(_as(kind, values), photometric=photometric, extra=extra, **options)
        photo = read(data)
        assert np.abs(photo.rgb.astype(int) - expected).max() <= 1, kind
        if 2 in extra:
            assert np.abs(photo.alpha.astype(int) - ALPHA).max() <= 1, kind
        else:
            assert photo.alpha is None
        ignored = [warning for warning in photo.warnings if "ignored" in warning]
        dropped = "1 further channel ignored, such as infrared"
        hidden = "infrared" in name or "unnamed" in name
        assert ignored == ([dropped] if hidden else []), kind
        assert kind == "u1" or any("8 bit" in warning for warning in photo.warnings)


def test_premultiplied_alpha_is_taken_out():
    faint = ALPHA // 2 + 127
    values = np.dstack([GRAY / 255.0 * faint, faint])
    data = _tiff(np.rint(values * 257).astype(np.uint16), photometric=1, extra=(1,))
    photo = ok(data)
    assert np.abs(photo.rgb[..., 0].astype(int) - GRAY).max() <= 2
    assert (photo.alpha == faint).all()


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_planes_are_read_as_interleaved_samples(kind: str, compression: str | None):
    """Pillow takes planes of 16 bits for planes of 8."""
    ink = np.dstack([255 - RGB, GRAY // 3])
    for photometric, values in ((2, RGB), (5, ink)):
        samples = _as(kind, values)
        one = ok(_tiff(samples, photometric=photometric, compression=compression))
        two = ok(_tiff(samples, photometric=photometric, compression=compression, planar=True))
        assert np.abs(one.rgb.astype(int) - two.rgb).max() <= 1


def test_lab_of_16_bits_is_that_of_8():
    L, a, b = GRAY[..., None], RGB[..., :1] // 3, RGB[..., 2:] // 4
    eight = np.concatenate((L, a, (b.astype(np.int8) - 30).view(np.uint8)), axis=2)
    signed = eight[..., 1:].view(np.int8).astype(np.int16) * 256
    deep = np.concatenate((L.astype(np.uint16) * 257, signed.view(np.uint16)), axis=2)
    expected = ok(_tiff(eight, photometric=8)).rgb
    for options in CODINGS.values():
        assert (ok(_tiff(deep, photometric=8, **options)).rgb == expected).all()
    infrared = np.dstack([deep, deep[..., :1]])
    assert (ok(_tiff(infrared, photometric=8, extra=(0,))).rgb == expected).all()


def test_unsigned_integers_are_not_signed():
    values = np.full((9, 9, 1), 2**32 - 1, np.uint32)
    values[4, 4] = 0
    photo = ok(_tiff(values, photometric=1))
    assert photo.rgb.min() == 0 and photo.rgb.max() == 255
    few = _as("u2", GRAY).astype(np.uint32)
    assert np.abs(ok(_tiff(few, photometric=1)).rgb[..., 0].astype(int) - GRAY).max() <= 1


def test_infrared_beside_12_bits_in_16():
    samples = np.dstack([np.rint(GRAY / 255 * 4095), ALPHA]).astype(np.uint16)
    for extra in ((0,), (2,)):
        photo = ok(_tiff(samples, photometric=1, extra=extra))
        assert np.abs(photo.rgb[..., 0].astype(int) - GRAY).max() <= 1
        assert "16-bit gray becomes 8 bit (white is 4,095)" in photo.warnings


@pytest.mark.parametrize("tiled", [False, True])
def test_bands_of_strips_and_tiles_join(tiled: bool, monkeypatch):
    monkeypatch.setattr("pix2pix.images.tiff.layout.BAND_BYTES", 5_000)
    samples = np.dstack([RGB, ALPHA]).astype(np.float32) / 255
    how = {"tile": (16, 32)} if tiled else {"rowsperstrip": 7}
    for extra in (how, {**how, "compression": "zlib"}, {}):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, samples, photometric="rgb", extrasamples=["unassalpha"], **extra)
        photo = ok(buffer.getvalue())
        assert np.abs(photo.rgb.astype(int) - RGB).max() <= 1
        assert np.abs(photo.alpha.astype(int) - ALPHA).max() <= 1


def test_metadata_of_a_rare_layout_are_kept():
    buffer = io.BytesIO()
    options = {"resolution": (600, 600), "resolutionunit": 2, "description": "a print"}
    turned = [(274, 3, 1, 6, True)]
    samples = np.dstack([GRAY, ALPHA]).astype(np.uint16) * 257
    tifffile.imwrite(
        buffer,
        samples,
        photometric="minisblack",
        extrasamples=["unspecified"],
        extratags=turned,
        metadata=None,
        bigtiff=True,
        **options,
    )
    photo = ok(buffer.getvalue())
    exif = Image.Exif()
    exif.load(photo.exif)
    assert exif[270] == "a print" and photo.dpi == (600, 600)
    assert (photo.rgb[..., 0] == np.rot90(GRAY, -1)).all()
    assert photo.encoding == {"lossless": True, "compression": "raw"}


# Codes and bounds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [(34712, "JPEG 2000"), (50002, "JPEG XL"), (34887, "LERC"), (34661, "JBIG"), (12345, "")],
)
def test_a_compression_that_is_not_read_is_named(number: int, name: str):
    found = outcome(tiffs.tiff(GRAY, more=[tiffs.short(259, number)]))
    assert found.code == "unsupported_mode" and f"TIFF compression {number}" in found.reason
    assert name in found.reason


@pytest.mark.parametrize("number", [34925, 50000, 50001])
def test_a_codec_that_libtiff_lacks_is_unsupported_and_not_damage(number: int, monkeypatch):
    data = tiffs.tiff(GRAY, more=[tiffs.short(259, number)])  # no data of that codec
    lacking = "unsupported_mode"
    assert outcome(data).code == ("corrupt" if tiff_pages.has_codec(number) else lacking)
    tiff_pages.has_codec.cache_clear()
    monkeypatch.setitem(tiff_pages._OPTIONAL, number, lambda: ((8,), 1, b"no such codec"))
    found = outcome(data)
    tiff_pages.has_codec.cache_clear()
    assert found.code == lacking and f"TIFF compression {number} (" in found.reason


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_a_codec_that_libtiff_has_is_used(compression: str):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, RGB, compression=compression)
    found = outcome(buffer.getvalue())
    if compression == "zlib" or tiff_pages.has_codec(34925):
        assert found.photo is not None and (found.photo.rgb == RGB).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_no_colors(value: float, kind: str, channels: int):
    samples = np.full((5, 6, channels), 0.5, kind)
    samples[2, 3, 0] = value
    extra = (2,) if channels in (2, 4) else ()
    data = _tiff(samples, photometric=1 if channels < 3 else 2, extra=extra)
    assert outcome(data).code == "invalid_pixels"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.filterwarnings("error")
def test_doubles_beyond_floats_are_refused_in_silence(channels: int):
    samples = np.full((5, 6, channels), 0.5)
    samples[2, 3, 0] = 1e300
    found = outcome(_tiff(samples, photometric=1 if channels < 3 else 2))
    assert found.code == ("invalid_pixels" if channels == 1 else "OK"), found.reason


FLOATS = np.dstack([RGB / 255.0] * 1).astype(np.float32)
BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "too few strips": (
        lambda: _tiff(FLOATS, photometric=2, more=[tiffs.long(278, 1)]),
        "corrupt",
    ),
    "a predictor of floats for integers": (
        lambda: _tiff(_as("u4", GRAY), photometric=1, more=[tiffs.short(317, 3)]),
        "corrupt",
    ),
    "tiles of no size": (
        lambda: _tiff(
            FLOATS,
            photometric=2,
            more=[tiffs.long(322, 0), tiffs.long(323, 0), tiffs.long(324, 8), tiffs.long(325, 9)],
        ),
        "corrupt",
    ),
    "hardly any data": (
        lambda: _tiff(
            FLOATS,
            photometric=2,
            compression="tiff_lzw",
            more=[tiffs.long(256, 10**5), tiffs.long(257, 999)],
        ),
        "corrupt",
    ),
    "strips of noise": (
        lambda: _tiff(FLOATS, photometric=2, more=[tiffs.short(259, 5)]),
        "corrupt",
    ),
    "an unknown predictor": (
        lambda: _tiff(FLOATS, photometric=2, more=[tiffs.short(317, 9)]),
        "unsupported_mode",
    ),
    "floats of 24 bits": (
        lambda: tiffs.tiff(GRAY, bits=24, sample_format=3),
        "unsupported_mode",
    ),
    "end of the file": (
        lambda: _cut(_tiff(_as("u2", np.dstack([GRAY, ALPHA])), photometric=1, extra=(0,))),
        "truncated",
    ),
}


def _cut(data: bytes) -> bytes:
    """The directory first, and the strip behind it cut off in the middle."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        samples = file.pages[0].asarray()
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, samples, photometric="minisblack", extrasamples=[0], metadata=None, planarconfig=1
    )
    return buffer.getvalue()[:-9_000]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_samples_have_a_code(name: str):
    build, code = BROKEN[name]
    assert outcome(build()).code == code


def test_what_there_is_of_a_rare_layout():
    photo = ok(BROKEN["end of the file"][0](), allow_truncated=True)
    top = photo.rgb[: GRAY.shape[0] // 2, :, 0].astype(int)
    assert np.abs(top - GRAY[: len(top)]).max() <= 1
    assert any("ends early" in warning for warning in photo.warnings)


def test_the_pixel_limit_counts_pixels_and_not_bytes():
    data = _tiff(FLOATS.astype(np.float64), photometric=2, compression="tiff_lzw")
    assert outcome(data, max_pixels=GRAY.size).code == "OK"
    assert outcome(data, max_pixels=GRAY.size - 1).code == "too_large"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["f4", "u2"])
def test_rare_layouts_within_the_memory_bar(kind: str):
    """At most 24 bytes a pixel, the file included."""
    samples = np.zeros((1500, 2000, 3 if kind == "f4" else 2), kind)
    samples[::7] = 1
    data = _tiff(samples, photometric=2 if kind == "f4" else 1, extra=() if kind == "f4" else (0,))
    read(data[:])  # what is loaded once
    peak = peak_megabytes(lambda: read(data))
    assert peak * 2**20 + len(data) <= 24 * 1500 * 2000
