"""Pixels back into a file: the input's format, its metadata where it holds, all or nothing."""

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from pix2pix import files
from pix2pix.errors import NotEncoded, PhotoError, TooLarge, UnsupportedFormat, one_line
from pix2pix.images import arrays, deep_files, formats, icc, memory
from pix2pix.images.metadata import statement, writer
from pix2pix.images.reading import Encoding, Photo
from pix2pix.images.task import COLOR, TRANSLATE, Task
from pix2pix.images.tiff import packing, padding

Seal = Callable[[io.BytesIO, str], io.BytesIO]
"""A finished file and its format -> the file with more in it."""
_ALPHA = {"PNG", "TIFF", "WEBP", "AVIF"}
_MAX_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 32768}  # what libjpeg and libavif take
_MIN_QUALITY = 92
# At their best compression WebP and AVIF take over 30 bytes a pixel, at their fastest half of it.
_FRUGAL = 8_000_000


def write(
    rgb: np.ndarray,
    dest: str | Path | BinaryIO,
    *,
    like: Photo,
    model: str,
    task: Task = COLOR,
    format: str | None = None,
    keep_gps: bool = False,
    source: os.stat_result | None = None,
    seal: Seal | None = None,
) -> list[str]:
    """Write rgb (H, W, 3) uint8 or uint16 sRGB to a file, atomically, or a stream -> warnings.

    The format is `format`, else the one `dest` is named for, else the one of `like`, which also
    gives alpha and metadata. PNG and TIFF hold 16 bits, the others get 8. `model` is named in the
    provenance, with its `task`; `seal` signs the finished file (credentials.py). A file gets the
    modification time and the mode of `source`, the state of the photo's file. Raises NoSpace,
    NotPermitted, UnsupportedFormat, TooLarge and NotEncoded, and leaves no file then.
    """
    path = dest if isinstance(dest, (str, Path)) else None
    try:
        if format is None and path is not None:
            format = formats.EXTENSIONS.get(Path(path).suffix.lower())
        buffer, warnings = _encode(
            rgb, like=like, model=model, task=task, format=format, keep_gps=keep_gps, seal=seal
        )
        if path is not None:
            files.write_bytes(buffer.getbuffer(), path, source=source)
        else:
            files.write_stream(buffer.getbuffer(), dest)  # type: ignore[arg-type]
    except PhotoError as error:
        error.path = error.path or (None if path is None else str(path))
        raise
    return warnings


def encode(
    rgb: np.ndarray,
    *,
    like: Photo,
    model: str,
    task: Task = COLOR,
    format: str | None = None,
    keep_gps: bool = False,
    warnings: list[str] | None = None,
) -> bytes:
    """Encode rgb (H, W, 3) uint8 or uint16 sRGB -> the bytes of a file, as `write` makes it.

    What got lost on the way is appended to `warnings`.
    """
    buffer, lost = _encode(rgb, like=like, model=model, task=task, format=format, keep_gps=keep_gps)
    if warnings is not None:
        warnings += lost
    return buffer.getvalue()


def _encode(
    rgb: np.ndarray,
    *,
    like: Photo,
    model: str,
    task: Task,
    format: str | None,
    keep_gps: bool,
    seal: Seal | None = None,
) -> tuple[io.BytesIO, list[str]]:
    if rgb.dtype not in (np.uint8, np.uint16) or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb must be (H, W, 3) uint8 or uint16, not {rgb.shape} {rgb.dtype}")
    usual, _ = formats.output_format(like, lossless=task.lossless)
    name = formats.writable_format(format or usual)
    if task.lossless and name not in formats.DEEP:
        raise UnsupportedFormat(f"a {task.mark[1:]} is PNG or TIFF, not {name}")
    height, width = rgb.shape[:2]
    if max(width, height) > _MAX_SIDE.get(name, 2**31):
        raise TooLarge(f"{name} holds at most {_MAX_SIDE[name]:,} pixels a side")
    warnings: list[str] = []
    deep = rgb.dtype == np.uint16 and name in formats.DEEP
    if like.deep is not None and not deep:
        warnings += like.deep.lost
    image = _pixel(like) if deep else _image(arrays.to_uint8(rgb), like.alpha, name, warnings)
    if name == "BMP":
        warnings.append("BMP holds no metadata: provenance, EXIF and XMP are not written")
        if like.resources or like.texts:
            warnings.append("BMP holds no text: IPTC and comments are not written")
        if seal is not None:
            warnings.append("BMP holds no content credentials: it is not signed")
    options = _options(like, task, name, width * height)
    if like.profiled and name != "BMP":
        options["icc_profile"] = icc.srgb_bytes()
    say = partial(
        statement.compose,
        name=name,
        size=(width, height),
        model=model,
        task=task,
        keep_gps=keep_gps,
    )
    failure: Exception | None = None
    for source in (like, Photo(like.rgb, None, like.format)):  # then without what the file said
        lost: list[str] = []
        try:
            said = None if name == "BMP" else say(source, warnings=lost)
            dpi = {"dpi": source.dpi} if source.dpi else {}
            buffer = _save(image, name, options | dpi, said)
            if deep:
                buffer = _deep(buffer, rgb, like, name)
            if said and name == "TIFF":
                writer.finish_tiff(buffer, said)
        except PhotoError:
            raise
        except MemoryError as error:
            raise TooLarge(f"not enough memory to write {name}", again=True) from error
        except Exception as error:  # libraries raise many kinds
            failure = failure or error
            continue
        if failure is not None:
            warnings.append(f"EXIF, XMP, IPTC and comments not written: {one_line(failure)}")
        if seal is not None and name != "BMP":
            buffer = seal(buffer, name)
        return buffer, warnings + lost
    assert failure is not None
    raise NotEncoded(f"{name}: {one_line(failure)}") from failure


