"""The copy of a photo: its pixels anew by a model, written with its metadata.

The one way for all commands, the page and the service.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from pix2pix import images
from pix2pix.colorize.incolor import remarks
from pix2pix.colorize.wish import AS_PREDICTED, Wish
from pix2pix.images import names
from pix2pix.images.task import COLOR, LAYER, SIGNED, TRANSLATE, Task

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.images.credentials import Credentials

LARGE = 100_000_000
"""Pixels of a TIFF's page above which it is read row by row: the default of --max-pixels."""
AS_A_WHOLE = (
    "read as a whole: row by row goes only color into a TIFF, without --layer, --mark and --c2pa"
)
"""Is said of a large TIFF that takes as much memory as any other format."""


class ColorModel(Protocol):
    """Anything that colors photos, such as a `Colorizer`."""

    name: str

    def color(self, rgb: np.ndarray, wish: Wish) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8."""

    def color16(self, rgb: np.ndarray, grays: np.ndarray, wish: Wish) -> np.ndarray:
        """Color a picture of 16 bits, `grays` (H, W) uint16 -> (H, W, 3) uint16."""

    def layer(self, rgb: np.ndarray, wish: Wish, dtype: type) -> np.ndarray:
        """Make the color alone of sRGB (H, W, 3) uint8 -> (H, W, 3) uint8 or uint16."""


class TranslationModel(Protocol):
    """Anything that translates pictures, such as a `Translator`."""

    name: str

    def translate(self, rgb: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Translate sRGB (H, W, 3) uint8 -> (H, W, 3) uint8."""


@dataclass(frozen=True)
class PhotoCopy:
    """A photo with the pixels that a model gave it; `model` is its name, for the metadata."""

    photo: images.Photo
    model: str
    task: Task
    credentials: "Credentials | None" = None  # that its file is signed with

    def file_name(self, source: str | Path) -> str:
        """The output name for a photo that was read from `source`."""
        name = os.path.basename(source)
        return names.output_name(name, format=self.photo.format, task=self.task)

    def write(
        self,
        dest: str | Path | BinaryIO,
        *,
        keep_gps: bool = False,
        source: os.stat_result | None = None,
        parent: str | None = None,
    ) -> list[str]:
        """Write the file, as `images.write` does -> what was lost in reading and in writing.

        `parent` is the photo's path, for its credentials.
        """
        photo, model, task = self.photo, self.model, self.task
        seal = None
        if self.credentials is not None:
            title = os.path.basename(dest) if isinstance(dest, (str, Path)) else ""
            seal = partial(
                self.credentials.seal,
                model=model,
                task=task,
                title=title,
                parent=parent,
                keep_gps=keep_gps,
            )
        return photo.warnings + images.write(
            photo.rgb,
            dest,
            like=photo,
            model=model,
            task=task,
            keep_gps=keep_gps,
            source=source,
            seal=seal,
        )

    def encode(
        self, format: str | None = None, *, keep_gps: bool = False
    ) -> tuple[bytes, list[str]]:
        """Encode the file -> its bytes, and what was lost in reading and in writing."""
        photo, model, task = self.photo, self.model, self.task
        lost = list(photo.warnings)
        data = images.encode(
            photo.rgb,
            like=photo,
            model=model,
            task=task,
            format=format,
            keep_gps=keep_gps,
            warnings=lost,
        )
        return data, lost


Maker = Callable[[images.Photo], PhotoCopy]
"""A photo that was read -> its copy, such as `color_photo` with a model."""


def color_photo(
    photo: images.Photo, model: ColorModel, wish: Wish = AS_PREDICTED, *, signed: bool = False
) -> PhotoCopy:
    """Color every pixel of a photo; its warnings name what was no gray one. Raises BadHint.

    `signed` puts "color simulated" into a corner (sign.py).
    """
    said = photo.warnings + remarks(photo.rgb)
    if photo.deep is None:
        rgb = model.color(photo.rgb, wish)
    else:
        rgb = model.color16(photo.rgb, photo.deep.grays, wish)
    colored = replace(photo, rgb=rgb, warnings=said)
    if signed:
        from pix2pix.colorize import sign  # and its fonts

        colored = sign.put(colored)
    return PhotoCopy(colored, model.name, SIGNED if signed else COLOR)


def layer_photo(photo: images.Photo, model: ColorModel, wish: Wish = AS_PREDICTED) -> PhotoCopy:
    """Make a layer of a photo's color alone (layer.py), of its depth. Raises BadHint."""
    said = photo.warnings + remarks(photo.rgb)
    dtype = np.uint8 if photo.deep is None else np.uint16
    layer = replace(photo, rgb=model.layer(photo.rgb, wish, dtype), warnings=said)
    return PhotoCopy(layer, model.name, LAYER)


@dataclass(frozen=True)
class Coloring:
    """The `Maker` that colors by a model and a wish; large pages it colors row by row, too."""

    model: "Colorizer"
    wish: Wish = AS_PREDICTED

    def __call__(self, photo: images.Photo) -> PhotoCopy:
        """Color a photo, as `color_photo` does."""
        return color_photo(photo, self.model, self.wish)


def maker(model: "Colorizer", wish: Wish, *, layer: bool = False, mark: bool = False) -> Maker:
    """Choose the `Maker` of photos in color, with a sign in a corner, or of layers of color."""
    if layer:
        return partial(layer_photo, model=model, wish=wish)
    if mark:
        return partial(color_photo, model=model, wish=wish, signed=True)
    return Coloring(model, wish)


def signed_copy(photo: images.Photo, make: Maker, credentials: "Credentials") -> PhotoCopy:
    """Make the copy of a photo, to be written with content credentials."""
    return replace(make(photo), credentials=credentials)


def translate_photo(
    photo: images.Photo, model: TranslationModel, seed: int | None = None
) -> PhotoCopy:
    """Translate a photo into another picture."""
    return PhotoCopy(replace(photo, rgb=model.translate(photo.rgb, seed)), model.name, TRANSLATE)
