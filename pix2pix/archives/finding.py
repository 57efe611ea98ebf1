"""Finding: the jobs of a run whose photos or copies are behind URLs; all names as for folders.

Photos come as the listing does, each with what lies beside it, so that a bucket of a million takes
no more memory than one of ten.
"""

import os
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pix2pix.archives.addresses import is_url, local_path, shown, split
from pix2pix.archives.inputs import Input, resolve
from pix2pix.archives.listings import groups
from pix2pix.archives.store import Entry, Store, status
from pix2pix.archives.store_jobs import Search, StoreJob
from pix2pix.archives.stores import open_store
from pix2pix.colorize import jobs
from pix2pix.colorize.jobs import Claims, Job, Record, failure, run_failure
from pix2pix.colorize.tally import Tally
from pix2pix.errors import NotPermitted, PhotoError, Unreadable
from pix2pix.images import EXTENSIONS
from pix2pix.images.formats import sniff
from pix2pix.images.names import is_clutter, is_output, output_name

__all__ = ["Search", "StoreJob", "find"]

_ELSEWHERE = os.path.join(os.sep, ".pix2pix-elsewhere", "")  # no folder; stands for a store
_SIDECARS = (".xmp", ".XMP")


def find(
    inputs: Iterable[str],
    search: Search,
    *,
    out: str | None = None,
    tallies: dict[str, Tally] | None = None,
) -> Iterator[Job | Record]:
    """URLs, files, folders and globs -> a Job a photo, or a Record where there is nothing to do.

    As `jobs.find`, for runs with a URL among the inputs or as `out`; a photo that is a file and
    whose copy is one, too, is a plain Job. `tallies` has what was passed over, by input as it is
    shown.
    """
    paths = [local_path(path) or path for path in inputs]
    local = [path for path in paths if not is_url(path)]
    try:
        out = (local_path(out) or out) if out else None
        finder = _Finder(search, out, alone=len(paths) == 1)
    except PhotoError as error:
        yield run_failure(error.path or shown(out or ""), error)
        return
    if local:
        yield from finder.files(local, tallies)
    for path in paths:
        if is_url(path):
            tally = Tally()
            yield from finder.objects(path, tally)
            if tallies is not None and (tally.passed_over() or tally.empty):
                tallies[shown(path)] = tally


class _Photo(NamedTuple):
    """A photo in a store."""

    origin: Store
    photo: Entry
    sidecars: tuple[Entry, ...]


