"""Reference: a photo in color whose colors others are to take."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self, Union

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.colorize.incolor import in_color
from pix2pix.errors import BadReference

Picture = Union[str, Path, bytes, BinaryIO, Image.Image, np.ndarray, "Reference"]
"""Whatever a reference is made of."""

_AREA = 256 * 256  # pixels that are kept: what nets need to know it by
_REDUCED = 3.0  # as model.py has it


@dataclass(frozen=True)
class Reference:
    """A photo in color, kept as small as nets see it: `Reference.of("aunt.jpg")`.

    Those of equal pixels are equal. At most 192 KiB to send to another process.
    """

    pixels: bytes = field(repr=False)
    """sRGB, height x width x 3 bytes."""
    height: int
    width: int

    @classmethod
    def of(cls, picture: Picture, *, max_pixels: int = 100_000_000) -> Self:
        """Make one of a path, the bytes of a file, a stream, a PIL image or an array.

        Pictures are what `Colorizer` takes; one that is a reference already comes back as it is.
        Transparency is not looked at. Raises PhotoError for files, `max_pixels` being the most that
        one may have, TypeError and ValueError for anything else that is no picture, and
        BadReference, which is a PhotoError and a ValueError, for one that is gray or toned.
        """
        if isinstance(picture, cls):
            return picture
        rgb = _small(_pixels(picture, max_pixels))
        if not in_color(rgb):
            path = str(picture) if isinstance(picture, (str, Path)) else None
            raise BadReference("the reference is gray, or of one tone: give a photo in color", path)
        return cls(rgb.tobytes(), *rgb.shape[:2])

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 sRGB, read-only."""
        return np.frombuffer(self.pixels, np.uint8).reshape(self.height, self.width, 3)


def _pixels(picture: Picture, max_pixels: int) -> np.ndarray:
    """(H, W, 3) uint8 of a picture of any kind."""
    if isinstance(picture, np.ndarray):
        return images.from_array(picture)[0]
    if isinstance(picture, Image.Image):
        return images.to_rgb(picture, images.Container(), warnings=[])[0]
    if isinstance(picture, (str, Path, bytes)) or hasattr(picture, "read"):
        return images.read(picture, max_pixels=max_pixels).rgb  # type: ignore[arg-type]
    raise TypeError(
        f"{type(picture).__name__} is no picture: give a path, the bytes of a file, "
        "a PIL image or a numpy array"
    )


def _small(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> the same in at most `_AREA` pixels, antialiased."""
    height, width = rgb.shape[:2]
    scale = math.sqrt(_AREA / (height * width))
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    height = min(max(1, int(height * scale)), _AREA)
    width = min(max(1, int(width * scale)), _AREA // height)
    bilinear = Image.Resampling.BILINEAR
    small = images.to_image(rgb).resize((width, height), bilinear, reducing_gap=_REDUCED)
    return np.ascontiguousarray(np.asarray(small)[..., :3])
