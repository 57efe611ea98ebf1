"""What ExifTool reads before, it reads after: every kind of text in every format, or a warning."""

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import jpegs, pictures
from PIL import Image, PngImagePlugin

from pix2pix.errors import UnsupportedFormat
from pix2pix.images import encode, read
from pix2pix.images.formats import output_format, sniff

TEXT = "Großmutter vor dem Haus, Köln 1912"
FAR = "Кириллица и 日本"
EXIF = {
    "IFD0:ImageDescription": "{}",
    "IFD0:Artist": "{} a",
    "IFD0:Copyright": "{} c",
    "IFD0:DocumentName": "{} d",
    "IFD0:HostComputer": "{} h",
    "IFD0:Make": "Voigtlander",
    "IFD0:ModifyDate": "1954:07:04 12:00:00",
    "IFD0:Rating": "4",
    "ExifIFD:OwnerName": "{} o",
    "ExifIFD:LensModel": "{} l",
    "ExifIFD:DateTimeOriginal": "1912:05:01 12:00:00",
    "ExifIFD:CustomRendered": "1",
    "ExifIFD:GainControl": "2",
}
WIDE = {
    "IFD0:XPTitle": f"{FAR} t",
    "IFD0:XPComment": f"{FAR} c",
    "IFD0:XPKeywords": f"{FAR} k",
    "ExifIFD:UserComment": f"{FAR} u",
}
IPTC = {
    "IPTC:ObjectName": "{} 5",
    "IPTC:Caption-Abstract": "{} 120",
    "IPTC:By-line": "{} 80",
    "IPTC:CopyrightNotice": "{} 116",
    "IPTC:Keywords": "{} 25",
    "IPTC:City": "Köln",
    "IPTC:Headline": "{} 105",
    "IPTC:Contact": "{} 118",
    "IPTC:FixtureIdentifier": "fixture",
    "IPTC:DateCreated": "1912:05:01",
}
PHOTOSHOP = {"Photoshop:CopyrightFlag": "1", "Photoshop:URL": "https://archive.example/44"}
XMP = {
    "XMP-dc:Title": f"{TEXT} {FAR}",
    "XMP-dc:Description": f"{TEXT} d",
    "XMP-dc:Creator": "Zoë Ångström",
    "XMP-dc:Subject": "Familie",
    "XMP-xmp:Label": FAR,
    "XMP-photoshop:City": "Köln",
    "XMP-aux:Lens": "Heliar",
    "XMP-MP:RegionRectangle": "0.1, 0.2, 0.3, 0.4",
}


def _arguments(tags: dict[str, str], text: str = TEXT, charset: str = "") -> list[str]:
    options = ["-charset", charset] if charset else []
    return [*options, *(f"-{tag}={value.format(text)}" for tag, value in tags.items())]


# kind -> (what ExifTool is told, the formats that have a place for it, the charset to read it with)
ALL = ("JPEG", "PNG", "WEBP", "TIFF", "LZW", "DEFLATE", "AVIF", "HEIF", "JPEG2000")
KINDS: dict[str, tuple[list[str], tuple[str, ...], str]] = {
    "EXIF, ASCII": (_arguments(EXIF, "Grandmother"), ALL, ""),
    "EXIF, UTF-8": (_arguments(EXIF) + _arguments(WIDE), ALL, ""),
    "EXIF, Latin-1": (_arguments(EXIF, charset="exif=latin1"), ALL, "exif=latin1"),
    "EXIF, big-endian": (["-ExifByteOrder=MM", *_arguments(EXIF), *_arguments(WIDE)], ALL, ""),
    "EXIF, turned": (["-IFD0:Orientation#=6", *_arguments(EXIF), *_arguments(WIDE)], ALL, ""),
    "IPTC, UTF-8": (
        ["-IPTC:CodedCharacterSet=UTF8", *_arguments(IPTC, FAR)],
        ("JPEG", "TIFF", "LZW", "JPEG2000"),
        "",
    ),
    "IPTC, Latin-1": (_arguments(IPTC, charset="iptc=latin1"), ("JPEG", "TIFF"), "iptc=latin1"),
    "IPTC, UTF-8 unsaid": (_arguments(IPTC, charset="iptc=utf8"), ("JPEG", "LZW"), "iptc=utf8"),
    "Photoshop": (_arguments(PHOTOSHOP), ("JPEG", "TIFF", "LZW"), ""),
    "comment": ([f"-Comment={TEXT} {FAR}"], ("JPEG", "GIF", "PNG"), ""),
    "XMP": (_arguments(XMP), (*ALL, "GIF"), ""),
    "all at once": (
        ["-IPTC:CodedCharacterSet=UTF8", *_arguments(EXIF), *_arguments(WIDE), *_arguments(IPTC)]
        + [*_arguments(XMP), *_arguments(PHOTOSHOP), f"-Comment={FAR}"],
        ("JPEG",),
        "",
    ),
}
OUT = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP")
# Groups of what is said, not of how the file is built.
GROUPS = ("IFD0", "ExifIFD", "IPTC", "Photoshop", "XMP-", "PNG")
# What describes the file itself, is rewritten, or belongs to the container.
OF_THE_FILE = (
    "ImageWidth ImageHeight BitsPerSample Compression PhotometricInterpretation StripOffsets "
    "StripByteCounts RowsPerStrip SamplesPerPixel PlanarConfiguration Predictor Orientation "
    "YCbCrPositioning YCbCrSubSampling ExifVersion ComponentsConfiguration FlashpixVersion "
    "ColorSpace XMPToolkit ApplicationRecordVersion EnvelopeRecordVersion CodedCharacterSet "
    "IPTCDigest CurrentIPTCDigest BitDepth ColorType Filter Interlace XResolution YResolution "
    "ResolutionUnit HasExtendedXMP DigitalSourceType AISystemUsed CreatorTool"
).split()


