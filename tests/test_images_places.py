"""The place where a photo was taken, wherever a file hides it: gone, unless it is asked for."""

import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from bad_inputs import exifs, jpegs, pictures, pngs

from pix2pix.images import encode, read
from pix2pix.images.metadata import iptc
from pix2pix.images.metadata.provenance import is_place

GRAY = pictures.gray()
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
# Every spelling of these numbers is looked for in the copy.
MARKS = (b"48.1371", b"11.5754", b"48,8.2", struct.pack("<II", 481371, 10000))
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
BODY = """<exif:GPSLatitude>48,8.2N</exif:GPSLatitude>
<drone:GpsLongtitude>11.5754</drone:GpsLongtitude>
<drone:Latitude>48.1371</drone:Latitude><geo:lat>48.1371</geo:lat><geo:long>11.5754</geo:long>
<core:LocationCreated rdf:parseType="Resource"><exif:GPSLongitude>11.5754</exif:GPSLongitude>
<core:City>Munich</core:City></core:LocationCreated>"""
XMP = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:drone="http://www.dji.com/drone-dji/1.0/" '
    'xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#" xmlns:core="urn:core" '
    f'drone:GpsLatitude="48.1371">{BODY}</rdf:Description></rdf:RDF></x:xmpmeta>'
).encode()


def block() -> bytes:
    """EXIF whose GPS latitude is 481371/10000."""
    entry = (2, 5, 1, struct.pack("<I", 8 + 18 + 18))
    gps = struct.pack("<HHHI", 1, *entry[:2], 1) + entry[3] + bytes(4)
    main = struct.pack("<HHHII", 1, exifs.GPS_IFD, 4, 1, 26) + bytes(4)
    return b"II*\0\x08\0\0\0" + main + gps + struct.pack("<II", 481371, 10000)


def raw(name: str, content: bytes) -> bytes:
    """A `Raw profile type` of ImageMagick."""
    lines = f"\n{name}\n{len(content):8}\n{content.hex()}\n".encode()
    return f"Raw profile type {name}".encode() + b"\0\0" + zlib.compress(lines)


def extended() -> bytes:
    guid = b"A" * 32
    main = XMP.replace(BODY.encode(), b"").replace(
        b"drone:GpsLatitude=",
        b'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="'
        + guid
        + b'" drone:GpsLatitude=',
    )
    more = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(XMP), 0) + XMP
    data = jpegs.with_segment(pictures.encoded(GRAY, "JPEG"), 0xE1, more)
    return jpegs.with_segment(data, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main)


def png(kind: bytes, content: bytes) -> bytes:
    return pngs.with_chunk(pictures.encoded(GRAY, "PNG"), kind, content)


HIDDEN = {
    "EXIF": pictures.encoded(GRAY, "JPEG", exif=exifs.HEAD + block()),
    "EXIF in PNG": pictures.encoded(GRAY, "PNG", exif=exifs.HEAD + block()),
    "EXIF in WebP": pictures.encoded(pictures.rgb(), "WEBP", exif=block()),
    "XMP": pictures.encoded(GRAY, "JPEG", xmp=XMP),
    "XMP in UTF-16": pictures.encoded(pictures.rgb(), "WEBP", xmp=XMP.decode().encode("utf-16")),
    "extended XMP": extended(),
    "raw EXIF": png(b"zTXt", raw("exif", exifs.HEAD + block())),
    "raw APP1": png(b"zTXt", raw("APP1", exifs.HEAD + block())),
    "raw XMP": png(b"zTXt", raw("xmp", XMP)),
    "raw APP1 of XMP": png(b"zTXt", raw("APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
    "text of ImageMagick": png(b"tEXt", b"exif:GPSLatitude\x0048.1371"),
    "another text": png(b"tEXt", b"Geotag\x0048.1371, 11.5754"),
}


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", HIDDEN)
def test_no_place_unless_it_is_asked_for(name: str, format: str):
    source = HIDDEN[name]
    photo = read(source)
    kept = encode(photo.rgb, like=photo, model="m", format=format, keep_gps=True)
    gone = encode(photo.rgb, like=photo, model="m", format=format)
    assert any(mark in kept for mark in MARKS), "nothing was there to be hidden"
    assert [mark for mark in MARKS if mark in gone] == []
    assert b"GPS" not in gone and b"Latitude" not in gone


def test_towns_are_captions():
    city = struct.pack(">BBBH", 0x1C, 2, 90, 6) + b"Munich"
    segment = b"Photoshop 3.0\0" + iptc.to_resources({iptc.IPTC: city})
    photo = read(jpegs.with_segment(pictures.encoded(GRAY, "JPEG", xmp=XMP), 0xED, segment))
    for format in FORMATS:
        copy = encode(photo.rgb, like=photo, model="m", format=format)
        assert copy.count(b"Munich") == 2


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("GPSLatitude", True),
        ("GpsLongtitude", True),
        ("AbsoluteAltitude", True),
        ("LATITUDE", True),
        ("City", False),
        ("Latin", False),
        ("Attitude", False),
    ],
)
def test_names_of_places(name: str, is_one: bool):
    assert is_place("urn:any", name) is is_one


@pytest.mark.slow
def test_exiftool_finds_no_position(tmp_path: Path):
    """All hidden places at once, in one look; with `keep_gps` it finds them."""
    for number, source in enumerate(HIDDEN.values()):
        photo = read(source)
        for format in FORMATS:
            for folder in ("kept", "gone"):
                keep = folder == "kept"
                copy = encode(photo.rgb, like=photo, model="m", format=format, keep_gps=keep)
                (tmp_path / folder).mkdir(exist_ok=True)
                (tmp_path / folder / f"{number}.{format.lower()}").write_bytes(copy)
    names = ["-*GPS*", "-*Latitude*", "-*Longitude*", "-*Altitude*", "-*Geo*"]
    command = ["exiftool", "-a", "-G1", "-s", "-ee", "-r", *names, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = {"kept": 0, "gone": 0}
    folder = ""
    for line in found.splitlines():
        if line.startswith("======== "):
            folder = Path(line.removeprefix("======== ")).parent.name
        elif line.startswith("[") and "GeoTiff" not in line:
            told[folder] += 1
    print(f"places told: {told['gone']} in {len(HIDDEN) * len(FORMATS)} copies")
    assert told["gone"] == 0 and told["kept"] >= len(FORMATS) * (len(HIDDEN) - 2)
