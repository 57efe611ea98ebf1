"""Runs over many photos: find them, skip what is done, and keep decoder, net and encoder busy.

`find` turns files, folders and globs into jobs, one at a time, so that a folder of 100,000 photos
takes no more memory than one of ten. `run` works through them; one bad file never stops it, and
outputs are written whole or not at all, so that a killed run is continued by starting it again.
"""

import fnmatch
import glob
import hashlib
import os
import stat
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from types import SimpleNamespace
from typing import Literal, Protocol

import numpy as np

from pix2pix import images
from pix2pix.errors import NotPermitted, PhotoError, Unreadable
from pix2pix.images.files import write_error
from pix2pix.images.formats import sniff, writable_format

_MARK = ".color"  # before the extension of every output
_AHEAD = 2  # photos decoded before the net needs them
_BEHIND = 2  # photos colored and not yet written
_LARGE = 24_000_000  # pixels; such photos go one at a time, or a few of 100 MP fill the memory
_IN_COLOR = 3.0  # metrics.color_spread: the least of 499 color photos has 3.1, strong sepia 2.3


@dataclass(frozen=True)
class Job:
    """One photo to color: paths as the operating system spells them (surrogateescape)."""

    source: str
    dest: str
    root: str
    """The folder that receives this input's outputs, `dest` somewhere below."""


@dataclass(frozen=True)
class Record:
    """What became of one input."""

    path: str
    status: Literal["colored", "skipped", "ignored", "failed"]
    """skipped: its output is already there; ignored: no input by the rules of this run."""
    output: str | None = None
    code: str | None = None
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)


class Colors(Protocol):
    """What colors the photos, such as a `Colorizer`."""

    name: str

    def rgb(self, rgb: np.ndarray, *, saturation: float) -> np.ndarray:
        """Color rgb (H,W,3) uint8 -> (H,W,3) uint8."""


def output_name(name: str, *, format: str = "PNG") -> str:
    """Name a photo's output: `scan.tif` -> `scan.color.tif`, `a.gif` -> `a.gif.color.png`.

    The extension stays where its format can be written; a name that tells no format gets the
    extension of `format`, one of images.READABLE.
    """
    stem, extension = os.path.splitext(name)
    known = images.EXTENSIONS.get(extension.lower())
    written, new = images.output_format(SimpleNamespace(format=known or format))
    return stem + _MARK + extension if written == known else name + _MARK + new


def is_output(name: str) -> bool:
    """Whether a file's name is that of an output of ours: `*.color.EXT`."""
    stem, extension = os.path.splitext(name)
    return extension.lower() in images.EXTENSIONS and stem.lower().endswith(_MARK)


def failure(path: str, error: Exception) -> Record:
    """Make the record of an input that ended in `error`, typed or not."""
    if isinstance(error, PhotoError):
        return Record(path, "failed", code=error.code, reason=error.reason)
    reason = str(error) or type(error).__name__
    return Record(path, "failed", code="error", reason=f"{type(error).__name__}: {reason}")


def find(
    inputs: Iterable[str],
    *,
    out: str | None = None,
    every_file: bool = False,
    follow: bool = False,
    shard: tuple[int, int] = (1, 1),
) -> Iterator[Job | Record]:
    """Files, folders and globs -> one Job a photo, or a Record where there is nothing to color.

    Folders are walked with all below them, hidden names and outputs of earlier runs aside; under
    `out` they keep their structure. `every_file` looks into files without extension too, `follow`
    takes symbolic links that leave the folder. `shard` (i, n) keeps the i-th of n parts, i from 1,
    by a hash of the name below the input. An existing path wins over its meaning as a glob.
    """
    paths = list(inputs)
    finder = _Finder(out, every_file, follow, alone=len(paths) == 1)
    for path in paths:
        for item in finder.find(path):
            if isinstance(item, Record) or _in_shard(item, shard):
                yield from [item] if len(paths) == 1 else finder.claim(item)


def watch(
    scan: Callable[[], Iterable[Job | Record]], *, seconds: float = 1.0
) -> Iterator[Job | Record | None]:
    """Repeat `scan` for ever, every `seconds`: jobs whose file kept size and date since the last.

    Each comes once, and again when its file changes. `None` stands for a pause, see `run`.
    """
    last: dict[str, tuple[int, int]] = {}
    given: dict[str, tuple[int, int] | None] = {}
    while True:
        for item in scan():
            if isinstance(item, Record):
                if item.path not in given:
                    given[item.path] = None
                    yield item
                continue
            try:
                status = os.stat(item.source)
            except OSError:
                continue
            stamp = status.st_size, status.st_mtime_ns
            if last.get(item.source) == stamp != given.get(item.source):
                given[item.source] = stamp
                yield item
            last[item.source] = stamp
        yield None
        time.sleep(seconds)


