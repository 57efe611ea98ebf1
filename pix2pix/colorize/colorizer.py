"""Colorizer: a picture of any size and kind in, the same picture in color out.

The net sees a small copy; its ab is smoothed, upsampled and joined to the lightness of every
full-size pixel, strip by strip, so that detail and memory do not depend on the net.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self, overload

import numpy as np
from PIL import Image

from pix2pix import strips
from pix2pix.color import lab_to_rgb8
from pix2pix.colorize import sampling
from pix2pix.colorize.hints import Hint, check
from pix2pix.colorize.incolor import remarks
from pix2pix.colorize.layer import color_layer
from pix2pix.colorize.lightness import gray_levels, in_one_plane
from pix2pix.colorize.model import checked, in_kind
from pix2pix.colorize.predictor import Predictor
from pix2pix.colorize.recolor import recolor, recolor16
from pix2pix.colorize.reference import Picture, Reference
from pix2pix.colorize.wish import AS_PREDICTED, Wish

_LARGE = 3 * 2_000_000  # values of a picture, from which on threads pay


class Colorizer(Predictor):
    """Colors pictures with a generator: `Colorizer.from_pretrained()("old.jpg")` -> PIL image.

    Deterministic unless a seed asks for a variant. Threads may share one. `name` is the weights'
    name, for provenance; `header` all that they say of themselves. Raises ValueError for weights
    that predict neither ab nor rgb, WeightsError, which is one, for those that translate pictures.
    """

    @classmethod
    def from_pretrained(
        cls, source: str | Path = "default", *, device: str = "auto", engine: str = "auto"
    ) -> Self:
        """Load bundled weights by name, a .safetensors or .onnx file, or a Hub repo id.

        `engine` and errors are as `PictureModel.from_pretrained` says.
        """
        return super().from_pretrained(source, device=device, engine=engine)

    @overload
    def __call__(
        self,
        image: np.ndarray,
        *,
        saturation: float = ...,
        hints: Sequence[Hint] = ...,
        seed: int | None = ...,
        temperature: float = ...,
        like: Picture | None = ...,
    ) -> np.ndarray: ...

    @overload
    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image,
        *,
        saturation: float = ...,
        hints: Sequence[Hint] = ...,
        seed: int | None = ...,
        temperature: float = ...,
        like: Picture | None = ...,
    ) -> Image.Image: ...

    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image | np.ndarray,
        *,
        saturation: float = 1.0,
        hints: Sequence[Hint] = (),
        seed: int | None = None,
        temperature: float = 0.0,
        like: Picture | None = None,
    ) -> Image.Image | np.ndarray:
        """Color a path, the bytes of a file, a PIL image or an array -> the same size in color.

        Files are read as `images.read` does (upright, sRGB) and come back as PIL images; PIL
        images of any mode come back as RGB, or RGBA where they have transparency, their pixels as
        they lie; arrays (H, W) or (H, W, 1|3|4) of uint8, uint16 or floats in [0, 1] as (H, W, 3),
        or (H, W, 4) with the alpha they had, of their own dtype: uint16 with all of its lightness,
        floats at 8-bit precision.
        `saturation` multiplies the chroma: 0 is gray, 1 as predicted. `hints` are points whose
        color is known: (x, y, (red, green, blue)), x and y in pixels from the top left of the
        upright picture; the thing that a point is on follows, as far as its surface is even.
        Chroma that sRGB lacks at the pixel's lightness is out of reach. `seed` samples a variant:
        other colors where the net is unsure. `temperature` shifts b*, in [-30, 30]: above 0 warmer,
        below 0 cooler. Black, white and hints stay; a saturation below 1 shifts less: 0 is gray.
        `like` is a photo in color, any of these kinds or a `Reference`: its colors are taken where
        both look alike, and its palette by and large (likeness.py). It should be of the same place,
        people or roll of film; any other one may mislead. Lightness is the input's own.
        What is lost on the way (16 bits, further frames) is issued as a UserWarning, and so is that
        a file or a PIL image is in color already, toned, or a negative (`incolor.remarks`).

        Raises PhotoError for files, TypeError and ValueError for anything else that is no picture,
        BadHint, a ValueError, for hints outside of it or a net that takes none, and BadReference,
        another, for a `like` without color or a net that takes none.
        """
        wish = Wish(saturation, hints, seed, temperature, _reference(like))
        return in_kind(
            image,
            lambda rgb8: self.color(rgb8, wish),
            remarks,
            lambda rgb8, grays: self.color16(rgb8, grays, wish),
        )

    def rgb(
        self,
        rgb: np.ndarray,
        *,
        saturation: float = 1.0,
        hints: Sequence[Hint] = (),
        seed: int | None = None,
        temperature: float = 0.0,
        like: Picture | None = None,
    ) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8: `color` with keywords."""
        return self.color(rgb, Wish(saturation, hints, seed, temperature, _reference(like)))

    def color(self, rgb: np.ndarray, wish: Wish = AS_PREDICTED) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8, of the input's L* within one level.

        The result may be a view of four bytes a pixel (see `recolor`).

        Raises TypeError and ValueError for another dtype or shape, and BadHint as above.
        """
        grays = None
        apart = strips.share() > 1 and self.engine.kind != "torch"  # whose threads are its own
        if checked(rgb).size > _LARGE and apart and not in_one_plane(rgb):
            with (
                strips.thread_pool() as pool
            ):  # each on a core of its own: the net does not need them
                lightness = pool.submit(gray_levels, rgb)
                ab = pool.submit(self.predict, rgb, wish).result()
                grays = lightness.result()
        else:
            ab = self.predict(rgb, wish)
        return recolor(rgb, ab * self._scale(wish), grays)

    def chroma(
        self, small: np.ndarray, picture: tuple[int, int], wish: Wish = AS_PREDICTED
    ) -> np.ndarray:
        """Predict a*, b* (2, h, w) of a picture (H, W), for a `Painter` of it.

        `small` is what the net sees of it, (h, w, 3) uint8 (glance.py). Raises BadHint as above.
        """
        return self.predict_small(small, picture, wish) * self._scale(wish)

    def color16(self, rgb: np.ndarray, grays: np.ndarray, wish: Wish = AS_PREDICTED) -> np.ndarray:
        """Color a picture of 16 bits -> (H, W, 3) uint16 sRGB, of the lightness of `grays`.

        `grays` (H, W) uint16 are the sRGB grays of its lightness; the net sees `rgb` (H, W, 3)
        uint8, the same picture. Raises as `color`, and ValueError for sizes that differ.
        """
        if grays.shape != checked(rgb).shape[:2]:
            raise ValueError(f"grays of {grays.shape} do not fit rgb of {rgb.shape}")
        return recolor16(grays, self.predict(rgb, wish) * self._scale(wish))

    def layer(
        self, rgb: np.ndarray, wish: Wish = AS_PREDICTED, dtype: type = np.uint8
    ) -> np.ndarray:
        """Make the color alone of sRGB (H, W, 3) uint8 -> (H, W, 3) uint8, or uint16 by `dtype`.

        A layer for the blend mode "Color" (layer.py). Raises as `color`.
        """
        ab = self.predict(checked(rgb), wish) * self._scale(wish)
        return color_layer(self._lightness(rgb)[0] * 50 + 50, ab, rgb.shape[:2], dtype)

    def _scale(self, wish: Wish) -> np.float32:
        """What the net's ab is multiplied by."""
        return np.float32(self.header.ab_scale * self.header.saturation * wish.saturation)

    def unsure(self, rgb: np.ndarray, *, hints: Sequence[Hint] = ()) -> np.ndarray:
        """Map the uncertainty of the colors of sRGB (H, W, 3) uint8.

        (h, w) float32, small: the standard deviation of a*, b*; 0 is certain, 30 red or blue.
        Raises TypeError and ValueError as `rgb`, and ValueError for a net without bins.
        """
        _, logits = self._likely(rgb, hints)
        return sampling.spread(logits, self._bin_colors)

    def suggest(
        self, rgb: np.ndarray, x: float, y: float, *, count: int = 5, hints: Sequence[Hint] = ()
    ) -> list[tuple[tuple[int, int, int], float]]:
        """List likely colors at a point of sRGB (H, W, 3) uint8, and their probabilities.

        At most `count` sRGB colors of the point's own lightness, each likelier than the next; the
        shares add up to 1 at most. `hints` are what is known already.
        Raises TypeError and ValueError as `rgb`, and ValueError for a net without bins.
        """
        check(((x, y, (0, 0, 0)),), *rgb.shape[:2])
        L, logits = self._likely(rgb, hints)
        height, width = logits.shape[-2:]
        row, column = int(y / rgb.shape[0] * height), int(x / rgb.shape[1] * width)
        found = sampling.suggest(logits, self._bin_colors, row, column, count=count)
        around = L[0, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].mean()
        colors = []
        for ab, share in found:
            lab = np.array([around * 50 + 50, *(ab * self.header.ab_scale)], np.float32)
            red, green, blue = lab_to_rgb8(lab.reshape(3, 1, 1))[0, 0].tolist()
            colors.append(((red, green, blue), share))
        return colors

    def _likely(self, rgb: np.ndarray, hints: Sequence[Hint]) -> tuple[np.ndarray, np.ndarray]:
        """A picture -> L (1, 1, h, w) and the logits (1, bins, h/4, w/4)."""
        checked(rgb)
        if not self.knows_likely_colors:
            raise ValueError(f"{self.name} has one answer only: no distribution over colors")
        L = self._lightness(rgb)
        hint_map, _, _ = self._place(hints, rgb.shape[:2], L)
        return L, self._run(L, hint_map)["logits"]


def _reference(like: Picture | None) -> Reference | None:
    return None if like is None else Reference.of(like)