class _Finder:
    def __init__(self, search: Search, out: str | None, *, alone: bool):
        self.search, self.out, self.alone = search, out, alone
        self.claims = Claims(search.task)
        self.target = None if out is None else open_store(out)
        self._clutter = ""

    def files(self, paths: list[str], tallies: dict[str, Tally] | None) -> Iterator[Job | Record]:
        """The jobs of local inputs."""
        elsewhere = self.out is not None and is_url(self.out)
        found = jobs.find(
            paths,
            task=self.search.task,
            out=_ELSEWHERE if elsewhere else self.out,
            every_file=self.search.every_file,
            follow=self.search.follow,
            tallies=tallies,
        )
        single = self.alone and not os.path.isdir(paths[0])
        for item in found:
            if isinstance(item, Record):
                yield item
                continue
            key = os.path.relpath(item.dest, item.root)
            if elsewhere:
                yield from self._placed(item.source, key.replace(os.sep, "/"), single=single)
            elif jobs.in_shard(os.fsencode(key), self.search.shard):
                yield from self._claimed(item, os.path.abspath(item.dest))

    def objects(self, address: str, tally: Tally) -> Iterator[Job | Record]:
        """The jobs of what a URL means."""
        try:
            given = resolve(address)
            if given.name:
                yield from self._single(given, tally)
            else:
                yield from self._listed(given, tally)
                if tally == Tally():
                    raise Unreadable("nothing is there")
        except PhotoError as error:
            tally.records += 1
            yield run_failure(error.path or shown(address), error)

    def _single(self, given: Input, tally: Tally) -> Iterator[Job | Record]:
        store, name = given.store, given.name
        entry = store.entry(name)
        if entry is None:
            raise Unreadable("it is gone", store.shown(name))
        tally.photos += 1
        if is_output(name) and not self.alone:
            yield Record(store.shown(name), "ignored", reason="the output of an earlier run")
            return
        stem = posixpath.splitext(name)[0]
        beside = [store.entry(start + s) for start in (name, stem) for s in _SIDECARS[:1]]
        dest = output_name(
            name, format=self._format(store, entry, look=True), task=self.search.task
        )
        found = {e.key: e for e in [entry, *beside] if e is not None}
        yield from self._placed_object(store, entry, found, dest, single=True)

    def _listed(self, given: Input, tally: Tally) -> Iterator[Job | Record]:
        for group in groups(given.store.entries()):
            for entry in group.values():
                parts = entry.key.split("/")
                if given.pattern and not _fits(parts, given.pattern):
                    continue
                yield from self._photo(given.store, entry, group, tally)

    def _photo(
        self, store: Store, entry: Entry, group: dict[str, Entry], tally: Tally
    ) -> Iterator[Job | Record]:
        """The job of an object that a listing has, if it is a photo."""
        *folders, name = entry.key.split("/")
        if any(map(is_clutter, folders)):
            self._count_clutter(folders, tally)
            return
        if is_clutter(name):
            return
        format = self._format(store, entry, look=self.search.every_file)
        if format is None:
            tally.add_file(name)
            return
        if is_output(name):
            tally.outputs += 1
            return
        dest = output_name(name, format=format, task=self.search.task)
        twin = entry.key + posixpath.splitext(dest)[1]
        if dest.startswith(name) and twin in group:
            tally.records += 1
            reason = f"its output {dest} is that of {posixpath.basename(twin)} too; rename one"
            yield failure(store.shown(entry.key), NotPermitted(reason))
            return
        tally.photos += 1
        key = "/".join([*folders, dest])
        yield from self._placed_object(store, entry, group, key, single=False)

    def _count_clutter(self, folders: list[str], tally: Tally) -> None:
        first = next(i for i, name in enumerate(folders) if is_clutter(name))
        path = "/".join(folders[: first + 1])
        if path != self._clutter:  # its objects come one after another
            self._clutter = path
            tally.add_clutter(folders[first])

    def _format(self, store: Store, entry: Entry, *, look: bool) -> str | None:
        """The format by the extension, or without one by the first bytes if `look`, or None."""
        extension = posixpath.splitext(entry.key)[1].lower()
        known = EXTENSIONS.get(extension)
        if known is not None or not look or not entry.size or extension in _SIDECARS:
            return known
        try:
            return sniff(store.read_start(entry.key, 512))
        except PhotoError:
            return None

    def _placed_object(
        self, store: Store, entry: Entry, group: dict[str, Entry], key: str, *, single: bool
    ) -> Iterator[Job | Record]:
        stem = posixpath.splitext(entry.key)[0]
        names = {start + suffix for start in (entry.key, stem) for suffix in _SIDECARS}
        beside = tuple(group[name] for name in sorted(names) if name in group)
        of = _Photo(store, entry, beside)
        yield from self._placed(store.shown(entry.key), key, of, single=single)

    def _placed(
        self, source: str, key: str, of: "_Photo | None" = None, *, single: bool
    ) -> Iterator[Job | Record]:
        """The job with its output, if that is in this part of the run."""
        target = self.target or (of and of.origin)
        assert target is not None
        if single and self.alone and self.out is not None and _is_file(self.out):
            folder, key = os.path.split(self.out) if not is_url(self.out) else split(self.out)
            try:
                jobs.check_format(key)
            except PhotoError as error:
                yield failure(source, error)
                return
            target = open_store(folder)
        if not jobs.in_shard(key.encode(errors="surrogateescape"), self.search.shard):
            return
        job = StoreJob(
            source,
            target.shown(key),
            target.root,
            status=None if of is None else status(of.photo),
            origin=None if of is None else of.origin,
            photo=None if of is None else of.photo,
            sidecars=() if of is None else of.sidecars,
            target=target,
            key=key,
            single=single,
        )
        yield from self._claimed(job, job.dest)

    def _claimed(self, job: Job, dest: str) -> Iterator[Job | Record]:
        if self.alone:
            yield job
        else:
            yield from self.claims.claim(job, dest, job.source)


def _fits(parts: list[str], pattern: list[str]) -> bool:
    """Whether a glob takes an object, or a folder that it is in."""
    return any(jobs.fits(parts[:i], pattern) for i in range(1, len(parts) + 1))


def _is_file(out: str) -> bool:
    if is_url(out) and not split(out)[1]:
        return False
    return not jobs.is_folder(out)
