"""Names: which files of a folder are photos at all, and what an output of ours is called.

One rule for coloring and for training: a thumbnail or a deleted photo is no photo in either.
"""

import hashlib
import os
from collections.abc import Iterable
from types import SimpleNamespace

from pix2pix import images
from pix2pix.images.task import COLOR, LAYER, TASKS, Task

MARK = COLOR.mark
_MARKS = tuple(task.mark for task in (*TASKS.values(), LAYER))
_LONGEST = 255  # bytes of a name, on every common file system
# What the systems that store photos keep beside them, in lower case; hidden names (.@__thumb of
# QNAP, .Trash-1000 of Linux, ._a.jpg of a Mac) are left aside anyway.
_CLUTTER = {
    "@eadir",  # Synology: thumbnails
    "#recycle",  # Synology: what was deleted
    "#snapshot",
    "@recycle",  # QNAP
    "@recently-snapshot",
    "$recycle.bin",  # Windows
    "recycler",
    "system volume information",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "lost+found",
    "__macosx",  # in zips from a Mac
}


def output_name(name: str, *, format: str | None = None, task: Task = COLOR) -> str:
    """Name a photo's output: `scan.tif` -> `scan.color.tif`, `a.gif` -> `a.gif.color.png`.

    The extension stays where it is that of the format that is written. The photo's own is `format`,
    one of images.READABLE, where it has been detected; else that of its extension, or PNG. A name
    that would get longer than file systems allow is cut, and made unique by a hash of the whole.
    """
    stem, extension = os.path.splitext(name)
    known = images.EXTENSIONS.get(extension.lower())
    written, new = images.output_format(
        SimpleNamespace(format=format or known or "PNG"), lossless=task.lossless
    )
    if written != known:
        stem, extension = name, new
    return fitted(stem, task.mark + extension, name)


def fitted(stem: str, end: str, name: str) -> str:
    """The name stem + end; one too long is cut, and made unique by a hash of `name`."""
    if len(os.fsencode(stem + end)) <= _LONGEST:
        return stem + end
    end = f"~{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{end}"
    return _cut(stem, _LONGEST - len(os.fsencode(end))) + end


def _cut(text: str, size: int) -> str:
    """The start of a name, at most `size` bytes of it, without a broken character at its end."""
    while len(os.fsencode(text)) > size:
        text = text[:-1]
    return text


def is_output(name: str) -> bool:
    """Whether a file's name marks an output of ours, by the mark of a task: `*.color.EXT`."""
    stem, extension = os.path.splitext(name)
    return extension.lower() in images.EXTENSIONS and stem.lower().endswith(_MARKS)


def is_clutter(name: str) -> bool:
    """Whether a file or folder of this name is to be skipped: thumbnails, trash, hidden.

    The name alone, not a path; "." and ".." are none.
    """
    hidden = name.startswith(".") and name not in (".", "..")
    return hidden or name.lower() in _CLUTTER


def is_photo(parts: Iterable[str]) -> bool:
    """Whether a file is a photo, by the parts of its path below the folder that was given."""
    *folders, name = parts
    known = os.path.splitext(name)[1].lower() in images.EXTENSIONS
    return known and not is_output(name) and not any(map(is_clutter, [*folders, name]))
