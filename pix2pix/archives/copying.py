"""Copying from and to stores: read ahead and written behind, while the cores color.

Nothing lies on this machine's disk but a TIFF of many pages or pixels while it is written. The same
photo gets the same bytes as from a folder.
"""

import io
import os
import posixpath
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import NamedTuple

from pix2pix import images
from pix2pix.archives.done import Asked, Done, Listed
from pix2pix.archives.finding import StoreJob
from pix2pix.archives.folders import FolderStore
from pix2pix.archives.store import status
from pix2pix.archives.urls import UrlStore
from pix2pix.colorize import books, outputs
from pix2pix.colorize.books import Book
from pix2pix.colorize.copies import Maker, PhotoCopy
from pix2pix.colorize.ends import AS_USUAL, Ends, FileOptions, folder_refusal
from pix2pix.colorize.jobs import Job, Record, failure, run_failure
from pix2pix.errors import NotPermitted, PhotoError, TooLarge, Unreadable
from pix2pix.files import Sink
from pix2pix.images import EXTENSIONS, sidecars
from pix2pix.images.sidecars import Sidecar
from pix2pix.images.task import Task

_END = Record("", "ended")
_THREADS = 16  # of each kind: so many requests are under way
_AHEAD = 32  # photos that are read or asked for before their turn
_BYTES = 256_000_000  # of files that wait for a worker, and of those that wait to be put


class StoreEnds(Ends):
    """What reads photos from stores and puts copies into them, and does with files as Ends does.

    `shard` is the part of the run, of which alone the outputs are listed.
    """

    def __init__(self, files: FileOptions = AS_USUAL, shard: tuple[int, int] = (1, 1)):
        super().__init__(files)
        self.shard = shard
        self._listed: dict[str, Listed] = {}
        self._fetched: dict[str, Future[_Fetched]] = {}
        self._here = threading.local()  # .sidecars: beside the photo that the thread is at
        self._readers = ThreadPoolExecutor(_THREADS, "reader")
        self._writers = ThreadPoolExecutor(_THREADS, "writer")
        self._room = Room(_BYTES)
        self._proved: set[str] = set()  # roots that took a copy

    def __exit__(self, *error: object) -> None:
        self._readers.shutdown(cancel_futures=True)
        self._writers.shutdown()

    def pending(self, jobs: Iterable[Job | Record | None]) -> Iterator[Job | Record | None]:
        """Pass on what is to do, the photos on their way from the store by then."""
        ahead: deque[tuple[Job | Record | None, int]] = deque()
        waiting = 0
        for item in chain(super().pending(jobs), [_END]):
            size = item.photo.size if isinstance(item, StoreJob) and item.photo else 0
            while ahead and (item is _END or len(ahead) >= _AHEAD or waiting + size > _BYTES):
                first, freed = ahead.popleft()
                waiting -= freed
                if not isinstance(first, StoreJob) or not self.refusals.get(first.root):
                    yield first
            if isinstance(item, StoreJob) and item.origin is not None:
                self._fetched[item.source] = self._readers.submit(_fetch, item, self.files)
            ahead.append((item, size))
            waiting += size

    def check(self, job: Job) -> Iterable[Job | Record]:
        """See Ends; a store that cannot be listed or takes no copy is one record."""
        if not isinstance(job, StoreJob):
            return super().check(job)
        refused = self.refused(job.root, partial(self._refusal, job))
        if refused is not None:
            return refused
        try:
            source = outputs.status(job.source) if job.origin is None else job.status
            state = "none" if self.files.overwrite else self._state(job, source)
        except PhotoError as error:  # of this key
            return [failure(job.source, error)]
        if state == "good":
            return [Record(job.source, "skipped", output=job.dest)]
        return [replace(job, status=source, redone=outputs.REDONE.get(state))]

    def _refusal(self, job: StoreJob) -> Record | None:
        if isinstance(job.target, FolderStore):
            return folder_refusal(job.root)
        if not self.files.overwrite and not job.single:
            bucket = isinstance(job.target, UrlStore) and job.target.is_s3
            try:  # elsewhere a folder is made
                self._listed[job.root] = Listed(job.target, self.shard, may_miss=not bucket)
            except PhotoError as error:
                return run_failure(job.root, error, again=True)
        return None

    def _state(self, job: StoreJob, source: os.stat_result | None) -> outputs.State:
        if isinstance(job.target, FolderStore):
            path = job.target.path(job.key)
            self.sweep(os.path.dirname(path) or ".")
            return outputs.state(path, source)
        done: Done | None = self._listed.get(job.root)
        if done is None:
            done = Asked(job.target)
        return done.state(job.key, None if source is None else source.st_mtime)

    def read(self, job: Job) -> images.Photo:
        """See Ends."""
        if refusal := self.refusals.get(job.root):
            self._fetched.pop(job.source, None)
            raise NotPermitted(refusal.reason or "", again=refusal.again)
        if not isinstance(job, StoreJob) or job.origin is None:
            return super().read(job)
        fetched = self._arrived(job)
        del self._fetched[job.source]
        self._here.sidecars = fetched.sidecars
        return fetched.beside(self.files.read(io.BytesIO(fetched.photo), job.key))

    def open_book(self, job: Job, make: Maker) -> Book | None:
        """See Ends; the whole file is in memory."""
        if not isinstance(job, StoreJob):
            return super().open_book(job, make)
        if refusal := self.refusals.get(job.root):
            self._fetched.pop(job.source, None)
            raise NotPermitted(refusal.reason or "", again=refusal.again)
        if job.origin is None:
            return books.open_book(job.source, job.key, self.files, make)
        fetched = self._arrived(job)
        arrived = self._fetched.pop(job.source)
        book = books.open_book(fetched.photo, job.key, self.files, make, fetched.beside)
        if book is None:
            self._fetched[job.source] = arrived  # for `read`
        self._here.sidecars = fetched.sidecars
        return book

    def _arrived(self, job: StoreJob) -> "_Fetched":
        """What was read of a photo, ahead or now. Raises PhotoError."""
        if job.source not in self._fetched:
            self._fetched[job.source] = self._readers.submit(_fetch, job, self.files)
        try:
            return self._fetched[job.source].result()
        except PhotoError:
            del self._fetched[job.source]
            raise

    def write(self, job: Job, made: PhotoCopy) -> Record | Future[Record]:
        """See Ends; the record comes when the copy is in the store."""
        if not isinstance(job, StoreJob):
            return super().write(job, made)
        format = EXTENSIONS.get(posixpath.splitext(job.key)[1].lower())
        data, lost = made.encode(format, keep_gps=self.files.keep_gps)
        return self._written(job, data, lost, made.model, made.task)

    def write_book(self, job: Job, book: Book, make: Maker) -> Record | Future[Record]:
        """See Ends; it is put when it is whole."""
        if not isinstance(job, StoreJob):
            return super().write_book(job, book, make)
        with tempfile.TemporaryFile() as file:
            lost = book.write(Sink(file.fileno()), make)
            file.seek(0)
            data = file.read()
        return self._written(job, data, lost, book.model, book.task)

    def _written(
        self, job: StoreJob, data: bytes, lost: list[str], model: str, task: Task
    ) -> Record | Future[Record]:
        self._room.take(len(data))
        found = [] if job.origin is None else self._here.sidecars
        coming = self._writers.submit(self._put, job, data, lost, found, model, task)
        return coming if job.root in self._proved else coming.result()

    def _put(
        self,
        job: StoreJob,
        data: bytes,
        lost: list[str],
        found: list[Sidecar],
        model: str,
        task: Task,
    ) -> Record:
        try:
            new = job.redone is None and not self.files.overwrite
            if self.files.copy_sidecars:  # first: a run that is killed then comes back here
                lost = lost + self._put_sidecars(job, found, model, task)
            put = job.target.put(job.key, data, new=new, source=job.status)
            self._proved.add(job.root)
        except Exception as error:
            if job.root in self._proved or not isinstance(error, NotPermitted):
                return failure(job.source, error)
            refusal = self.refusals[job.root] = run_failure(job.source, error, again=True)
            return refusal  # as it will be with the others
        finally:
            self._room.give(len(data))
        if not put:  # meanwhile, by another run
            return Record(job.source, "skipped", output=job.dest)
        return Record(job.source, task.done, job.dest, reason=job.redone, warnings=lost)

    def _put_sidecars(
        self, job: StoreJob, found: list[Sidecar], model: str, task: Task
    ) -> list[str]:
        if job.origin is None:
            found = sidecars.find(job.source, warnings=[])

        def put(key: str, data: bytes, sidecar: Sidecar) -> None:
            entry = next((e for e in job.sidecars if e.key == sidecar.path), None)
            source = outputs.status(sidecar.path) if entry is None else status(entry)
            job.target.put(key, data, new=not self.files.overwrite, source=source)

        keep_gps = self.files.keep_gps
        return sidecars.write(found, job.key, put, model=model, task=task, keep_gps=keep_gps)


