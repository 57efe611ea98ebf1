"""Large pages row by row: the pixels and words of the way by which smaller ones go, less memory."""

import errno
import io
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pytest
import skimage.data
from bad_inputs import pictures, tiffs
from bad_inputs.outcomes import peak_megabytes
from large_tiffs import HEAD, opened, page, tiled
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin
from tiny_graphs import write_graph
from warm import python

from pix2pix import images
from pix2pix.colorize import Colorizer, Wish, books, ends, folders, gigapixel, incolor, jobs, pipe
from pix2pix.colorize.copies import AS_A_WHOLE, Coloring, maker
from pix2pix.colorize.glance import Glance
from pix2pix.colorize.model import net_size
from pix2pix.colorize.painter import Painter
from pix2pix.colorize.recolor import recolor, recolor16
from pix2pix.images import large
from pix2pix.images.tiff import extract, output
from pix2pix.images.tiff.source import Source

GRAY, RGB = pictures.gray(517, 389), pictures.rgb(517, 389)
DEEP = GRAY.astype(np.uint16) * 200 + 77
CHANCE = np.random.default_rng(0)


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory) -> Colorizer:
    """Quick, and its colors follow lightness."""
    path = tmp_path_factory.mktemp("net") / "tiny.onnx"
    graph = write_graph(path, 0.2, large_area=160 * 160)
    return Colorizer.from_pretrained(graph, engine="onnx")


@pytest.fixture
def in_rows(monkeypatch):
    """Small pages count as large, and rows come in small bands."""
    monkeypatch.setattr(books, "LARGE", 10_000)
    monkeypatch.setattr(large, "_BAND", 40_000)
    monkeypatch.setattr(large, "_CELL", 9_000)


def color(
    source: Path, colorizer: Colorizer, name: str = "out.tif", wish: Wish | None = None, **options
) -> jobs.Record:
    """Color a file beside itself, as the command with a raised limit does -> its record."""
    job = jobs.Job(str(source), str(source.parent / name), str(source.parent))
    options = {"max_pixels": 200_000_000, "overwrite": True, "depth": 16} | options
    make = Coloring(colorizer, wish or Wish())
    [record] = folders.make_copies([job], lambda: make, folders.FileOptions(**options))
    return record


