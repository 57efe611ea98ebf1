"""What data sets have in common: an endless sequence of examples; of files: cache, split, crops.

`Examples` is what training asks of a data set, `Pictures` one of files, which photos.py, pairs.py
and aligned.py give a meaning.
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from pix2pix.batch import Batch
from pix2pix.data.cache import Halves, Row, build_cache, read_index
from pix2pix.data.labels import Labels
from pix2pix.errors import DataError
from pix2pix.randomness import permutation, uniform


@dataclass(frozen=True)
class RandomCrop:
    """A random crop of a photo, resized to `size`; drawn from (seed, position) alone.

    Its side is `crop` to 1 times the photo's short side, its height and width differ by up to
    `aspect` times; with `flip`, half of the pieces are mirrored.

    Raises ValueError for arguments out of range.
    """

    size: int
    _: KW_ONLY
    crop: float = 0.6
    aspect: float = 4 / 3
    flip: bool = True

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 < self.crop <= 1 or self.aspect < 1:
            raise ValueError(
                f"size={self.size}, crop={self.crop}, aspect={self.aspect}: size is 1 or more, "
                "crop in (0, 1], aspect 1 or more"
            )

    def __call__(self, picture: np.ndarray, seed: int, position: int) -> Tensor:
        """Crop a picture (h, w, C) uint8 -> (C, size, size) uint8."""
        scale, shape, down, right, mirror = uniform(seed, position, np.arange(5))
        h, w = picture.shape[:2]
        side = min(h, w) * (self.crop + (1 - self.crop) * scale)
        stretch = self.aspect ** (shape - 0.5)  # its square is the crop's height over width
        crop_h = max(1, min(h, round(side * stretch)))
        crop_w = max(1, min(w, round(side / stretch)))
        top, left = int(down * (h - crop_h + 1)), int(right * (w - crop_w + 1))
        piece = picture[top : top + crop_h, left : left + crop_w]
        crop = resize(piece, (self.size, self.size))
        return crop.flip(2) if self.flip and mirror < 0.5 else crop


class Examples(Dataset, ABC):
    """What training asks of a data set: position in an endless sequence -> (crop, position).

    A crop (C, size, size) holds source and target; `prepare` makes a `Batch` of crops.
    """

    task: str  # "color" or "translate", as weights say it
    size: int  # side of a crop [px]
    labels: Labels | None = None

    @property
    @abstractmethod
    def title(self) -> str:
        """How many of what they are, for people: "400 photos"."""

    @property
    @abstractmethod
    def notes(self) -> str:
        """What else people should know, such as what was left out."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, position: int) -> tuple[Tensor, int]: ...

    @abstractmethod
    def name(self, position: int) -> str:
        """The name of what is at a position."""

    @abstractmethod
    def center(self, i: int) -> Tensor:
        """Example i as (C, size, size): for validation, not random."""

    @abstractmethod
    def prepare(self, crops: Tensor, positions: np.ndarray, **augment: Any) -> Batch:
        """Crops (B, C, H, W) and their positions (B,) -> Batch, on the crops' device."""

    @abstractmethod
    def truth(self, crops: Tensor) -> Tensor:
        """Crops (B, C, H, W) -> the pictures to be predicted, rgb (B, 3, H, W) in [0, 1]."""


