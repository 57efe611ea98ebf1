"""Any supported picture file -> upright 8-bit sRGB pixels, or one typed error.

The order is what makes it safe: regular file, byte limit, signature on the allowlist, structure of
the container, pixel limit, and only then a decoder.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypedDict

import numpy as np
from PIL import Image, JpegImagePlugin

from pix2pix import files
from pix2pix.errors import Corrupt, PhotoError, Truncated
from pix2pix.images import (
    containers,
    decoder,
    depth,
    endings,
    formats,
    guard,
    jpeg,
    jpeg2000,
    memory,
    modes,
    pnm,
)
from pix2pix.images.depth import Deep
from pix2pix.images.formats import Container
from pix2pix.images.metadata import reader
from pix2pix.images.metadata.texts import Text

_CLOSED = {"PNG", "GIF", "BMP"}  # which state where they end, and are decoded without it


class Encoding(TypedDict, total=False):
    """How a file was compressed, as far as its format has such."""

    quality: int
    subsampling: int
    lossless: bool
    compression: str


@dataclass
class Photo:
    """A decoded picture and what is needed to write its colored copy."""

    rgb: np.ndarray  # (H, W, 3) uint8 sRGB, upright; a view: of RGBX, or of one plane, read-only
    alpha: np.ndarray | None  # (H, W) uint8, or None for an opaque picture
    format: str  # one of formats.READABLE
    exif: bytes | None = None  # clean EXIF: orientation 1, no thumbnail, GPS still there
    xmp: bytes | None = None  # the XMP packet as it came, joined with its extension
    resources: dict[int, bytes] = field(default_factory=dict)  # Photoshop's, IPTC is 0x0404
    texts: list[Text] = field(default_factory=list)  # comments, and PNG text
    turned: int = 1  # the orientation, 1 to 8, that EXIF states and the pixels have got
    dpi: tuple[float, float] | None = None
    profiled: bool = False  # whether the file came with a color profile
    encoding: Encoding = field(default_factory=Encoding)
    warnings: list[str] = field(default_factory=list)
    deep: Deep | None = None  # 16 bits of it, where they were asked for and are there


def read(
    source: str | Path | bytes | BinaryIO,
    *,
    max_pixels: int = 100_000_000,
    max_bytes: int | None = None,
    allow_truncated: bool = False,
    deep: bool = False,
) -> Photo:
    """Read a path, bytes or a binary stream -> Photo with rgb (H, W, 3) uint8 sRGB, upright.

    `max_bytes` defaults to what `max_pixels` of the deepest layout take. `allow_truncated` accepts
    a file that ends early, with a warning; the missing part is gray. `deep` keeps, in Photo.deep,
    what whole files have of 16 bits. Raises the errors of pix2pix.errors.
    """
    path = str(source) if isinstance(source, (str, Path)) else None
    if max_bytes is None:
        max_bytes = most_bytes(max_pixels)
    try:
        data = files.read_bytes(source, max_bytes=max_bytes)
        with guard.reading(max_pixels):  # also what Pillow says of metadata later on
            return _decode(data, max_pixels=max_pixels, allow_truncated=allow_truncated, deep=deep)
    except PhotoError as error:
        error.path = error.path or path
        raise


def most_bytes(max_pixels: int) -> int:
    """The bytes that a file may have, whose picture may have `max_pixels`."""
    return 16 * max_pixels + 2**26


def _decode(data: bytes, *, max_pixels: int, allow_truncated: bool, deep: bool) -> Photo:
    name = formats.sniff(data)
    container = containers.inspect(name, data)
    if container.size is not None:
        decoder.check_pixels(container.size, max_pixels)
        containers.check_density(container.size, data)
    try:
        return _whole(data, name, container, max_pixels=max_pixels, deep=deep)
    except Truncated:
        if not allow_truncated:
            raise
    warnings = list(container.warnings)
    if name == "PNM":
        image = pnm.decode(data, truncated=True)
        warnings.append(decoder.ENDS_EARLY)
    else:
        image = decoder.decode_truncated(
            data, name, container, max_pixels=max_pixels, warnings=warnings
        )
    return _photo(image, name, container, data, warnings)


def _whole(data: bytes, name: str, container: Container, *, max_pixels: int, deep: bool) -> Photo:
    """The photo of a file that is all there, or lacks nothing but its end."""

    def photo(pixels: bytes, warnings: list[str]) -> Photo:
        # Not named here: the undecoded picture must be gone once it is turned or converted.
        return _photo(
            _image(pixels, name, container, max_pixels, warnings),
            name,
            container,
            data,
            warnings,
            deep_from=pixels if deep else None,
        )

    failed: PhotoError = Truncated(f"the {name} ends early")
    if name != "JPEG" or not container.cut:  # zeros behind a cut JPEG would pass for its pixels
        warnings = list(container.warnings)
        try:
            found = photo(data, warnings)
        except (Truncated, Corrupt) as error:
            if isinstance(error, Corrupt) and name != "JPEG":
                raise
            failed = error.with_traceback(None)
        else:
            if container.cut and name in _CLOSED:
                warnings.append(endings.MISSING)
            return found
    completed = endings.completed(name, data, container, max_pixels=max_pixels)
    if completed is None:
        raise failed
    container.cut = False
    return photo(completed, [*container.warnings, endings.MISSING])


def _image(
    data: bytes, name: str, container: Container, max_pixels: int, warnings: list[str]
) -> Image.Image:
    """The decoded first frame."""
    if name == "PNM":
        return pnm.decode(data)
    image = decoder.decode(data, name, container, max_pixels=max_pixels, warnings=warnings)
    return jpeg2000.finished(image, container) if name == "JPEG2000" else image


def _photo(
    image: Image.Image,
    name: str,
    container: Container,
    data: bytes,
    warnings: list[str],
    *,
    deep_from: bytes | None = None,
) -> Photo:
    exif = image.getexif()
    said = reader.gather(image.info, name, data, page=container.page, warnings=warnings)
    photo = Photo(
        rgb=np.empty((0, 0, 3), np.uint8),
        alpha=None,
        format=name,
        exif=said.exif,
        xmp=said.xmp,
        resources=said.resources,
        texts=said.texts,
        turned=reader.orientation(exif),
        dpi=reader.resolution(image.info),
        profiled=bool(image.info.get("icc_profile")),
        encoding=_encoding(image, container),
        warnings=warnings,
    )
    _warn_of_frames(image, container, warnings)
    turn = reader.TRANSPOSE.get(photo.turned)
    if turn is not None:
        info = image.info
        image = memory.turned(image, turn)
        image.info = info
    if deep_from is not None:  # first: converting overwrites the picture
        photo.deep = depth.of(image, name, container, deep_from, turn)
    photo.rgb, photo.alpha = modes.to_rgb(image, container, warnings=warnings)
    if photo.deep is not None:
        photo.deep.settle(warnings)
    return photo


def _encoding(image: Image.Image, container: Container) -> Encoding:
    found: Encoding = {"lossless": container.lossless}
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        tables = list(image.quantization.values())
        if tables:
            found["quality"] = jpeg.quality(tables[0])
        if image.mode == "RGB" and (sampling := JpegImagePlugin.get_sampling(image)) >= 0:
            found["subsampling"] = sampling
    if "compression" in image.info:
        found["compression"] = image.info["compression"]
    return found


def _warn_of_frames(image: Image.Image, container: Container, warnings: list[str]) -> None:
    frames = container.frames
    if image.format in ("AVIF", "HEIF"):  # their decoders know from the header
        frames = getattr(image, "n_frames", 1)
    if frames > 1:
        least = "at least " if container.many else ""
        plural = "" if frames == 2 else "s"
        warnings.append(f"{least}{frames - 1:,} further frame{plural} ignored")