def base(format: str) -> bytes:
    gray = pictures.gray(48, 32)
    compression = {"LZW": "tiff_lzw", "DEFLATE": "tiff_adobe_deflate"}.get(format)
    if compression:
        return pictures.encoded(gray, "TIFF", compression=compression)
    if format == "HEIF":
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(pictures.rgb(64, 64))).save(buffer)
        return buffer.getvalue()
    return pictures.encoded(pictures.rgb(48, 32) if format == "WEBP" else gray, format)


def is_read(format: str) -> bool:
    """Whether this package reads the format at all."""
    try:
        return bool(sniff(base(format)))
    except UnsupportedFormat:
        return False


SUFFIX = {"JPEG2000": ".jp2", "HEIF": ".heic", "LZW": ".tif", "DEFLATE": ".tif", "TIFF": ".tif"}


def exiftool(arguments: list[str], folder: Path) -> str:
    file = folder / "arguments.txt"
    file.write_text("\n".join(arguments) + "\n")
    done = subprocess.run(["exiftool", "-@", str(file)], capture_output=True, text=True)
    assert "Error" not in done.stderr, done.stderr
    return done.stdout


def tags(files: list[Path], folder: Path, charset: str = "") -> dict[str, dict[str, str]]:
    """name of a file -> ExifTool's tags of what is said, as text."""
    options = ["-charset", charset] if charset else []
    options += ["-j", "-G1", "-a", "-n", "-struct", "-b"]
    answer = json.loads(exiftool([*options, *map(str, files)], folder) or "[]")
    return {Path(one["SourceFile"]).name: dict(_said(one)) for one in answer}


