"""Whatever a library refuses in a write: the photo is written without it, or one typed error."""

import io
import os
import random
import struct
from pathlib import Path

import pytest
from bad_inputs import exifs, jpegs, pictures, tiffs
from PIL import Image

from pix2pix.errors import NotEncoded, PhotoError
from pix2pix.images import Photo, encode, read, write
from pix2pix.images.metadata.exif import Block, Entry, parse
from pix2pix.images.metadata.exif_kept import clean
from pix2pix.images.metadata.exif_write import to_bytes

RGB = pictures.rgb(40, 30)
COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP"]


@pytest.mark.parametrize("unit", [0, 4, 5, 255, 32770])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_resolution_in_no_known_unit(compression: str, unit: int):
    source = bytearray(pictures.encoded(RGB, "TIFF", dpi=(300, 300), compression=compression))
    first = struct.unpack_from("<I", source, 4)[0]
    for position in range(first + 2, len(source) - 12, 12):
        if struct.unpack_from("<HH", source, position) == (296, 3):
            struct.pack_into("<H", source, position + 8, unit)
            break
    photo = read(bytes(source))
    lost: list[str] = []
    copy = encode(photo.rgb, like=photo, model="m", warnings=lost)
    assert lost == [] and read(copy).rgb.shape == photo.rgb.shape
    stated = parse(copy).main.get(296)
    assert stated is None or stated.data == b"\2\0"
    assert f"EXIF ResolutionUnit {unit} ignored: 1, 2 and 3 are known" in photo.warnings


@pytest.mark.slow
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_any_tag_of_any_type_can_be_written(compression: str):
    """libtiff refuses many values; it is not asked."""
    noise = random.Random(3)
    encoding = {"compression": compression}
    for tag in [269, 270, 272, 282, 283, 285, 296, 305, 306, 18246, 33432, 40091, 37510, 65000]:
        for kind in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 129):
            entry = Entry(kind, noise.randbytes(24))
            block = Block("<", {tag: entry}, {tag: entry, 0x9286: entry}, {2: entry})
            exif = clean(block, warnings=[])
            photo = Photo(RGB, None, "TIFF", exif=exif, encoding=encoding)
            lost: list[str] = []
            data = encode(RGB, like=photo, model="m", keep_gps=True, warnings=lost)
            assert lost == [] and read(data).rgb.shape == RGB.shape, (tag, kind)


@pytest.mark.parametrize("format", FORMATS)
def test_xmp_that_grows_when_it_is_written_again(format: str):
    """`>` becomes `&gt;`: four times as long, and longer than a segment of JPEG."""
    text = ">" * 50_000
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>{text}</dc:source>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    source = jpegs.with_segment(
        pictures.encoded(RGB, "JPEG"), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp
    )
    photo = read(source)
    copy = read(encode(photo.rgb, like=photo, model="m" * 100_000, format=format))
    assert format == "BMP" or (copy.xmp or b"").count(b"&gt;") == 50_000


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError, struct.error, KeyError])
def test_an_encoder_that_refuses_metadata_gets_the_photo_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str, error: type[Exception]
):
    save, calls = Image.Image.save, []

    def refuse(self, *args, **options):
        calls.append(options)
        if len(calls) == 1:
            raise error("no such value")
        return save(self, *args, **options)

    photo = read(pictures.encoded(RGB, "JPEG", exif=exifs.whole(), comment=b"caption"))
    monkeypatch.setattr(Image.Image, "save", refuse)
    warnings = write(RGB, tmp_path / "a", like=photo, model="m", format=format)
    assert any("not written" in warning and "no such value" in warning for warning in warnings)
    data = (tmp_path / "a").read_bytes()
    assert b"Voigtlander" not in data and b"caption" not in data
    assert format == "BMP" or b"compositeWithTrainedAlgorithmicMedia" in data


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError, struct.error, SystemError])
def test_an_encoder_that_refuses_the_photo_is_a_typed_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str, error: type[Exception]
):
    def refuse(self, *args, **options):
        raise error("out of order")

    photo = read(pictures.encoded(RGB, "JPEG"))
    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(NotEncoded, match="out of order") as caught:
        write(RGB, tmp_path / "a", like=photo, model="m", format=format)
    assert caught.value.code == "error" and caught.value.path == str(tmp_path / "a")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_damaged_blocks_are_read_and_written(format: str):
    """Bytes flipped at random in EXIF, XMP and IPTC: always a copy, or a typed error."""
    noise = random.Random(11)
    block = clean(
        Block(
            ">",
            {270: Entry(2, b"Caption\0"), 282: Entry(5, struct.pack(">II", 300, 1))},
            {0x9286: Entry(7, b"UNICODE\0" + "x".encode("utf-16-be"))},
            {2: Entry(5, struct.pack(">6I", 48, 1, 8, 1, 12, 1))},
        ),
        warnings=[],
    )
    assert block is not None
    source = pictures.encoded(RGB, format, exif=block)
    start = source.index(b"MM\0*")
    done = 0
    for _ in range(150):
        broken = bytearray(source)
        for _ in range(noise.randrange(1, 6)):
            broken[start + noise.randrange(len(block) - 6)] = noise.randrange(256)
        try:
            photo = read(bytes(broken))
            read(encode(photo.rgb, like=photo, model="m", format="TIFF"))
            encode(photo.rgb, like=photo, model="m")
        except PhotoError:
            continue
        done += 1
    print(f"{done} of 150 written")
    assert done > 100 or format == "PNG"  # whose checksum says no


def test_an_entry_that_points_at_the_same_megabytes_again_and_again():
    """A block of 10,000 entries with one value in common takes no more than its limit."""
    entries = [(1000 + i, 2, 900_000, struct.pack("<I", 40)) for i in range(3_000)]
    data = tiffs.header() + tiffs.directory(entries) + bytes(900_000)
    block = parse(data)
    assert sum(len(entry.data) for entry in block.main.values()) <= 32 * 2**20
    warnings: list[str] = []
    exif = clean(block, warnings=warnings)
    assert exif is not None and len(exif) <= 32 * 1024 and len(warnings) <= 100
    assert to_bytes(Block())


@pytest.mark.parametrize("tag", [0x8769, 0x8825, 0xA005, 0x014A])
def test_a_pointer_that_is_a_text_points_nowhere(tag: int):
    """Pillow follows it in the copy."""
    block = Block("<", {270: Entry(2, b"caption\0"), tag: Entry(2, b"\x08\0")}, {}, {})
    photo = Photo(RGB, None, "TIFF", exif=clean(block, warnings=[]))
    image = Image.open(io.BytesIO(encode(RGB, like=photo, model="m")))
    image.load()
    assert image.getexif()[270] == "caption" and tag not in image.getexif()
