"""Pixel layouts: whatever Pillow decodes (1, L, P, CMYK, I;16, F, ...) to 8-bit sRGB and alpha.

Gray deeper than 8 bits is scaled, never clipped. White is what the file states (BitsPerSample of 9
to 15, MaxSampleValue); else 4,095 where no value is above it, as cameras and scanners put 12 bits
into 16-bit words; else 65,535. In float files white is 1, 255 or 65,535, the least of them that no
value exceeds, or the highest value; negative values are black. Both are taken as gamma-coded.
16-bit color keeps its upper 8 bits; depth.py keeps what is lost here. CIELab is relative to D50.
CMYK without a profile is converted plainly. A sepia or toned scan stays as it is: its lightness is
what gets colored.

Strips keep the memory at one decoded picture plus one 8-bit result, whatever the layout costs on
the way.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image, ImageChops

from pix2pix.errors import InvalidPixels, UnsupportedMode
from pix2pix.images import hdr, memory
from pix2pix.images import icc as profiles
from pix2pix.images.formats import Container

_STRIP_PIXELS = 2**18  # a strip in all its forms stays in the cache
EIGHT_BIT = ("16-bit channels become 8 bit", "16-bit gray becomes 8 bit")
"""How the warnings begin that do not hold where 16 bits are kept (depth.py)."""
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# What each layout is converted to before its profile acts; RGB where not named.
_COLOR = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK", "LAB": "LAB"}
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")

Strip = tuple[slice, Image.Image]


def to_rgb(
    image: Image.Image, container: Container, *, warnings: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """A decoded PIL image -> (rgb (H, W, 3) uint8 sRGB, alpha (H, W) uint8 or None).

    Raises InvalidPixels for NaN and infinity, UnsupportedMode for a layout that has no reading
    here.
    """
    icc = image.info.get("icc_profile")
    coding = container.coding or profiles.coding(icc)
    coded = hdr.ToSRGB(coding, hdr.brightest(image), warnings) if coding else None
    if image.mode in DEEP:
        return _from_deep(image, container, icc=icc, coded=coded, warnings=warnings)
    if container.deep:
        warnings.append(EIGHT_BIT[0])
    transparent = image.mode in _ALPHA or "transparency" in image.info
    color = _COLOR.get(image.mode, "RGB")
    if coded is not None and color in ("L", "RGB"):
        convert: profiles.ToSRGB | None = coded.convert
    else:
        convert = profiles.to_srgb(icc, mode=color, warnings=warnings)
    mode = "L" if color == "L" else "RGB"
    pixels = memory.held(image) if image.mode == mode else None
    target = image
    if pixels is None:
        target, pixels = memory.canvas(mode, image.size)
    alpha = np.empty((image.height, image.width), np.uint8) if transparent else None
    if image.mode == mode and convert is None and alpha is None:
        if target is not image:
            target.paste(image)
        return memory.as_rgb(pixels), None
    for rows, strip in strips(image):
        if alpha is not None:
            strip = _with_alpha(strip, image)
            alpha[rows] = np.asarray(strip.getchannel("A"))
        if strip.mode != color:
            strip = strip.convert(color)
        if color == "CMYK" and container.inverted:
            strip = ImageChops.invert(strip)
        if convert is not None:
            strip = convert(strip)
        if strip.mode != mode:
            strip = strip.convert(mode)
        target.paste(strip, (0, rows.start))
    return memory.as_rgb(pixels), alpha


def _with_alpha(strip: Image.Image, image: Image.Image) -> Image.Image:
    if strip.mode in ("LA", "RGBA"):
        return strip
    if "transparency" in image.info:
        strip.info["transparency"] = image.info["transparency"]
    return strip.convert("LA" if strip.mode in ("1", "L", "La") else "RGBA")


def strips(image: Image.Image) -> Iterator[Strip]:
    """Cut an image into strips: which rows, and their pixels."""
    width, height = image.size
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _from_deep(
    image: Image.Image,
    container: Container,
    *,
    icc: bytes | None,
    coded: hdr.ToSRGB | None,
    warnings: list[str],
) -> tuple[np.ndarray, np.ndarray | None]:
    """16-bit, 32-bit integer and float gray through one table of 65,536 levels."""
    low, high = extremes(np.asarray(strip) for _, strip in strips(image))
    white = white_of(low, high, container, floats=image.mode == "F", warnings=warnings)
    if coded is not None:
        table = coded.gray(np.arange(65536) / 65535)
    else:
        table = _table(profiles.to_srgb(icc, mode="L", warnings=warnings))
    if container.inverted:
        table = table[::-1]
    key = image.info.get("transparency")
    gray = np.empty((image.height, image.width), np.uint8)
    alpha = np.empty((image.height, image.width), np.uint8) if isinstance(key, int) else None
    for rows, strip in strips(image):
        values = np.asarray(strip)
        if alpha is not None:
            alpha[rows] = np.where(values == key, 0, 255)
        if white != 65535 or values.dtype.itemsize != 2:
            values = np.clip(values, 0, white) * np.float32(65535 / white) + np.float32(0.5)
        gray[rows] = table[values.astype(np.uint16)]
    return memory.as_rgb(gray), alpha


def white_of(
    low: float, high: float, container: Container, *, floats: bool, warnings: list[str]
) -> float:
    """Choose the value that becomes white: the file's, or the least that clips no pixel."""
    if floats:
        warnings.append("float pixels become 8 bit")
        return white_of_floats(high)
    if low < 0 or high > 65535:
        raise UnsupportedMode(f"32-bit integers from {low:,} to {high:,}; 0 to 65,535 is read")
    if container.white is not None and high <= container.white:
        white = container.white
    else:
        # Cameras and scanners store 12 bits in 16-bit words; such a file looks black otherwise.
        white = 4095 if 255 < high < 4096 else 65535
    warnings.append(f"{EIGHT_BIT[1]} (white is {white:,})")
    return float(white)


def white_of_floats(high: float) -> float:
    """Choose the value of floats that becomes white: 1, 255, 65,535 or `high`, clipping none."""
    return next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)


def extremes(strips: Iterable[np.ndarray]) -> tuple[float, float]:
    """Find the minimum and the maximum. Raises InvalidPixels for NaN and infinity."""
    low, high = np.inf, -np.inf
    for values in strips:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InvalidPixels("NaN or infinity among the pixel values")
        low, high = min(low, values.min()), max(high, values.max())
    return low, high


def _table(convert: Callable[[Image.Image], Image.Image] | None) -> np.ndarray:
    """uint8 (65536,): 16-bit gray to 8-bit sRGB gray."""
    ramp = np.arange(256, dtype=np.uint8)
    if convert is not None:
        ramp = np.asarray(convert(Image.fromarray(ramp[None])))[0]
    position = np.arange(65536) / 257.0
    return np.rint(np.interp(position, np.arange(256), ramp)).astype(np.uint8)
