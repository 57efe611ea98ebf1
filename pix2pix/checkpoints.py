"""Checkpoints that survive a kill at any moment: written beside, synced, then renamed into place.

`step-N.ckpt` holds everything a resumed run needs, with its sha256 beside it; the two newest stay.
`last.safetensors` and `best.safetensors` hold the averaged generator for use.
"""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

KEPT = 2


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read; the message says which and what to do."""


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary file beside `path`, sync it to disk, rename it into place.

    The temporary file is in the target's own folder: a rename across file systems is a copy, and a
    copy can be cut. A full disk raises CheckpointError with the path and the bytes it needed.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, RuntimeError) as error:
        # torch's writer turns a full disk into a RuntimeError
        wanted = part.stat().st_size if part.exists() else 0
        part.unlink(missing_ok=True)
        why = "the disk is full" if getattr(error, "errno", 0) == errno.ENOSPC else str(error)
        raise CheckpointError(f"{path}: not written ({wanted} bytes were): {why}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Raises CheckpointError at once when the folder cannot be written: better than after an epoch.
    With `write=False` (any process but the first) nothing is touched.
    """

    def __init__(self, folder: str | Path, *, write: bool = True):
        self.folder = Path(folder)
        if not write:
            return
        probe = self.folder / f".probe.{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"x")
            probe.unlink()
            for stale in self.folder.glob(".*.part"):
                stale.unlink()
        except OSError as error:
            raise CheckpointError(f"{self.folder}: cannot be written: {error.strerror}") from error

    def steps(self) -> list[int]:
        """Steps of the checkpoints that are there, oldest first."""
        return sorted(int(p.stem.removeprefix("step-")) for p in self.folder.glob("step-*.ckpt"))

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:08d}.ckpt"

    def save(self, state: dict[str, Any], step: int) -> Path:
        """Write the checkpoint of a step, then drop all but the two newest."""
        path = self.path(step)

        def write(part: Path) -> None:
            torch.save(state, part)
            hashed = f"{digest(part)}  {path.name}\n"  # first the hash: no whole file lacks one
            write_atomically(path.with_suffix(".sha256"), lambda p: _text(p, hashed))

        write_atomically(path, write)
        for old in self.steps()[:-KEPT]:
            self.path(old).unlink()
            self.path(old).with_suffix(".sha256").unlink(missing_ok=True)
        return path

    def load(self, *, say: Callable[[str], None] = print) -> dict[str, Any] | None:
        """The newest whole checkpoint, or None when there is none.

        One whose hash does not fit is passed over, and `say` is told. Raises CheckpointError when
        there are checkpoints and none is whole.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return load(self.path(step))
            except CheckpointError as error:
                say(f"{error}; trying the one before")
        if steps:
            raise CheckpointError(f"{self.folder}: none of its {len(steps)} checkpoints is whole")
        return None


def _text(path: Path, text: str) -> None:
    path.write_text(text)


def load(path: str | Path) -> dict[str, Any]:
    """Read one checkpoint, tensors and plain values only, after checking its hash."""
    path = Path(path)
    beside = path.with_suffix(".sha256")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    if not beside.is_file() or beside.read_text().split()[:1] != [digest(path)]:
        raise CheckpointError(f"{path}: truncated or changed (its sha256 does not fit)")
    return torch.load(path, map_location="cpu", weights_only=True)
