"""Dataset for training: a folder or zip of photos -> crops -> batches for the nets.

`Photos` gives uint8 crops out of the cache. Color conversion and film augmentation happen batched,
on the training device (`prepare`).
"""

import hashlib
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from pix2pix.batch import Batch
from pix2pix.color import rgb_to_net
from pix2pix.data.cache import Row, build_cache, read_index
from pix2pix.data.film import age, sketch
from pix2pix.data.labels import Labels
from pix2pix.data.reveal import reveal
from pix2pix.data.written import draw_page, typefaces
from pix2pix.errors import DataError
from pix2pix.randomness import permutation, random_bits, uniform, uniform_like

GRAY_BELOW = 3.0  # Hasler-Suesstrunk colorfulness under which a photo counts as gray
_COLORED_AT_LEAST = 0.05  # share of a set; below it, something is wrong with the set


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


class Photos(Dataset):
    """Position in an endless sequence -> (crop (3, size, size) uint8, position).

    Each epoch of `len(photos)` positions visits every photo once, in an order of its own; crop and
    flip depend on (seed, position) alone. There is no last position: a sampler ends the sequence.

    `source` is a folder or a zip, decoded once into a folder under `cache`, with short sides of
    `cached_side` (by default 1.25 * `size`). `crops` are settings of `RandomCrop`: photos smaller
    than `size` are enlarged, and counted in `small`. `split` is "train", "val" or "all".
    Photos with a colorfulness below `min_colorfulness` are left out, and counted in `gray`.
    `labels` gives each photo a class, by the folder that it lies in: "folders" or "imagenet", see
    `Labels`. A share `pages` of the crops are written pages instead, gray, see written.py; they
    have no class, so `labels` and `pages` exclude each other.

    Raises DataError when nothing is left or nearly all photos are gray, ValueError for arguments
    out of range, or for pages without matplotlib.
    """

    task = "color"  # as of weights: see `weights.Header`

    def __init__(
        self,
        source: str | Path,
        *,
        cache: str | Path = ".cache/pix2pix",
        size: int = 128,
        cached_side: int | None = None,
        split: str = "all",
        val_fraction: float = 0.02,
        min_colorfulness: float = GRAY_BELOW,
        labels: str | None = None,
        pages: float = 0.0,
        seed: int = 0,
        **crops: Any,
    ):
        if split not in ("train", "val", "all"):
            raise ValueError(f"split {split!r}: train, val or all")
        if not 0 <= pages <= 1 or (pages and labels is not None):
            raise ValueError(f"pages={pages}, labels={labels}: pages in [0, 1], and 0 with labels")
        if pages:
            typefaces()
        self.size, self.seed, self.pages = size, seed, pages
        self.crop = RandomCrop(size, **crops)
        side = cached_side or max(size, round(size * 1.25))
        self.folder = build_cache(source, cache, short_side=side)
        everything = self._find(source)
        colored = in_color(source, everything, min_colorfulness)
        self.rows = in_split(source, colored, split, val_fraction)
        self.gray = len(everything) - len(colored)
        names = (row.name for row in everything)
        self.labels = None if labels is None else Labels(names, labels)
        self.small = sum(min(row.height, row.width) < size for row in self.rows)
        self._pixels: np.ndarray | None = None
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_pixels": None}  # a pickled memory map would be all its bytes

    @property
    def notes(self) -> str:
        """A summary of what was left out, for people."""
        return f"{self.gray} gray left out, {self.small} enlarged"

    def _find(self, source: str | Path) -> list[Row]:
        """The photos of the cache, before some are left out."""
        return read_index(self.folder)

    def picture(self, i: int) -> np.ndarray:
        """Photo i as stored: rgb (H, W, 3) uint8, a view into the cache."""
        return self._stored(self.rows[i])

    def _stored(self, row: Row) -> np.ndarray:
        if self._pixels is None:  # opened here, so that each worker maps the file itself
            self._pixels = np.memmap(self.folder / "pixels.u8", mode="r", dtype=np.uint8)
        raw = self._pixels[row.offset : row.offset + row.bytes]
        return raw.reshape(row.height, row.width, 3)

    def shared_with(self, other: "Photos") -> list[str]:
        """Names of the photos that are in `other` too, pixel for pixel."""
        theirs = {(row.height, row.width, row.crc) for row in other.rows}
        return [row.name for row in self.rows if (row.height, row.width, row.crc) in theirs]

    def drop(self, names: list[str]) -> None:
        """Leave out the photos of these names."""
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
        """The name of the photo at a position, or "a written page"."""
        if self._is_page(position):
            return "a written page"
        return self.rows[self._index(position)].name

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        picture = self.picture(self._index(position))
        if self._is_page(position):
            return self._page(position, picture.shape[2]), position
        return self.crop(picture, self.seed, position), position

    def _is_page(self, position: int) -> bool:
        return self.pages > 0 and bool(uniform(self.seed, position, 6)[0] < self.pages)

    def _page(self, position: int, channels: int) -> Tensor:
        """A written page in a crop's place, (channels, size, size) uint8."""
        rng = np.random.Generator(np.random.Philox(key=int(random_bits(self.seed, position, 7)[0])))
        return torch.from_numpy(draw_page(rng, self.size)).repeat(channels, 1, 1)

    def center(self, i: int) -> Tensor:
        """The center square of photo i, (3, size, size) uint8: for validation, nothing random."""
        picture = self.picture(i)
        h, w = picture.shape[:2]
        side = min(h, w)
        top, left = (h - side) // 2, (w - side) // 2
        return resize(picture[top : top + side, left : left + side], (self.size, self.size))

    def prepare(self, crops: Tensor, positions: np.ndarray, **augment: Any) -> Batch:
        """`prepare`, below: crops (B, 3 or 6, H, W) uint8 and its settings -> Batch."""
        return prepare(crops, positions, **augment)

    def truth(self, crops: Tensor) -> Tensor:
        """Crops (B, C, H, W) -> the pictures that were to be predicted, rgb in [0, 1]."""
        return crops[:, :3].float() / 255


