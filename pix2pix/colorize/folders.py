"""Copy many photos: skip what is done, and keep every core busy with a photo of its own.

One bad file never stops a run, and outputs are written whole or not at all, so that a killed run
is continued by starting it again. Which photos they are, `jobs.find` says.
"""

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import BinaryIO, Literal, NamedTuple

from pix2pix import images, strips
from pix2pix.colorize import outputs
from pix2pix.colorize.copies import Maker, PhotoCopy
from pix2pix.colorize.incolor import in_color
from pix2pix.colorize.jobs import Job, Record, failure
from pix2pix.colorize.workers import Workers, check
from pix2pix.errors import NotPermitted
from pix2pix.files import kind, sweep, write_error
from pix2pix.images import sidecars
from pix2pix.images.task import Task

_MOST_WORKERS = 16  # of 12 bytes a pixel each
_USUAL_PIXELS = 100_000_000  # larger ones need a raised limit; TIFF is then read row by row
_LARGE = 24_000_000  # pixels; such photos go one at a time, or a few of 100 MP fill the memory


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """Which photos of a run are copied, and how their files are read and written."""

    overwrite: bool = False  # what has a good output, too (outputs.py)
    skip_color: bool = False  # leave photos alone that are in color already
    max_pixels: int = _USUAL_PIXELS
    allow_truncated: bool = False
    keep_gps: bool = False
    copy_sidecars: bool = False  # beside the output; what a photo lacks, they say in any case
    depth: int = 8  # 16 keeps the 16 bits of a photo, where its output has a place for them
    pages: Literal["first", "all"] = "first"  # of a TIFF

    def read(self, source: str | bytes | BinaryIO, dest: str = "-") -> images.Photo:
        """Read a photo whose copy will be called `dest`, "-" for a pipe. Raises PhotoError."""
        deep = self.depth == 16 and (dest == "-" or images.holds_16_bits(dest))
        photo = images.read(
            source,
            max_pixels=self.max_pixels,
            allow_truncated=self.allow_truncated,
            deep=deep,
        )
        if self.pages == "all" and any("further frame" in said for said in photo.warnings):
            photo.warnings.append("--pages all is for TIFF files")
        return photo


AS_USUAL = FileOptions()


def make_copies(
    jobs: Iterable[Job | Record | None],
    load: Callable[[], Maker],
    files: FileOptions = AS_USUAL,
) -> Iterator[Record]:
    """Copy every job -> its Record, as many at a time as there are cores.

    `load` gives a model at work. It is called when the first photo needs it and its output folder
    proved writable; one that is not gives one record, and no more jobs. A `None` among the jobs
    finishes what is on its way. What has a good output is skipped: an empty one, and one older
    than its photo, is made anew (outputs.py). Large photos go one at a time, on all cores, and so
    does the first, whose size nobody knows.
    """
    alone, all_cores, large = True, strips.share(), threading.Lock()
    running: deque[Future[_Copied]] = deque()
    with ExitStack() as stack:
        workers: Workers[Maker] | None = None
        for job in chain(_pending(jobs, files.overwrite), [None]):
            if isinstance(job, Record):
                yield job
                continue
            if job is not None:
                while alone and running:
                    copied = running.popleft().result()
                    yield copied.record
                if workers is None:
                    count = min(all_cores, _MOST_WORKERS)
                    workers = Workers(load(), count=count, waiting=3 * count)
                    stack.enter_context(workers)
                    stack.callback(lambda: [copied.cancel() for copied in running])
                turn = _Turn(all_cores if alone else None, large)
                running.append(workers.submit(partial(_copy, job, files, turn)))
            most = 2 * workers.count if workers and job and not alone else 0
            while len(running) > most:
                copied = running.popleft().result()
                alone = copied.large
                yield copied.record


class _Copied(NamedTuple):
    record: Record
    large: bool


@dataclass(frozen=True)
class _Turn:
    """How a photo has its turn."""

    cores: int | None  # all of them, where nothing else runs
    large: threading.Lock  # which large photos take in turn


