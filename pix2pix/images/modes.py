"""Pixel layouts: whatever Pillow decodes (1, L, P, CMYK, I;16, F, ...) to 8-bit sRGB and alpha.

Strips keep the memory at one decoded picture plus one 8-bit result, whatever the layout costs on
the way.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from pix2pix.errors import InvalidPixels, UnsupportedMode
from pix2pix.images import icc as profiles

_STRIP_PIXELS = 1_000_000
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# What each layout is converted to first, with and without transparency.
_COLOR = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK", "LAB": "LAB"}
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")

Strip = tuple[slice, Image.Image]


def to_rgb(
    image: Image.Image, *, icc: bytes | None, white: int | None = None, warnings: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """A decoded PIL image -> (rgb (H,W,3) uint8 sRGB, alpha (H,W) uint8 or None).

    `white` is the value of white in layouts deeper than 8 bits, where the file states it. Raises
    InvalidPixels for NaN and infinity, UnsupportedMode for a layout that has no reading here.
    """
    if image.mode in _DEEP:
        return _from_deep(image, icc=icc, white=white, warnings=warnings)
    transparent = image.mode in _ALPHA or "transparency" in image.info
    color = _COLOR.get(image.mode, "RGB")
    convert = profiles.to_srgb(icc, mode=color, warnings=warnings)
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    alpha = np.empty((image.height, image.width), np.uint8) if transparent else None
    for rows, strip in _strips(image):
        if alpha is not None:
            strip = _with_alpha(strip, image)
            alpha[rows] = np.asarray(strip.getchannel("A"))
        if strip.mode != color:
            strip = strip.convert(color)
        if convert is not None:
            strip = convert(strip)
        if strip.mode != "RGB":
            strip = strip.convert("RGB")
        rgb[rows] = np.asarray(strip)
    return rgb, alpha


def _with_alpha(strip: Image.Image, image: Image.Image) -> Image.Image:
    if strip.mode in ("LA", "RGBA"):
        return strip
    if "transparency" in image.info:
        strip.info["transparency"] = image.info["transparency"]
    return strip.convert("LA" if strip.mode in ("1", "L", "La") else "RGBA")


def _strips(image: Image.Image) -> Iterator[Strip]:
    width, height = image.size
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _from_deep(
    image: Image.Image, *, icc: bytes | None, white: int | None, warnings: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """16-bit, 32-bit integer and float gray through one table of 65,536 levels."""
    scale = _scale(image, white, warnings)
    convert = profiles.to_srgb(icc, mode="L", warnings=warnings)
    table = _table(convert)
    key = image.info.get("transparency") if image.mode.startswith("I;16") else None
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    alpha = np.empty((image.height, image.width), np.uint8) if isinstance(key, int) else None
    for rows, strip in _strips(image):
        values = np.asarray(strip)
        if alpha is not None:
            alpha[rows] = np.where(values == key, 0, 255)
        levels = np.clip(values * np.float32(65535 / scale) + 0.5, 0, 65535).astype(np.uint16)
        rgb[rows] = table[levels][..., None]
    return rgb, alpha


def _scale(image: Image.Image, white: int | None, warnings: list[str]) -> float:
    """The value of white."""
    low, high, finite = _extremes(image)
    if not finite:
        raise InvalidPixels("NaN or infinity among the pixel values")
    if image.mode == "F":
        warnings.append("float pixels become 8 bit")
        return next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
    if low < 0 or high > 65535:
        raise UnsupportedMode(f"32-bit integers from {low:,} to {high:,}; 0 to 65,535 is read")
    if white is not None and high <= white:
        bits = f"white is {white:,}"
    elif high < 4096:
        # Cameras and scanners store 12 bits in 16-bit words; such a file is black otherwise.
        white, bits = 4095, "no value above 4,095: read as 12 bit"
    else:
        white, bits = 65535, "16 bit"
    warnings.append(f"deep pixels become 8 bit ({bits})")
    return float(white)


def _extremes(image: Image.Image) -> tuple[float, float, bool]:
    lows, highs, finite = [], [], True
    for _, strip in _strips(image):
        values = np.asarray(strip)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return 0.0, 0.0, False
        lows.append(values.min())
        highs.append(values.max())
    return min(lows), max(highs), finite


def _table(convert: Callable[[Image.Image], Image.Image] | None) -> np.ndarray:
    """uint8 (65536,): 16-bit gray to 8-bit sRGB gray."""
    ramp = np.arange(256, dtype=np.uint8)
    if convert is not None:
        ramp = np.asarray(convert(Image.fromarray(ramp[None])))[0]
    position = np.arange(65536) / 257.0
    return np.rint(np.interp(position, np.arange(256), ramp)).astype(np.uint8)
