"""Runs over many photos: skip what is done, and keep decoder, net and encoder busy at once.

One bad file never stops a run, and outputs are written whole or not at all, so that a killed run
is continued by starting it again. Which photos they are, `jobs.find` says.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, Protocol

import numpy as np

from pix2pix import files, images, outputs
from pix2pix.errors import NotPermitted
from pix2pix.files import kind, write_error
from pix2pix.images import sidecars
from pix2pix.incolor import in_color
from pix2pix.jobs import Job, Record, failure

_WORKERS = max(1, min(4, (os.cpu_count() or 1) // 2))  # that decode, and as many that encode
_AHEAD = _BEHIND = _WORKERS + 1  # photos decoded before the net needs them, and not yet written
_LARGE = 24_000_000  # pixels; such photos go one at a time, or a few of 100 MP fill the memory


class Colors(Protocol):
    """What colors the photos, such as a `Colorizer`."""

    name: str

    @property
    def rgb(self) -> Callable[..., np.ndarray]:
        """Color rgb (H,W,3) uint8 -> (H,W,3) uint8; what else it takes is its own affair."""


def run(
    jobs: Iterable[Job | Record | None],
    load: Callable[[], Colors],
    *,
    coloring: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    skip_color: bool = False,
    max_pixels: int = 100_000_000,
    allow_truncated: bool = False,
    keep_gps: bool = False,
    copy_sidecars: bool = False,
) -> Iterator[Record]:
    """Color every job -> its Record, while the next photos decode and the last ones are encoded.

    `load` gives the model. It is called when the first photo needs it and its output folder proved
    writable; one that is not gives one record, and no more jobs. A `None` among the jobs finishes
    what is on its way. `coloring` is passed on to the model's `rgb`: saturation, hints, seed.
    `skip_color` leaves photos alone that are in color already. What has a good output is skipped
    unless `overwrite`: an empty one, and one older than its photo, is made anew (outputs.py). What
    a photo lacks, its sidecars may say; `copy_sidecars` puts copies of them beside its output
    (images/sidecars.py).
    """
    model: Colors | None = None
    ahead = behind = 0  # until the first photo has shown its size
    reading: deque[tuple[Job, Future[images.Photo | Record]]] = deque()
    writing: deque[Future[Record]] = deque()
    with ThreadPoolExecutor(_WORKERS) as reader, ThreadPoolExecutor(_WORKERS) as writer:
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
                photo = _color(started, future.result(), model, coloring or {})
                ahead, behind = (0, 0) if _is_large(photo) else (_AHEAD, _BEHIND)
                beside = partial(sidecars.copy, keep_gps=keep_gps, overwrite=overwrite)
                more = beside if copy_sidecars else None
                writing.append(writer.submit(_write, started, photo, model.name, keep_gps, more))
            while len(writing) > (behind if job else 0):
                yield writing.popleft().result()


def _pending(jobs: Iterable[Job | Record | None], overwrite: bool) -> Iterator[Job | Record | None]:
    """Turn the jobs that are done, and the first of each folder that refuses, into records.

    What killed runs left in the output folders goes.
    """
    refusals: dict[str, Record | None] = {}
    swept = None
    for job in jobs:
        if not isinstance(job, Job):
            yield job
            continue
        folder = os.path.dirname(job.dest) or "."
        if folder != swept:  # a walk gives the photos of a folder in one go
            files.sweep(folder)
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
    """The job with the state of its file before it is read, or the record that it is done."""
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


def _read(
    job: Job, skip_color: bool, max_pixels: int, allow_truncated: bool
) -> images.Photo | Record:
    try:
        photo = images.read(job.source, max_pixels=max_pixels, allow_truncated=allow_truncated)
        photo = sidecars.add(photo, job.source)
        if skip_color and in_color(photo.rgb):
            return Record(job.source, "ignored", reason="already in color")
        return photo
    except Exception as error:  # whatever it is, the other photos go on
        return failure(job.source, error)


def _color(
    job: Job, photo: images.Photo | Record, model: Colors, coloring: Mapping[str, Any]
) -> images.Photo | Record:
    if isinstance(photo, Record):
        return photo
    try:
        return replace(photo, rgb=model.rgb(photo.rgb, **coloring))
    except Exception as error:
        return failure(job.source, error)


def _write(
    job: Job,
    photo: images.Photo | Record,
    model: str,
    keep_gps: bool,
    copy_sidecars: Callable[..., list[str]] | None,
) -> Record:
    if isinstance(photo, Record):
        return photo
    try:
        os.makedirs(os.path.dirname(job.dest) or ".", exist_ok=True)
        warnings = images.write(
            photo.rgb, job.dest, like=photo, model=model, keep_gps=keep_gps, source=job.status
        )
        if copy_sidecars is not None:
            warnings += copy_sidecars(job.source, job.dest, model=model)
    except OSError as error:
        return failure(job.source, write_error(error))
    except Exception as error:
        return failure(job.source, error)
    warnings = photo.warnings + warnings
    return Record(job.source, "colored", job.dest, reason=job.redone, warnings=warnings)


def _is_large(photo: images.Photo | Record) -> bool:
    return isinstance(photo, images.Photo) and photo.rgb.shape[0] * photo.rgb.shape[1] > _LARGE
