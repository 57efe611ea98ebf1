"""Dataset for training: a folder or zip of photos -> crops -> batches for the nets.

`Photos` gives uint8 crops out of the cache. Color conversion and film augmentation happen batched,
on the training device (`prepare`).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pix2pix.batch import Batch
from pix2pix.color import rgb_to_net
from pix2pix.data.borders import lay_borders
from pix2pix.data.cache import Row
from pix2pix.data.film import age, sketch
from pix2pix.data.labels import Labels
from pix2pix.data.pictures import Pictures
from pix2pix.data.reveal import reveal
from pix2pix.data.written import draw_page, typefaces
from pix2pix.errors import DataError
from pix2pix.randomness import random_bits, uniform, uniform_like

GRAY_BELOW = 3.0  # Hasler-Suesstrunk colorfulness under which a photo counts as gray
_COLORED_AT_LEAST = 0.05  # share of a set; below it, something is wrong with the set


class Photos(Pictures):
    """Photos to color: position in an endless sequence -> (crop (3, size, size) uint8, position).

    Photos with a colorfulness below `min_colorfulness` are left out, and counted in `gray`.
    `labels` gives each photo a class, by the folder that it lies in: "folders" or "imagenet", see
    `Labels`. A share `pages` of the crops are written pages instead, gray, see written.py; they
    have no class, so `labels` and `pages` exclude each other. All else is as in `Pictures`.

    Raises DataError when nothing is left or nearly all photos are gray, ValueError for arguments
    out of range, or for pages without matplotlib.
    """

    task = "color"

    def __init__(
        self,
        source: str | Path,
        *,
        min_colorfulness: float = GRAY_BELOW,
        labels: str | None = None,
        pages: float = 0.0,
        **others: Any,
    ):
        if not 0 <= pages <= 1 or (pages and labels is not None):
            raise ValueError(f"pages={pages}, labels={labels}: pages in [0, 1], and 0 with labels")
        if pages:
            typefaces()
        self.pages = pages
        self._least, self._kind = min_colorfulness, labels
        super().__init__(source, **others)

    @property
    def notes(self) -> str:
        """A summary of what was left out, for people."""
        return f"{self.gray} gray left out, {super().notes}"

    def prepare(self, crops: Tensor, positions: np.ndarray, **augment: Any) -> Batch:
        """As `prepare` below: crops (B, 3 or 6, H, W) uint8 and its settings -> Batch."""
        return prepare(crops, positions, **augment)

    def truth(self, crops: Tensor) -> Tensor:
        """Crops (B, 3 or 6, H, W) uint8 -> the photos in color, rgb (B, 3, H, W) in [0, 1]."""
        return crops[:, :3].float() / 255

    def _find(self, source: str | Path) -> list[Row]:
        """The photos in color, of all splits."""
        everything = self._everything(source)
        colored = in_color(source, everything, self._least)
        self.gray = len(everything) - len(colored)
        if self._kind is not None:
            self.labels = Labels((row.name for row in everything), self._kind)
        return colored

    def _everything(self, source: str | Path) -> list[Row]:
        """The photos of the cache, gray ones too."""
        return super()._find(source)

    def name(self, position: int) -> str:
        """The name of the photo at a position, or "a written page"."""
        return "a written page" if self._is_page(position) else super().name(position)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        if self._is_page(position):
            channels = self.picture(self._index(position)).shape[2]
            return self._page(position, channels), position
        return super().__getitem__(position)

    def _is_page(self, position: int) -> bool:
        return self.pages > 0 and bool(uniform(self.seed, position, 6)[0] < self.pages)

    def _page(self, position: int, channels: int) -> Tensor:
        """A written page in a crop's place, (channels, size, size) uint8."""
        rng = np.random.Generator(np.random.Philox(key=int(random_bits(self.seed, position, 7)[0])))
        return torch.from_numpy(draw_page(rng, self.size)).repeat(channels, 1, 1)


def in_color(source: str | Path, rows: list[Row], least: float) -> list[Row]:
    """The photos with a colorfulness of `least` or more. Raises DataError where few have it."""
    colored = [row for row in rows if row.colorfulness >= least]
    if not colored or len(colored) < _COLORED_AT_LEAST * len(rows):
        raise DataError(
            f"{source}: {1 - len(colored) / len(rows):.0%} of images have colorfulness < "
            f"{least:g}; there is no color to learn from"
        )
    return colored


def prepare(
    rgb: Tensor,
    positions: np.ndarray,
    *,
    seed: int = 0,
    film: float = 0.0,
    exposure: float = 0.0,
    color: float = 0.0,
    hints: float = 0.0,
    drawing: float = 0.0,
    border: float = 0.0,
) -> Batch:
    """Augment crops rgb (B, 3, H, W) uint8, on the training device -> Batch.

    Of (B, 6, H, W), which `Pairs` gives, the last three channels are the gray picture: L is its.
    `film` is the share of inputs that age (see film.py); `exposure` the largest change of the
    input's lightness contrast and level, as a fraction; `color` the largest change of the target's
    chroma, as a fraction; `hints` the share of photos with hints, some of their true colors (see
    reveal.py); `drawing` the share that become pencil drawings, which stay gray; `border` the share
    that get a border, which stays gray (see borders.py). All drawn from (seed, position).
    """
    picture = rgb.float() / 255
    L, ab = rgb_to_net(picture[:, :3])
    seen = picture[:, -3:]
    if picture.shape[1] == 6:
        L = rgb_to_net(seen)[0]

    def draw(stream: int) -> Tensor:
        """(B, 1, 1, 1) in [-1, 1)."""
        return uniform_like(L, seed, positions, stream) * 2 - 1

    if color:
        ab = (ab * (1 + color * draw(10))).clamp(-1, 1)
    if film:
        L = age(seen, L, seed, positions, film)
    if border:
        L, ab = lay_borders(L, ab, seed, positions, border)
    if exposure:
        L = (L * (1 + exposure * draw(11)) + exposure / 2 * draw(12)).clamp(-1, 1)
    if drawing:
        drawn = np.flatnonzero(uniform(seed, positions, 13) < drawing)
        L[drawn], ab[drawn] = sketch(L[drawn], draw(14)[drawn]), 0
    return Batch(L, ab, positions, reveal(ab, seed, positions, hints) if hints else None)