def _copy(job: Job, files: FileOptions, turn: _Turn, make: Maker) -> _Copied:
    """Read, copy and write a photo."""
    with nullcontext() if turn.cores is None else strips.sharing(turn.cores):
        if (record := _copy_book(job, files, turn, make)) is not None:
            return _Copied(record, True)
        photo = _read(job, files)
        if isinstance(photo, Record):
            return _Copied(photo, False)
        large = photo.rgb.shape[0] * photo.rgb.shape[1] > _LARGE
        with turn.large if large else nullcontext():
            check()
            made = _make(job, photo, make)
            del photo  # its pixels take memory
            check()
            return _Copied(_write(job, made, files), large)


def _copy_book(job: Job, files: FileOptions, turn: _Turn, make: Maker) -> Record | None:
    """Copy a TIFF page by page or row by row; None for any other file."""
    if files.pages == "first" and files.max_pixels <= _USUAL_PIXELS:
        return None  # and nothing of it is loaded
    from pix2pix.colorize import books

    try:
        book = books.open_book(job.source, job.dest, files, make)
        if book is None:
            return None
        with closing(book), turn.large:
            os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
            lost = book.color(job.dest, make, job.status)
        lost += _copied_sidecars(job, files, book.model, book.task)
        return Record(job.source, book.task.done, job.dest, reason=job.redone, warnings=lost)
    except books.AlreadyInColor:
        return Record(job.source, "ignored", reason="already in color")
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _pending(jobs: Iterable[Job | Record | None], overwrite: bool) -> Iterator[Job | Record | None]:
    """Pass on the jobs to do, and records of those that are done or whose folder is unwritable.

    An unwritable folder is reported once. Temporary files of killed runs are deleted.
    """
    refusals: dict[str, Record | None] = {}
    swept = None
    for job in jobs:
        if not isinstance(job, Job):
            yield job
            continue
        folder = os.path.dirname(job.dest) or "."
        if folder != swept:  # a walk gives the photos of a folder in one go
            sweep(folder)
            swept = folder
        item = _with_status(job, overwrite)
        if isinstance(item, Record):
            yield item
        elif job.root not in refusals:
            refusals[job.root] = refusal = _refusal(job.root)
            yield refusal or item
        elif refusals[job.root] is None:
            yield item


def _with_status(job: Job, overwrite: bool) -> Job | Record:
    """Add the status of the source to a job, or record that its output is there."""
    status = outputs.status(job.source)
    state = "none" if overwrite else outputs.state(job.dest, status)
    if state == "good":
        return Record(job.source, "skipped", output=job.dest)
    return replace(job, status=status, redone=outputs.REDONE.get(state))


def _refusal(folder: str) -> Record | None:
    try:
        if os.path.lexists(folder) and not os.path.isdir(folder):
            what = kind(os.lstat(folder).st_mode)
            reason = f"{what} is there, not a folder; -o - writes into a pipe"
            return failure(folder, NotPermitted(reason))
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # without a name, where the system can
            return None
    except OSError as error:
        return failure(folder, write_error(error))
    except ValueError as error:  # a NUL in the name
        return failure(folder, NotPermitted(str(error)))


def _read(job: Job, files: FileOptions) -> images.Photo | Record:
    try:
        photo = sidecars.add(files.read(job.source, job.dest), job.source)
        if files.skip_color and in_color(photo.rgb):
            return Record(job.source, "ignored", reason="already in color")
        return photo
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _make(job: Job, photo: images.Photo, make: Maker) -> PhotoCopy | Record:
    try:
        return make(photo)
    except Exception as error:
        return failure(job.source, error)


def _write(job: Job, made: PhotoCopy | Record, files: FileOptions) -> Record:
    if isinstance(made, Record):
        return made
    try:
        os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
        lost = made.write(job.dest, keep_gps=files.keep_gps, source=job.status, parent=job.source)
        lost += _copied_sidecars(job, files, made.model, made.task)
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:
        return failure(job.source, error)
    return Record(job.source, made.task.done, job.dest, reason=job.redone, warnings=lost)


def _copied_sidecars(job: Job, files: FileOptions, model: str, task: Task) -> list[str]:
    """Copy the sidecars beside the output, if they are wanted -> warnings."""
    if not files.copy_sidecars:
        return []
    return sidecars.copy(
        job.source,
        job.dest,
        model=model,
        task=task,
        keep_gps=files.keep_gps,
        overwrite=files.overwrite,
    )
