"""Jobs: find the photos of a run, and name the output of each.

`find` turns files, folders and globs into jobs, one at a time, so that a folder of 100,000 photos
takes no more memory than one of ten. All rules on names and links are here.
"""

import fnmatch
import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pix2pix import images
from pix2pix.colorize.tally import Tally
from pix2pix.errors import (
    Failure,
    NotPermitted,
    PhotoError,
    Unreadable,
    UnsupportedFormat,
    one_line,
)
from pix2pix.files import PASSING, kind, read_error
from pix2pix.images.formats import sniff, writable_format
from pix2pix.images.names import is_clutter, is_output, output_name
from pix2pix.images.task import COLOR, Task

_EXTENSION = r"\.[A-Za-z][A-Za-z0-9]{0,4}"  # of a file's name; ".1912" and ". Ives" are none


@dataclass(frozen=True)
class Job:
    """One photo to copy: paths as the operating system spells them (surrogateescape)."""

    source: str
    dest: str
    root: str
    """The folder that receives this input's outputs, `dest` somewhere below."""
    status: os.stat_result | None = None
    """What the system said of the source before it was read; its output gets time and mode."""
    redone: str | None = None
    """Why an output that is there is made anew."""


@dataclass(frozen=True)
class Record:
    """The result of one input."""

    path: str
    status: str
    """colored or translated (`Task.done`), or failed; skipped: its output is already there;
    ignored: no input by the rules of this run; passed_over: the path is a folder, the reason
    counts the files in it that are no photos."""
    output: str | None = None
    code: str | None = None
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)
    again: bool | None = None
    """True of a failure that another run may not meet: a full disk, a store that did not answer, a
    machine that is sick."""


class RunFailure(Record):
    """The failure of a folder, a store or a cluster: photos behind it were not tried."""


def failure(path: str | None, error: Exception, *, code: str | None = None) -> Record:
    """Record an error, typed or not, at `path` or where the error says.

    `code` is for errors that have none of their own, or one that says less. What is not typed is
    no known fault of the photo, such as a GPU's error: another machine may not meet it.
    """
    if isinstance(error, Failure):
        known = isinstance(error, PhotoError) or path is None or error.path == path
        reason = error.reason if known else str(error)
        place, again = path or error.path or "", error.again or None
        return Record(place, "failed", code=code or error.code, reason=reason, again=again)
    kind = type(error).__name__
    reason = one_line(error) if code else f"{kind}: {str(error) or kind}"
    return Record(path or "", "failed", code=code or "error", reason=reason, again=True)


def run_failure(path: str, error: Exception, *, again: bool = False) -> RunFailure:
    """Record an error that kept photos from being tried, at `path`.

    Another run may not meet it where the error says so, or `again`, as of an output: without one
    nothing is tried. An input that is not there or may not be read stays so.
    """
    found = failure(path, error)
    again = again or bool(found.again)
    return RunFailure(path, "failed", code=found.code, reason=found.reason, again=again or None)


def nothing_at(path: str, reason: str) -> RunFailure:
    """Record that a name or a glob means no file, or why a drive that fails cannot say so."""
    place = path
    while glob.escape(place) != place:
        place = os.path.dirname(place)
    try:
        os.lstat(place or ".")
    except ValueError:  # a NUL in the name
        pass
    except OSError as error:  # which os.path.exists and glob pass over
        if error.errno in PASSING:
            return run_failure(path, read_error(error))
    return run_failure(path, Unreadable(reason))


