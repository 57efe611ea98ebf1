"""Small valid pictures of every format and kind, made by code: what the fuzzer mutates."""

import functools
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from fuzz import metadata
from fuzz.drawings import Makers, bmps, color, gray, saved
from fuzz.seeds_tiff import tiffs
from pix2pix.errors import UnsupportedFormat
from pix2pix.images import formats


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def _jpeg(image: Image.Image, *segments: bytes, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        data = saved(image, "JPEG", **{"quality": 80, **options})
        return data[:2] + b"".join(segments) + data[2:]

    return make


def jpegs() -> Makers:
    app1 = segment(0xE1, b"Exif\0\0" + metadata.exif())
    packet, extension = metadata.extended_xmp()
    adobe = b"http://ns.adobe.com/xap/1.0/\0"
    more = {"save_all": True, "append_images": [color(), gray()]}
    return {
        "baseline": _jpeg(color()),
        "4:4:4": _jpeg(color(), subsampling=0),
        "progressive": _jpeg(color(), progressive=True),
        "restarts": _jpeg(color(), restart_marker_blocks=2),
        "gray": _jpeg(gray()),
        "CMYK": _jpeg(color("CMYK")),
        "EXIF": _jpeg(color(), app1),
        "EXIF big-endian": _jpeg(gray(), segment(0xE1, b"Exif\0\0" + metadata.exif(">", 8))),
        "IPTC": _jpeg(color(), segment(0xED, b"Photoshop 3.0\0" + metadata.photoshop())),
        "comment": _jpeg(gray(), segment(0xFE, "Großmutter".encode()), segment(0xFE, b"\xff\0")),
        "XMP": _jpeg(color(), app1, segment(0xE1, adobe + metadata.xmp())),
        "extended XMP": _jpeg(color(), segment(0xE1, adobe + packet), segment(0xE1, extension)),
        "ICC": _jpeg(color(), icc_profile=metadata.srgb()),
        "gray ICC": _jpeg(gray(), icc_profile=metadata.gray_profile()),
        "MPO": lambda: saved(color(), "MPO", **more),
        "all metadata": _jpeg(
            color(),
            app1,
            segment(0xE1, adobe + metadata.xmp()),
            segment(0xED, b"Photoshop 3.0\0" + metadata.photoshop()),
            segment(0xFE, b"a comment"),
        ),
    }


def _deep_png(*chunks: bytes, channels: int = 1) -> bytes:
    values = np.asarray(color("RGBA")).astype(">u2")[..., :channels] * 257
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + values[y].tobytes() for y in range(height))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows))
    return formats._PNG + body + chunk(b"IEND", b"")


def _with_chunks(data: bytes, *chunks: bytes) -> bytes:
    return data[:33] + b"".join(chunks) + data[33:]


def pngs() -> Makers:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a garden")
    text.add_text("Comment", "in a zTXt " * 9, zip=True)
    text.add_itxt("Description", "Großmutter", "de", "Beschreibung", zip=True)
    text.add_itxt("XML:com.adobe.xmp", metadata.xmp().decode())
    frames = {"save_all": True, "append_images": [color(), gray().convert("RGB")], "duration": 9}
    icc = chunk(b"iCCP", b"icc\0\0" + zlib.compress(metadata.srgb()))
    small = color("RGB", 24, 16)
    return {
        "RGB": lambda: saved(color(), "PNG"),
        "gray": lambda: saved(gray(), "PNG"),
        "1 bit": lambda: saved(gray().convert("1"), "PNG"),
        "16 bit": lambda: _deep_png(),
        "16 bit RGB": lambda: _deep_png(channels=3),
        "16 bit RGBA": lambda: _deep_png(channels=4),
        "RGBA": lambda: saved(color("RGBA"), "PNG"),
        "LA": lambda: saved(color("RGBA").convert("LA"), "PNG"),
        "palette": lambda: saved(color().quantize(16), "PNG"),
        "palette tRNS": lambda: saved(color().quantize(16), "PNG", transparency=bytes(range(16))),
        "text": lambda: saved(small, "PNG", pnginfo=text),
        "eXIf": lambda: saved(small, "PNG", exif=metadata.exif()),
        "iCCP": lambda: _with_chunks(saved(gray(), "PNG"), icc),
        "gAMA cHRM": lambda: _deep_png(
            chunk(b"gAMA", struct.pack(">I", 100000)),
            chunk(
                b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 600)
            ),
        ),
        "cICP": lambda: _deep_png(
            chunk(b"cICP", bytes([9, 16, 0, 1])), chunk(b"mDCV", bytes(24)), channels=3
        ),
        "pHYs sBIT tIME bKGD": lambda: _with_chunks(
            saved(small, "PNG", dpi=(300, 300)),
            chunk(b"sBIT", b"\5\6\5"),
            chunk(b"tIME", bytes([7, 209, 2, 3, 4, 5, 6])),
            chunk(b"bKGD", bytes(6)),
        ),
        "APNG": lambda: saved(color(), "PNG", **frames),
    }


