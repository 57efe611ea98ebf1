"""Copy many photos: skip what is done, and keep every core busy with a photo of its own.

One bad file never stops a run, and outputs are written whole or not at all, so that a killed run
is continued by starting it again. Which photos they are, `jobs.find` says.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

from pix2pix import images, strips
from pix2pix.colorize.copies import Maker, PhotoCopy
from pix2pix.colorize.ends import AS_USUAL, Ends, FileOptions
from pix2pix.colorize.incolor import in_color
from pix2pix.colorize.jobs import Job, Record, failure
from pix2pix.colorize.workers import Workers, check
from pix2pix.files import write_error

__all__ = ["AS_USUAL", "FileOptions", "copy_one", "make_copies"]

_MOST_WORKERS = 16  # of 12 bytes a pixel each
_LARGE = 24_000_000  # pixels; such photos go one at a time, or a few of 100 MP fill the memory


def make_copies(
    jobs: Iterable[Job | Record | None],
    load: Callable[[], Maker],
    files: FileOptions = AS_USUAL,
    ends: Ends | None = None,
) -> Iterator[Record]:
    """Copy every job -> its Record, as many at a time as there are cores.

    `load` gives a model at work. It is called when the first photo needs it and its output folder
    proved writable; one that is not gives one record, and no more jobs. A `None` among the jobs
    finishes what is on its way. What has a good output is skipped: an empty one, and one older
    than its photo, is made anew (outputs.py). Large photos go one at a time, on all cores, and so
    does the first, whose size nobody knows. `ends` read and write what is no file.
    """
    late: deque[Future[Record]] = deque()  # still being written
    with ends or Ends(files) as ends, closing(_copies(jobs, load, ends)) as copies:
        for item in copies:
            if isinstance(item, Record):
                yield item
            else:
                late.append(item)
            while late and late[0].done():
                yield late.popleft().result()
        while late:
            yield late.popleft().result()


def _copies(
    jobs: Iterable[Job | Record | None], load: Callable[[], Maker], ends: Ends
) -> Generator[Record | Future[Record], None, None]:
    alone, all_cores, large = True, strips.share(), threading.Lock()
    running: deque[Future[_Copied]] = deque()
    with ExitStack() as stack:
        workers: Workers[Maker] | None = None
        for job in chain(ends.pending(jobs), [None]):
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
                running.append(workers.submit(partial(_copy, job, ends, turn)))
            most = 2 * workers.count if workers and job and not alone else 0
            while len(running) > most:
                copied = running.popleft().result()
                alone = copied.large
                yield copied.record


class _Copied(NamedTuple):
    record: Record | Future[Record]
    large: bool


@dataclass(frozen=True)
class _Turn:
    """How a photo has its turn."""

    cores: int | None  # all of them, where nothing else runs
    large: threading.Lock  # which large photos take in turn


def _copy(job: Job, ends: Ends, turn: _Turn, make: Maker) -> _Copied:
    """Read, copy and write a photo."""
    with nullcontext() if turn.cores is None else strips.sharing(turn.cores):
        if (record := _copy_book(job, ends, turn, make)) is not None:
            return _Copied(record, True)
        photo = _read(job, ends)
        if isinstance(photo, Record):
            return _Copied(photo, False)
        large = photo.rgb.shape[0] * photo.rgb.shape[1] > _LARGE
        with turn.large if large else nullcontext():
            check()
            made = _make(job, photo, make)
            del photo  # its pixels take memory
            check()
            return _Copied(_write(job, made, ends), large)


def copy_one(job: Job, make: Maker, ends: Ends) -> Record:
    """Copy a photo that `ends.check` found to be due, here and now -> its record."""
    record = _copy(job, ends, _Turn(None, threading.Lock()), make).record
    return record if isinstance(record, Record) else record.result()


def _copy_book(job: Job, ends: Ends, turn: _Turn, make: Maker) -> Record | Future[Record] | None:
    """Copy a TIFF page by page or row by row; None for any other file."""
    if not ends.files.asks_for_books:
        return None  # and nothing of it is loaded
    from pix2pix.colorize import books

    try:
        book = ends.open_book(job, make)
        if book is None:
            return None
        with closing(book), turn.large:
            return ends.write_book(job, book, make)
    except books.AlreadyInColor:
        return Record(job.source, "ignored", reason="already in color")
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _read(job: Job, ends: Ends) -> images.Photo | Record:
    try:
        photo = ends.read(job)
        if ends.files.skip_color and in_color(photo.rgb):
            return Record(job.source, "ignored", reason="already in color")
        return photo
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _make(job: Job, photo: images.Photo, make: Maker) -> PhotoCopy | Record:
    try:
        return make(photo)
    except Exception as error:
        return failure(job.source, error)


def _write(job: Job, made: PhotoCopy | Record, ends: Ends) -> Record | Future[Record]:
    if isinstance(made, Record):
        return made
    try:
        return ends.write(job, made)
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:
        return failure(job.source, error)