def both(data: bytes, folder: Path, colorizer: Colorizer, **options):
    """The copies made as a whole and row by row, as bytes, and what was said of them."""
    source = folder / "scan.tif"
    source.write_bytes(data)
    found = []
    for limit in (10**8, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(books, "LARGE", limit)
            record = color(source, colorizer, f"{limit}.tif", **options)
        assert record.status == "colored", record
        found.append(((folder / f"{limit}.tif").read_bytes(), record.warnings))
    return found


def samples(data: bytes) -> np.ndarray:
    """All samples, of 8 or 16 bits."""
    photo = images.read(data, deep=True)
    if photo.deep is None:
        return np.dstack([photo.rgb, photo.rgb[..., :0] if photo.alpha is None else photo.alpha])
    return np.dstack([photo.deep.grays, photo.rgb])


def group4() -> bytes:
    return page(Image.fromarray(GRAY > 128), compression="group4")


def profiled() -> bytes:
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, blue = swapped.index(b"rXYZ"), swapped.index(b"bXYZ")
    profile = bytearray(swapped)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return page(RGB, compression="tiff_lzw", icc_profile=bytes(profile))


SAME = {
    "gray tiles, LZW": lambda: tiled(GRAY, 64, "lzw"),
    "RGB tiles, deflate": lambda: tiled(RGB, 128, "deflate"),
    "RGBA tiles": lambda: tiled(np.dstack([RGB, GRAY]), 64, "packbits"),
    "16-bit gray tiles": lambda: tiled(DEEP, 64, "lzw"),
    "12 bits in 16": lambda: tiled(GRAY.astype(np.uint16) * 16, 64, "lzw"),
    "16-bit gray, dark above": lambda: tiled(np.sort(DEEP, 0) // 3 * 3, 64, "none"),
    "16-bit RGB tiles": lambda: tiled(RGB.astype(np.uint16) * 250 + 13, 64, "deflate"),
    "one plain strip": lambda: tiffs.tiff(GRAY),
    "plain big-endian strip of 16 bits": lambda: tiffs.tiff(DEEP, order=">"),
    "white is 0": lambda: tiffs.tiff(GRAY, photometric=0),
    "LZW strips": lambda: page(RGB, compression="tiff_lzw"),
    "BigTIFF": lambda: page(RGB, big_tiff=True),
    "Group 4": group4,
    "palette": lambda: page(Image.fromarray(RGB).quantize(32), compression="tiff_lzw"),
    "CMYK": lambda: page(Image.fromarray(RGB).convert("CMYK"), compression="tiff_lzw"),
    "color profile": profiled,
}


@pytest.mark.parametrize("name", SAME)
def test_rows_are_those_of_the_whole_picture(name: str, tmp_path, colorizer, in_rows):
    (whole, said), (rows, said_of_rows) = both(SAME[name](), tmp_path, colorizer)
    assert rows != whole  # as two programs wrote them
    np.testing.assert_array_equal(samples(rows), samples(whole))
    assert said_of_rows == said
    one, other = opened(rows)[0], opened(whole)[0]
    assert one.mode == other.mode and one.info["compression"] == other.info["compression"]
    layout = {*range(256, 260), 273, 277, 278, 279, 284, *range(322, 326)}
    kept = [{t: v for t, v in image.tag_v2.items() if t not in layout} for image in (one, other)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("pixels", [GRAY, RGB], ids=["gray", "RGB"])
def test_jpeg_stays_jpeg(pixels, tmp_path, colorizer, in_rows):
    (whole, _), (rows, _) = both(tiled(pixels, 64, "jpeg"), tmp_path, colorizer)
    off = np.abs(samples(rows).astype(int) - samples(whole))
    assert off.mean() < 2
    assert opened(rows)[0].info["compression"] == "jpeg" and len(rows) < len(whole)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_page_keeps_its_tag(orientation: int, tmp_path, colorizer, in_rows):
    data = tiled(GRAY, 64, "lzw", {274: extract.shorts(HEAD, orientation)})
    (whole, _), (rows, said) = both(data, tmp_path, colorizer)
    assert Image.open(io.BytesIO(rows)).tag_v2[274] == orientation
    assert said == [gigapixel._TURNED]
    off = np.abs(samples(rows).astype(int) - samples(whole))
    assert off.mean() < 1 and off.max() <= 8  # the net sees blocks from another corner


def test_metadata_are_those_of_the_whole_picture(tmp_path, colorizer, in_rows):
    said = TiffImagePlugin.ImageFileDirectory_v2()
    said[270], said[285], said[315] = "A farm", "plate 7", "E. Example"
    said[0x8769] = {0x9003: "1901:02:03 04:05:06", 0xA002: 517}
    said[0x8825] = {1: "N"}
    data = page(GRAY, tiffinfo=said, dpi=(600, 600))
    (whole, _), (rows, _) = both(data, tmp_path, colorizer)
    a, b = images.read(whole), images.read(rows)
    assert (a.exif, a.xmp, a.dpi, a.texts) == (b.exif, b.xmp, b.dpi, b.texts)
    assert b.dpi == (600, 600) and b"A farm" in b.exif and b"1901:02:03" in b.exif


@pytest.mark.slow
def test_hints_lie_on_the_upright_page(tmp_path, in_rows):
    colorizer = Colorizer.from_pretrained(engine="onnx")
    data = tiled(GRAY, 64, "lzw", {274: extract.shorts(HEAD, 6)})
    source = tmp_path / "scan.tif"
    source.write_bytes(data)
    assert color(source, colorizer, wish=Wish(hints=[(100, 400, (200, 60, 60))])).output
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "out.tif"))).astype(int)
    assert upright.shape[:2] == GRAY.shape[::-1]
    red, green, _ = upright[400, 100]
    assert red - green > 50
    record = color(source, colorizer, wish=Wish(hints=[(400, 100, (200, 60, 60))]))
    assert record.code == "hint"


