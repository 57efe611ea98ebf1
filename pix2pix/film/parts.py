"""Parts: a film in the making, so that a killed run goes on instead of starting anew.

Beside the output lies a hidden folder with a plan, which says what is made of what, and a file for
every few hundred frames. A part counts once the file that describes it is there. Frames depend on
those before them only through what `Steady` knows, which is saved with each part.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pix2pix.errors import NotPermitted
from pix2pix.files import write_bytes

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

FRAMES = 240
"""Frames of a part: 10 s of film, and what a kill costs at most."""
_PLAN, _LOCK = "plan.json", "lock"
_NAME = re.compile(r"\.pix2pix-film-[0-9a-f]{16}")
_ABANDONED = 30 * 24 * 3600  # [s] after which nobody goes on with what a killed run left
_TRIES = 3  # to lock a folder that others may remove meanwhile


@dataclass(frozen=True)
class Part:
    """A part that is done."""

    path: str
    frames: int
    start: int
    """The time of its first frame, in ticks of the film's clock: NUT has none below 0."""


class Workplace:
    """The folder of a film in the making. Made by `opened`."""

    def __init__(self, folder: str):
        self.folder = folder
        self.state: dict[str, np.ndarray] = {}
        """What was saved with the last part."""

    @property
    def begun(self) -> bool:
        """Whether a part is done."""
        return os.path.exists(self._at(f"{0:06}.json"))

    def plan(self, plan: dict[str, Any]) -> list[Part]:
        """Go on where an earlier run with the same plan was stopped -> the parts that are done.

        What another plan left behind is removed. `threads` of the encoder are the earlier run's:
        with as many, its frames are the same.
        """
        known = self._read(_PLAN)
        same = known is not None and _without_threads(known) == _without_threads(plan)
        if not same:
            self._clear()
            write_bytes(json.dumps(plan).encode(), self._at(_PLAN))
            return []
        plan["threads"] = known["threads"] if known else plan["threads"]
        return self._done()

    def part(self, number: int) -> str:
        """The path of a part's frames."""
        return self._at(f"{number:06}.nut")

    def finish(self, number: int, frames: int, start: int, state: dict[str, np.ndarray]) -> Part:
        """Declare a part as done, whose file is on the disk."""
        with open(self._at(f"{number:06}.npz"), "wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        said = json.dumps({"frames": frames, "start": start})
        write_bytes(said.encode(), self._at(f"{number:06}.json"))
        with contextlib.suppress(OSError):
            os.unlink(self._at(f"{number - 1:06}.npz"))
        return Part(self.part(number), frames, start)

    def remove(self) -> None:
        """Remove the folder with all in it, the lock last: who comes meanwhile finds it taken."""
        with contextlib.suppress(OSError):
            self._clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _done(self) -> list[Part]:
        """The parts that are done, and the state of the last."""
        found: list[Part] = []
        while (said := self._read(f"{len(found):06}.json")) is not None:
            found.append(Part(self.part(len(found)), said["frames"], said["start"]))
        if found:
            try:
                with np.load(self._at(f"{len(found) - 1:06}.npz")) as saved:
                    self.state = dict(saved)
            except (OSError, ValueError, EOFError, BadZipFile):
                self._clear()
                return []
        return found

    def _read(self, name: str) -> Any:
        try:
            with open(self._at(name), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def _clear(self) -> None:
        for entry in os.scandir(self.folder):
            if entry.name != _LOCK:
                os.unlink(entry.path)

    def _at(self, name: str) -> str:
        return os.path.join(self.folder, name)


@contextmanager
def opened(dest: str) -> Iterator[Workplace]:
    """The workplace of the output `dest`, for one run at a time. It stays: `remove` removes it.

    Raises OSError, and NotPermitted where another run is at it.
    """
    place = Workplace(folder_of(dest))
    with contextlib.ExitStack() as stack:
        for tries in range(_TRIES):
            os.makedirs(place.folder, mode=0o700, exist_ok=True)
            try:
                stack.enter_context(_locked(place.folder))
                break
            except FileNotFoundError:  # a sweep was at it
                if tries == _TRIES - 1:
                    raise
        yield place


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Lock a workplace.

    Raises NotPermitted where another run has it, and FileNotFoundError where one has removed it.
    """
    path = os.path.join(folder, _LOCK)
    with open(path, "ab") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NotPermitted("another run is making its output", again=True) from error
            except OSError:  # a drive without locks
                pass
            if not os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
                raise FileNotFoundError(errno.ENOENT, "removed meanwhile", path)
        yield


def sweep(folder: str) -> None:
    """Remove from a folder what killed runs left there and nobody has gone on with for 30 days.

    What cannot be looked at or removed stays.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError, NotPermitted):
                    _sweep(entry.path)


def _sweep(folder: str) -> None:
    changed = os.stat(folder).st_mtime  # before the lock is made, which counts as a change
    if _abandoned(folder, changed):
        with _locked(folder):
            if _abandoned(folder, changed):  # another run may have gone on with it meanwhile
                Workplace(folder).remove()


def _abandoned(folder: str, changed: float) -> bool:
    """Whether nobody has gone on for 30 days; `changed` counts where only a lock is in a folder."""
    with os.scandir(folder) as entries:
        times = [e.stat(follow_symlinks=False).st_mtime for e in entries if e.name != _LOCK]
    return time.time() - max(times, default=changed) > _ABANDONED


def folder_of(dest: str) -> str:
    """The hidden folder of an output, beside it; short, however long its name is."""
    folder, name = os.path.split(dest)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return os.path.join(folder or ".", f".pix2pix-film-{digest}")


def _without_threads(plan: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plan.items() if key != "threads"}
