"""Ends: what reads the photos of a run and takes their copies; here files of this machine."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Literal, Self

from pix2pix import images
from pix2pix.colorize import outputs
from pix2pix.colorize.copies import AS_A_WHOLE, LARGE, Maker, PhotoCopy
from pix2pix.colorize.jobs import Job, Record, run_failure
from pix2pix.errors import NotPermitted
from pix2pix.files import kind, sweep, write_error
from pix2pix.images import sidecars
from pix2pix.images.reading import most_bytes
from pix2pix.images.task import Task

if TYPE_CHECKING:
    from pix2pix.colorize.books import Book


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """Which photos of a run are copied, and how their files are read and written."""

    overwrite: bool = False  # what has a good output, too (outputs.py)
    skip_color: bool = False  # leave photos alone that are in color already
    max_pixels: int = LARGE
    allow_truncated: bool = False
    keep_gps: bool = False
    copy_sidecars: bool = False  # beside the output; what a photo lacks, they say in any case
    depth: int = 8  # 16 keeps the 16 bits of a photo, where its output has a place for them
    pages: Literal["first", "all"] = "first"  # of a TIFF

    @property
    def asks_for_books(self) -> bool:
        """Whether a TIFF may have to be read page by page or row by row (books.py)."""
        return self.pages == "all" or self.max_pixels > LARGE

    @property
    def max_bytes(self) -> int:
        """The most that a photo's file may have."""
        return most_bytes(self.max_pixels)

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
        if photo.format == "TIFF" and photo.rgb.shape[0] * photo.rgb.shape[1] > LARGE:
            photo.warnings.append(AS_A_WHOLE)
        return photo


AS_USUAL = FileOptions()


class Ends:
    """Both ends of a run: what reads its photos and takes their copies. Here files, elsewhere more.

    A context manager; what it has begun by then is ended with it.
    """

    def __init__(self, files: FileOptions):
        self.files = files
        self.refusals: dict[str, Record | None] = {}
        self._swept: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def pending(self, jobs: Iterable[Job | Record | None]) -> Iterator[Job | Record | None]:
        """Pass on the jobs to do, and records of those that are done or cannot be."""
        for job in jobs:
            item = self.check(job) if isinstance(job, Job) else [job]
            yield from item

    def check(self, job: Job) -> Iterable[Job | Record]:
        """The job with the status of its source, a record where it is done or refused, or neither.

        An unwritable folder is reported once. Temporary files of killed runs are deleted.
        """
        self.sweep(os.path.dirname(job.dest) or ".")
        item = _with_status(job, self.files.overwrite)
        if isinstance(item, Record):
            return [item]
        refused = self.refused(job.root, partial(folder_refusal, job.root))
        return [item] if refused is None else refused

    def sweep(self, folder: str) -> None:
        """Delete the temporary files of killed runs in a folder."""
        if folder != self._swept:  # a walk gives the photos of a folder in one go
            sweep(folder)
            self._swept = folder

    def refused(self, root: str, test: Callable[[], Record | None]) -> list[Record] | None:
        """None where `test` finds that `root` can be written; else its record, the first time."""
        new = root not in self.refusals
        if new:
            self.refusals[root] = test()
        refusal = self.refusals[root]
        return None if refusal is None else [refusal] * new

    def read(self, job: Job) -> images.Photo:
        """Read the photo of a job. Raises PhotoError."""
        return sidecars.add(self.files.read(job.source, job.dest), job.source)

    def write(self, job: Job, made: PhotoCopy) -> Record | Future[Record]:
        """Write the copy -> its record, or that to come. Raises PhotoError and OSError."""
        os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
        gps = self.files.keep_gps
        lost = made.write(job.dest, keep_gps=gps, source=job.status, parent=job.source)
        return self._record(job, lost, made.model, made.task)

    def open_book(self, job: Job, make: Maker) -> "Book | None":
        """Open a TIFF that is to be colored page by page or row by row; None for any other file.

        Raises PhotoError for one that cannot be. To be called before `read`. Close it.
        """
        from pix2pix.colorize import books

        return books.open_book(job.source, job.dest, self.files, make)

    def write_book(self, job: Job, book: "Book", make: Maker) -> Record | Future[Record]:
        """Color its pages, and write them -> the record, or that to come.

        Raises PhotoError, OSError, and AlreadyInColor.
        """
        os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
        lost = book.color(job.dest, make, job.status)
        return self._record(job, lost, book.model, book.task)

    def _record(self, job: Job, lost: list[str], model: str, task: Task) -> Record:
        """Copy sidecars, if they are wanted -> the record of a copy that is written."""
        if self.files.copy_sidecars:
            lost = lost + sidecars.copy(
                job.source,
                job.dest,
                model=model,
                task=task,
                keep_gps=self.files.keep_gps,
                overwrite=self.files.overwrite,
            )
        return Record(job.source, task.done, job.dest, reason=job.redone, warnings=lost)


def _with_status(job: Job, overwrite: bool) -> Job | Record:
    """Add the status of the source to a job, or record that its output is there."""
    status = outputs.status(job.source)
    state = "none" if overwrite else outputs.state(job.dest, status)
    if state == "good":
        return Record(job.source, "skipped", output=job.dest)
    return replace(job, status=status, redone=outputs.REDONE.get(state))


def folder_refusal(folder: str) -> Record | None:
    """The record of a folder that cannot be written, or None; it is made if there is none."""
    try:
        if os.path.lexists(folder) and not os.path.isdir(folder):
            what = kind(os.lstat(folder).st_mode)
            reason = f"{what} is there, not a folder; -o - writes into a pipe"
            return run_failure(folder, NotPermitted(reason), again=True)
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # without a name, where the system can
            return None
    except OSError as error:
        return run_failure(folder, write_error(error), again=True)
    except ValueError as error:  # a NUL in the name
        return run_failure(folder, NotPermitted(str(error)), again=True)
