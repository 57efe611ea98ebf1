"""Metadata of hostile sizes: a warning, and memory within bounds, whatever a file claims."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from bad_inputs import jpegs, pictures, pngs

from pix2pix.images import encode, read
from pix2pix.images.iso import boxes as image_boxes
from pix2pix.images.metadata import iptc, items, texts, xmp

GRAY = pictures.gray(40, 30)
JPEG, PNG, GIF = (pictures.encoded(GRAY, format) for format in ("JPEG", "PNG", "GIF"))
MEGABYTE = 2**20


def packed(keyword: bytes, size: int) -> bytes:
    """A zTXt chunk's content that inflates to `size` letters."""
    return keyword + b"\0\0" + zlib.compress(b"x" * size, 9)


def bombs() -> bytes:
    data, bomb = PNG, packed(b"Bomb", 5 * MEGABYTE)
    for _ in range(60):
        data = pngs.with_chunk(data, b"zTXt", bomb)
    return pngs.with_chunk(data, b"zTXt", packed(b"Title", 44))


def records(count: int, size: int = 10) -> bytes:
    caption = b"x" * size
    return (struct.pack(">BBBH", 0x1C, 2, 25, size) + caption) * count


def app13(data: bytes) -> bytes:
    """A JPEG with Photoshop's resources in as many segments as they need."""
    whole = iptc.to_resources({iptc.IPTC: data})
    source = JPEG
    for start in reversed(range(0, len(whole), 60_000)):
        piece = b"Photoshop 3.0\0" + whole[start : start + 60_000]
        source = jpegs.with_segment(source, 0xED, piece)
    return source


def comments(count: int, size: int) -> bytes:
    block = jpegs.segment(0xFE, b"c" * size)
    return JPEG[:2] + block * count + JPEG[2:]


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "60 zTXt bombs": (bombs, "not kept"),
    "10,000 IPTC records": (lambda: app13(records(10_000)), "IPTC records not kept"),
    "IPTC that says it is 4 GB": (
        lambda: app13(struct.pack(">BBBHI", 0x1C, 2, 120, 0x8004, 2**32 - 1) + b"x"),
        "IPTC ignored",
    ),
    "9,000 comments": (lambda: comments(9_000, 100), "further texts not kept"),
    "300 comments of 60 KB": (lambda: comments(300, 60_000), "further texts not kept"),
    "a comment that is no text": (
        lambda: jpegs.with_segment(JPEG, 0xFE, bytes(range(32))),
        "a comment not kept: it is no text",
    ),
    "a comment that is a script": (
        lambda: jpegs.with_segment(JPEG, 0xFE, b"<?php system($_GET['c']); ?>"),
        "a comment not kept: it is a program or a document",
    ),
    "an extension of XMP that is not whole": (
        lambda: jpegs.with_segment(
            jpegs.with_segment(
                JPEG,
                0xE1,
                b"http://ns.adobe.com/xmp/extension/\0"
                + b"A" * 32
                + struct.pack(">II", 2**32 - 1, 0)
                + b"x",
            ),
            0xE1,
            b"http://ns.adobe.com/xap/1.0/\0<x>" + b"A" * 32 + b"</x>",
        ),
        "extended XMP ignored",
    ),
    "a Photoshop path": (
        lambda: jpegs.with_segment(JPEG, 0xED, b"Photoshop 3.0\x008BIM\x07\xd0\0\0\0\0\0\x02ab"),
        "1 Photoshop path not kept",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_is_named_and_takes_little_memory(case: str):
    source = CASES[case][0]()
    tracemalloc.start()
    photo = read(source)
    warnings = list(photo.warnings)
    for format in ("JPEG", "PNG", "WEBP"):
        copy = encode(photo.rgb, like=photo, model="m", format=format, warnings=warnings)
        assert len(copy) < 12 * MEGABYTE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any(CASES[case][1] in warning for warning in warnings), warnings[:5]
    assert peak < 100 * MEGABYTE + 3 * len(source), f"{peak:,}"
    assert len(warnings) <= 110


def test_text_beside_a_bomb_is_kept():
    photo = read(bombs())
    assert [text.keyword for text in photo.texts] == ["Title"]


@pytest.mark.parametrize(
    ("size", "reason"),
    [(20_000, "tags"), (200, "inside one another")],
)
def test_xmp_of_absurd_structure_is_refused(size: int, reason: str):
    nested = "<a>" * size + "</a>" * size if size < 1000 else "<a/>" * size * 3
    with pytest.raises(ValueError, match=reason):
        xmp.Packet(f"<x>{nested}</x>".encode())


def test_long_text_in_xmp_is_read_in_one_go():
    text = "Bericht & mehr " * 100_000
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    packet = xmp.Packet(
        f'<rdf:RDF xmlns:rdf="{rdf}"><rdf:Description xmlns:a="urn:a"><a:b>'
        f"{text.replace('&', '&amp;')}</a:b></rdf:Description></rdf:RDF>".encode()
    )
    assert packet.values(("urn:a", "b")) == [text.strip()]


def test_an_index_of_boxes_that_counts_without_end(monkeypatch: pytest.MonkeyPatch):
    """iloc: 65,535 pieces of no size for each of 65,535 items."""
    body = struct.pack(">BxxxBBH", 0, 0, 0, 65_535) + (struct.pack(">HHH", 1, 0, 65_535)) * 9
    iloc = struct.pack(">I4s", 8 + len(body), b"iloc") + body
    meta = struct.pack(">I4sI", 12 + len(iloc), b"meta", 0) + iloc
    calls, number = [0], image_boxes.big

    def count(data: bytes, start: int, size: int) -> int:
        calls[0] += 1
        return number(data, start, size)

    monkeypatch.setattr(image_boxes, "big", count)
    assert items.collect(meta) == {}
    assert calls[0] < 50_000


@pytest.mark.slow
def test_the_limits_of_inflation():
    bomb = packed(b"k", 60 * MEGABYTE)
    tracemalloc.start()
    found = list(texts.png_texts([(b"zTXt", bomb)] * 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 100 and all(len(text.value) < 10 for text in found)
    assert peak < 5 * MEGABYTE
