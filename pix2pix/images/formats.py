"""The allowlist: picture formats that are read, told by their first bytes, and those written."""

from dataclasses import dataclass
from typing import Protocol

from pix2pix.errors import Truncated, Unreadable, UnsupportedFormat

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")

EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}

_WRITABLE = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "AVIF": ".avif",
}

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
)
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_REFUSED = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "a Photoshop document"),
    (b"IIRO", "a camera raw file"),  # Olympus
    (b"IIRS", "a camera raw file"),
    (b"MMOR", "a camera raw file"),
    (b"IIU\x00", "a camera raw file"),  # Panasonic
    (b"FUJIFILMCCD-RAW", "a camera raw file"),
    (b"\x00MRM", "a camera raw file"),  # Minolta
    (b"FOVb", "a camera raw file"),  # Sigma
)


@dataclass
class Container:
    """What a file says about itself before its pixels are decoded."""

    size: tuple[int, int] | None = None
    """(width, height), where it is cheap to know."""
    frames: int = 1
    """A lower bound when `many`."""
    many: bool = False
    deep: bool = False
    """More than 8 bits a channel."""
    white: int | None = None
    """The value of white, where it is not the largest that the layout holds."""
    inverted: bool = False
    """0 is white."""
    lossless: bool = False
    cut: bool = False
    """The bytes end before the structure does."""
    page: int = 0
    """TIFF: where the picture's directory is, if Pillow cannot start from the file's first."""


class HasFormat(Protocol):
    """Anything with the format it was read from."""

    format: str


def sniff(data: bytes) -> str:
    """The format's name, one of READABLE, by content; the file's name plays no part.

    Raises Unreadable below four bytes (no format can be told), Truncated inside a signature, and
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
    raise UnsupportedFormat(f"{_guess(data)}, none of {', '.join(READABLE)}")


def _is_bmp(data: bytes) -> bool:
    # "BM" also starts ordinary text, so the size of the second header must be a real one.
    size = int.from_bytes(data[14:18], "little")
    return size in _BMP_HEADER_SIZES or len(data) < 18


def _sniff_iso(data: bytes) -> str:
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    if b"crx " in brands:  # Canon
        raise UnsupportedFormat(f"a camera raw file, none of {', '.join(READABLE)}")
    raise UnsupportedFormat(f"a video or another ISO file, none of {', '.join(READABLE)}")


def _guess(data: bytes) -> str:
    for magic, name in _REFUSED:
        if data.startswith(magic):
            return name
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if b"<svg" in start or start.startswith(b"<?xml"):
        return "SVG or other XML"
    return "no known picture signature"


def output_format(photo: HasFormat) -> tuple[str, str]:
    """(format, extension with dot) that a colored copy of `photo` is written in.

    The photo's own format where it can hold full color; GIF becomes PNG, HEIF becomes JPEG.
    """
    name = photo.format
    if name not in _WRITABLE:
        name = "JPEG" if name == "HEIF" else "PNG"
    return name, _WRITABLE[name]


def writable_format(name: str) -> str:
    """`name` in capitals if that format is written here, else raises UnsupportedFormat."""
    upper = {"JPG": "JPEG", "TIF": "TIFF"}.get(name.upper(), name.upper())
    if upper not in _WRITABLE:
        raise UnsupportedFormat(f"cannot write {name!r}, only {', '.join(_WRITABLE)}")
    return upper
