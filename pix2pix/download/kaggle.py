"""The folder of images among the inputs attached to a Kaggle notebook."""

import contextlib
import os
from pathlib import Path

from pix2pix.download.layouts import is_picture, is_shown

_ENOUGH = 100  # pictures


def find_kaggle_input(root: str | Path = "/kaggle/input") -> Path | None:
    """The folder of images among the inputs attached to a Kaggle notebook, None when there is none.

    It is the deepest folder under `root` that has 100 pictures or more in its tree and leaves out
    fewer than 100: `train/` and `val/` stay together, as do class folders, and a few pictures
    beside them do not matter. Of `color/` and `gray/` with the same names in them, it is `color/`.
    Links are not followed, hidden files do not count.
    """
    folder = Path(root)
    if _count(folder) < _ENOUGH:
        return None
    while True:
        # Each count stops at 100: inputs may be millions of files on a slow disk.
        outside = _count(folder, deep=False)
        inside: Path | None = None
        for child in _folders(folder):
            count = _count(child)
            if count >= _ENOUGH and inside is None:
                inside = child
            else:
                outside += count
            if outside >= _ENOUGH:
                return _color_of_pairs(folder) or folder
        if inside is None:
            return folder
        folder = inside


def _color_of_pairs(folder: Path) -> Path | None:
    """`color/`, where each of its pictures is in `gray/` beside it, too, and the reverse."""
    color, gray = folder / "color", folder / "gray"
    if not {color, gray} <= set(_folders(folder)):
        return None
    names = [{p.name for p in half.iterdir() if is_picture(p.name)} for half in (color, gray)]
    return color if names[0] and names[0] == names[1] else None


def _folders(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        shown = (p for p in folder.iterdir() if is_shown(p.name))
        return sorted(p for p in shown if p.is_dir() and not p.is_symlink())
    return []


def _count(folder: Path, *, deep: bool = True) -> int:
    """How many pictures a folder's tree (or the folder itself) holds, at most _ENOUGH."""
    found = 0
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if deep and is_shown(name))
        for name in files:
            found += is_picture(name)
            if found == _ENOUGH:
                return found
    return found