def _said(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in one.items():
        group, _, tag = key.partition(":")
        if tag in OF_THE_FILE:
            continue
        if group.startswith(GROUPS) or key.endswith(":Comment"):
            yield key, _flat(value)


def _flat(value: Any) -> str:
    """The text of a value, whatever lists and structures it stands in."""
    if isinstance(value, list):
        return " | ".join(map(_flat, value))
    if isinstance(value, dict):
        return " | ".join(map(_flat, value.values()))
    text = str(value).replace("https://archive", "archive").strip()
    return {"True": "1", "False": "0"}.get(text, text)


def lost(before: dict[str, str], after: dict[str, str], warnings: list[str]) -> list[str]:
    """The values that are in no tag any more and whose tag no warning names."""
    said = " ".join(warnings)
    return [
        f"{key}={value}"
        for key, value in before.items()
        if not _is_there(key.partition(":")[2], value, after)
        and key.partition(":")[2] not in said
        and "BMP holds no" not in said
    ]


def _is_there(tag: str, value: str, after: dict[str, str]) -> bool:
    """Under its own name, or under any where the value is long enough to tell it."""
    names = {tag, "Marked"} if tag == "CopyrightFlag" else {tag}
    for key, found in after.items():
        if len(value) > 3 or key.partition(":")[2] in names:
            if value in found or value in found.replace("-", ":"):  # XMP writes dates with dashes
                return True
    return False


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """(file, charset) for every kind in every format that has a place for it."""
    folder = tmp_path_factory.mktemp("inputs")
    arguments: list[str] = []
    files = []
    for kind, (told, formats, charset) in KINDS.items():
        for format in filter(is_read, formats):
            path = folder / f"{kind.replace(', ', '_').replace(' ', '_')}-{format}"
            path = path.with_suffix(SUFFIX.get(format, f".{format.lower()}"))
            path.write_bytes(base(format))
            arguments += [*told, "-overwrite_original", "-q", str(path), "-execute"]
            files.append((path, charset))
    exiftool(arguments, folder)
    return [*files, *((path, "") for path in _own_inputs(folder))]


PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- by hand: <!DOCTYPE is only a word --><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmp:Label="Köln > 日本"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Plate 44, Zoë</rdf:li>
 </rdf:Alt></dc:title><dc:description><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt>
</dc:description></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
KEYWORDS = {
    "Title": "Plate 44",
    "Author": "Atelier Nord",
    "Description": TEXT,
    "Copyright": "Stadtarchiv",
    "Creation Time": "1912",
    "Comment": "a comment",
    "Source": "glass plate",
    "Inventory number": "1912/44",
}


def with_packet(format: str, packet: bytes) -> bytes:
    from PIL import TiffImagePlugin

    if format == "TIFF":
        entries = TiffImagePlugin.ImageFileDirectory_v2()
        entries[700] = packet
        return pictures.encoded(pictures.gray(), format, tiffinfo=entries)
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        return pictures.encoded(pictures.gray(), format, pnginfo=info)
    return pictures.encoded(pictures.rgb(), format, xmp=packet)


def _own_inputs(folder: Path) -> Iterator[Path]:
    """What ExifTool does not write: XMP with comments, in UTF-16, long; PNG text of three kinds."""
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for name, packet in {
            "comment": (PACKET % TEXT).encode(),
            "long": (PACKET % (TEXT + " 1" * 40_000)).encode(),
            "utf16": (PACKET % TEXT).encode("utf-16"),
        }.items():
            if name == "long" and format == "JPEG" or name == "utf16" and format == "PNG":
                continue
            path = folder / f"xmp_{name}-{format}{SUFFIX.get(format, '.' + format.lower())}"
            path.write_bytes(with_packet(format, packet))
            yield path
    path = folder / "xmp_extended-JPEG.jpg"
    path.write_bytes(extended(TEXT + " 1" * 80_000))
    yield path
    for kind in ("tEXt", "zTXt", "iTXt"):
        info = PngImagePlugin.PngInfo()
        for key, value in KEYWORDS.items():
            if kind == "iTXt":
                info.add_itxt(key, value, "de", key)
            else:
                info.add_text(key, value, zip=kind == "zTXt")
        path = folder / f"text_{kind}-PNG.png"
        path.write_bytes(pictures.encoded(pictures.gray(), "PNG", pnginfo=info))
        yield path


def extended(text: str) -> bytes:
    """A JPEG whose description stands in an extension of its XMP."""
    import hashlib
    import struct

    empty = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{}">{}</rdf:RDF></x:xmpmeta>'
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    more = empty.format(
        rdf,
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>'
        f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>'
        "</rdf:Description>",
    ).encode()
    guid = hashlib.md5(more).hexdigest().upper()
    main = empty.format(
        rdf,
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Label="main" '
        f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{guid}"/>',
    ).encode()
    data = pictures.encoded(pictures.gray(), "JPEG")
    for start in reversed(range(0, len(more), 60_000)):
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid.encode()
        piece = head + struct.pack(">II", len(more), start) + more[start : start + 60_000]
        data = jpegs.with_segment(data, 0xE1, piece)
    return jpegs.with_segment(data, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main)


@pytest.mark.slow
def test_nothing_said_is_lost_in_silence(inputs: list[tuple[Path, str]], tmp_path: Path):
    warnings: dict[str, list[str]] = {}
    copies: list[tuple[Path, Path, str]] = []
    for path, charset in inputs:
        photo = read(path)
        cross = photo.format in ("JPEG", "PNG")
        for format in OUT if cross else [output_format(photo)[0]]:
            copy = tmp_path / f"{path.stem}-as-{format}{SUFFIX.get(format, '.' + format.lower())}"
            said: list[str] = list(photo.warnings)
            rgb = np.ascontiguousarray(photo.rgb)
            copy.write_bytes(encode(rgb, like=photo, model="default", format=format, warnings=said))
            warnings[copy.name] = said
            copies.append((path, copy, charset))
    losses, values, named = [], 0, 0
    for charset in sorted({charset for *_, charset in copies}):
        group = [(path, copy) for path, copy, own in copies if own == charset]
        before = tags(sorted({path for path, _ in group}), tmp_path, charset)
        after = tags([copy for _, copy in group], tmp_path, charset)
        for path, copy in group:
            assert before[path.name], f"{path.name} says nothing"
            values += len(before[path.name])
            gone = lost(before[path.name], after[copy.name], [])
            missing = lost(before[path.name], after[copy.name], warnings[copy.name])
            named += len(gone) - len(missing)
            losses += [f"{path.name} -> {copy.name}: {one}" for one in missing]
    print(f"{len(losses)} silent losses of {values:,} ({named} named), {len(copies)} copies")
    assert not losses, "\n".join(losses[:40])