class Pictures(Examples):
    """Position in an endless sequence -> (crop (C, size, size) uint8, position).

    Each epoch of `len(pictures)` positions visits every picture once, in an order of its own; crop
    and flip depend on (seed, position) alone. There is no last position: a sampler ends the
    sequence.

    `source` is a folder or a zip, decoded once into a folder under `cache`, with short sides of
    `cached_side` (by default 1.25 * `size`). `crops` are settings of `RandomCrop`: pictures smaller
    than `size` are enlarged, and counted in `small`. `split` is "train", "val" or "all".

    Raises DataError when there are none, ValueError for arguments out of range.
    """

    called = "photos"  # what its messages call them
    halves: Halves | None = None  # names of the halves, where one file holds two pictures

    def __init__(
        self,
        source: str | Path,
        *,
        cache: str | Path = ".cache/pix2pix",
        size: int = 128,
        cached_side: int | None = None,
        split: str = "all",
        val_fraction: float = 0.02,
        seed: int = 0,
        **crops: Any,
    ):
        if split not in ("train", "val", "all"):
            raise ValueError(f"split {split!r}: train, val or all")
        self.size, self.seed = size, seed
        self.crop = RandomCrop(size, **crops)
        side = cached_side or max(size, round(size * 1.25))
        self.folder = build_cache(source, cache, short_side=side, halves=self.halves)
        self.rows = self._in_split(source, self._find(source), split, val_fraction)
        self.small = sum(min(row.height, row.width) < size for row in self.rows)
        self._pixels: np.ndarray | None = None
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_pixels": None}  # a pickled memory map would be all its bytes

    @property
    def title(self) -> str:
        """How many of what they are, for people: "400 photos"."""
        return f"{len(self)} {self.called}"

    @property
    def notes(self) -> str:
        """A summary of what was left out, for people."""
        return f"{self.small} enlarged"

    def _find(self, source: str | Path) -> list[Row]:
        """The pictures that can be used, of all splits."""
        return read_index(self.folder)

    def _in_split(
        self, source: str | Path, rows: list[Row], split: str, fraction: float
    ) -> list[Row]:
        """Those of one split, "all" of them too; a `fraction` is for validation."""
        return in_split(source, rows, split, fraction)

    def picture(self, i: int) -> np.ndarray:
        """Picture i as stored: (H, W, C) uint8, a view into the cache."""
        return self._stored(self.rows[i])

    def _stored(self, row: Row) -> np.ndarray:
        if self._pixels is None:  # opened here, so that each worker maps the file itself
            self._pixels = np.memmap(self.folder / "pixels.u8", mode="r", dtype=np.uint8)
        raw = self._pixels[row.offset : row.offset + row.bytes]
        return raw.reshape(row.height, row.width, 3)

    def shared_with(self, other: "Pictures") -> list[str]:
        """Names of the pictures that are in `other` too, pixel for pixel."""
        theirs = {other._mark(row) for row in other.rows}
        return [row.name for row in self.rows if self._mark(row) in theirs]

    def _mark(self, row: Row) -> tuple[int, ...]:
        """What tells a picture from another."""
        return row.height, row.width, row.crc

    def drop(self, names: list[str]) -> None:
        """Leave out the pictures of these names."""
        gone = set(names)
        self.rows = [row for row in self.rows if row.name not in gone]
        self._order = None

    def _index(self, position: int) -> int:
        if position < 0:
            raise IndexError(f"position {position}: the sequence starts at 0")
        epoch, place = divmod(position, len(self))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, permutation(len(self), self.seed, epoch)
        return int(self._order[1][place])

    def name(self, position: int) -> str:
        """The name of the picture at a position."""
        return self.rows[self._index(position)].name

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        return self.crop(self.picture(self._index(position)), self.seed, position), position

    def center(self, i: int) -> Tensor:
        """The center square of picture i, (C, size, size) uint8: for validation, not random."""
        picture = self.picture(i)
        h, w = picture.shape[:2]
        side = min(h, w)
        top, left = (h - side) // 2, (w - side) // 2
        return resize(picture[top : top + side, left : left + side], (self.size, self.size))


def in_validation(name: str, fraction: float) -> bool:
    """Whether a photo belongs to the validation split: by hash of its name, so it never moves."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return int(digest[:8], 16) < fraction * 2**32


def in_split(source: str | Path, rows: list[Row], split: str, fraction: float) -> list[Row]:
    """The photos of one split, "all" of them too. Raises DataError where there are none."""
    if split == "all":
        return rows
    chosen = [row for row in rows if in_validation(row.name, fraction) == (split == "val")]
    if not chosen:
        raise DataError(
            f"{source}: none of {len(rows)} photos is in the {split} split; with "
            f"val_fraction={fraction:g} that is chance, another fraction helps"
        )
    return chosen


def resize(picture: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """Resize (h, w, C) uint8 -> (C, *shape) uint8, antialiased; a copy."""
    piece = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    if piece.shape[-2:] != shape:
        piece = F.interpolate(piece, shape, mode="bilinear", antialias=True)
    return piece[0].contiguous()
