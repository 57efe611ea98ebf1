"""Photos of a folder as batches of squares, and another tool's versions of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from pix2pix import images
from pix2pix.color import net_to_rgb, rgb_to_lab, rgb_to_net
from pix2pix.errors import DataError, PhotoError
from pix2pix.evaluate.result import Skipped
from pix2pix.images.names import MARK, is_clutter, is_photo

SEPIA = (-2.4, 11.0)
"""The tint a*, b* of the sepia row: the median of the training photos."""


@dataclass
class Crops:
    """Center squares of photos: `truth` rgb (B, 3, size, size) in [0, 1], in steps of 1/255."""

    paths: list[str]  # relative to the folder
    positions: np.ndarray  # (B,) int64: indices among the photos that could be read
    truth: Tensor
    shapes: list[tuple[int, int]]  # height and width of the files

    @property
    def rgb8(self) -> np.ndarray:
        """(B, size, size, 3) uint8."""
        return to_uint8(self.truth)

    @cached_property
    def lab(self) -> Tensor:
        """L*a*b* (B, 3, size, size) of the truth."""
        return rgb_to_lab(self.truth)


def to_uint8(rgb: Tensor) -> np.ndarray:
    """RGB (B, 3, H, W) in [0, 1] -> (B, H, W, 3) uint8."""
    return (255 * rgb).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def to_tensor(rgb: np.ndarray) -> Tensor:
    """RGB (B, H, W, 3) uint8 -> (B, 3, H, W) in [0, 1]."""
    return torch.from_numpy(rgb).permute(0, 3, 1, 2).contiguous() / 255


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """Remove the color of a photo rgb (H, W, 3) uint8; the lightness is kept."""
    L, ab = rgb_to_net(to_tensor(rgb[None]))
    return to_uint8(net_to_rgb(L, torch.zeros_like(ab)))[0]


def as_in_a_file(L: Tensor, ab: Tensor) -> Tensor:
    """Convert the nets' L (B, 1, H, W), ab (B, 2, H, W) to rgb in [0, 1], rounded to 1/255."""
    return (255 * net_to_rgb(L, ab)).round() / 255


def color_each(photos: Iterable[np.ndarray], rgb: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Apply `rgb` to each photo (H, W, 3) uint8, all of one size -> (B, 3, H, W) in [0, 1]."""
    return to_tensor(np.stack([rgb(photo) for photo in photos]))


def find_photos(folder: str | Path, *, outputs: bool = False) -> list[Path]:
    """List the photos under a folder, by name; with `outputs` also those `pix2pix colorize` wrote.

    Thumbnails, trash and hidden files are none (images/names.py). Raises DataError where there is
    no folder.
    """
    if not Path(folder).is_dir():
        raise DataError(f"{folder} is no folder of photos")
    found = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in images.EXTENSIONS)
    if outputs:
        return [p for p in found if not any(map(is_clutter, p.relative_to(folder).parts))]
    return [p for p in found if is_photo(p.relative_to(folder).parts)]


def read_photos(paths: Iterable[Path], skipped: list[Skipped]) -> Iterator[tuple[Path, np.ndarray]]:
    """Read photos one by one, rgb (H, W, 3) uint8; name the unreadable ones in `skipped`."""
    for path in paths:
        try:
            rgb = images.read(path).rgb
        except PhotoError as error:
            skipped.append({"path": str(path), "code": error.code, "reason": error.reason})
        else:
            yield path, rgb


def read_crops(
    folder: str | Path, size: int, skipped: list[Skipped], *, batch: int = 1
) -> Iterator[Crops]:
    """Read the photos under a folder as center squares; name the unreadable ones in `skipped`.

    One photo at a time by default: what metrics make of more does not stay in a core's cache.
    """
    found: list[tuple[str, np.ndarray, tuple[int, int]]] = []
    count = 0
    paths = tqdm(find_photos(folder), desc="evaluate", unit="photo", disable=None)
    for path, rgb in read_photos(paths, skipped):
        found.append((str(path.relative_to(folder)), center_square(rgb, size), rgb.shape[:2]))
        if len(found) == batch:
            yield _stack(found, count)
            count, found = count + batch, []
    if found:
        yield _stack(found, count)


def _stack(found: list[tuple[str, np.ndarray, tuple[int, int]]], count: int) -> Crops:
    paths, squares, shapes = zip(*found, strict=True)
    positions = np.arange(count, count + len(paths))
    return Crops([*paths], positions, to_tensor(np.stack(squares)), [*shapes])


def center_square(rgb: np.ndarray, size: int) -> np.ndarray:
    """Resize and crop rgb (H, W, 3) uint8 to its center square (size, size, 3)."""
    height, width = rgb.shape[:2]
    if min(height, width) != size:
        scale = size / min(height, width)
        height, width = max(size, round(height * scale)), max(size, round(width * scale))
        image = images.to_image(rgb).resize((width, height), Image.Resampling.LANCZOS)
        rgb = np.asarray(image)
    top, left = (height - size) // 2, (width - size) // 2
    return np.array(rgb[top : top + size, left : left + size])


class OtherResults:
    """Another tool's colored versions of the photos, found by name in a folder of its own.

    `b/a.jpg` is looked for as `b/a` with any extension of a picture, and as `b/a.color`. What is
    not found, not readable or of another size is named in `missing`.
    """

    def __init__(self, folder: str | Path, size: int):
        self.folder, self.size = Path(folder), size
        self.missing: list[Skipped] = []
        found = find_photos(folder, outputs=True)
        self._files = {p.relative_to(folder).with_suffix("").as_posix(): p for p in found}

    def rows(self, crops: Crops) -> tuple[Tensor, Tensor]:
        """Read a batch -> rgb (B, 3, size, size) in [0, 1], and which were found (B,) bool."""
        rgb = torch.zeros_like(crops.truth)
        there = torch.zeros(len(rgb), dtype=torch.bool)
        for i, (path, shape) in enumerate(zip(crops.paths, crops.shapes, strict=True)):
            found = self._read(path, shape)
            if found is not None:
                rgb[i] = to_tensor(found[None])[0]
                there[i] = True
        return rgb, there

    def _read(self, path: str, shape: tuple[int, int]) -> np.ndarray | None:
        stem = Path(path).with_suffix("").as_posix()
        file = self._files.get(stem) or self._files.get(stem + MARK)
        if file is None:
            self._miss(path, "missing", f"no picture of that name in {self.folder}")
            return None
        try:
            rgb = images.read(file).rgb
        except PhotoError as error:
            self._miss(str(file), error.code, error.reason)
            return None
        height, width = rgb.shape[:2]
        if (height, width) == shape:
            return center_square(rgb, self.size)
        if height == width == self.size:
            return np.ascontiguousarray(rgb)
        sizes = f"{width}x{height} pixels, not {shape[1]}x{shape[0]} or {self.size}x{self.size}"
        self._miss(str(file), "size", sizes)
        return None

    def _miss(self, path: str, code: str, reason: str) -> None:
        self.missing.append({"path": path, "code": code, "reason": reason})
