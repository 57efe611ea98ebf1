"""Predictor: a picture and a wish in, the ab of a net out, small.

What surrounds the net: lightness in, hints and a reference's colors as further input, variants;
then its answer is smoothed, kept local where hints made it, and taken off borders.
"""

from collections.abc import Sequence
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from pix2pix.color import AB_SCALE, rgb8_to_lab, rgb_to_net
from pix2pix.colorize import sampling, temperature
from pix2pix.colorize.borders import leave_border_gray
from pix2pix.colorize.engines.base import Outputs
from pix2pix.colorize.hints import Hint, hold, place
from pix2pix.colorize.lightness import lightness
from pix2pix.colorize.likeness import Known, Seen, over
from pix2pix.colorize.model import PictureModel
from pix2pix.colorize.reach import localize
from pix2pix.colorize.reference import Reference
from pix2pix.colorize.smoothing import smooth
from pix2pix.colorize.wish import AS_PREDICTED, Wish
from pix2pix.errors import BadHint, BadReference
from pix2pix.nets.follow import follow_hints
from pix2pix.nets.gamut import gamut_grid

_INVERTED = 4.0  # log odds from which on it is called one: 2 of 1,033 photos are, 72 % of negatives


class Predictor(PictureModel):
    """A generator that predicts the colors of pictures. Threads may share one.

    Raises as PictureModel does.
    """

    task = "color"
    heads = ("ab", "rgb")

    @cached_property
    def smooths(self) -> bool:
        """Whether its ab is smoothed: that of nets on a classifier, which see edges coarsely.

        May be set. A U-Net as of the course draws its own edges, and so does what predicts rgb.
        """
        return self.header.generator.get("net") == "BackboneUNet" and self.header.head == "ab"

    @cached_property
    def _references(self) -> WeakKeyDictionary[Reference, Known]:
        """Those that are in use, as its net sees them: one does for all photos of a series."""
        return WeakKeyDictionary()

    @property
    def takes_hints(self) -> bool:
        """Whether its net takes hints."""
        return self.header.in_channels > 1

    @property
    def takes_reference(self) -> bool:
        """Whether its net takes a reference: it takes hints, and has features to match by."""
        return self.takes_hints and self.engine.has_features

    @property
    def knows_likely_colors(self) -> bool:
        """Whether its net has a distribution over colors: `unsure`, `suggest`, variants."""
        return bool(self.header.generator.get("bins"))

    @property
    def has_variants(self) -> bool:
        """Whether a seed changes anything: its net has dropout or noise, or draws likely colors."""
        return super().has_variants or (self.knows_likely_colors and self.takes_hints)

    def is_negative(self, rgb: np.ndarray) -> bool:
        """Whether sRGB (H, W, 3) uint8, whose color does not count, is a photo's negative.

        The net compares it with its own negative (`BackboneUNet.polarity`). Always False of a net
        that does not tell negatives.
        """
        if "polarity" not in self.engine.asides:
            return False
        L = self._lightness(rgb)
        both = np.zeros((2, self.header.in_channels, *L.shape[-2:]), np.float32)
        both[:, :1] = np.concatenate([L, -L])
        as_it_is, inverted = self.engine.aside("polarity", both).ravel()
        return bool(inverted - as_it_is > _INVERTED)

    def predict(self, rgb: np.ndarray, wish: Wish = AS_PREDICTED) -> np.ndarray:
        """Run the net on sRGB (H, W, 3) uint8 -> its ab (2, h, w) in [-1, 1], small, float32.

        The input is resized, antialiased as in training, to about `header.area_for(H, W)` pixels.
        The net's answer is smoothed up to the picture's edges (smoothing.py); the wish's hints
        color the things that they are on (reach.py), and are kept. What is no picture, a mount or
        the rim of film, has no color (borders.py). Raises ValueError for broken weights.
        """
        return self.predict_small(self._shrink(rgb), rgb.shape[:2], wish)

    def predict_small(
        self, small: np.ndarray, picture: tuple[int, ...], wish: Wish = AS_PREDICTED
    ) -> np.ndarray:
        """`predict` of a picture (H, W) that is shrunk already, to (h, w, 3) uint8."""
        L = lightness(small)[None, None] / 50 - 1
        hint_map, places, wanted = self._place(wish.hints, (picture[0], picture[1]), L)
        known = None if wish.like is None else self._known(wish.like)
        guides, told = np.zeros_like(hint_map), hint_map  # guides: the net need not keep them
        if known is not None:
            seen = Seen.of(self._features(L), L)
            guides = known.hint_map(seen, (L.shape[-2], L.shape[-1]))
            told = over(hint_map, guides)
        chances = self._chances(L.shape[-2:], wish.seed)
        if wish.seed is not None and self.knows_likely_colors and self.takes_hints:
            drawn = sampling.draw(
                lambda drawn: self._run(L, drawn, chances)["logits"],
                told,
                self._bin_colors,
                wish.seed,
            )
            guides = np.where((drawn != told).any(1, keepdims=True), drawn, guides)
            told = drawn
        answers = self._answers(L, [guides, told] if len(places) else [guides], chances)
        L = L[0, 0]
        if self.smooths:
            answers = [smooth(ab, L) for ab in answers]
        if known is not None:
            answers = [known.pull(ab) for ab in answers]
        if wish.temperature:  # in the net's scale; at saturation 0, gray stays gray
            unit = self.header.ab_scale * self.header.saturation * max(wish.saturation, 1)
            warmer = wish.temperature / unit
            answers = [temperature.shift(ab, L * 50 + 50, warmer) for ab in answers]
        ab = answers[0]
        if len(places):
            ab = localize(ab, answers[1], L, places, wanted)
        ab = leave_border_gray(ab, L, places)
        return hold(ab, L, places, wanted) if len(places) else ab

    def _answers(
        self,
        L: np.ndarray,
        hint_maps: Sequence[np.ndarray],
        chances: Sequence[np.ndarray] | None,
    ) -> list[np.ndarray]:
        """Run the net on L (1, 1, h, w) with each of some hints (1, 3, h, w) -> ab (2, h, w)."""
        told = [hints for hints in hint_maps if hints.any()]
        without = [np.zeros_like(hint_maps[0])]  # with bins, the others need it, too
        needed = len(told) < len(hint_maps) or self.knows_likely_colors
        maps = np.concatenate(told + without if needed else told)
        outputs = self._run(L.repeat(len(maps), 0), maps, chances)
        answers = outputs["answer"]
        if not np.isfinite(answers).all():
            raise ValueError(f"{self.name} answers with NaN or infinity: its weights are broken")
        if self.knows_likely_colors and told:
            ab, plain = outputs["ab"], answers[-1:]
            answers = np.concatenate([follow_hints(ab[:-1], ab[-1:], plain), plain])
        if self.header.head == "rgb":
            answers = rgb_to_net((answers + 1) / 2)[1]
        found = iter(answers)
        return [next(found) if hints.any() else answers[-1] for hints in hint_maps]

    def _run(
        self, L: np.ndarray, hint_map: np.ndarray, chances: Sequence[np.ndarray] | None = None
    ) -> Outputs:
        return self.engine.run(np.concatenate([L, hint_map], 1), chances)

    def _features(self, L: np.ndarray) -> np.ndarray:
        """L (1, 1, h, w) -> the features (1, F, h/8, w/8) that likeness is judged by."""
        none = np.zeros((1, self.header.in_channels - 1, *L.shape[-2:]), np.float32)
        return self.engine.features(np.concatenate([L, none], 1))

    def _known(self, reference: Reference) -> Known:
        """The reference as its net sees it; kept as long as the reference is in use."""
        if not self.takes_reference:
            raise BadReference(
                f"{self.name} takes no reference: it needs a net on a classifier that takes hints, "
                "and an .onnx file of this version, which `pix2pix export` makes"
            )
        known = self._references.get(reference)
        if known is None:
            lab = rgb8_to_lab(self._shrink(reference.rgb))
            L, ab = lab[None, :1] / 50 - 1, lab[1:] / AB_SCALE / self.header.saturation
            known = Known.of(Seen.of(self._features(L), L), ab)
            self._references[reference] = known
        return known

    @cached_property
    def _bin_colors(self) -> np.ndarray:
        """The ab of the net's color bins (bins, 2) in [-1, 1]."""
        return gamut_grid(self.header.generator["bins"]) / np.float32(AB_SCALE)

    def _lightness(self, rgb: np.ndarray) -> np.ndarray:
        """sRGB (H, W, 3) uint8 -> the net's L (1, 1, h, w) float32 in [-1, 1], small."""
        return lightness(self._shrink(rgb))[None, None] / 50 - 1

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
