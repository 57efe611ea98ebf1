"""Photographs for training: a folder or zip of pictures -> an on-disk uint8 cache -> batches.

Every picture is decoded once, scaled and stored raw; an epoch then costs a crop and a resize a
photo. Color conversion and film augmentation happen batched, on the training device (`prepare`).
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from pix2pix import film as film_module
from pix2pix.color import rgb_to_net
from pix2pix.errors import DataError, PhotoError
from pix2pix.images import read
from pix2pix.metrics import colorfulness
from pix2pix.randomness import permutation, uniform

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic"}
GRAY_BELOW = 3.0  # Hasler-Suesstrunk colorfulness under which a photo counts as gray


@dataclass
class Batch:
    """What a recipe sees: L (B, 1, H, W) as the net gets it, ab (B, 2, H, W) as the photo has it.

    `positions` (B,) int64 are the samples' places in the run's endless sequence.
    """

    L: Tensor
    ab: Tensor
    positions: np.ndarray


def list_photos(source: str | Path) -> list[str]:
    """Names of the picture files in a folder (recursive) or zip, sorted; by suffix, unopened.

    Raises DataError when there is none or `source` is neither.
    """
    source = Path(source)
    if source.is_dir():
        names = [str(p.relative_to(source)) for p in source.rglob("*") if p.is_file()]
    elif source.is_file() and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
    else:
        raise DataError(f"{source}: neither a folder nor a zip of photos")
    names = sorted(n for n in names if Path(n).suffix.lower() in SUFFIXES)
    if not names:
        raise DataError(f"{source}: no pictures in it (looked for {', '.join(sorted(SUFFIXES))})")
    return names


@dataclass
class Row:
    """One photo of a cache: where its pixels lie, how colorful it is, a checksum to know it by."""

    name: str
    offset: int
    height: int
    width: int
    colorfulness: float
    crc: int


def _decoded(
    source: Path, names: list[str], short_side: int
) -> Iterator[tuple[Row, np.ndarray] | PhotoError]:
    """Each picture (H, W, 3) uint8, its short side at most `short_side`, in the order of names."""
    archive = zipfile.ZipFile(source) if source.is_file() else None

    def load(name: str, raw: bytes | Path) -> tuple[Row, np.ndarray] | PhotoError:
        try:
            rgb = np.ascontiguousarray(_shrink(read(raw).rgb, short_side))
        except PhotoError as error:
            error.path = name
            return error
        color = float(colorfulness(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255))
        h, w = rgb.shape[:2]
        return Row(name, 0, h, w, round(color, 3), zlib.crc32(rgb.data)), rgb

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), 64):  # in slices: never more than 64 pictures in memory
            some = names[start : start + 64]
            raw = [archive.read(n) if archive else source / n for n in some]
            yield from pool.map(load, some, raw)


def _shrink(rgb: np.ndarray, short_side: int) -> np.ndarray:
    scale = short_side / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = [max(short_side, round(side * scale)) for side in rgb.shape[:2]]
    picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None]
    return F.interpolate(picture, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def fingerprint(source: str | Path, names: list[str], short_side: int) -> str:
    """A key for the cache: the same files at the same size give the same key."""
    source = Path(source)
    digest = hashlib.sha256(f"v2 {source.resolve()} {short_side}".encode())
    for name in names:
        path = source if source.is_file() else source / name
        stat = path.stat()
        digest.update(
            f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()[:16]


def build_cache(source: str | Path, cache: str | Path, *, short_side: int) -> Path:
    """Decode every picture of `source` once into a folder under `cache`, and return that folder.

    It holds `pixels.u8` (raw RGB, one picture after the other), `index.json` (name, offset,
    height, width, colorfulness of each) and `bad_files.jsonl`. One that is there already is used.
    Raises DataError when there are no pictures or more than 1 % of them cannot be read.
    """
    source, names = Path(source), list_photos(source)
    folder = Path(cache) / fingerprint(source, names, short_side)
    if (folder / "index.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    index, bad, offset = [], [], 0
    part = folder / f"pixels.{os.getpid()}.part"
    with part.open("wb") as pixels:
        for item in tqdm(_decoded(source, names, short_side), "decode", len(names), disable=None):
            if isinstance(item, PhotoError):
                bad.append({"path": item.path, "code": item.code, "reason": item.reason})
                continue
            row, rgb = item
            row.offset = offset
            index.append(astuple(row))
            offset += pixels.write(rgb.data)
    _write(folder / "bad_files.jsonl", "".join(json.dumps(b) + "\n" for b in bad))
    if len(bad) > max(1, len(names) // 100):
        part.unlink()
        worst = "; ".join(f"{b['path']}: {b['code']}" for b in bad[:5])
        raise DataError(
            f"{source}: {len(bad)} of {len(names)} pictures cannot be read ({worst}"
            f"{', ...' if len(bad) > 5 else ''}); the whole list: {folder / 'bad_files.jsonl'}"
        )
    os.replace(part, folder / "pixels.u8")
    _write(folder / "index.json", json.dumps(index))  # last: its presence says the cache is whole
    return folder


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(text)
    os.replace(part, path)


def in_validation(name: str, fraction: float) -> bool:
    """Whether a photo belongs to the validation split: by hash of its name, so it never moves."""
    return int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) < (
        fraction * 2**32
    )


class Photos(Dataset):
    """Position in an endless sequence -> (crop (3, size, size) uint8, position).

    Each epoch visits every photo once, in an order of its own; crop, aspect and flip depend on
    (seed, position) alone. A photo whose short side is below `size` is enlarged.

    `source` is a folder or a zip. `split` is "train", "val" or "all"; photos with a colorfulness
    below `min_colorfulness` are left out. Raises DataError when nothing is left, or, before any
    step, when nearly all photos are gray.
    """

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
        crop: float = 0.6,
        aspect: float = 4 / 3,
        flip: bool = True,
        seed: int = 0,
    ):
        if split not in ("train", "val", "all"):
            raise ValueError(f"split {split!r}: train, val or all")
        self.size, self.crop, self.aspect, self.flip, self.seed = size, crop, aspect, flip, seed
        side = cached_side or max(size, round(size * 1.25))
        self.folder = build_cache(source, cache, short_side=side)
        everything = [Row(*row) for row in json.loads((self.folder / "index.json").read_text())]
        colored = [row for row in everything if row.colorfulness >= min_colorfulness]
        if len(colored) < 0.05 * len(everything) or not colored:
            share = 1 - len(colored) / max(1, len(everything))
            raise DataError(
                f"{source}: {share:.0%} of images have colorfulness < {min_colorfulness:g}; "
                "there is no color to learn from"
            )
        self.rows = [
            row
            for row in colored
            if split == "all" or in_validation(row.name, val_fraction) == (split == "val")
        ]
        if not self.rows:
            raise DataError(f"{source}: no photo in the {split} split of {len(colored)}")
        self.gray = len(everything) - len(colored)
        self.small = sum(min(row.height, row.width) < size for row in self.rows)
        self._pixels: np.ndarray | None = None
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, i: int) -> np.ndarray:
        """Photo i as stored: rgb (H, W, 3) uint8, a view into the cache."""
        if self._pixels is None:  # opened here, so that each worker maps the file itself
            self._pixels = np.memmap(self.folder / "pixels.u8", mode="r", dtype=np.uint8)
        row = self.rows[i]
        size = row.height * row.width * 3
        return self._pixels[row.offset : row.offset + size].reshape(row.height, row.width, 3)

    def shared_with(self, other: "Photos") -> list[str]:
        """Names of the photos that are in `other` too, pixel for pixel."""
        theirs = {(row.height, row.width, row.crc) for row in other.rows}
        return [row.name for row in self.rows if (row.height, row.width, row.crc) in theirs]

    def drop(self, names: list[str]) -> None:
        """Leave out the photos of these names."""
        gone = set(names)
        self.rows = [row for row in self.rows if row.name not in gone]

    def _index(self, position: int) -> int:
        epoch, place = divmod(position, len(self))
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, permutation(len(self), self.seed, epoch)
        return int(self._order[1][place])

    def name(self, position: int) -> str:
        """The name of the photo that a position shows."""
        return self.rows[self._index(position)].name

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        rgb = self.picture(self._index(position))
        draw = [float(uniform(self.seed, position, stream)[0]) for stream in range(5)]
        h, w = rgb.shape[:2]
        side = min(h, w) * (self.crop + (1 - self.crop) * draw[0])
        stretch = self.aspect ** (draw[1] - 0.5)  # height to width from aspect**-1/2 to aspect**1/2
        ch, cw = min(h, round(side * stretch)), min(w, round(side / stretch))
        top, left = int(draw[2] * (h - ch + 1)), int(draw[3] * (w - cw + 1))
        piece = _resize(rgb[top : top + ch, left : left + cw], self.size)
        if self.flip and draw[4] < 0.5:
            piece = piece.flip(2)
        return piece, position

    def center(self, i: int) -> Tensor:
        """The center square of photo i, (3, size, size) uint8: for validation, nothing random."""
        rgb = self.picture(i)
        h, w = rgb.shape[:2]
        side = min(h, w)
        top, left = (h - side) // 2, (w - side) // 2
        return _resize(rgb[top : top + side, left : left + side], self.size)


def _resize(rgb: np.ndarray, size: int) -> Tensor:
    """(h, w, 3) uint8 -> (3, size, size) uint8, antialiased."""
    piece = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None]  # copies out of the cache
    if piece.shape[-2:] != (size, size):
        piece = F.interpolate(piece, (size, size), mode="bilinear", antialias=True)
    return piece[0].contiguous()


def prepare(
    rgb: Tensor,
    positions: np.ndarray,
    *,
    seed: int = 0,
    film: float = 0.0,
    exposure: float = 0.0,
    color: float = 0.0,
) -> Batch:
    """Crops rgb (B, 3, H, W) uint8, on the training device -> Batch.

    `film` is the share of inputs that age (see film.py); `exposure` the largest change of the
    input's lightness contrast and level, as a fraction; `color` the largest change of the target's
    chroma, as a fraction. All drawn from (seed, position).
    """
    picture = rgb.float() / 255
    L, ab = rgb_to_net(picture)

    def draw(stream: int) -> Tensor:
        u = torch.as_tensor(uniform(seed, positions, stream), dtype=L.dtype) * 2 - 1
        return u.to(L.device).view(-1, 1, 1, 1)

    if color:
        ab = ab * (1 + color * draw(10))
    if film:
        L = film_module.age(picture, L, seed, positions, film)
    if exposure:
        L = (L * (1 + exposure * draw(11)) + exposure / 2 * draw(12)).clamp(-1, 1)
    return Batch(L, ab, positions)