class _Fetched(NamedTuple):
    """What was read for a job."""

    photo: bytes
    sidecars: list[Sidecar]
    warnings: list[str]

    def beside(self, photo: images.Photo) -> images.Photo:
        """Add what stands beside it."""
        if self.warnings:
            photo = replace(photo, warnings=photo.warnings + self.warnings)
        return sidecars.merge(photo, self.sidecars) if self.sidecars else photo


def _fetch(job: StoreJob, files: FileOptions) -> _Fetched:
    """Read a photo and what lies beside it. Raises PhotoError."""
    assert job.origin is not None and job.photo is not None
    if job.photo.size > files.max_bytes:
        raise TooLarge(f"more bytes than the limit of {files.max_bytes:,} (max_bytes)")
    if not job.photo.size:
        raise Unreadable("the file is empty")
    photo = job.origin.read(job.photo.key, max_bytes=files.max_bytes)
    warnings: list[str] = []
    names = {entry.key for entry in job.sidecars}
    found = sidecars.find(
        job.photo.key, warnings=warnings, exists=names.__contains__, read=job.origin.read
    )
    return _Fetched(photo, found, warnings)


class Room:
    """Bytes that may wait at a time; more than all of them may come alone."""

    def __init__(self, size: int):
        self._size, self._used = size, 0
        self._change = threading.Condition()

    def take(self, count: int) -> None:
        """Wait until there is room for `count` bytes."""
        with self._change:
            self._change.wait_for(lambda: not self._used or self._used + count <= self._size)
            self._used += count

    def give(self, count: int) -> None:
        """Give the room of `count` bytes back."""
        with self._change:
            self._used -= count
            self._change.notify_all()
