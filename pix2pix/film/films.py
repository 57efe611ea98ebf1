"""Color films, one after another; the frames of one keep all cores busy."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import av

from pix2pix.colorize.ends import Ends, FileOptions
from pix2pix.colorize.jobs import Job, Record, failure
from pix2pix.errors import NoSpace, NotPermitted, PhotoError, one_line
from pix2pix.files import write_error
from pix2pix.film import making, names, parts
from pix2pix.film.coloring import Look
from pix2pix.film.survey import survey
from pix2pix.images.task import COLOR

Done = TypeVar("Done")
Bar = Callable[[str, int], AbstractContextManager[making.Progress]]
"""A film's path and number of frames -> what shows how far it is."""


@dataclass(frozen=True)
class Run:
    """How films are colored. `load` gives the look when the first film needs it."""

    load: Callable[[], Look]
    files: FileOptions
    bar: Bar

    def __call__(self, jobs: Iterable[Job | Record]) -> Iterator[Record]:
        """Color every film -> its Record, as `folders.make_copies` does for photos.

        An unwritable folder is one record, too. At last what earlier runs left in the folders of
        the outputs, and nobody wants, is removed.
        """
        look: Look | None = None
        folders: set[str] = set()
        for job in Ends(self.files).pending(_noted(jobs, folders)):
            if isinstance(job, Record):
                yield job
            if not isinstance(job, Job):
                continue
            source = _recorded(job, partial(self._begun, job))
            if isinstance(source, Record):
                yield source
                continue
            look = look or self.load()
            yield _recorded(job, partial(self._made, job, source, look))
        for folder in folders:
            parts.sweep(folder)

    def _begun(self, job: Job) -> "making.Source | Record":
        """Look at a film, or record why nothing is to be done."""
        if os.path.isdir(job.dest):
            raise NotPermitted(f"{job.dest} is a folder")
        seen = survey(job.source, allow_truncated=self.files.allow_truncated)
        container = names.container(job.dest)
        source = making.look_at(job.source, seen, container, self.files.max_pixels)
        if self.files.skip_color and source.in_color:
            return Record(job.source, "ignored", reason="already in color")
        return source

    def _made(self, job: Job, source: "making.Source", look: Look) -> Record:
        """Make a film. What a kill leaves is for the next run; what fails leaves nothing.

        Where the disk is full, the parts stay, too: they are hours of work.
        """
        with parts.opened(job.dest) as place:
            try:
                with self.bar(job.source, source.survey.frames) as tick:
                    whole, warnings = making.make(
                        source, job.dest, look, place, keep_gps=self.files.keep_gps, tick=tick
                    )
                making.publish(whole, job.dest, job.status)
            except Exception as error:
                typed = _typed(error)
                if isinstance(typed, NoSpace) and place.begun:
                    kept = f"what is done stays in {place.folder} for the next run"
                    raise NoSpace(f"{typed.reason}; {kept}") from error
                place.remove()
                raise typed from (None if typed is error else error)
            place.remove()
        return Record(job.source, COLOR.done, job.dest, reason=job.redone, warnings=warnings)


def _noted(jobs: Iterable[Job | Record], folders: set[str]) -> Iterator[Job | Record]:
    """Pass jobs on, and add the folders of their outputs to `folders`."""
    for job in jobs:
        if isinstance(job, Job):
            folders.add(os.path.dirname(job.dest) or ".")
        yield job


def _recorded(job: Job, work: Callable[[], Done]) -> Done | Record:
    """What a step for a film comes to, or the record of why it failed; the other films go on."""
    try:
        return work()
    except Exception as error:
        return failure(job.source, _typed(error))


def _typed(error: Exception) -> Exception:
    """The typed error for what the system or a library raised while a film was made."""
    if isinstance(error, OSError):
        return write_error(error)
    if isinstance(error, av.error.FFmpegError) and not isinstance(error, MemoryError):
        return PhotoError(f"FFmpeg: {one_line(error)}")
    return error