# What the net sees -----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(389, 517), (900, 260), (61, 2000), (3000, 70), (1500, 1501)])
@pytest.mark.parametrize("gray", [True, False])
def test_a_glance_is_what_shrinking_the_whole_picture_gives(shape, gray, colorizer):
    rgb = CHANCE.integers(0, 256, (*shape, 3), dtype=np.uint8)
    if gray:
        rgb = np.broadcast_to(rgb[..., :1], rgb.shape)
    area = colorizer.header.area_for(*shape)
    net = net_size(*shape, area=area, multiple=colorizer.engine.multiple)
    glance = Glance(*shape, net)
    cuts = [0, *sorted(CHANCE.integers(1, shape[0], 9).tolist()), shape[0]]
    for top, bottom in zip(cuts, cuts[1:], strict=False):
        glance.add(rgb[top:bottom])
    np.testing.assert_array_equal(glance.small(), colorizer._shrink(rgb))
    sampled = glance.sampled()
    np.testing.assert_array_equal(incolor._small(sampled), incolor._small(rgb))
    assert incolor.remarks(sampled) == incolor.remarks(rgb)


@pytest.mark.parametrize("strength", [0.2, 8, 60], ids=["smooth", "rough", "by pixel"])
def test_a_painter_is_recolor(strength: float):
    ab = CHANCE.normal(0, strength, (2, 12, 16)).astype(np.float32)
    ab += np.linspace(-20, 20, 16, dtype=np.float32) if strength < 60 else 0
    rgb = CHANCE.integers(0, 256, (301, 403, 3), dtype=np.uint8)
    grays = CHANCE.integers(0, 65536, (301, 403), dtype=np.uint16)
    painter, deep = Painter(ab, 301, 403), Painter(ab, 301, 403, deep=True)
    parts = [slice(0, 7), slice(7, 150), slice(150, 301)]
    painted = np.concatenate([painter.paint(part.start, rgb[part]) for part in parts])
    np.testing.assert_array_equal(painted, recolor(rgb, ab))
    painted = np.concatenate([deep.paint16(part.start, grays[part]) for part in parts])
    np.testing.assert_array_equal(painted, recolor16(grays, ab))


# Damage ----------------------------------------------------------------------------------------


def damaged(tag: int, value: int, index: int = 20) -> bytes:
    """Tiles, one of whose offsets (324) or sizes (325) is `value`."""
    data = bytearray(tiled(GRAY, 64, "lzw"))
    head = extract.structure.header(data)
    for position in extract.structure.positions(data, head, head.first):
        entry = extract.structure.entry(bytes(data), head, position)
        if entry.tag == tag:
            at = entry.place + 4 * index
            data[at : at + 4] = value.to_bytes(4, "little")
    return bytes(data)


def overlapping() -> bytes:
    """Many tiles of which each is the whole file."""
    data = bytearray(damaged(325, 0))
    head = extract.structure.header(data)
    for position in extract.structure.positions(data, head, head.first):
        entry = extract.structure.entry(bytes(data), head, position)
        for index in range(entry.count if entry.tag in (324, 325) else 0):
            value = 16 if entry.tag == 324 else len(data) - 16
            at = entry.place + 4 * index
            data[at : at + 4] = value.to_bytes(4, "little")
    return bytes(data)