def run(
    jobs: Iterable[Job | Record | None],
    load: Callable[[], Colors],
    *,
    saturation: float = 1.0,
    overwrite: bool = False,
    skip_color: bool = False,
    max_pixels: int = 100_000_000,
    allow_truncated: bool = False,
    keep_gps: bool = False,
) -> Iterator[Record]:
    """Color every job -> its Record, while the next photos decode and the last ones are encoded.

    `load` gives the model. It is called when the first photo needs it and its output folder proved
    writable; one that is not gives one record, and no more jobs. A `None` among the jobs finishes
    what is on its way. `skip_color` leaves photos alone that are in color already.
    """
    model: Colors | None = None
    ahead = behind = 0  # until the first photo has shown its size
    reading: deque[tuple[Job, Future[images.Photo | Record]]] = deque()
    writing: deque[Future[Record]] = deque()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        for job in chain(_pending(jobs, overwrite), [None]):
            if isinstance(job, Record):
                yield job
                continue
            if job is not None:
                model = model or load()
                future = reader.submit(_read, job, skip_color, max_pixels, allow_truncated)
                reading.append((job, future))
            while model is not None and len(reading) > (ahead if job else 0):
                started, future = reading.popleft()
                photo = _color(started, future.result(), model, saturation)
                ahead, behind = (0, 0) if _is_large(photo) else (_AHEAD, _BEHIND)
                writing.append(writer.submit(_write, started, photo, model.name, keep_gps))
            while len(writing) > (behind if job else 0):
                yield writing.popleft().result()


