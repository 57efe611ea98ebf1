"""TIFF files of several pages: each as if it came alone, in order, or no file at all."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from bad_inputs import pictures
from bad_inputs.outcomes import peak_megabytes
from large_tiffs import HEAD, bound, opened, page, tiled
from PIL import Image
from tiny_graphs import write_graph

from pix2pix import images
from pix2pix.colorize import Colorizer, books, folders, jobs, pipe
from pix2pix.colorize.copies import Coloring
from pix2pix.images import names
from pix2pix.images.tiff import extract, structure

GRAY, RGB = pictures.gray(), pictures.rgb()
PREVIEW, PART, MASK = (extract.longs(HEAD, kind) for kind in (1, 2, 4))


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory) -> Colorizer:
    path = tmp_path_factory.mktemp("net") / "tiny.onnx"
    return Colorizer.from_pretrained(write_graph(path, 0.2), engine="onnx")


def color(source: Path, colorizer: Colorizer, name: str = "out.tif", **options) -> jobs.Record:
    """Color a file beside itself, all pages unless `pages` says something else."""
    job = jobs.Job(str(source), str(source.parent / name), str(source.parent))
    options = {"pages": "all", "overwrite": True} | options
    make = Coloring(colorizer)
    [record] = folders.make_copies([job], lambda: make, folders.FileOptions(**options))
    return record


def written(folder: Path, data: bytes, name: str = "scan.tif") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def scans() -> list[bytes]:
    """Pages of one book: of several sizes, depths, compressions and words."""
    found = []
    kinds = [("L", "tiff_lzw"), ("1", "group4"), ("RGB", "raw"), ("L", "jpeg"), ("I;16", "raw")]
    for number, (mode, compression) in enumerate(kinds):
        pixels = pictures.gray(90 + 10 * number, 60)
        image = Image.fromarray(pixels.astype(np.uint16) * 250 if mode == "I;16" else pixels)
        said = {270: f"scan {number}", 285: f"leaf {number}"}
        dpi = 300 + number
        image = image if mode == "I;16" else image.convert(mode)
        found.append(page(image, compression=compression, tiffinfo=said, dpi=(dpi, dpi)))
    return found


@pytest.mark.parametrize("depth", [8, 16])
def test_each_page_is_as_it_were_alone(depth: int, tmp_path, colorizer):
    alone = scans()
    total = len(alone)
    more = [{254: PART, 297: extract.shorts(HEAD, number, total)} for number in range(total)]
    source = written(tmp_path, bound(*zip(alone, more, strict=True)))
    record = color(source, colorizer, depth=depth)
    assert record.status == "colored" and record.output == str(tmp_path / "out.tif")
    together = (tmp_path / "out.tif").read_bytes()
    said = []
    for number, (data, its_page) in enumerate(zip(alone, opened(together), strict=True)):
        its_own = color(written(tmp_path, data, "one.tif"), colorizer, "one.out.tif", depth=depth)
        said += [f"page {number + 1} of {total}: {line}" for line in its_own.warnings]
        one = (tmp_path / "one.out.tif").read_bytes()
        [single] = opened(one)
        np.testing.assert_array_equal(np.asarray(its_page), np.asarray(single))
        assert its_page.info["dpi"] == (300 + number,) * 2
        assert its_page.tag_v2[270] == f"scan {number}"
        assert its_page.tag_v2[285] == f"leaf {number}"
        assert its_page.tag_v2[254] == 2 and its_page.tag_v2[297] == (number, total)
        places = {254, 273, 297}  # where strips are, and what a page is of others
        tags = [{t: v for t, v in i.tag_v2.items() if t not in places} for i in (single, its_page)]
        assert tags[0] == tags[1]
    assert record.warnings == said and bool(said) == (depth == 8)


def test_the_first_page_alone_is_what_one_gets_unasked(tmp_path, colorizer):
    source = written(tmp_path, bound(page(GRAY), page(RGB)))
    record = color(source, colorizer, pages="first")
    assert record.warnings == ["1 further frame ignored"]
    assert len(opened((tmp_path / "out.tif").read_bytes())) == 1


def test_one_page_gives_the_same_bytes_either_way(tmp_path, colorizer):
    source = written(tmp_path, page(GRAY, compression="tiff_adobe_deflate"))
    color(source, colorizer, "all.tif")
    color(source, colorizer, "first.tif", pages="first")
    assert (tmp_path / "all.tif").read_bytes() == (tmp_path / "first.tif").read_bytes()


def test_previews_masks_and_pyramids_are_left_out_with_a_word(tmp_path, colorizer):
    small = page(pictures.gray(24, 16))
    data = bound((page(GRAY), {}), (small, {254: PREVIEW}), (page(RGB), {}), (small, {254: MASK}))
    record = color(written(tmp_path, data), colorizer)
    sizes = [image.size for image in opened((tmp_path / "out.tif").read_bytes())]
    assert sizes == [GRAY.shape[::-1]] * 2
    assert record.warnings[-1] == "2 previews, mask or pyramid level left out"


def test_what_a_preview_says_of_the_file_goes_to_the_first_page(tmp_path, colorizer):
    small = page(pictures.gray(24, 16), tiffinfo={270: "a mill"})
    data = bound((small, {254: PREVIEW}), (page(GRAY), {}), (page(RGB), {}))
    color(written(tmp_path, data), colorizer)
    first, second = opened((tmp_path / "out.tif").read_bytes())
    assert first.tag_v2[270] == "a mill" and 270 not in second.tag_v2


def test_a_page_with_tiles_and_one_turned(tmp_path, colorizer):
    turned = page(GRAY, tiffinfo={274: 6})
    source = written(tmp_path, _joined(tiled(RGB, 32), turned))
    assert color(source, colorizer).status == "colored"
    first, second = opened((tmp_path / "out.tif").read_bytes())
    assert first.size == RGB.shape[1::-1] and second.size == GRAY.shape


def _joined(first: bytes, second: bytes) -> bytes:
    """Two little-endian TIFF files as one, whatever their layout: the second moved behind."""
    from large_tiffs import Memory

    from pix2pix.images.tiff.output import TiffWriter

    sink = Memory()
    writer = TiffWriter(sink)
    for data in (first, second):
        writer.keep(data, structure.header(data).first)
    writer.finish()
    return bytes(sink.data)


# What goes wrong -------------------------------------------------------------------------------


def test_a_bad_page_fails_the_file_and_is_named(tmp_path, colorizer):
    data = bytearray(bound(page(GRAY), page(RGB, compression="tiff_lzw"), page(GRAY)))
    head = structure.header(data)
    second = list(structure.chain(bytes(data), head))[1]
    start = int(structure.directory(bytes(data), head, second, {273})[273][0])
    data[start : start + 300] = b"\xff" * 300
    source = written(tmp_path, bytes(data))
    record = color(source, colorizer)
    assert record.code == "corrupt" and record.reason.startswith("page 2 of 3: ")
    assert record.path == str(source) and os.listdir(tmp_path) == ["scan.tif"]
    assert color(source, colorizer, pages="first").status == "colored"


def test_a_page_above_the_limit_is_named(tmp_path, colorizer):
    data = bound(page(GRAY), page(pictures.gray(200, 200)))
    record = color(written(tmp_path, data), colorizer, max_pixels=20_000)
    assert record.code == "too_large" and record.reason.startswith("page 2 of 2: 200 x 200 ")
    assert "--max-pixels" in record.reason


def _chain(data: bytes, following: int) -> bytes:
    """The file, its last page followed by one at `following`."""
    head = structure.header(data)
    last = list(structure.chain(data, head))[-1]
    _, stop, _ = structure.extent(data, head, last)
    return data[:stop] + following.to_bytes(4, "little") + data[stop + 4 :]


PAGES = bound(page(GRAY), page(RGB))
BAD = {
    "a page past the end": (_chain(PAGES, 2**31), "truncated"),
    "a page that is an earlier one": (_chain(PAGES, structure.header(PAGES).first), "corrupt"),
    "a page of no size": (_chain(PAGES, len(PAGES)) + bytes(6), "corrupt"),
    "cut": (PAGES[:-400], "truncated"),
    "only a signature": (b"II*\0", "truncated"),
    "an empty first directory": (b"II*\0\x08\0\0\0" + bytes(30), "truncated"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_chain_of_pages_loses_none_in_silence(name: str, tmp_path, colorizer):
    data, code = BAD[name]
    record = color(written(tmp_path, data), colorizer)
    assert record.code == code, record
    assert os.listdir(tmp_path) == ["scan.tif"]


def test_pages_that_share_their_pixels_are_a_bomb(tmp_path, colorizer):
    data = page(pictures.gray(300, 200), compression="raw")
    head = structure.header(data)
    start, stop, _ = structure.extent(data, head, head.first)
    entries = data[start - 2 : stop]
    copies, at = [], len(data)
    for _ in range(60):
        at += len(entries) + 4
        copies.append(entries + at.to_bytes(4, "little"))
    copies[-1] = entries + bytes(4)
    source = written(tmp_path, _chain(data, len(data)) + b"".join(copies))
    record = color(source, colorizer)
    assert record.code == "corrupt" and "share their pixels" in record.reason


def test_many_pages_and_empty_ones(tmp_path, colorizer):
    count, data = 200_000, page(GRAY)
    empty = np.zeros(count, dtype=[("entries", "<u2"), ("next", "<u4")])
    empty["next"] = len(data) + 6 * (np.arange(count) + 1)
    record = color(written(tmp_path, _chain(data, len(data)) + empty.tobytes()), colorizer)
    assert record.code == "too_large" and "10,000 pages" in record.reason


def test_other_formats(tmp_path, colorizer):
    frames = [Image.fromarray(GRAY[::-1])]
    animated = pictures.encoded(GRAY, "GIF", save_all=True, append_images=frames)
    record = color(written(tmp_path, animated, "scan.gif"), colorizer, "out.png")
    assert record.warnings == ["1 further frame ignored", "--pages all is for TIFF files"]
    record = color(written(tmp_path, PAGES), colorizer, "out.jpg")
    assert record.code == "unsupported_format" and "2 pages" in record.reason


# Options ---------------------------------------------------------------------------------------


def test_pages_in_color_stay_where_that_is_asked(tmp_path, colorizer):
    photo = page(skimage.data.astronaut()[:200, :200], compression="tiff_lzw")
    source = written(tmp_path, bound(page(GRAY), photo))
    assert color(source, colorizer, skip_color=True).status == "colored"
    gray, kept = opened((tmp_path / "out.tif").read_bytes())
    assert np.ptp(np.asarray(gray).astype(int), axis=2).max() > 10
    np.testing.assert_array_equal(np.asarray(kept), skimage.data.astronaut()[:200, :200])
    assert 700 in gray.tag_v2 and 700 not in kept.tag_v2  # nothing made it
    (tmp_path / "out.tif").unlink()
    record = color(written(tmp_path, bound(photo, photo)), colorizer, skip_color=True)
    assert record.status == "ignored" and os.listdir(tmp_path) == ["scan.tif"]


def test_time_mode_and_sidecars(tmp_path, colorizer):
    source = written(tmp_path, PAGES)
    os.utime(source, (1_000_000, 1_000_000))
    source.chmod(0o640)
    (tmp_path / "scan.tif.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Label="Blue"/></rdf:RDF></x:xmpmeta>'
    )
    job = jobs.Job(str(source), str(tmp_path / "out.tif"), str(tmp_path))
    options = folders.FileOptions(pages="all", copy_sidecars=True)
    [record] = folders.make_copies([job], lambda: Coloring(colorizer), options)
    assert record.status == "colored"
    status = (tmp_path / "out.tif").stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (1_000_000, 0o640)
    first, second = opened((tmp_path / "out.tif").read_bytes())
    assert b"Blue" in first.tag_v2[700] and b"Blue" not in second.tag_v2[700]
    assert (tmp_path / "out.tif.xmp").exists()
    [record] = folders.make_copies([job], lambda: Coloring(colorizer), options)
    assert record.status == "skipped"


def test_pages_through_a_pipe(tmp_path, colorizer, monkeypatch):
    options = folders.FileOptions(pages="all", overwrite=True)
    source = written(tmp_path, PAGES)
    expected = color(source, colorizer)

    class Stream:
        def __init__(self, data: bytes):
            self.buffer = io.BytesIO(data)
            self.fileno = self.buffer.fileno

    for given in ("-", str(source)):
        out = Stream(b"")
        monkeypatch.setattr("sys.stdin", Stream(PAGES))
        monkeypatch.setattr("sys.stdout", out)
        [record] = pipe.make_copy(given, "-", lambda: Coloring(colorizer), options)
        assert record.status == "colored" and record.warnings == expected.warnings
        assert out.buffer.getvalue() == (tmp_path / "out.tif").read_bytes()


def test_memory_is_that_of_one_page(tmp_path, colorizer):
    one = page(np.tile(pictures.gray(250, 200), (8, 8)))
    few, many = (written(tmp_path, bound(*[one] * n), f"{n}.tif") for n in (2, 18))
    color(few, colorizer)
    peaks = [peak_megabytes(lambda s=s: color(s, colorizer)) for s in (few, many)]
    # 16 more pages of 3.2 MP are 51 MB in gray, 154 in color; two equal runs differ by up to 16
    assert peaks[1] - peaks[0] < 30


def test_a_large_page_among_others(tmp_path, colorizer, monkeypatch):
    monkeypatch.setattr(books, "LARGE", 10_000)
    large = pictures.gray(200, 160)
    source = written(tmp_path, bound(page(GRAY), page(large, tiffinfo={285: "map"}), page(RGB)))
    assert color(source, colorizer).status == "colored"
    sizes = [image.size for image in opened((tmp_path / "out.tif").read_bytes())]
    assert sizes == [GRAY.shape[::-1], (200, 160), RGB.shape[1::-1]]
    assert opened((tmp_path / "out.tif").read_bytes())[1].tag_v2[285] == "map"


def test_names_are_those_of_single_pages():
    assert names.output_name("scan.tif", format="TIFF") == "scan.color.tif"
    assert images.EXTENSIONS[".tif"] == "TIFF"