BAD = {
    "offset past the end": (lambda: damaged(324, 2**31), "truncated"),
    "size past the end": (lambda: damaged(325, 2**31), "corrupt"),
    "an empty tile": (lambda: damaged(325, 0), "corrupt"),
    "tiles that overlap": (overlapping, "corrupt"),
    "cut": (lambda: tiled(GRAY, 64, "lzw")[:-2000], "truncated"),
    "too few tiles": (lambda: tiled(GRAY[:300], 64, "lzw", {257: extract.longs(HEAD, 900)}), None),
    "tiles without size": (lambda: tiled(GRAY, 64, "lzw", {323: extract.longs(HEAD, 0)}), None),
    "no tiles": (lambda: tiled(GRAY, 64, "lzw", {322: extract.longs(HEAD, 2**30)}), "too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_a_typed_error_and_no_file(name: str, tmp_path, colorizer, in_rows):
    make, code = BAD[name]
    source = tmp_path / "scan.tif"
    source.write_bytes(make())
    record = color(source, colorizer)
    assert record.status == "failed" and record.code == (code or "corrupt"), record
    assert os.listdir(tmp_path) == ["scan.tif"]


def test_what_is_there_of_a_damaged_page(tmp_path, colorizer, in_rows):
    source = tmp_path / "scan.tif"
    source.write_bytes(damaged(324, 2**31, index=0))
    record = color(source, colorizer, allow_truncated=True)
    assert record.status == "colored" and any("ends early" in line for line in record.warnings)
    pixels = np.asarray(Image.open(tmp_path / "out.tif"))
    assert not pixels[:64, :64].any() and pixels[64:].mean() > 60


def test_a_file_that_shrinks_is_unreadable(tmp_path):
    path = tmp_path / "scan.tif"
    path.write_bytes(bytes(200_000))
    source = Source(str(path))
    assert source[10:20] == bytes(10)
    os.truncate(path, 1000)
    with pytest.raises(images.reading.PhotoError, match="shrank"):
        source[100_000:100_100]
    source.close()


def test_long_strips_are_read_as_a_whole(tmp_path, colorizer, in_rows, monkeypatch):
    monkeypatch.setattr(large, "_MOST", 100_000)
    source = tmp_path / "scan.tif"
    source.write_bytes(page(GRAY, compression="tiff_lzw", tiffinfo={278: 389}))
    record = color(source, colorizer)
    assert record.status == "colored"
    assert record.warnings == ["read as a whole: its strips have 389 rows of 517 pixels"]


@pytest.mark.parametrize("pages", ["first", "all"])
def test_what_takes_all_of_it_at_once_says_so(pages, tmp_path, colorizer, in_rows, monkeypatch):
    monkeypatch.setattr(ends, "LARGE", 10_000)
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(GRAY, 64, "lzw"))
    job = jobs.Job(str(source), str(tmp_path / "layer.tif"), str(tmp_path))
    options = folders.FileOptions(max_pixels=200_000_000, pages=pages)
    make = maker(colorizer, Wish(), layer=True)
    [record] = folders.make_copies([job], lambda: make, options)
    assert record.status == "colored" and record.warnings == [AS_A_WHOLE]
    assert color(source, colorizer, pages=pages).warnings == []


def test_other_formats_and_smaller_limits_go_the_usual_way(tmp_path, colorizer, in_rows):
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(GRAY, 64, "lzw"))
    assert color(source, colorizer, "out.jpg").status == "colored"
    assert color(source, colorizer, max_pixels=GRAY.size - 1).code == "too_large"
    assert books.open_book(str(source), "out.tif", folders.FileOptions()) is None  # no Coloring


def test_color_is_left_alone_where_that_is_asked(tmp_path, colorizer, in_rows):
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(skimage.data.astronaut(), 64, "lzw"))
    assert color(source, colorizer).warnings == [incolor.REMARKS["color"]]
    (tmp_path / "out.tif").unlink()
    assert color(source, colorizer, skip_color=True).status == "ignored"
    assert os.listdir(tmp_path) == ["scan.tif"]