def find(
    inputs: Iterable[str],
    *,
    task: Task = COLOR,
    out: str | None = None,
    every_file: bool = False,
    follow: bool = False,
    shard: tuple[int, int] = (1, 1),
    tallies: dict[str, Tally] | None = None,
) -> Iterator[Job | Record]:
    """Files, folders and globs -> one Job a photo, or a Record where there is nothing to do.

    Folders are walked with all below them, hidden names, thumbnails, trash and outputs of earlier
    runs aside (images/names.py); under `out` they keep their structure. `every_file` looks into
    files without extension too, `follow` takes symbolic links that leave the folder. `shard` (i, n)
    keeps the i-th of n parts, i from 1, by a hash of the name below the input. An existing path
    wins over its meaning as a glob. `tallies` receives what was passed over in each input, where
    there is such, and the inputs without a photo. `task` names the outputs.
    """
    paths = list(inputs)
    finder = _Finder(task, out, every_file, follow, alone=len(paths) == 1)
    for path in paths:
        tally = finder.tally = Tally()
        for item in finder.find(path):
            tally.photos += isinstance(item, Job)
            tally.records += isinstance(item, Record)
            if isinstance(item, Record) or in_shard(name_below(item), shard):
                yield from finder.claim(item)
        if tallies is not None and (tally.passed_over() or tally.empty):
            tallies[path] = tally


class Claims:
    """Which outputs the inputs of a run have claimed: an output is that of one photo."""

    def __init__(self, task: Task):
        self.task = task
        self._sources: dict[int, int] = {}

    def claim(self, job: Job, dest: str, source: str) -> Iterator[Job | Record]:
        """Pass a job on unless an earlier one claimed `dest`; the same `source` comes once."""
        if hash(dest) not in self._sources:
            self._sources[hash(dest)] = hash(source)
            yield job
        elif self._sources[hash(dest)] != hash(source):
            reason = f"its output {job.dest} is that of another input too; "
            reason += f"{self.task.name} them separately"
            yield failure(job.source, NotPermitted(reason))


class _Finder:
    """The options of `find`, and the outputs that earlier inputs have claimed."""

    def __init__(self, task: Task, out: str | None, every_file: bool, follow: bool, *, alone: bool):
        self.task = task
        self.out, self.every_file, self.follow, self.alone = out, every_file, follow, alone
        self.claims = Claims(task)
        self.tally = Tally()

    def find(self, path: str) -> Iterator[Job | Record]:
        if os.path.isdir(path):
            return self._walk(path, path)
        if os.path.lexists(path):
            return iter([self._single(path)])
        if glob.escape(path) != path:
            return self._matches(path)
        return iter([nothing_at(path, "no such file or folder")])

    def claim(self, job: Job | Record) -> Iterator[Job | Record]:
        """Pass a job on unless an earlier input claimed its output; the same photo comes once."""
        if self.alone or isinstance(job, Record):
            yield job
            return
        dest, source = os.path.abspath(job.dest), os.path.realpath(job.source)
        yield from self.claims.claim(job, dest, source)

    def _single(self, path: str) -> Job | Record:
        folder, name = os.path.split(path)
        if is_output(name) and not self.alone:
            return Record(path, "ignored", reason="the output of an earlier run")
        if self.out is None or not self.alone or is_folder(self.out):
            dest = output_name(name, format=_format(path), task=self.task)
            return Job(path, os.path.join(self.out or folder, dest), self.out or folder or ".")
        try:
            _check_file(self.out, path)
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
                if fits(os.path.relpath(path, base).split(os.sep), wanted):
                    found = True
                    yield item
        else:
            for path in glob.iglob(pattern):
                found = True
                walk = os.path.isdir(path)
                yield from self._walk(path, base) if walk else self._photo(path, base, inside)
        if not found:
            yield nothing_at(pattern, "no file matches")

    def _walk(self, top: str, base: str) -> Iterator[Job | Record]:
        inside, own = os.path.realpath(top), os.path.realpath(self.out) if self.out else None
        seen, folders = {inside}, [top]
        while folders:
            for entry in _entries(folders.pop()):
                if isinstance(entry, Record):
                    yield entry
                elif not _is_dir(entry):
                    if not is_clutter(entry.name):
                        yield from self._photo(entry.path, base, inside)
                elif is_clutter(entry.name):
                    self.tally.add_clutter(entry.name)
                else:
                    real, linked = os.path.realpath(entry.path), os.path.islink(entry.path)
                    if linked and _is_below(real, inside):
                        continue  # the walk comes there anyway
                    if linked and not self.follow:
                        yield _left(entry.path)
                    elif real != own and real not in seen:
                        folders.append(entry.path)
                        if self.follow:
                            seen.add(real)

    def _photo(self, path: str, base: str, inside: str) -> Iterator[Job | Record]:
        """Make the job of a file that a walk or a glob found, if it is a photo."""
        name = os.path.basename(path)
        format = _format(path, look=self.every_file)
        if format is None:
            self.tally.add_file(name)
            return
        if is_output(name):
            self.tally.outputs += 1
            return
        if not self.follow and os.path.islink(path) and os.path.exists(path):
            if not _is_below(os.path.realpath(path), inside):
                yield _left(path)
                return
        root, dest = self.out or base, output_name(name, format=format, task=self.task)
        twin = path + os.path.splitext(dest)[1]
        if dest.startswith(name) and os.path.lexists(twin):
            reason = f"its output {dest} is that of {os.path.basename(twin)} too; rename one"
            yield failure(path, NotPermitted(reason))
            return
        folder = os.path.relpath(os.path.dirname(path) or ".", base)
        yield Job(path, os.path.normpath(os.path.join(root, folder, dest)), root)


