"""TIFF seeds: strips and tiles, compressions, depths, pages, sub-directories, metadata."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from fuzz import metadata


def _samples(*channels: int, dtype: str = "u1") -> np.ndarray:
    y, x = np.mgrid[:32, :48]
    base = 0.5 + 0.4 * np.sin(x / 9) * np.cos(y / 7)
    if channels:
        base = np.stack([base * (1 - i / 5) for i in range(channels[0])], axis=-1)
    kind = np.dtype(dtype)
    return (base if kind.kind == "f" else base * np.iinfo(kind).max).astype(kind)


def _by_tifffile(
    samples: np.ndarray, *, pages: int = 1, thumbnail: bool = False, **options: Any
) -> Callable[[], bytes]:
    """`thumbnail`: a small first directory, the picture as its sub-directory."""
    file = {name: options.pop(name) for name in ("bigtiff", "byteorder") if name in options}
    kind = "rgb" if samples.ndim == 3 else "minisblack"
    options = {"photometric": kind, "metadata": None} | options

    def make() -> bytes:
        buffer = io.BytesIO()
        with tifffile.TiffWriter(buffer, **file) as writer:
            if thumbnail:
                writer.write(samples[::4, ::4], subifds=1, subfiletype=1, **options)
            for _ in range(pages):
                writer.write(samples, **options)
        return buffer.getvalue()

    return make


def _by_pillow(image: Image.Image, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "TIFF", **options)
        return buffer.getvalue()

    return make


def tiffs() -> dict[str, Callable[[], bytes]]:
    gray, rgb = _samples(), _samples(3)
    picture, plain = Image.fromarray(rgb), Image.fromarray(gray)
    meta = [
        (33723, 7, len(metadata.iptc()), metadata.iptc(), True),
        (700, 1, len(metadata.xmp()), metadata.xmp(), True),
        (34377, 7, len(metadata.photoshop()), metadata.photoshop(), True),
        (315, 2, 6, "José\0".encode(), True),
    ]
    contiguous = {"photometric": "minisblack", "planarconfig": "contig"}
    found = {
        "raw": _by_tifffile(rgb),
        "raw big-endian": _by_tifffile(gray, byteorder=">", rowsperstrip=8),
        "white is zero": _by_tifffile(gray, photometric="miniswhite"),
        "deflate": _by_tifffile(rgb, compression="zlib", predictor=True),
        "tiled": _by_tifffile(gray, tile=(16, 16)),
        "tiled deflate": _by_tifffile(rgb, tile=(16, 16), compression="zlib"),
        "planar": _by_tifffile(np.moveaxis(rgb, -1, 0), planarconfig="separate"),
        "BigTIFF": _by_tifffile(gray, bigtiff=True),
        "BigTIFF big-endian": _by_tifffile(gray, bigtiff=True, byteorder=">"),
        "pages": _by_tifffile(gray[:16], pages=3),
        "thumbnail first": _by_tifffile(rgb, thumbnail=True),
        "16 bit": _by_tifffile(_samples(dtype="u2")),
        "16 bit RGB": _by_tifffile(_samples(3, dtype="u2"), compression="zlib"),
        "16 bit alpha": _by_tifffile(
            _samples(2, dtype="u2"), **contiguous, extrasamples=["unassalpha"]
        ),
        "32 bit": _by_tifffile(_samples(dtype="u4")),
        "float": _by_tifffile(_samples(dtype="f4")),
        "half": _by_tifffile(_samples(dtype="f2")),
        "float RGB": _by_tifffile(_samples(3, dtype="f4")),
        "double": _by_tifffile(_samples(dtype="f8")),
        "16 bit Lab": _by_tifffile(_samples(3, dtype="u2"), photometric="cielab"),
        "gray and infrared": _by_tifffile(_samples(2), **contiguous, extrasamples=["unspecified"]),
        "CMYK": _by_tifffile(_samples(4), photometric="separated"),
        "metadata": _by_tifffile(gray, extratags=meta, resolution=(300, 300)),
        "ICC": _by_tifffile(gray, iccprofile=metadata.gray_profile()),
        "palette": _by_pillow(picture.quantize(16)),
        "EXIF": _by_pillow(plain, exif=metadata.pillow_exif()),
        "RGBA": _by_pillow(picture.convert("RGBA"), compression="tiff_lzw"),
        "Lab": _by_pillow(Image.frombytes("LAB", (48, 32), rgb.tobytes())),
    }
    for name in ("tiff_lzw", "packbits", "jpeg", "tiff_deflate"):
        found[name] = _by_pillow(picture, compression=name, dpi=(300, 300))
    for name in ("group3", "group4", "tiff_ccitt"):
        found[name] = _by_pillow(plain.convert("1"), compression=name)
    return found
