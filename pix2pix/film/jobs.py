"""Jobs: the films of a run and their outputs, by the rules that photos have (colorize/jobs.py).

A film is given by its name, or by a glob that ends in a film's extension. Those in a folder of
photos are passed over and counted: coloring one takes hours, which nobody should start unawares.
"""

import glob
import os
import stat
from collections.abc import Iterator, Sequence

from pix2pix.colorize.jobs import Job, Record, failure, in_shard, is_folder, name_below, nothing_at
from pix2pix.errors import NotPermitted, PhotoError
from pix2pix.files import kind, read_error
from pix2pix.film import names


def find(
    films: Sequence[str], *, out: str | None = None, alone: bool, shard: tuple[int, int] = (1, 1)
) -> Iterator[Job | Record]:
    """Names and globs of films -> one Job a film, or a Record where there is nothing to do.

    `alone` says that the command has no other input: `out` may then be a file.
    """
    claimed: dict[str, str] = {}
    for path in films:
        for item in _jobs(path, out, alone):
            if isinstance(item, Record):
                yield item
            elif in_shard(name_below(item), shard):
                dest, source = os.path.abspath(item.dest), os.path.realpath(item.source)
                if claimed.setdefault(dest, source) != source:
                    reason = f"its output {item.dest} is that of another input too"
                    yield failure(item.source, NotPermitted(f"{reason}; color them separately"))
                else:
                    yield item


def _jobs(path: str, out: str | None, alone: bool) -> Iterator[Job | Record]:
    if os.path.lexists(path) or glob.escape(path) == path:
        yield _named(path, out, alone)
        return
    found = False
    for match in glob.iglob(path, recursive=True):
        name = os.path.basename(match)
        if not os.path.isfile(match) or names.is_output(name):
            continue
        found = True
        yield _job(match, out)
    if not found:
        yield nothing_at(path, "no file matches")


def _named(path: str, out: str | None, alone: bool) -> Job | Record:
    if not os.path.lexists(path):
        return nothing_at(path, "no such file or folder")
    if names.is_output(os.path.basename(path)) and not alone:
        return Record(path, "ignored", reason="the output of an earlier run")
    if out is None or not alone or is_folder(out):
        return _job(path, out)
    try:
        _check_file(out, path)
    except PhotoError as error:
        return failure(path, error)
    return Job(path, out, os.path.dirname(out) or ".")


def _job(path: str, out: str | None) -> Job:
    folder, name = os.path.split(path)
    return Job(path, os.path.join(out or folder, names.output_name(name)), out or folder or ".")


def _check_file(out: str, source: str) -> None:
    """Raise a PhotoError unless the film can go to the file `out`."""
    try:
        if os.path.exists(out):
            mode = os.stat(out).st_mode
            if not stat.S_ISREG(mode):
                raise NotPermitted(f"{out} is {kind(mode)}, not a file")
            if os.path.samefile(source, out):
                raise NotPermitted("the output is the input itself")
    except OSError as error:
        raise read_error(error) from error
    names.container(out)
