"""The allowlist: picture formats that are read, detected by magic numbers, and those written."""

import os
import re
from dataclasses import dataclass, field
from typing import Protocol

from pix2pix.errors import Truncated, Unreadable, UnsupportedFormat
from pix2pix.images import refused
from pix2pix.images.bits import big, little
from pix2pix.images.coding import Coding

_EXTENSIONS = {
    "JPEG": ".jpg .jpeg .jpe .jfif .jif .jfi .mpo",
    "PNG": ".png .apng",
    "WEBP": ".webp",
    "TIFF": ".tif .tiff .tff",
    "BMP": ".bmp .dib",
    "GIF": ".gif",
    "AVIF": ".avif .avifs",
    "HEIF": ".heic .heics .heif .heifs .hif",
    "JPEG2000": ".jp2 .j2k .j2c .jpc .jpf .jpx",
    "PNM": ".pbm .pgm .ppm .pnm .pam .pfm",
}
READABLE = tuple(_EXTENSIONS)
EXTENSIONS = {end: name for name, ends in _EXTENSIONS.items() for end in ends.split()}

_WRITABLE = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "AVIF": ".avif",
}

DEEP = {"PNG", "TIFF"}  # written with 16 bits, too

_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (_PNG, "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_PNM = re.compile(rb"P(?:[1-6][ \t\r\n]+[#0-9]|7[\r\n]|[fF][ \t\r\n]+[0-9])")
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass
class Container:
    """What the headers of a file say, before its pixels are decoded."""

    size: tuple[int, int] | None = None  # (width, height), where it is cheap to know
    frames: int = 1  # a lower bound when `many`
    many: bool = False
    deep: bool = False  # more than 8 bits a channel
    white: int | None = None  # the value of white, where it is not the largest possible
    inverted: bool = False  # 0 is white
    lossless: bool = False
    cut: bool = False  # the bytes end before the structure does
    page: int = 0  # TIFF: offset of the picture's directory, where Pillow needs it
    coding: Coding | None = None  # stated without a profile, and not sRGB
    icc: bytes | None = None  # a color profile that the decoder does not hand on
    warnings: list[str] = field(default_factory=list)


class HasFormat(Protocol):
    """Anything with the format it was read from."""

    format: str


def sniff(data: bytes) -> str:
    """Detect the format, one of READABLE, by content; the file's name plays no part.

    Raises Unreadable below four bytes (too few for any format), Truncated inside a signature, and
    UnsupportedFormat for everything else.
    """
    if len(data) < 4:
        raise Unreadable(f"only {len(data)} bytes")
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
        if magic.startswith(data[:16]):
            raise Truncated(f"the file ends inside the {name} signature")
    if data.startswith(b"RIFF") and data[8:12] in (b"WEBP", b"WEB", b"WE", b"W", b""):
        if len(data) < 12:
            raise Truncated("the file ends inside the WebP signature")
        return "WEBP"
    if data.startswith(b"BM") and _is_bmp(data):
        return "BMP"
    if data[4:8] == b"ftyp":
        return _sniff_iso(data)
    if data.startswith(_JP2[:8]):
        return _sniff_jp2(data)
    if _PNM.match(data):
        return "PNM"
    raise _refusal(refused.guess(data))


def _refusal(kind: str) -> UnsupportedFormat:
    return UnsupportedFormat(f"{kind}, none of {', '.join(READABLE)}")


def _is_bmp(data: bytes) -> bool:
    # "BM" also starts ordinary text, so the size of the second header must be a real one.
    size = little(data, 14, 4)
    return size in _BMP_HEADER_SIZES or len(data) < 18


def _sniff_iso(data: bytes) -> str:
    brands = _brands(data, 0)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    raise _refusal(refused.iso_kind(data[8:12]))


def _sniff_jp2(data: bytes) -> str:
    """Signature box, then the brands of what ISO 15444 puts into it: pictures, pages, films."""
    if len(data) < 32:
        raise Truncated("the file ends inside the JPEG 2000 signature")
    if not data.startswith(_JP2):
        raise _refusal("a damaged JPEG 2000 signature")
    if _brands(data, 12) & {b"jp2 ", b"jpx "} or data[16:20] != b"ftyp":
        return "JPEG2000"
    raise _refusal({b"jpm ": "a JPM document"}.get(data[20:24], "a Motion JPEG 2000 video"))


def _brands(data: bytes, start: int) -> set[bytes]:
    """The main and the compatible brands of the ftyp box at `start`."""
    end = start + min(big(data, start, 4), 256)
    end = min(end, len(data))
    return {data[start + 8 : start + 12], *(data[i : i + 4] for i in range(start + 16, end, 4))}


def output_format(photo: HasFormat, *, lossless: bool = False) -> tuple[str, str]:
    """Choose the (format, extension with dot) that a colored copy of `photo` is written in.

    The photo's own format where it can hold full color and is written here; HEIF becomes JPEG,
    the others (GIF, JPEG 2000, PNM) PNG. `lossless` ones are PNG and TIFF.
    """
    name = photo.format
    if lossless and name not in DEEP:
        name = "PNG"
    if name not in _WRITABLE:
        name = "JPEG" if name == "HEIF" else "PNG"
    return name, _WRITABLE[name]


def holds_16_bits(path: str) -> bool:
    """Whether a file is written in a format that has 16 bits here, by its name."""
    return EXTENSIONS.get(os.path.splitext(path)[1].lower()) in DEEP


def writable_format(name: str) -> str:
    """Normalize the name of a format that is written here. Raises UnsupportedFormat for others."""
    upper = {"JPG": "JPEG", "TIF": "TIFF"}.get(name.upper(), name.upper())
    if upper not in _WRITABLE:
        raise UnsupportedFormat(f"cannot write {name!r}, only {', '.join(_WRITABLE)}")
    return upper
