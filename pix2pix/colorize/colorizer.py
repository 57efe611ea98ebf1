"""Colorizer: a picture of any size and kind in, the same picture in color out.

The net sees a small copy; its ab is smoothed, upsampled and joined to the lightness of every
full-size pixel, strip by strip, so that detail and memory do not depend on the net.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self, overload

import numpy as np
from PIL import Image

from pix2pix import strips
from pix2pix.color import AB_SCALE, lab_to_rgb8, rgb8_to_lab, rgb_to_net
from pix2pix.colorize import sampling
from pix2pix.colorize.engines.base import Outputs
from pix2pix.colorize.hints import Hint, check, hold, place
from pix2pix.colorize.lightness import gray_levels, in_one_plane
from pix2pix.colorize.model import PictureModel, checked, in_kind
from pix2pix.colorize.recolor import recolor
from pix2pix.colorize.smoothing import smooth
from pix2pix.colorize.wish import AS_PREDICTED, Wish
from pix2pix.errors import BadHint
from pix2pix.nets.follow import follow_hints
from pix2pix.nets.gamut import gamut_grid

_LARGE = 3 * 2_000_000  # values of a picture, from which on threads pay


class Colorizer(PictureModel):
    """Colors pictures with a generator: `Colorizer.from_pretrained()("old.jpg")` -> PIL image.

    Deterministic unless a seed asks for a variant. Threads may share one. `name` is the weights'
    name, for provenance; `header` all that they say of themselves. Raises ValueError for weights
    that predict neither ab nor rgb, WeightsError, which is one, for those that translate pictures.
    """

    task = "color"
    heads = ("ab", "rgb")
    smooths = True
    """Whether the ab of its net is smoothed; what predicts rgb draws its own edges, and is not."""

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
    ) -> np.ndarray: ...

    @overload
    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image,
        *,
        saturation: float = ...,
        hints: Sequence[Hint] = ...,
        seed: int | None = ...,
    ) -> Image.Image: ...

    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image | np.ndarray,
        *,
        saturation: float = 1.0,
        hints: Sequence[Hint] = (),
        seed: int | None = None,
    ) -> Image.Image | np.ndarray:
        """Color a path, the bytes of a file, a PIL image or an array -> the same size in color.

        Files are read as `images.read` does (upright, sRGB) and come back as PIL images; PIL
        images of any mode come back as RGB, or RGBA where they have transparency, their pixels as
        they lie; arrays (H, W) or (H, W, 1|3|4) of uint8, uint16 or floats in [0, 1] as (H, W, 3),
        or (H, W, 4) with the alpha they had, of their own dtype at 8-bit precision.
        `saturation` multiplies the chroma: 0 is gray, 1 as predicted. `hints` are points whose
        color is known: (x, y, (red, green, blue)), x and y in pixels from the top left of the
        upright picture; what belongs together follows. Chroma that sRGB lacks at the pixel's
        lightness is out of reach. `seed` samples a variant: other colors where the net is unsure.
        Lightness is the input's own. What is lost on the way (16 bits, further frames) is issued
        as a UserWarning.

        Raises PhotoError for files, TypeError and ValueError for anything else that is no picture,
        and BadHint, a ValueError, for hints outside of it or a net that takes none.
        """
        wish = Wish(saturation, hints, seed)
        return in_kind(image, lambda rgb8: self.color(rgb8, wish))

    @property
    def takes_hints(self) -> bool:
        """Whether its net takes hints."""
        return self.header.in_channels > 1

    @property
    def knows_likely_colors(self) -> bool:
        """Whether its net has a distribution over colors: `unsure`, `suggest`, variants."""
        return bool(self.header.generator.get("bins"))

    @property
    def has_variants(self) -> bool:
        """Whether a seed changes anything: its net has dropout or noise, or draws likely colors."""
        return super().has_variants or (self.knows_likely_colors and self.takes_hints)

    def rgb(
        self,
        rgb: np.ndarray,
        *,
        saturation: float = 1.0,
        hints: Sequence[Hint] = (),
        seed: int | None = None,
    ) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8: `color` with keywords."""
        return self.color(rgb, Wish(saturation, hints, seed))

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
        scale = self.header.ab_scale * self.header.saturation * wish.saturation
        return recolor(rgb, ab * np.float32(scale), grays)

    def predict(self, rgb: np.ndarray, wish: Wish = AS_PREDICTED) -> np.ndarray:
        """Run the net on sRGB (H, W, 3) uint8 -> its ab (2, h, w) in [-1, 1], small, float32.

        The input is resized, antialiased as in training, to about `header.area` pixels. The net's
        answer is smoothed up to the picture's edges. Raises ValueError for broken weights.
        """
        L = self._lightness(rgb)
        hint_map, places, wanted = self._place(wish.hints, rgb.shape[:2], L)
        chances = self._chances(L.shape[-2:], wish.seed)
        if wish.seed is not None and self.knows_likely_colors and self.takes_hints:
            hint_map = sampling.draw(
                lambda drawn: self._run(L, drawn, chances)["logits"],
                hint_map,
                self._bin_colors,
                wish.seed,
            )
        output = self._answer(L, hint_map, chances)
        if not np.isfinite(output).all():
            raise ValueError(f"{self.name} answers with NaN or infinity: its weights are broken")
        if self.header.head == "rgb":
            ab = rgb_to_net((output[0] + 1) / 2)[1]
        else:
            ab = smooth(output[0], L[0, 0]) if self.smooths else output[0]
        return hold(ab, L[0, 0], places, wanted) if len(wish.hints) else ab

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

    def _answer(
        self, L: np.ndarray, hint_map: np.ndarray, chances: Sequence[np.ndarray] | None
    ) -> np.ndarray:
        """Run the net on L (1, 1, h, w) and hints (1, 3, h, w) or none -> (1, 2 or 3, h, w)."""
        if not (self.knows_likely_colors and hint_map.any()):
            return self._run(L, hint_map, chances)["answer"]
        both = np.concatenate([hint_map, np.zeros_like(hint_map)])
        outputs = self._run(np.concatenate([L, L]), both, chances)
        ab, answer = outputs["ab"], outputs["answer"]
        return follow_hints(ab[:1], ab[1:], answer[1:])

    def _run(
        self, L: np.ndarray, hint_map: np.ndarray, chances: Sequence[np.ndarray] | None = None
    ) -> Outputs:
        return self.engine.run(np.concatenate([L, hint_map], 1), chances)

    @cached_property
    def _bin_colors(self) -> np.ndarray:
        """The ab of the net's color bins (bins, 2) in [-1, 1]."""
        return gamut_grid(self.header.generator["bins"]) / np.float32(AB_SCALE)

    def _lightness(self, rgb: np.ndarray) -> np.ndarray:
        """sRGB (H, W, 3) uint8 -> the net's L (1, 1, h, w) float32 in [-1, 1], small."""
        return rgb8_to_lab(self._shrink(rgb))[None, :1] / 50 - 1

    def _place(
        self, hints: Sequence[Hint], picture: tuple[int, int], L: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`hints.place` for a picture (H, W), in the net's calibration."""
        size = L.shape[-2], L.shape[-1]
        if len(hints) == 0:
            none = np.zeros((1, self.header.in_channels - 1, *size), np.float32)
            return none, np.zeros((0, 2), np.int64), np.zeros((0, 2), np.float32)
        if not self.takes_hints:
            raise BadHint(f"{self.name} takes no hints: leave them out")
        hint_map, places, wanted = place(hints, picture, size)
        # calibration: the net's output is multiplied by it, its hints are divided by it
        hint_map[:, :2] /= self.header.saturation
        return hint_map, places, wanted / np.float32(self.header.saturation)
