"""Translator: a picture of any size and kind in, what a net makes of it out, of the same size.

The net sees a small copy, and every pixel of the result is its own: detail is no finer than what
it gives at its own size.
"""

from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
from PIL import Image

from pix2pix.colorize.model import PictureModel, checked, in_kind
from pix2pix.colorize.recolor import Upsampled
from pix2pix.strips import Strip, parallel, strips


class Translator(PictureModel):
    """Translates pictures with a generator, RGB to RGB: such as a label map into a facade.

    `Translator.from_pretrained("facades.safetensors")("map.png")` -> PIL image. Deterministic
    unless a seed asks for a variant. Threads may share one. `name` is the weights' name, for
    provenance; `header` all that they say of themselves. Raises WeightsError for weights that
    color photos, and ValueError for those that predict no rgb of rgb.
    """

    task = "translate"
    heads = ("rgb",)

    @overload
    def __call__(self, image: np.ndarray, *, seed: int | None = ...) -> np.ndarray: ...

    @overload
    def __call__(
        self, image: str | Path | bytes | BinaryIO | Image.Image, *, seed: int | None = ...
    ) -> Image.Image: ...

    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image | np.ndarray,
        *,
        seed: int | None = None,
    ) -> Image.Image | np.ndarray:
        """Translate a path, the bytes of a file, a PIL image or an array -> one of the same size.

        An array (H, W, 3) uint8 comes back as one, anything else as a PIL image; other arrays,
        transparency, warnings and errors are as `Colorizer.__call__` says. `seed` draws a variant,
        of a net with dropout or noise.
        """
        return in_kind(image, lambda rgb8: self.translate(rgb8, seed))

    def translate(self, rgb: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Translate sRGB (H, W, 3) uint8 -> (H, W, 3) uint8.

        Raises TypeError and ValueError for another dtype or shape.
        """
        return _enlarged(self.predict(checked(rgb), seed), *rgb.shape[:2])

    def predict(self, rgb: np.ndarray, seed: int | None = None) -> np.ndarray:
        """Run the net on sRGB (H, W, 3) uint8 -> its answer (3, h, w) in [-1, 1], small, float32.

        The input is resized, antialiased as in training, to about `header.area_for(H, W)` pixels.
        """
        source = self._shrink(rgb).transpose(2, 0, 1)[None] / np.float32(127.5) - 1
        chances = self._chances(source.shape[-2:], seed)
        return self.engine.run(source, chances)["answer"][0]


def _enlarged(small: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture (3, h, w) in [-1, 1] -> (H, W, 3) uint8, by bicubic upsampling."""
    upsampled, result = Upsampled(small, height, width), np.empty((height, width, 3), np.uint8)

    def work(strip: Strip) -> None:
        levels = upsampled[strip]
        levels += 1
        levels *= 127.5
        np.rint(levels, out=levels).clip(0, 255, out=levels)
        result[strip] = np.moveaxis(levels, 0, -1)

    parallel(work, strips(height, width))
    return result
