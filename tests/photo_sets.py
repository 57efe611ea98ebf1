"""Small folders and zips of made-up pictures, for the tests of what reads them."""

import zipfile

import numpy as np
from PIL import Image


def colored(seed, h=48, w=64):
    """A colorful picture without two equal neighborhoods: a few big patches, upsampled."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((w, h), Image.Resampling.BICUBIC)


def gray(seed, h=48, w=64):
    """A gray photo stored as RGB."""
    return colored(seed, h, w).convert("L").convert("RGB")


def fill(folder, count, make=colored, suffix=".png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        make(i).save(folder / f"{make.__name__}{i:03}{suffix}", **options)
    return folder


def pack(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path