def _entries(folder: str) -> Iterator["os.DirEntry[str] | Record"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        yield run_failure(folder, read_error(error))


def _is_dir(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a drive that fails; a file then says why when it is read
        return False


def _format(path: str, *, look: bool = True) -> str | None:
    """The format by the extension, or without one by the first bytes if `look`, or None.

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


def fits(names: list[str], patterns: list[str]) -> bool:
    """Whether a path, name by name, fits a glob in which "**" stands for any folders, or none."""
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(fits(names[i:], patterns[1:]) for i in range(len(names) + 1))
    here = bool(names) and fnmatch.fnmatchcase(names[0], patterns[0])
    return here and fits(names[1:], patterns[1:])


def _left(path: str) -> Record:
    return Record(path, "ignored", reason="a link out of the folder (--follow takes it)")


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def is_folder(out: str) -> bool:
    """Whether OUT is a folder: `scans`, `scans/`, `scans.1912` and `St. Ives` are; `a.xyz` not."""
    extension = os.path.splitext(out)[1]
    return os.path.isdir(out) or out.endswith(os.sep) or not re.fullmatch(_EXTENSION, extension)


def _check_file(out: str, source: str) -> None:
    """Raise a PhotoError unless the copy of `source` can go to the file `out`."""
    try:
        mode = os.stat(out).st_mode if os.path.exists(out) else stat.S_IFREG
        if not stat.S_ISREG(mode):
            raise NotPermitted(f"{out} is {kind(mode)}, not a file; -o - writes into a pipe")
        if os.path.exists(out) and os.path.samefile(source, out):
            raise NotPermitted("the output is the input itself")
    except OSError as error:  # such as a source that is gone
        raise read_error(error) from error
    check_format(out)


def check_format(out: str) -> None:
    """Raise UnsupportedFormat unless a file of this name can be written."""
    extension = os.path.splitext(out)[1]
    try:
        writable_format(images.EXTENSIONS.get(extension.lower(), extension))
    except UnsupportedFormat as error:
        raise UnsupportedFormat(f"{error.reason}; a folder of this name is {out}/") from error


def name_below(job: Job) -> bytes:
    """The name of a job's output below its root, as `in_shard` takes it."""
    return os.fsencode(os.path.relpath(job.dest, job.root))


def in_shard(name: bytes, shard: tuple[int, int]) -> bool:
    """Whether an output of this name below its root is in the part (i, n) of a run."""
    part, parts = shard
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") % parts == part - 1
