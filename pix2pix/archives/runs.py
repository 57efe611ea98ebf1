"""Runs: jobs to records, on this machine or by a fleet, and each noted in a manifest."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pix2pix.archives.blocks import Blocks
from pix2pix.archives.copying import StoreEnds
from pix2pix.archives.measured import MeasuredEnds
from pix2pix.colorize import folders
from pix2pix.colorize.copies import Maker
from pix2pix.colorize.ends import FileOptions
from pix2pix.colorize.jobs import Job, Record, run_failure
from pix2pix.errors import Failure

if TYPE_CHECKING:
    from pix2pix.archives.manifest import Manifest

Fleet = Callable[[Blocks], Iterator[Record]]
"""Copies the jobs of blocks -> a record of each."""


@dataclass(frozen=True)
class Paths:
    """What a run is about, as the command line has it."""

    inputs: list[str]
    out: str | None = None
    shard: tuple[int, int] = (1, 1)
    manifest: str | None = None


def run(
    found: Iterable[Job | Record],
    paths: Paths,
    files: FileOptions,
    *,
    load: Callable[[], Maker] | None = None,
    fleet: Fleet | None = None,
) -> Iterator[Record]:
    """Copy what was found -> its records, by `load` here or by a `fleet`.

    What ends the run early is the last record: a manifest that cannot be read or written, a cluster
    that cannot be used.
    """
    try:
        yield from _run(found, paths, files, load, fleet)
    except Failure as error:
        yield run_failure(error.path or paths.inputs[0], error, again=True)


def _run(
    found: Iterable[Job | Record],
    paths: Paths,
    files: FileOptions,
    load: Callable[[], Maker] | None,
    fleet: Fleet | None,
) -> Iterator[Record]:
    if paths.manifest is None and fleet is None:
        assert load is not None
        yield from folders.make_copies(found, load, files, StoreEnds(files, paths.shard))
        return
    with _book(paths) as book:
        known = book.knows if book else _everything
        ends = MeasuredEnds(files, paths.shard, known=known, fetch=fleet is None)
        if fleet is not None:
            records = _by_fleet(found, ends, fleet)
        else:
            assert load is not None
            records = folders.make_copies(found, load, files, ends)
        for record in records:
            measured = ends.measure(record)
            if book is not None:
                book.add(measured)
            yield measured


def _book(paths: Paths) -> "AbstractContextManager[Manifest | None]":
    if paths.manifest is None:
        return nullcontext()
    from pix2pix.archives.manifest import Manifest

    return Manifest(paths.manifest, inputs=paths.inputs, out=paths.out)


def _everything(path: str) -> bool:
    return True


def _by_fleet(found: Iterable[Job | Record], ends: MeasuredEnds, fleet: Fleet) -> Iterator[Record]:
    """Say what is done or cannot be, then have the rest done."""
    blocks = Blocks()
    with ends:
        for item in ends.pending(found):
            if isinstance(item, Job):
                blocks.add(item)
            elif item is not None:
                yield item
    yield from fleet(blocks)
