"""Photographs to measure with: those of skimage, doubled in size and tiled, with a sensor's noise.

python benchmarks/pictures.py FOLDER WIDTH HEIGHT [--count 1] [--gray]
"""

import argparse
import functools
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

QUALITY = 92  # what the package writes, so that both sides do the same work


@functools.cache
def sheet() -> np.ndarray:
    """(2400, 900, 3) uint8: four photographs, noisy."""
    photos = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    large = [np.asarray(Image.fromarray(p[:300, :450]).resize((900, 600), 3)) for p in photos]
    clean = np.concatenate(large)
    noise = np.random.default_rng(0).normal(0, 9, clean.shape).astype(np.float32)
    return np.clip(clean + noise, 0, 255).astype(np.uint8)


def picture(width: int, height: int, *, offset: int = 0) -> np.ndarray:
    """(height, width, 3) uint8; another for each offset. About 0.4 bytes a pixel as a JPEG."""
    noisy = np.roll(sheet(), (-offset * 149, -offset * 71), (0, 1))
    tiles = -(-height // noisy.shape[0]), -(-width // noisy.shape[1]), 1
    return np.tile(noisy, tiles)[:height, :width]


def make_jpeg(path: Path, width: int, height: int, *, gray: bool = False, offset: int = 0) -> None:
    """Write a `picture` as JPEG, of one channel if gray."""
    image = Image.fromarray(picture(width, height, offset=offset))
    image.convert("L" if gray else "RGB").save(path, quality=QUALITY)


def sides(megapixels: float) -> tuple[int, int]:
    """Width and height of a picture of 4 : 3."""
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5)
    return width, width * 3 // 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("width", type=int)
    parser.add_argument("height", type=int)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--gray", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for i in range(given.count):
        path = given.folder / f"{i:04}.jpg"
        make_jpeg(path, given.width, given.height, gray=given.gray, offset=i)


if __name__ == "__main__":
    main()
