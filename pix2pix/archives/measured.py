"""Measured: records with what a manifest tells of a photo: its bytes, their hashes, the seconds."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

from pix2pix import images
from pix2pix.archives.copying import StoreEnds
from pix2pix.archives.finding import StoreJob
from pix2pix.archives.store import Entry, Store
from pix2pix.colorize.books import Book
from pix2pix.colorize.copies import Maker, PhotoCopy
from pix2pix.colorize.ends import AS_USUAL, Ends, FileOptions
from pix2pix.colorize.jobs import Job, Record
from pix2pix.errors import PhotoError

_PIECE = 2**20  # bytes of a file that are hashed at a time
_AHEAD = 64  # outputs of earlier runs that are hashed at a time, at most


class Digest(NamedTuple):
    """The size [bytes] and the SHA-256, hexadecimal, of a file or object."""

    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Measured(Record):
    """A record with numbers, those None that are not known."""

    seconds: float | None = None
    """From the start of reading, or of taking what was read ahead, to the end of writing."""
    bytes_in: int | None = None
    bytes_out: int | None = None
    sha256_in: str | None = None
    sha256_out: str | None = None


@dataclass
class _Notes:
    """What is known of a photo on its way."""

    job: Job
    begun: float | None = None
    ended: float | None = None
    read: Digest = field(default_factory=Digest)
    put: Digest = field(default_factory=Digest)


class MeasuredEnds(StoreEnds):
    """Ends that measure what they read and write; `measure` adds it to the records.

    `checked`: the jobs were checked elsewhere, so that none is skipped, and what is there by now
    with the very bytes that would be put is the work of one that died. `known` says of a path
    whether it needs no new row when it is skipped. Without `fetch` they check alone: others copy.
    """

    def __init__(
        self,
        files: FileOptions = AS_USUAL,
        shard: tuple[int, int] = (1, 1),
        *,
        checked: bool = False,
        known: Callable[[str], bool] = lambda path: False,
        fetch: bool = True,
    ):
        super().__init__(files, shard)
        self.checked, self.known, self.fetch = checked, known, fetch
        self._notes: dict[str, _Notes] = {}

    def check(self, job: Job) -> Iterable[Job | Record]:
        """See Ends."""
        for item in [job] if self.checked else super().check(job):
            notes = _Notes(job)
            if isinstance(item, Record):
                if item.status == "skipped" and not self.known(item.path):
                    self._notes[item.path] = notes
                yield item
            elif self.fetch:
                self._notes[job.source] = notes
                yield self._tapped(item, notes) if isinstance(item, StoreJob) else item
            else:
                yield item

    def pending(self, jobs: Iterable[Job | Record | None]) -> Iterator[Job | Record | None]:
        """See Ends; outputs of earlier runs that have no row yet are hashed.

        Jobs wait for none of them: they were read ahead, and their bytes fill the memory.
        """
        ahead: deque[Record | Future[Record] | None] = deque()
        found = super().pending(jobs) if self.fetch else Ends.pending(self, jobs)
        with ThreadPoolExecutor(_AHEAD // 4, "hasher") as hashers:
            for item in found:
                if isinstance(item, Job):
                    yield item
                elif isinstance(item, Record) and item.path in self._notes:
                    notes = self._notes.pop(item.path)
                    ahead.append(hashers.submit(_hash_both, item, notes.job))
                else:
                    ahead.append(item)
                while ahead and (len(ahead) > _AHEAD or not isinstance(ahead[0], Future)):
                    yield _result(ahead.popleft())
            for waiting in ahead:
                yield _result(waiting)

    def open_book(self, job: Job, make: Maker) -> "Book | None":
        """See Ends."""
        self._notes[job.source].begun = time.monotonic()
        return super().open_book(job, make)

    def read(self, job: Job) -> images.Photo:
        """See Ends."""
        notes = self._notes[job.source]
        notes.begun = notes.begun or time.monotonic()
        return super().read(job)

    def write(self, job: Job, made: PhotoCopy) -> Record | Future[Record]:
        """See Ends."""
        return self._ended(self._notes[job.source], super().write(job, made))

    def write_book(self, job: Job, book: Book, make: Maker) -> Record | Future[Record]:
        """See Ends."""
        return self._ended(self._notes[job.source], super().write_book(job, book, make))

    def _ended(self, notes: _Notes, written: Record | Future[Record]) -> Record | Future[Record]:
        def end(_: object) -> None:
            notes.ended = time.monotonic()

        if isinstance(written, Future):
            written.add_done_callback(end)  # perhaps after `measure`, which forgets the notes
        else:
            end(written)
        return written

    def measure(self, record: Record) -> Record:
        """Add what is known of its photo to a record of `make_copies`.

        Also to that of the first copy which a store refuses, a RunFailure until then: its photo was
        tried, and has a row.
        """
        notes = self._notes.pop(record.path, None)
        if notes is None or isinstance(record, Measured):
            return record
        source, output = notes.read, notes.put
        if source == Digest() and _is_file(notes.job):
            source = of_file(record.path)
        if output == Digest() and record.output is not None and not isinstance(notes.job, StoreJob):
            output = of_file(record.output)
        begun, ended = notes.begun, notes.ended or time.monotonic()
        return _measured(record, source, output, None if begun is None else ended - begun)

    def _tapped(self, job: StoreJob, notes: _Notes) -> StoreJob:
        def was_read(data: bytes) -> None:
            notes.read = of_bytes(data)

        def was_put(data: bytes) -> None:
            notes.put = of_bytes(data)

        origin = job.origin
        if origin is not None and job.photo is not None:
            origin = Tapped(origin, job.photo.key, was_read, ours=False)
        return replace(
            job, origin=origin, target=Tapped(job.target, job.key, was_put, ours=self.checked)
        )


class Tapped(Store):
    """A store that tells of the bytes of one key; with `ours` equal ones there count as put."""

    def __init__(self, store: Store, key: str, tell: Callable[[bytes], None], *, ours: bool):
        self.store, self.key, self.tell, self.ours = store, key, tell, ours
        self.address, self.root = store.address, store.root

    def entries(self) -> Iterator[Entry]:
        """See Store."""
        return self.store.entries()

    def entry(self, key: str) -> Entry | None:
        """See Store."""
        return self.store.entry(key)

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """See Store."""
        data = self.store.read(key, max_bytes=max_bytes)
        if key == self.key:
            self.tell(data)
        return data

    def read_start(self, key: str, count: int) -> bytes:
        """See Store."""
        return self.store.read_start(key, count)

    def put(
        self, key: str, data: bytes, *, new: bool = True, source: os.stat_result | None = None
    ) -> bool:
        """See Store."""
        put = self.store.put(key, data, new=new, source=source)
        if key != self.key:
            return put
        if not put:
            there = self.store.read(key, max_bytes=2**40)
            self.tell(there)
            return self.ours and there == data
        self.tell(data)
        return put


def of_bytes(data: bytes) -> Digest:
    """The digest of bytes."""
    return Digest(len(data), hashlib.sha256(data).hexdigest())


def of_file(path: str) -> Digest:
    """The digest of a file, empty where it cannot be read."""
    found, size = hashlib.sha256(), 0
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
                size += len(piece)
    except (OSError, ValueError):
        return Digest()
    return Digest(size, found.hexdigest())


def _hash_both(record: Record, job: Job) -> Record:
    """Measure what an earlier run read and put."""
    source = output = Digest()
    try:
        if _is_file(job):
            source = of_file(job.source)
        elif isinstance(job, StoreJob) and job.origin is not None and job.photo is not None:
            source = of_bytes(job.origin.read(job.photo.key, max_bytes=2**40))
        if isinstance(job, StoreJob):
            output = of_bytes(job.target.read(job.key, max_bytes=2**40))
        else:
            output = of_file(job.dest)
    except PhotoError:  # gone meanwhile
        pass
    return _measured(record, source, output, None)


def _measured(record: Record, source: Digest, output: Digest, seconds: float | None) -> Measured:
    plain = {f.name: getattr(record, f.name) for f in fields(Record)}
    taken = None if seconds is None else round(seconds, 3)
    return Measured(
        **plain,
        seconds=taken,
        bytes_in=source.size,
        bytes_out=output.size,
        sha256_in=source.sha256,
        sha256_out=output.sha256,
    )


def _is_file(job: Job) -> bool:
    return not isinstance(job, StoreJob) or job.origin is None


def _result(item: Record | Future[Record] | None) -> Record | None:
    return item.result() if isinstance(item, Future) else item
