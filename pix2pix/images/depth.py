"""Depth: what a photo of 16 bits has that its 8-bit picture lacks, its lightness and its alpha.

Coloring replaces the colors and keeps the lightness, so one 16-bit gray a pixel is all that has to
be kept. Kept are integers of 16 bits: gray in whatever Pillow decodes (12 bits in 16-bit words are
scaled as in modes.py), RGB and CIELab of TIFF, RGB and gray with alpha of PNG.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pix2pix.errors import PhotoError, TooLarge
from pix2pix.images import grays, hdr, icc, memory, modes, png
from pix2pix.images.formats import Container
from pix2pix.images.metadata import reader
from pix2pix.images.tiff import layout, samples
from pix2pix.images.tiff.bands import bands
from pix2pix.images.tiff.layout import SampleLayout

_PNG_DEPTH = 24  # where a PNG states it

Strips = Iterator[tuple[slice, np.ndarray, np.ndarray | None]]
"""Rows, grays (rows, W) uint16, and alpha likewise or None."""


@dataclass
class Deep:
    """The 16 bits of a photo, upright as its picture."""

    grays: np.ndarray  # (H, W) uint16: the sRGB gray with the lightness of each pixel
    alpha: np.ndarray | None = None  # (H, W) uint16, where the photo has alpha
    lost: list[str] = field(default_factory=list)  # what is lost where only 8 bits are used

    def settle(self, warnings: list[str]) -> None:
        """Move the warnings of reading that do not hold where 16 bits are kept to `lost`."""
        self.lost = [line for line in warnings if line.startswith(modes.EIGHT_BIT)]
        warnings[:] = [line for line in warnings if line not in self.lost]
        for line in self.lost:
            _, _, white = line.rstrip(")").partition("(white is ")
            if white not in ("", "65,535"):
                warnings.append(f"white is {white} of 65,535")


def of(
    image: Image.Image,
    name: str,
    container: Container,
    data: bytes,
    turn: Image.Transpose | None,
) -> Deep | None:
    """Keep what the file `data`, decoded as `image`, has of 16 bits.

    `image` is as its decoder left it, turned by `turn`. None where it has no more than 8, or they
    cannot be had: the 8-bit picture, with its warnings, is there in any case.
    """
    try:
        if image.mode in modes.DEEP:
            return None if image.mode == "F" else _filled(image.size, _of_gray(image, container))
        if name == "PNG" and data[_PNG_DEPTH] == 16:
            return _filled(image.size, _of_png(image, container, data, turn))
        page = layout.of_page(data, container, deep=True) if name == "TIFF" else None
        if page is None or page.dtype.str[1:] != "u2" or page.photometric == layout.CMYK:
            return None
        deep = _filled(page.size, _of_tiff(image, container, data, page))
        return _turned(deep, data, page, container)
    except MemoryError as error:
        raise TooLarge("not enough memory to keep 16 bits", again=True) from error
    except (PhotoError, OSError, SyntaxError, ValueError, LookupError):
        return None  # of damage that Pillow passes over


def _filled(size: tuple[int, int], strips: Strips) -> Deep:
    deep = Deep(np.empty(size[::-1], np.uint16))
    for rows, gray, alpha in strips:
        deep.grays[rows] = gray
        if alpha is not None:
            if deep.alpha is None:
                deep.alpha = np.empty(size[::-1], np.uint16)
            deep.alpha[rows] = alpha
    return deep


def _coded(image: Image.Image, container: Container) -> hdr.ToSRGB | None:
    coding = container.coding or icc.coding(image.info.get("icc_profile"))
    return hdr.ToSRGB(coding, hdr.brightest(image), []) if coding else None


def _of_gray(image: Image.Image, container: Container) -> Strips:
    """Gray in a mode of Pillow's, through one table as in modes.py."""
    table = grays.of_gray(image.info.get("icc_profile"), _coded(image, container))
    low, high = modes.extremes(np.asarray(strip) for _, strip in modes.strips(image))
    white = modes.white_of(low, high, container, floats=False, warnings=[])
    key = image.info.get("transparency")
    for rows, strip in modes.strips(image):
        values = np.asarray(strip)
        alpha = np.where(values == key, 0, 65535) if isinstance(key, int) else None
        yield rows, table[_scaled(values, white, inverted=container.inverted)], alpha


