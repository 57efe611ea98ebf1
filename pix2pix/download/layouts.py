"""How the files of an archive become pictures in a folder.

A layout takes what lies in the archive, as (path, open file) in the archive's order, and gives
what goes into the folder, likewise. In zips, texts come before pictures. A layout raises
LayoutError for what it cannot make sense of.
"""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO

Member = tuple[str, IO[bytes]]
Layout = Callable[[Iterator[Member]], Iterator[Member]]

# The order of the labels: https://www.cs.toronto.edu/~kriz/cifar.html (batches.meta.txt says it,
# too, but may come after the pictures).
CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
_SIDE = 32  # [px] of CIFAR-10's pictures
_ROW = 1 + 3 * _SIDE**2  # [bytes]: the label, then the red, the green and the blue plane
_BATCHES = {f"data_batch_{i}.bin": "train" for i in range(1, 6)} | {"test_batch.bin": "test"}


class LayoutError(Exception):
    """An archive with other files than its layout knows."""


def pictures(members: Iterator[Member]) -> Iterator[Member]:
    """Keep every picture at its own path, and nothing else."""
    return ((path, file) for path, file in members if is_picture(PurePosixPath(path).name))


def tiny_imagenet(members: Iterator[Member]) -> Iterator[Member]:
    """`train/WNID/images/*` and `val/images/*` -> `train/WNID/*` and `val/WNID/*`.

    `val/val_annotations.txt` says the WNID (the class) of each picture of val. Those of `test/`,
    which have no class, are left out.
    """
    classes: dict[str, str] = {}
    for path, file in members:
        match PurePosixPath(path).parts:
            case ("val", "val_annotations.txt"):
                rows = (
                    line.split("\t") for line in file.read().decode(errors="replace").splitlines()
                )
                classes = {row[0]: row[1] for row in rows if len(row) > 1}
            case ("train", wnid, "images", name) if is_picture(name):
                yield f"train/{wnid}/{name}", file
            case ("val", "images", name) if is_picture(name):
                if name not in classes:
                    raise LayoutError(f"val/val_annotations.txt does not name {name}")
                yield f"val/{classes[name]}/{name}", file


def cifar10(members: Iterator[Member]) -> Iterator[Member]:
    """The binary batches -> PNGs, `train/airplane/00029.png`, numbered through train and test.

    A row is a label and the three planes of 32 x 32 px: https://www.cs.toronto.edu/~kriz/cifar.html
    (there, "Binary version"). The pickles of the other version are never read: they can run code.
    """
    import numpy as np
    from PIL import Image

    for path, file in members:
        split = _BATCHES.get(path)
        if not split:
            continue
        data = file.read()
        if not data or len(data) % _ROW:
            raise LayoutError(f"{path}: {len(data):,} bytes are no rows of {_ROW:,}")
        rows = np.frombuffer(data, np.uint8).reshape(-1, _ROW)
        first = (int(path[-5]) - 1) * len(rows) if split == "train" else 0
        for number, row in enumerate(rows, first):
            if row[0] >= len(CIFAR10_CLASSES):
                raise LayoutError(f"{path}: {row[0]} is no label")
            rgb = row[1:].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)  # (32, 32, 3)
            png = io.BytesIO()
            Image.fromarray(rgb.copy()).save(png, "PNG")
            png.seek(0)
            yield f"{split}/{CIFAR10_CLASSES[row[0]]}/{number:05d}.png", png


def is_shown(name: str) -> bool:
    """Whether a file or folder counts: no hidden one, no copy or thumbnail that a system makes."""
    from pix2pix.images.names import is_clutter

    return not name.startswith(".") and not is_clutter(name)  # ".." is not for archives


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix, and counts."""
    from pix2pix.images import EXTENSIONS

    return is_shown(name) and os.path.splitext(name)[1].lower() in EXTENSIONS
