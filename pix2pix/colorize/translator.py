"""Translator: a picture of any size and kind in, what a net makes of it out, of the same size.

The net sees a small copy, and every pixel of the result is its own: detail is no finer than what
it gives at its own size.
"""

from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.colorize.model import PictureModel, as_tensor, in_kind, seeded
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
        small = self.predict(as_tensor(rgb), seed).cpu()
        return _enlarged(small.numpy(), *rgb.shape[:2])

    @torch.no_grad()
    def predict(self, rgb: Tensor, seed: int | None = None) -> Tensor:
        """Run the net on sRGB (H, W, 3) uint8 -> its answer (3, h, w) in [-1, 1], small.

        The input is resized, antialiased as in training, to about `header.area` pixels.
        """
        source = self._shrink(rgb).permute(2, 0, 1)[None] / 127.5 - 1
        source = source.contiguous(memory_format=torch.channels_last)
        if seed is None:
            answer: Tensor = self.generator(source)
        else:
            with seeded(seed, self.device):
                answer = self._lively(source)
        return answer[0].float()


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
