"""Pictures are measured before a decoder opens them: by all sizes that a file states, coded too."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from bad_inputs import hostile, pictures, pngs
from bad_inputs.outcomes import outcome, peak_megabytes
from PIL import Image

from pix2pix.errors import Corrupt
from pix2pix.images import containers, read
from pix2pix.images.bits import Bits
from pix2pix.images.iso import av1, hevc
from pix2pix.images.iso import boxes as image_boxes
from pix2pix.images.iso.boxes import boxes

pytestmark = pytest.mark.filterwarnings("error")

HUGE = (20_000, 20_000)
NOISE = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
FLAT = Image.new("RGB", (1_500, 800), "gray")

MEASURED: dict[str, Callable[[], bytes]] = {
    "GIF: a frame beyond the screen": lambda: hostile.gif((10, 10), (0, 0, *HUGE)),
    "GIF: a frame at an offset": lambda: hostile.gif((10, 10), (*HUGE, 9, 9)),
    "GIF: restored": lambda: hostile.gif((10, 10), (0, 0, *HUGE), flags=13),
    "GIF: behind junk": lambda: hostile.gif((10, 10), (0, 0, *HUGE), before=b"ab\1"),
    "GIF: behind empty blocks": lambda: hostile.gif(
        (10, 10), (0, 0, *HUGE), before=b"!\xfe\0!\xff\0\x0bNETSCAPE2.0\0\0\0"
    ),
    "WebP: lossless": lambda: hostile.webp(hostile.vp8l(16_383, 16_383)),
    "WebP: canvas": lambda: hostile.webp(hostile.vp8x(*HUGE), hostile.vp8l(9, 9)),
    "WebP: a frame beyond the canvas": lambda: hostile.webp(
        hostile.vp8x(9, 9),
        (b"ANMF", bytes(6) + struct.pack("<IH", 19_999 | 31 << 24, 78) + b"\0" * 4),
    ),
    "BMP: from the top down": lambda: hostile.bmp(20_000, -20_000),
    "BMP: the old header": lambda: (
        b"BM" + struct.pack("<IHHIIHHHH", 99, 0, 0, 26, 12, *HUGE, 1, 24)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_too_large_before_a_decoder_opens_it(name: str, monkeypatch):
    data = MEASURED[name]()
    monkeypatch.setattr("pix2pix.images.decoder._open", None)
    found = outcome(data)
    assert found.code == "too_large", found.reason
    assert peak_megabytes(lambda: outcome(data)) < 20


@pytest.mark.parametrize("frame", [(0, 0, 20, 30), (15, 0, 20, 30), (7, 40, 20, 30)])
def test_a_gif_is_as_large_as_pillow_makes_it(frame: tuple[int, int, int, int]):
    before = b"!\xfe\3abc\0" + b"\7!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    data = hostile.gif((16, 16), frame, before=before)
    width, height = max(16, frame[0] + frame[2]), max(16, frame[1] + frame[3])
    container = containers.inspect("GIF", data)
    assert (container.size, container.frames) == ((width, height), 1)


def test_a_larger_later_frame_of_a_gif_does_not_matter():
    first = pictures.encoded(NOISE[:20, :20, 0], "GIF")
    later = hostile.gif((9, 9), (0, 0, *HUGE))
    found = outcome(first[:-1] + later[later.index(b"!") :])
    assert found.code == "OK" and found.photo.warnings == ["1 further frame ignored"]


def test_long_gif_comments_are_not_joined():
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 5_000 + b"\0"
    found = outcome(hostile.gif((9, 9), (0, 0, 9, 9), before=comment))
    assert found.code == "corrupt" and "comments" in found.reason


def test_a_second_png_header_is_damage():
    data = pngs.png(4, 4, bytes(20))
    header = data[8:33]
    assert outcome(data[:33] + header + data[33:]).code == "corrupt"
    end = data.index(b"IEND") - 4
    assert outcome(data[:end] + header + data[end:]).code == "corrupt"


@pytest.mark.slow
def test_few_bytes_hold_no_large_picture():
    flat = pictures.encoded(Image.new("L", (3_000, 3_100)), "WEBP", lossless=True)
    assert len(flat) < 1024 and outcome(flat).code == "too_large"
    blank = Image.new("1", (2_480, 3_400), 1)
    page = pictures.encoded(blank, "TIFF", compression="group4", strip_size=2**30)
    assert len(page) < 1024 and outcome(page).code == "OK"  # a blank page of a fax


@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (90_000, 9)])
@pytest.mark.parametrize("compression", [1, 2])
def test_run_lengths_for_more_pixels_than_they_could_make(
    width: int, height: int, compression: int
):
    bits = 8 // compression
    data = hostile.bmp(width, height, bits, compression, b"\0\2\xff\xff" * 300)
    found = outcome(data)
    assert found.code == "corrupt" and "run lengths" in found.reason


# AVIF and HEIF ---------------------------------------------------------------------------------

ISO = {
    "AVIF": ("AVIF", {}),
    "AVIF 4:4:4": ("AVIF", {"subsampling": "4:4:4"}),
    "AVIF in tiles": ("AVIF", {"autotiling": False, "tile_rows": 1, "tile_cols": 1}),
    "AVIF sequence": ("AVIF", {"save_all": True, "append_images": [FLAT]}),
    "HEIF": ("HEIF", {}),
    "HEIF grid": ("HEIF", {"grid_tile_size": 512}),
}


def _iso(name: str, image: Image.Image) -> bytes:
    format, options = ISO[name]
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if format == "AVIF":
        options = {"speed": 10, **options}
    if "append_images" in options:
        options = {**options, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    return pictures.encoded(image, format, **options)


def _with_stated(data: bytes, width: int, height: int) -> bytes:
    """All that the boxes say of the size of a picture or a frame, changed."""
    changed, position = bytearray(data), 0
    while (position := data.find(b"ispe", position + 1)) > 0:
        struct.pack_into(">II", changed, position + 8, width, height)
    while (position := data.find(b"av01", position + 1)) > 0:
        if data[position - 12 : position - 4].endswith(b"\0\0\0\1"):  # the entry of a track
            struct.pack_into(">HH", changed, position + 28, width, height)
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (17, 300), (64, 64), (200, 65), (513, 129)])
@pytest.mark.parametrize("name", ISO)
def test_the_coded_size_is_found(name: str, size: tuple[int, int]):
    image = Image.fromarray(NOISE[: size[1], : size[0]])
    data = _iso(name, image)
    container = containers.inspect(ISO[name][0], data)
    assert container.size is not None
    for found, true in zip(container.size, size, strict=True):
        assert true <= found < true + 64  # whole blocks
    assert read(data).rgb.shape[:2] == (size[1], size[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["AVIF", "AVIF sequence", "HEIF"])
def test_a_file_that_states_less_than_it_codes_is_corrupt(name: str):
    honest = _iso(name, FLAT)
    assert outcome(honest).code == "OK"
    data = _with_stated(honest, 64, 64)
    found = outcome(data)
    assert found.code == "corrupt" and "64 x 64" in found.reason and "1,5" in found.reason
    assert peak_megabytes(lambda: outcome(data)) < 5


@pytest.mark.slow
@pytest.mark.parametrize("name", ISO)
def test_what_is_coded_counts_against_the_limit(name: str):
    image = Image.fromarray(NOISE[:300])
    data = _with_stated(_iso(name, image), 100, 100)
    found = outcome(data, max_pixels=image.width * image.height - 1)
    if name != "HEIF grid":  # whose tiles are small; the grid states its size elsewhere
        assert found.code == "too_large"
    else:
        assert found.code in ("too_large", "corrupt")


def test_an_avif_without_av1_is_corrupt():
    data = _iso("AVIF", FLAT)
    assert outcome(data.replace(b"av01", b"xx01")).code == "corrupt"


def test_pictures_that_overlap_many_times_are_corrupt():
    """Thousands of items of the same bytes, each to be looked through."""
    count, size = 2_000, 10_000

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    entries = b"".join(
        box(b"infe", b"\2\0\0\0" + struct.pack(">HH", item, 0) + b"av01\0") for item in range(count)
    )
    places = b"".join(struct.pack(">HHHII", item, 0, 1, 200, size) for item in range(count))
    meta = box(b"iinf", bytes(4) + struct.pack(">H", count) + entries)
    meta += box(b"iloc", bytes(4) + b"\x44\0" + struct.pack(">H", count) + places)
    start = box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4) + meta)
    with pytest.raises(Corrupt, match="overlap"):
        containers.inspect("AVIF", start + box(b"mdat", bytes(size)))


def _packed(*fields: tuple[int, int]) -> bytes:
    """(bits, value) one after the other."""
    text = "".join(f"{value:0{bits}b}" for bits, value in fields)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def _unit(kind: int, payload: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(payload)]) + payload


SEQUENCE = _packed(
    (3, 0), (1, 0), (1, 0),  # profile, no still picture, no reduced header
    (1, 0), (1, 0), (5, 0), (12, 0), (5, 4),  # no timing, one operating point
    (4, 15), (4, 13), (16, 63), (14, 47),  # sizes of 16 and 14 bits: 64 x 48
    (1, 0), (3, 0), (4, 0), (1, 0), (1, 1), (1, 1),  # no frame ids, no order, tools chosen
)  # fmt: skip


def _pieces_of_no_size(count: int) -> bytes:
    """`iloc` of 65,535 items in `count` pieces each, all of them without a byte."""
    body = struct.pack(">BxxxBBH", 0, 0, 0, 65_535) + struct.pack(">HHH", 1, 0, count) * 9
    iloc = struct.pack(">I4s", 8 + len(body), b"iloc") + body
    meta = struct.pack(">I4sI", 12 + len(iloc), b"meta", 0) + iloc
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"avif", 0, b"avif") + meta


def test_places_without_end_are_not_followed(monkeypatch):
    calls, number = [0], image_boxes.big

    def count(*where: int) -> int:
        calls[0] += 1
        return number(*where)

    monkeypatch.setattr(image_boxes, "big", count)
    assert outcome(_pieces_of_no_size(65_535)).code == "corrupt"
    assert calls[0] < 50_000


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_boxes_that_end_anywhere_are_damage(name: str):
    """Each box cut behind each of its bytes, with true sizes around it."""
    data = _iso(name, Image.fromarray(NOISE[:64, :64]))
    for kind in (b"ipma", b"ipco", b"iloc", b"iinf", b"pitm", b"hdlr", b"ispe"):
        start = data.find(kind) - 4
        end = start + int.from_bytes(data[start : start + 4], "big")
        for cut in range(start + 8, min(end, start + 40)):
            head = struct.pack(">I4s", cut - start, kind)
            found = outcome(data[:start] + head + data[start + 8 : cut] + data[end:])
            assert found.code in ("OK", "corrupt", "truncated"), (kind, cut, found.reason)


def _ipma_at_the_end(data: bytes, size: int) -> bytes:
    """The same with `size` bytes in ipma, the last box of its parents and of the file."""
    spans = {name: (at - 8, until) for name, at, until in boxes(data, 0, len(data))}
    start, end = spans[b"meta"]
    begin, stop = spans[b"mdat"]
    inner = {name: (at - 8, until) for name, at, until in boxes(data, start + 12, end)}
    first, last = inner[b"iprp"]
    properties = {name: data[at - 8 : until] for name, at, until in boxes(data, first + 8, last)}
    short = properties[b"ipma"][8:][:size]
    content = properties[b"ipco"] + struct.pack(">I4s", 8 + len(short), b"ipma") + short
    others = b"".join(data[slice(*span)] for name, span in inner.items() if name != b"iprp")
    content = others + struct.pack(">I4s", 8 + len(content), b"iprp") + content
    meta = struct.pack(">I4sI", 12 + len(content), b"meta", 0) + content
    meta = meta.replace(struct.pack(">I", begin + 8), struct.pack(">I", start + 8))  # of iloc
    return data[:start] + data[begin:stop] + meta


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_the_last_box_may_be_short_of_anything(name: str):
    """Nothing stands behind it, so that what reads on finds no byte."""
    data = _iso(name, Image.fromarray(NOISE[:64, :64]))
    assert outcome(_ipma_at_the_end(data, 999)).code == "OK"
    for size in range(4):
        found = outcome(_ipma_at_the_end(data, size))
        assert found.code == "corrupt" and "structure" in found.reason, (size, found.reason)


def test_av1_frames_that_set_their_own_size_are_as_large_as_they_can_be():
    plain = _packed((1, 0), (2, 0), (1, 1), (1, 0), (1, 0), (1, 0))
    own = _packed((1, 0), (2, 0), (1, 1), (1, 0), (1, 0), (1, 1))
    assert av1.coded_size(_unit(1, SEQUENCE) + _unit(6, plain)) == (64, 48)
    assert av1.coded_size(_unit(1, SEQUENCE) + _unit(6, own)) == (65_536, 16_384)
    assert av1.coded_size(_unit(1, SEQUENCE) + _unit(6, plain) + _unit(3, own)) == (65_536, 16_384)
    assert av1.coded_size(_unit(5, b"abc")) is None
    with pytest.raises(ValueError, match="ends early"):
        av1.coded_size(_unit(1, SEQUENCE[:5]))


def test_bits_and_exp_golomb_numbers():
    bits = Bits(_packed((3, 5), (1, 1), (3, 0b010), (5, 0b00111), (7, 0b0001000)))
    assert bits.take(3) == 5
    assert [bits.exp_golomb() for _ in range(4)] == [0, 1, 6, 7]
    with pytest.raises(ValueError, match="ends early"):
        Bits(b"").take(1)


def test_hevc_units_of_other_kinds_have_no_size():
    assert hevc.coded_size(b"\x40\x01rest") is None and hevc.coded_size(b"") is None
    assert hevc.in_band_size(bytes(4) * 3) is None
