"""TIFF pages in layouts that Pillow has no name for, brought to the nearest mode that it has.

Gray stays as deep as it is where it has no alpha; all else becomes 8 bits a channel. A page is
read twice where the value of white must be found first, so that memory stays at the file and one
result. Samples beside color and alpha, as the infrared of film scanners, are left out.
"""

from dataclasses import replace

import numpy as np
from PIL import Image, TiffImagePlugin

from pix2pix.images import guard, modes
from pix2pix.images.formats import Container
from pix2pix.images.tiff import extract, structure
from pix2pix.images.tiff.bands import bands
from pix2pix.images.tiff.extract import Fields, longs, shorts
from pix2pix.images.tiff.layout import CMYK, LAB, PREMULTIPLIED, SampleLayout

_NO_LIMIT = 2**62
# mode: photometric, sample format, bits of each sample, meaning of extra samples
_AS_WRITTEN: dict[str, tuple[int, int, tuple[int, ...], tuple[int, ...]]] = {
    "L": (1, 1, (8,), ()),
    "LA": (1, 1, (8, 8), (2,)),
    "I;16": (1, 1, (16,), ()),
    "F": (1, 3, (32,), ()),
    "RGB": (2, 1, (8, 8, 8), ()),
    "RGBA": (2, 1, (8, 8, 8, 8), (2,)),
    "CMYK": (CMYK, 1, (8, 8, 8, 8), ()),
    "LAB": (LAB, 1, (8, 8, 8), ()),
}


def description(data: bytes, page: SampleLayout, container: Container) -> bytes:
    """A TIFF with all that the page says, in the mode that `pixels` returns, without its pixels."""
    head = structure.header(data)
    photometric, kind, bits, extra = _AS_WRITTEN[page.mode]
    fields: Fields = {
        258: shorts(head, *bits),
        259: shorts(head, 1),
        262: shorts(head, photometric),
        277: shorts(head, len(bits)),
        278: longs(head, page.size[1]),
        273: longs(head, 8),
        284: shorts(head, 1),
        338: shorts(head, *extra),
        339: shorts(head, kind),
    }
    if not extra:
        del fields[338]
    return extract.sketch(data, container.page or head.first, fields)


def pixels(
    data: bytes,
    page: SampleLayout,
    container: Container,
    warnings: list[str],
    *,
    partly: bool = False,
) -> Image.Image:
    """The page in `page.mode`; where it is damaged, raises OSError, or `partly` leaves it black.

    Raises InvalidPixels for NaN and infinity where they would not be seen any more.
    """
    page = replace(page, partly=partly)
    if page.dropped:
        plural = "" if page.dropped == 1 else "s"
        warnings.append(f"{page.dropped} further channel{plural} ignored, such as infrared")
    with guard.reading(_NO_LIMIT):  # its size is checked; bytes are no pixels
        white = _white(data, page, container, warnings)
        image = Image.new(page.mode, page.size)
        for top, values in bands(data, page):
            image.paste(_strip(values, page, white), (0, top))
    return image


def compression(page: SampleLayout) -> str:
    """Pillow's name of it."""
    return TiffImagePlugin.COMPRESSION_INFO[page.compression]


def _white(data: bytes, page: SampleLayout, container: Container, warnings: list[str]) -> float:
    """The value that becomes white in what is scaled here; 0 where nothing is."""
    if page.mode in ("L", "F", "LAB") or page.dtype.str[1:] == "u1":
        return 255.0 if page.dtype.str[1:] == "u1" else 0.0
    floats, deep = page.dtype.kind == "f", page.dtype.itemsize == 2
    if page.mode == "I;16" and deep:
        return 0.0
    colors = (values[..., : page.colors] for _, values in bands(data, page))
    low, high = map(float, modes.extremes(colors))
    if page.dtype.kind == "u" and page.dtype.itemsize == 4 and high > 65535:
        container.white = 65535  # once scaled
        return float(2**32 - 1)
    if page.mode == "I;16":
        return 0.0
    container.deep = False  # said here
    if page.colors > 1 and not floats:
        warnings.append(modes.EIGHT_BIT[0])
        return 65535.0
    return modes.white_of(low, high, container, floats=floats, warnings=warnings)


def _strip(values: np.ndarray, page: SampleLayout, white: float) -> Image.Image:
    """(rows, width, channels) -> the same in `page.mode`."""
    mode = page.mode
    if mode == "F":
        with np.errstate(over="ignore"):  # infinity is refused later
            return Image.fromarray(values[..., 0].astype(np.float32))
    if mode == "I;16":
        return Image.fromarray((values[..., 0] >> (16 if white else 0)).astype(np.uint16))
    size = values.shape[1], values.shape[0]
    if mode == "LAB":
        return Image.frombytes("LAB", size, _lab(values).tobytes())
    colors = _to_255(values[..., : page.colors], white)
    if page.photometric == 0:
        colors = 255 - colors
    if page.alpha is not None:
        top = 1.0 if page.dtype.kind == "f" else float(np.iinfo(page.dtype).max)
        alpha = _to_255(values[..., page.colors :], top)
        if PREMULTIPLIED in page.extra:
            colors = np.minimum(colors * 255 / np.maximum(alpha, 1 / 257), 255)
        colors = np.concatenate((colors, alpha), axis=2)
    packed = (colors + np.float32(0.5)).astype(np.uint8)
    return Image.frombytes(mode, size, packed.tobytes())


def _to_255(values: np.ndarray, white: float) -> np.ndarray:
    return np.clip(np.nan_to_num(values), 0, white) * np.float32(255 / white)


def _lab(values: np.ndarray) -> np.ndarray:
    """TIFF's CIELab of 8 or 16 bits -> that of 8: L* in [0, 255], a* and b* as signed bytes."""
    if values.dtype.itemsize == 1:
        return values
    lightness = np.rint(values[..., :1] / 257).astype(np.uint8)
    colors = np.rint(values[..., 1:].view(np.int16) / 256).clip(-128, 127).astype(np.int8)
    return np.concatenate((lightness, colors.view(np.uint8)), axis=2)