def _save(
    image: Image.Image, name: str, options: dict[str, Any], said: statement.Statement | None
) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, format=name, **options, **(writer.options(said, name) if said else {}))
    if name == "TIFF":
        padding.clear(buffer)
    return buffer


def _pixel(like: Photo) -> Image.Image:
    """A picture of one pixel, for Pillow to write with all that a file of 16 bits says."""
    return Image.new("RGB" if like.alpha is None else "RGBA", (1, 1))


def _deep(small: io.BytesIO, rgb: np.ndarray, like: Photo, name: str) -> io.BytesIO:
    """The file of a `_pixel` with the pixels of 16 bits."""
    alpha = None if like.deep is None else like.deep.alpha
    if alpha is None and like.alpha is not None:
        alpha = like.alpha.astype(np.uint16) * 257
    frugal = rgb.shape[0] * rgb.shape[1] > _FRUGAL
    if name == "PNG":
        return deep_files.png_file(small.getvalue(), rgb, alpha, frugal=frugal)
    compression = packing.compression(like.encoding.get("compression"))
    return deep_files.tiff_file(
        small.getvalue(), rgb, alpha, compression=compression, frugal=frugal
    )


def _image(
    rgb: np.ndarray, alpha: np.ndarray | None, name: str, warnings: list[str]
) -> Image.Image:
    image = memory.to_image(rgb)
    if alpha is None:
        return image
    if alpha.shape != rgb.shape[:2]:
        raise ValueError(f"alpha {alpha.shape} does not fit rgb {rgb.shape}")
    mask = Image.fromarray(alpha)
    if name in _ALPHA:
        image.putalpha(mask)
        return image
    warnings.append(f"{name} has no transparency here: flattened on white")
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=mask)
    return white


def _options(like: Photo, task: Task, name: str, pixels: int) -> dict[str, Any]:
    """How to compress: no worse than the input was, and never below quality 92."""
    frugal = pixels > _FRUGAL
    quality = jpeg_quality(like.encoding)
    if name == "JPEG":
        # Predicted color is smooth: half its resolution loses nothing and saves a third.
        usual = 0 if task is TRANSLATE else 2
        return {"quality": quality, "subsampling": like.encoding.get("subsampling", usual)}
    if name == "WEBP":
        lossless, method = like.encoding.get("lossless", False), 0 if frugal else 4
        alpha = {"exact": True, "alpha_quality": 100}  # every bit of it, and color where it is 0
        return {"quality": quality, "lossless": lossless, "method": method} | alpha
    if name == "AVIF":
        return {"quality": quality, "speed": 10 if frugal else 8}
    if name == "TIFF":
        transparent = like.alpha is not None
        compression = tiff_compression(
            like.encoding, transparent=transparent, lossless=task.lossless
        )
        found: dict[str, Any] = {"compression": compression}
        if compression in ("tiff_lzw", "tiff_adobe_deflate"):
            # horizontal differencing: photographs take a third less
            found["tiffinfo"] = {317: 2}
        return found | ({"quality": quality} if compression == "jpeg" else {})
    return {}


def jpeg_quality(encoding: Encoding) -> int:
    """No worse than the input's, and at least 92."""
    return max(_MIN_QUALITY, encoding.get("quality", 0))


def tiff_compression(encoding: Encoding, *, transparent: bool, lossless: bool = False) -> str:
    """The input's where color can have it, else LZW; JPEG inside TIFF knows no alpha."""
    compression = encoding.get("compression")
    if compression in ("raw", "packbits", "tiff_adobe_deflate"):
        return compression
    lossy = compression == "jpeg" and not (transparent or lossless)
    return "jpeg" if lossy else "tiff_lzw"
