"""Color a photo that was read, and write the colored file: the one way for all commands."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from pix2pix import images
from pix2pix.colorize.wish import AS_PREDICTED, Wish
from pix2pix.images import names


class ColorModel(Protocol):
    """Anything that colors photos, such as a `Colorizer`."""

    name: str

    def color(self, rgb: np.ndarray, wish: Wish) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8."""


@dataclass(frozen=True)
class ColoredPhoto:
    """A photo with its pixels in color, and the name of the `model` for its metadata."""

    photo: images.Photo
    model: str

    def file_name(self, source: str | Path) -> str:
        """The output name for a photo that was read from `source`."""
        return names.output_name(os.path.basename(source), format=self.photo.format)

    def write(
        self,
        dest: str | Path | BinaryIO,
        *,
        keep_gps: bool = False,
        source: os.stat_result | None = None,
    ) -> list[str]:
        """Write the file, as `images.write` does -> what was lost in reading and in writing."""
        photo, model = self.photo, self.model
        return photo.warnings + images.write(
            photo.rgb, dest, like=photo, model=model, keep_gps=keep_gps, source=source
        )

    def encode(self, format: str | None = None) -> tuple[bytes, list[str]]:
        """Encode the file -> its bytes, and what was lost in reading and in writing."""
        photo, model, lost = self.photo, self.model, list(self.photo.warnings)
        data = images.encode(photo.rgb, like=photo, model=model, format=format, warnings=lost)
        return data, lost


def color_photo(photo: images.Photo, model: ColorModel, wish: Wish = AS_PREDICTED) -> ColoredPhoto:
    """Color every pixel of a photo. Raises BadHint."""
    return ColoredPhoto(replace(photo, rgb=model.color(photo.rgb, wish)), model.name)