def in_color(rgb: np.ndarray) -> bool:
    """Whether a photo (H,W,3) uint8 is in color; gray and toned ones (sepia) are not."""
    import torch

    from pix2pix.metrics import color_spread

    step = max(1, min(rgb.shape[:2]) // 256)
    small = torch.from_numpy(rgb[::step, ::step].copy()).permute(2, 0, 1)[None] / 255
    return color_spread(small).item() > _IN_COLOR


class _Finder:
    """What `find` asks of every input, and the outputs that are promised already."""

    def __init__(self, out: str | None, every_file: bool, follow: bool, *, alone: bool):
        self.out, self.every_file, self.follow, self.alone = out, every_file, follow, alone
        self.claims: dict[int, int] = {}

    def find(self, path: str) -> Iterator[Job | Record]:
        if os.path.isdir(path):
            return self._walk(path, path)
        if os.path.lexists(path):
            return iter([self._single(path)])
        if glob.escape(path) != path:
            return self._matches(path)
        return iter([failure(path, Unreadable("no such file or folder"))])

    def claim(self, job: Job | Record) -> Iterator[Job | Record]:
        """Pass a job on unless an earlier input has the same output; the same photo comes once."""
        if isinstance(job, Record):
            yield job
            return
        dest, source = hash(os.path.abspath(job.dest)), hash(os.path.realpath(job.source))
        if dest not in self.claims:
            self.claims[dest] = source
            yield job
        elif self.claims[dest] != source:
            reason = f"its output {job.dest} is that of another input too; color them separately"
            yield failure(job.source, NotPermitted(reason))

    def _single(self, path: str) -> Job | Record:
        folder, name = os.path.split(path)
        if is_output(name) and not self.alone:
            return Record(path, "ignored", reason="the output of an earlier run")
        if self.out is None or not self.alone or _is_folder(self.out):
            dest = output_name(name, format=_format(path) or "PNG")
            return Job(path, os.path.join(self.out or folder, dest), self.out or folder or ".")
        try:
            if os.path.exists(self.out) and os.path.samefile(path, self.out):
                raise NotPermitted("the output is the input itself")
            extension = os.path.splitext(self.out)[1]
            writable_format(images.EXTENSIONS.get(extension.lower(), extension))
        except PhotoError as error:
            return failure(path, error)
        return Job(path, self.out, os.path.dirname(self.out) or ".")

    def _matches(self, pattern: str) -> Iterator[Job | Record]:
        base, found = pattern, False
        while glob.escape(base) != base:
            base = os.path.dirname(base)
        base = base or "."
        inside, wanted = os.path.realpath(base), os.path.relpath(pattern, base).split(os.sep)
        if "**" in wanted:  # by our own walk, which loops of links cannot trap
            for item in self._walk(base, base):
                path = item.source if isinstance(item, Job) else item.path
                if _fits(os.path.relpath(path, base).split(os.sep), wanted):
                    found = True
                    yield item
        else:
            for path in glob.iglob(pattern):
                found = True
                walk = os.path.isdir(path)
                yield from self._walk(path, base) if walk else self._photo(path, base, inside)
        if not found:
            yield failure(pattern, Unreadable("no file matches"))

    def _walk(self, top: str, base: str) -> Iterator[Job | Record]:
        inside, own = os.path.realpath(top), os.path.realpath(self.out) if self.out else None
        seen, folders = {inside}, [top]
        while folders:
            for entry in _entries(folders.pop()):
                if isinstance(entry, Record):
                    yield entry
                elif entry.name.startswith("."):
                    continue
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    real = os.path.realpath(entry.path)
                    if not self.follow and not _is_below(real, inside):
                        yield _left(entry.path)
                    elif not _is_below(real, inside) and real not in seen:
                        seen.add(real)
                        folders.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    real = os.path.realpath(entry.path) if own or self.follow else ""
                    if real not in (seen | {own}):
                        folders.append(entry.path)
                        if self.follow:
                            seen.add(real)
                else:
                    yield from self._photo(entry.path, base, inside)

    def _photo(self, path: str, base: str, inside: str) -> Iterator[Job | Record]:
        """The job of a file that a walk or a glob came across, if it is a photo at all."""
        name = os.path.basename(path)
        format = _format(path, look=self.every_file)
        if format is None or is_output(name):
            return
        if not self.follow and os.path.islink(path) and os.path.exists(path):
            if not _is_below(os.path.realpath(path), inside):
                yield _left(path)
                return
        root, dest = self.out or base, output_name(name, format=format)
        twin = path + os.path.splitext(dest)[1]
        if dest.startswith(name) and os.path.lexists(twin):
            reason = f"its output {dest} is that of {os.path.basename(twin)} too; rename one"
            yield failure(path, NotPermitted(reason))
            return
        folder = os.path.relpath(os.path.dirname(path) or ".", base)
        yield Job(path, os.path.normpath(os.path.join(root, folder, dest)), root)


def _pending(jobs: Iterable[Job | Record | None], overwrite: bool) -> Iterator[Job | Record | None]:
    """Turn the jobs that are done, and the first of each folder that refuses, into records."""
    refusals: dict[str, Record | None] = {}
    for job in jobs:
        if not isinstance(job, Job):
            yield job
        elif not overwrite and os.path.isfile(job.dest):
            yield Record(job.source, "skipped", output=job.dest)
        elif job.root not in refusals:
            refusals[job.root] = refusal = _refusal(job.root)
            yield refusal or job
        elif refusals[job.root] is None:
            yield job


def _refusal(folder: str) -> Record | None:
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # without a name, where the system can
            return None
    except OSError as error:
        return failure(folder, write_error(error))


def _read(
    job: Job, skip_color: bool, max_pixels: int, allow_truncated: bool
) -> images.Photo | Record:
    try:
        photo = images.read(job.source, max_pixels=max_pixels, allow_truncated=allow_truncated)
        if skip_color and in_color(photo.rgb):
            return Record(job.source, "ignored", reason="already in color")
        return photo
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _color(
    job: Job, photo: images.Photo | Record, model: Colors, saturation: float
) -> images.Photo | Record:
    if isinstance(photo, Record):
        return photo
    try:
        return replace(photo, rgb=model.rgb(photo.rgb, saturation=saturation))
    except Exception as error:
        return failure(job.source, error)


def _write(job: Job, photo: images.Photo | Record, model: str, keep_gps: bool) -> Record:
    if isinstance(photo, Record):
        return photo
    try:
        os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
        warnings = images.write(photo.rgb, job.dest, like=photo, model=model, keep_gps=keep_gps)
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:
        return failure(job.source, error)
    return Record(job.source, "colored", output=job.dest, warnings=photo.warnings + warnings)


def _is_large(photo: images.Photo | Record) -> bool:
    return isinstance(photo, images.Photo) and photo.rgb.shape[0] * photo.rgb.shape[1] > _LARGE


def _entries(folder: str) -> Iterator["os.DirEntry[str] | Record"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except PermissionError as error:
        yield failure(folder, NotPermitted(f"reading is not permitted: {error.strerror}"))
    except OSError as error:
        yield failure(folder, Unreadable(error.strerror or str(error)))


def _format(path: str, *, look: bool = True) -> str | None:
    """The format that the extension tells, or without one the first bytes if `look`, or None.

    Never waits for a pipe or a device.
    """
    extension = os.path.splitext(path)[1]
    known = images.EXTENSIONS.get(extension.lower())
    if known is not None or not look:
        return known
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return sniff(file.read(512))
    except (OSError, PhotoError):
        return None


def _fits(names: list[str], patterns: list[str]) -> bool:
    """Whether a path, name by name, fits a glob in which "**" stands for any folders, or none."""
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(_fits(names[i:], patterns[1:]) for i in range(len(names) + 1))
    here = bool(names) and fnmatch.fnmatchcase(names[0], patterns[0])
    return here and _fits(names[1:], patterns[1:])


def _left(path: str) -> Record:
    return Record(path, "ignored", reason="a link out of the folder (--follow takes it)")


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _is_folder(out: str) -> bool:
    return os.path.isdir(out) or out.endswith(os.sep) or not os.path.splitext(out)[1]


def _in_shard(job: Job, shard: tuple[int, int]) -> bool:
    part, parts = shard
    name = os.fsencode(os.path.relpath(job.dest, job.root))
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % parts == part - 1