# Memory, disks and ends --------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["-", "scan.tif"])
def test_a_pipe_takes_the_same_way(given, tmp_path, colorizer, in_rows, monkeypatch):
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(RGB, 64, "lzw"))
    assert color(source, colorizer).status == "colored"
    streams = {name: SimpleNamespace(buffer=io.BytesIO()) for name in ("stdin", "stdout")}
    streams["stdin"].buffer.write(source.read_bytes())
    streams["stdin"].buffer.seek(0)
    for name, stream in streams.items():
        stream.fileno = stream.buffer.fileno
        monkeypatch.setattr(f"sys.{name}", stream)
    files = folders.FileOptions(max_pixels=200_000_000, depth=16)
    given = given if given == "-" else str(source)
    [record] = pipe.make_copy(given, "-", lambda: Coloring(colorizer), files)
    assert record.status == "colored", record
    assert streams["stdout"].buffer.getvalue() == (tmp_path / "out.tif").read_bytes()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_picture(tmp_path, colorizer, monkeypatch):
    monkeypatch.setattr(books, "LARGE", 10**7)
    source = tmp_path / "scan.tif"
    tile = pictures.gray(256, 256)
    source.write_bytes(tiled(np.tile(tile, (20, 30)), 256, "jpeg"))  # 39 MP
    color(source, colorizer)  # what the net itself takes
    taken = peak_megabytes(lambda: color(source, colorizer))
    assert taken < 120  # MB; a few rows take 60, the whole picture 190


def test_a_full_disk_is_a_typed_error_and_no_file(tmp_path, colorizer, in_rows, monkeypatch):
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(GRAY, 64, "none"))
    real, written = os.write, []

    def write(descriptor: int, data: bytes) -> int:
        written.append(len(data))
        if sum(written) > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    record = color(source, colorizer)
    assert record.code == "no_space"
    assert os.listdir(tmp_path) == ["scan.tif"]


KILLED = """
import os, signal, sys
from pix2pix.colorize import Colorizer, books, folders, jobs
from pix2pix.colorize.copies import Coloring
from pix2pix.images import large, rows
books.LARGE, large._BAND = 10_000, 40_000
add, source = rows.RowWriter.add, sys.argv[1]

def once_more(self, *pixels):
    add(self, *pixels)
    if len(self._counts) > 20:
        os.kill(os.getpid(), signal.SIGKILL)

rows.RowWriter.add = once_more
job = jobs.Job(source, source[:-4] + ".color.tif", os.path.dirname(source))
options = folders.FileOptions(max_pixels=200_000_000)
make = Coloring(Colorizer.from_pretrained(sys.argv[2], engine="onnx"))
list(folders.make_copies([job], lambda: make, options))
"""


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_under_the_name(tmp_path, colorizer, in_rows):
    source = tmp_path / "scan.tif"
    source.write_bytes(tiled(GRAY, 64, "none"))
    net = write_graph(tmp_path / "net.onnx")
    done = subprocess.run([python(), "-c", KILLED, str(source), str(net)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = set(os.listdir(tmp_path)) - {"scan.tif", "net.onnx"}
    assert len(left) == 1 and left.pop().startswith(".pix2pix-")
    assert color(source, colorizer).status == "colored"
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "out.tif", "scan.tif"]


def test_beyond_4_gb(tmp_path, colorizer, in_rows):
    """Tiles, words and EXIF behind the 32 bits of a classic TIFF, in a file with a hole."""
    said = TiffImagePlugin.ImageFileDirectory_v2()
    said[270], said[0x8769] = "a very large map", {0x9003: "1901:02:03 04:05:06"}
    small = page(GRAY, tiffinfo=said)
    source = tmp_path / "scan.tif"
    with source.open("wb") as file:
        sink = _Sink(file)
        writer = output.TiffWriter(sink)
        file.seek(5 * 2**30)
        writer._size = file.tell()
        writer.copy(small, {})
        writer.finish()
    record = color(source, colorizer)
    assert record.status == "colored", record
    both_ways = color(source, colorizer, "all.tif", pages="all")
    assert both_ways.status == "colored"
    copy = images.read(tmp_path / "out.tif")
    assert b"a very large map" in copy.exif and b"1901:02:03" in copy.exif
    source.unlink()
    source.write_bytes(small)
    color(source, colorizer, "small.tif")
    assert (tmp_path / "small.tif").read_bytes() == (tmp_path / "out.tif").read_bytes()


class _Sink:
    def __init__(self, file: BinaryIO):
        self.file = file

    def __call__(self, data: bytes) -> None:
        self.file.write(data)

    def begin_with(self, data: bytes) -> None:
        self.file.seek(0)
        self.file.write(data)
