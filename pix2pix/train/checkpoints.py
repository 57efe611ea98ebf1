"""Checkpoints that survive a kill at any moment: files.py writes them whole or not at all.

`step-N.ckpt` holds everything that a resumed run needs, and its sha256 lies beside it. The two
newest are kept, so that one damaged by the disk leaves another to go on from.
"""

import hashlib
import io
import json
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pix2pix.errors import CheckpointError
from pix2pix.files import replacing, sweep

KEPT = 2
StateDict = dict[str, Any]
"""What a checkpoint holds: tensors and plain values by name."""
_NOT_OURS = "not a checkpoint of a training run"
_KINDS = {  # of what a checkpoint holds
    "recipe": dict,
    "average": dict,
    "optimizers": list,
    "step": int,
    "best": float,
    "config": str,
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError in the `with` block into a CheckpointError of `path`."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"not written: {error.strerror or error}", path) from error


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to `path` atomically. Raises CheckpointError."""
    with writing(path), replacing(path, size=len(data)) as write:
        write(data)


def prepare_folder(folder: Path) -> None:
    """Create a folder, check that it is writable, remove the temporary files of killed runs.

    Raises CheckpointError at once when it cannot: better than after an hour.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(str(folder))
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise CheckpointError(f"cannot be written: {error.strerror}", folder) from error


class Checkpoints:
    """The checkpoints of one run, in one folder."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, oldest first."""
        return sorted(int(p.stem.removeprefix("step-")) for p in self.folder.glob("step-*.ckpt"))

    def path(self, step: int) -> Path:
        """The path of a step's checkpoint."""
        return self.folder / f"step-{step:08d}.ckpt"

    def save(self, state: StateDict, step: int) -> Path:
        """Write a step's checkpoint, then delete all but the two newest up to this step.

        Later ones, which a run resumed from an earlier checkpoint leaves behind, are deleted, too.
        Raises CheckpointError; the older checkpoints are intact then.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getbuffer()
        path = self.path(step)
        # first the hash: a checkpoint is never there without it
        hashed = f"{hashlib.sha256(data).hexdigest()}  {path.name}\n"
        write_atomically(path.with_suffix(".sha256"), hashed.encode())
        write_atomically(path, data)
        kept = [known for known in self.steps() if known <= step][-KEPT:]
        for old in set(self.steps()) - set(kept):
            self.path(old).unlink()
        for orphan in self.folder.glob("step-*.sha256"):
            if not orphan.with_suffix(".ckpt").exists():
                orphan.unlink()
        return path

    def load(self, *, say: Callable[[str], None] = print) -> StateDict | None:
        """Load the newest valid checkpoint, or None when there is none.

        One whose hash does not match is skipped, with a line to `say`. Raises CheckpointError when
        there are checkpoints and none is valid.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return load(self.path(step))
            except CheckpointError as error:
                say(f"{error}; trying the one before")
        if steps:
            raise CheckpointError(f"none of its {len(steps)} checkpoints is whole", self.folder)
        return None


def load(path: str | Path) -> StateDict:
    """Load a checkpoint after checking its hash: tensors and plain values only.

    Nothing in the file is ever executed. Raises CheckpointError when it is missing, damaged, or
    not one of ours.
    """
    path = Path(path)
    beside = path.with_suffix(".sha256")
    try:
        data = path.read_bytes()  # read once: what is hashed is what is loaded
        expected = beside.read_text().split()[:1]
    except (OSError, ValueError) as error:  # no text, or a zero byte in the name
        missing = getattr(error, "filename", None) or beside
        why = getattr(error, "strerror", None) or "not a checksum"
        raise CheckpointError(f"not read: {missing}: {why}", path) from error
    if expected != [hashlib.sha256(data).hexdigest()]:
        raise CheckpointError("truncated or changed: it does not fit its sha256", path)
    try:
        with warnings.catch_warnings():  # of pickles of other versions
            warnings.simplefilter("ignore")
            saved = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file can make the reader raise anything
        raise CheckpointError(f"{_NOT_OURS}: {_unread(data, error)}", path) from error
    if why := _lacks(saved):
        raise CheckpointError(f"{_NOT_OURS}: {why}", path)
    return saved


def _unread(data: bytes, error: Exception) -> str:
    """Why torch could not read a file, in our own words: torch's advice is to run what is in it."""
    if not data:
        return "it is empty"
    if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for code, {code[1]}; only tensors and plain values are read"
    return "its bytes are none that torch.save writes"


def _lacks(saved: object) -> str | None:
    """Why an object that torch.save wrote is no checkpoint of ours; None when it is one."""
    if not isinstance(saved, dict):
        return f"it holds a {type(saved).__name__}"
    for key, kind in _KINDS.items():
        if not isinstance(saved.get(key), kind):
            return (
                f"no {key!r}" if key not in saved else f"{key!r} is a {type(saved[key]).__name__}"
            )
    if not all(isinstance(t, Tensor) for key in ("recipe", "average") for t in saved[key].values()):
        return "something among its weights is no tensor"
    try:
        whole = isinstance(json.loads(saved["config"]), dict)
    except (RecursionError, ValueError):
        whole = False
    return None if whole else "its 'config' is no JSON"