def gifs() -> Makers:
    other = Image.eval(gray(), lambda v: 255 - v)
    more: dict[str, Any] = {"save_all": True, "append_images": [other, color().quantize(32)]}
    return {
        "plain": lambda: saved(gray(), "GIF"),
        "87a": lambda: saved(color("RGB", 24, 16).quantize(8), "GIF"),
        "animated": lambda: saved(gray(), "GIF", disposal=2, duration=50, loop=0, **more),
        "local tables": lambda: saved(color().quantize(16), "GIF", disposal=3, **more),
        "comment": lambda: saved(gray(), "GIF", comment="Großmutter".encode(), interlace=1),
        "transparent": lambda: saved(color().quantize(9), "GIF", transparency=3),
        "XMP": lambda: _gif_xmp(saved(gray(), "GIF")),
    }


def _gif_xmp(data: bytes) -> bytes:
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return data[:-1] + b"!\xff\x0bXMP DataXMP" + metadata.xmp() + trailer + b";"


def webps() -> Makers:
    frames: dict[str, Any] = {"save_all": True, "append_images": [gray().convert("RGB")]}
    meta: dict[str, Any] = {
        "exif": metadata.exif(), "xmp": metadata.xmp(), "icc_profile": metadata.srgb()
    }  # fmt: skip
    return {
        "lossy": lambda: saved(color(), "WEBP"),
        "lossless": lambda: saved(color(), "WEBP", lossless=True),
        "lossless alpha": lambda: saved(color("RGBA"), "WEBP", lossless=True, exact=True),
        "alpha": lambda: saved(color("RGBA"), "WEBP", quality=60),
        "metadata": lambda: saved(color(), "WEBP", **meta),
        "animated": lambda: saved(color(), "WEBP", duration=50, **frames),
    }


def isos() -> Makers:
    def avif(image: Image.Image, **options: Any) -> Callable[[], bytes]:
        return lambda: saved(image, "AVIF", speed=10, **options)

    def heif(image: Image.Image, **options: Any) -> Callable[[], bytes]:
        import pillow_heif

        pillow_heif.register_heif_opener()
        return lambda: saved(image, "HEIF", quality=50, **options)

    meta = {"exif": metadata.pillow_exif().tobytes(), "xmp": metadata.xmp()}
    more = {"save_all": True, "append_images": [gray().convert("RGB")]}
    return {
        "AVIF": avif(color()),
        "AVIF gray": avif(gray()),
        "AVIF alpha": avif(color("RGBA")),
        "AVIF metadata": avif(color(), icc_profile=metadata.srgb(), **meta),
        "AVIF animated": avif(color(), duration=50, **more),
        "HEIF": heif(color("RGB", 64, 64)),
        "HEIF alpha": heif(color("RGBA", 64, 64)),
        "HEIF metadata": heif(color("RGB", 64, 64), **meta),
        "HEIF of two": heif(color("RGB", 64, 64), **more),
    }


def archives() -> Makers:
    """JPEG 2000 and Netpbm."""
    return {
        "JP2": lambda: saved(color(), "JPEG2000"),
        "JP2 gray tiled": lambda: saved(gray(), "JPEG2000", tile_size=(16, 16)),
        "JP2 alpha lossy": lambda: saved(
            color("RGBA"), "JPEG2000", irreversible=True, quality_layers=[20, 5]
        ),
        "codestream": lambda: saved(color(), "JPEG2000", no_jp2=True),
        "PPM": lambda: saved(color(), "PPM"),
        "PGM": lambda: saved(gray(), "PPM"),
        "PGM 16 bit": lambda: saved(gray().convert("I;16"), "PPM"),
        "PBM": lambda: saved(gray().convert("1"), "PPM"),
        "plain PGM": lambda: b"P2\n# by hand\n12 4\n255\n" + b"0 255 7 90\n" * 12,
        "plain PPM": lambda: b"P3 2 2 15 " + b"1 15 3 " * 4,
        "PFM": lambda: saved(gray().convert("F"), "PPM"),
    }


@functools.cache
def seeds() -> dict[str, tuple[str, bytes]]:
    """By name: (the format as read here, the bytes). What is not read is left out.

    Raises KeyError for a readable format without a seed.
    """
    found: dict[str, tuple[str, bytes]] = {}
    for kinds in (jpegs, pngs, gifs, webps, bmps, tiffs, isos, archives):
        for name, make in kinds().items():
            data = make()
            try:
                found[f"{kinds.__name__}: {name}"] = formats.sniff(data), data
            except UnsupportedFormat:
                continue
    missing = set(formats.READABLE) - {name for name, _ in found.values()}
    if missing:
        raise KeyError(f"no seed of {', '.join(sorted(missing))}")
    return found
