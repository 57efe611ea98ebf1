"""Pairs of any pictures: A|B side by side in one file, or in folders `A/` and `B/`.

The first is the format of pix2pix's published sets: facades, maps, edges2shoes and others.
Source: Isola et al. 2017, https://github.com/phillipi/pix2pix#datasets.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from torch import Tensor

from pix2pix.batch import Batch
from pix2pix.data.cache import Row, list_photos
from pix2pix.data.pairs import Partners, check_names
from pix2pix.data.pictures import Pictures
from pix2pix.errors import SettingError

DIRECTIONS = ("AtoB", "BtoA")
SPLITS = ("train", "val", "test")


class Aligned(Pictures):
    """Pairs to translate: position in an endless sequence -> (crop (6, size, size) uint8, it).

    A crop is the source's rgb, then the target's, cut and mirrored as one picture. `direction` is
    "AtoB" or "BtoA". Where `source`, a folder or zip, has folders named `a_folder` and `b_folder`,
    a pair are their files of equal names (see `Partners`); else it is the left and right half of
    each picture. A picture A of another size is scaled to B's. `odd` are those left out, with the
    reason: without a partner, of another shape, or of a width that has no half.

    A set with folders train and val, or test, keeps that split: "val" is its val, or test where it
    has none; `published` counts the pairs of each. All else is as in `Pictures`; `rows` and `name`
    are those of B.

    Raises DataError when there are no pairs, ValueError for another direction or for one name of
    both folders.
    """

    task = "translate"
    called = "pairs"

    def __init__(
        self,
        source: str | Path,
        *,
        direction: str = "AtoB",
        a_folder: str = "A",
        b_folder: str = "B",
        **settings: Any,
    ):
        if direction not in DIRECTIONS:
            raise ValueError(f"direction={direction}: {' or '.join(DIRECTIONS)}")
        self.direction = direction
        self.folders = {"a_folder": a_folder, "b_folder": b_folder}
        check_names(self.folders)
        known = {part.casefold() for name in list_photos(source) for part in folders_of(name)}
        if known.isdisjoint(folder.casefold() for folder in self.folders.values()):
            self.halves = a_folder, b_folder
        self.published: dict[str, int] = {}
        super().__init__(source, **settings)

    @property
    def odd(self) -> dict[str, str]:
        """The names of the pictures that are left out, and why."""
        return self.partners.odd

    @property
    def notes(self) -> str:
        """A summary of what was left out, and of the published split, for people."""
        split = ", ".join(f"{name} {count}" for name, count in self.published.items())
        as_published = f"as published: {split}" if split else ""
        return ", ".join(filter(None, [super().notes, as_published, self.partners.notes]))

    def prepare(
        self, crops: Tensor, positions: np.ndarray, *, seed: int = 0, **augment: Any
    ) -> Batch:
        """Crops (B, 6, H, W) uint8 -> Batch of RGB and RGB. Raises SettingError for `augment`."""
        if augment:
            raise SettingError(f"{', '.join(augment)}: for photos to color, not for pairs A and B")
        rgb = crops.float() / 127.5 - 1
        return Batch(rgb[:, :3], rgb[:, 3:], positions)

    def truth(self, crops: Tensor) -> Tensor:
        """Crops (B, 6, H, W) uint8 -> the targets, rgb (B, 3, H, W) in [0, 1]."""
        return crops[:, 3:].float() / 255

    def picture(self, i: int) -> np.ndarray:
        """Pair i: the source's rgb, then the target's, (H, W, 6) uint8."""
        both = self.partners.stack(self.rows[i], self._stored)  # B, then A
        return both if self.direction == "BtoA" else np.roll(both, 3, 2)

    def _find(self, source: str | Path) -> list[Row]:
        """B of each pair."""
        whole = "has an odd width, so no two halves" if self.halves else None
        rows = super()._find(source)
        self.partners = Partners(source, rows, self.folders, elsewhere=whole)
        return self.partners.rows

    def _in_split(
        self, source: str | Path, rows: list[Row], split: str, fraction: float
    ) -> list[Row]:
        """Those of one split: the set's own, where it has one."""
        parts = {row.name: published_split(row.name) for row in rows}
        counts = {part: list(parts.values()).count(part) for part in SPLITS}
        held = "val" if counts["val"] else "test"
        if split == "all" or not counts["train"] or not counts[held]:
            return super()._in_split(source, rows, split, fraction)
        self.published = {part: count for part, count in counts.items() if count}
        wanted = "train" if split == "train" else held
        return [row for row in rows if parts[row.name] == wanted]

    def _mark(self, row: Row) -> tuple[int, ...]:
        """What tells a pair from another: both of its pictures."""
        return *super()._mark(row), self.partners.of[row.name].crc


def folders_of(name: str) -> tuple[str, ...]:
    """The folders in a picture's name: "train/A/0.jpg" -> ("train", "A")."""
    return PurePosixPath(name).parts[:-1]


def published_split(name: str) -> str | None:
    """The outermost folder of a name that is a split: train, val or test; None without one."""
    found = [part.casefold() for part in folders_of(name) if part.casefold() in SPLITS]
    return found[0] if found else None
