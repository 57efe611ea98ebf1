"""Any supported picture file -> upright 8-bit sRGB pixels, or one typed error.

The order is what makes it safe: regular file, byte limit, signature on the allowlist, structure of
the container, pixel limit, and only then a decoder.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from pix2pix.errors import Corrupt, PhotoError, TooLarge, Truncated
from pix2pix.images import files, formats, metadata, modes

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass
class Photo:
    """A decoded picture and what is needed to write its colored copy."""

    rgb: np.ndarray
    """(H, W, 3) uint8 sRGB, upright."""
    alpha: np.ndarray | None
    """(H, W) uint8, or None for an opaque picture."""
    format: str
    """One of formats.READABLE."""
    exif: bytes | None = None
    """Clean EXIF: orientation 1, no thumbnail, GPS still there."""
    xmp: bytes | None = None
    """The XMP packet as it came."""
    dpi: tuple[float, float] | None = None
    encoding: dict[str, Any] = field(default_factory=dict)
    """How the file was compressed: quality, lossless, compression."""
    warnings: list[str] = field(default_factory=list)


def read(
    source: str | Path | bytes | BinaryIO,
    *,
    max_pixels: int = 100_000_000,
    max_bytes: int | None = None,
    allow_truncated: bool = False,
) -> Photo:
    """A path, bytes or a binary stream -> Photo with rgb (H,W,3) uint8 sRGB, upright.

    `max_bytes` defaults to what `max_pixels` of the deepest layout take. `allow_truncated` accepts
    a file that ends early, with a warning; the missing part is gray. Raises the errors of
    pix2pix.errors.
    """
    path = str(source) if isinstance(source, (str, Path)) else None
    if max_bytes is None:
        max_bytes = 16 * max_pixels + 2**26
    try:
        data = files.read_bytes(source, max_bytes=max_bytes)
        return _decode(data, max_pixels=max_pixels, allow_truncated=allow_truncated)
    except PhotoError as error:
        error.path = error.path or path
        raise


def _decode(data: bytes, *, max_pixels: int, allow_truncated: bool) -> Photo:
    name = formats.sniff(data)
    photo = Photo(np.empty((0, 0, 3), np.uint8), None, name)
    try:
        image = _open(data, name)
        _check_pixels(image.size, max_pixels)
        _load(image, truncated=allow_truncated)
        _describe(image, photo)
    except PhotoError:
        raise
    except Exception as error:
        raise _typed(error, data, name) from error
    icc = image.info.get("icc_profile")
    turn = _TRANSPOSE.get(metadata.orientation(image.getexif()))
    upright = image if turn is None else image.transpose(turn)
    photo.rgb, photo.alpha = modes.to_rgb(upright, icc=icc, warnings=photo.warnings)
    return photo


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=[name])


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooLarge(
            f"{width:,} x {height:,} pixels, more than the limit of {max_pixels:,} (--max-pixels)"
        )


def _load(image: ImageFile.ImageFile, *, truncated: bool) -> None:
    image.load()


def _describe(image: ImageFile.ImageFile, photo: Photo) -> None:
    photo.exif = metadata.clean_exif(image.getexif(), warnings=photo.warnings)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    photo.xmp = xmp.encode() if isinstance(xmp, str) else xmp
    dpi = image.info.get("dpi")
    photo.dpi = (float(dpi[0]), float(dpi[1])) if dpi else None


def _typed(error: Exception, data: bytes, name: str) -> PhotoError:
    if isinstance(error, MemoryError):
        return TooLarge("not enough memory to decode it")
    if "truncated" in str(error).lower():
        return Truncated(str(error))
    return Corrupt(f"broken {name}: {error}")