def in_validation(name: str, fraction: float) -> bool:
    """Whether a photo belongs to the validation split: by hash of its name, so it never moves."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return int(digest[:8], 16) < fraction * 2**32


def in_color(source: str | Path, rows: list[Row], least: float) -> list[Row]:
    """The photos with a colorfulness of `least` or more. Raises DataError where few have it."""
    colored = [row for row in rows if row.colorfulness >= least]
    if not colored or len(colored) < _COLORED_AT_LEAST * len(rows):
        raise DataError(
            f"{source}: {1 - len(colored) / len(rows):.0%} of images have colorfulness < "
            f"{least:g}; there is no color to learn from"
        )
    return colored


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
) -> Batch:
    """Augment crops rgb (B, 3, H, W) uint8, on the training device -> Batch.

    Of (B, 6, H, W), which `Pairs` gives, the last three channels are the gray picture: L is its.
    `film` is the share of inputs that age (see film.py); `exposure` the largest change of the
    input's lightness contrast and level, as a fraction; `color` the largest change of the target's
    chroma, as a fraction; `hints` the share of photos with hints, some of their true colors (see
    reveal.py); `drawing` the share that become pencil drawings, which stay gray. All drawn from
    (seed, position).
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
    if exposure:
        L = (L * (1 + exposure * draw(11)) + exposure / 2 * draw(12)).clamp(-1, 1)
    if drawing:
        drawn = np.flatnonzero(uniform(seed, positions, 13) < drawing)
        L[drawn], ab[drawn] = sketch(L[drawn], draw(14)[drawn]), 0
    return Batch(L, ab, positions, reveal(ab, seed, positions, hints) if hints else None)