def _scaled(values: np.ndarray, white: float, *, inverted: bool) -> np.ndarray:
    """Integers of any width -> uint16 with white at 65,535."""
    if white != 65535 or values.dtype.itemsize != 2 or values.dtype.kind != "u":
        values = np.clip(values, 0, white) * np.float32(65535 / white) + np.float32(0.5)
        values = values.astype(np.uint16)
    return 65535 - values if inverted else values


def _of_tiff(image: Image.Image, container: Container, data: bytes, page: SampleLayout) -> Strips:
    profile, coded, white = image.info.get("icc_profile"), _coded(image, container), 65535.0
    convert: grays.ToGrays = grays.of_color(profile, coded)
    if page.colors == 1 or page.photometric == layout.LAB:
        table = grays.of_lab() if page.colors == 3 else grays.of_gray(profile, coded)
        convert = lambda values: table[values[..., 0]]  # noqa: E731
    if page.colors == 1:
        low, high = modes.extremes(values[..., 0] for _, values in bands(data, page))
        white = modes.white_of(low, high, container, floats=False, warnings=[])
    for top, values in bands(data, page):
        colors = _scaled(values[..., : page.colors], white, inverted=page.photometric == 0)
        alpha = None if page.alpha is None else values[..., page.colors]
        if alpha is not None and layout.PREMULTIPLIED in page.extra:
            share = np.maximum(alpha, 1)[..., None] * np.float32(1 / 65535)
            colors = np.minimum(colors / share, 65535).astype(np.uint16)
        yield slice(top, top + len(values)), convert(colors), alpha


def _turned(deep: Deep, data: bytes, page: SampleLayout, container: Container) -> Deep:
    """Turned as Pillow turned the picture when it loaded it."""
    with Image.open(io.BytesIO(samples.description(data, page, container))) as header:
        turn = reader.TRANSPOSE.get(reader.orientation(header.getexif()))
    if turn is not None:
        deep.grays = _turned_plane(deep.grays, turn)
        deep.alpha = None if deep.alpha is None else _turned_plane(deep.alpha, turn)
    return deep


def _turned_plane(plane: np.ndarray, turn: Image.Transpose) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).transpose(turn))


def _of_png(
    image: Image.Image, container: Container, data: bytes, turn: Image.Transpose | None
) -> Strips:
    """RGB, whose upper bytes `image` has, or gray with alpha."""
    profile, coded = image.info.get("icc_profile"), _coded(image, container)
    key = image.info.get("transparency")
    lower, gray_alpha = _lower_bytes(data, turn)
    table = grays.of_gray(profile, coded) if gray_alpha else None
    convert = grays.of_color(profile, coded)
    for rows, strip in modes.strips(lower):
        values = np.asarray(strip)
        if table is not None:
            values = values.view(">u2").astype(np.uint16)
            yield rows, table[values[..., 0]], values[..., 1]
            continue
        upper = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        values = upper.astype(np.uint16) << 8 | values
        alpha = values[..., 3] if values.shape[2] == 4 else None
        if isinstance(key, tuple):
            alpha = np.where((values[..., :3] == key).all(-1), 0, 65535)
        yield rows, convert(values[..., :3]), alpha


def _lower_bytes(data: bytes, turn: Image.Transpose | None) -> tuple[Image.Image, bool]:
    """The lower bytes of RGB or RGBA; or gray and alpha, whose four bytes pass for RGBA.

    And whether it is the latter. Pillow has no mode for them, but its decoder takes any layout.
    """
    try:
        lower, gray_alpha = _open_lower(data)
    except Exception:  # of a text, as decoder.decode
        lower, gray_alpha = _open_lower(png.essential(data))
    return (lower if turn is None else memory.turned(lower, turn)), gray_alpha


def _open_lower(data: bytes) -> tuple[Image.Image, bool]:
    lower = Image.open(io.BytesIO(data), formats=["PNG"])
    tile = lower.tile[0]
    gray_alpha = tile.args == "LA;16B"
    as_bytes = "RGBA" if gray_alpha else f"{tile.args}".replace("16B", "16L")
    lower.tile = [tile._replace(args=as_bytes)]
    memory.hold(lower)
    lower.load()
    return lower, gray_alpha
