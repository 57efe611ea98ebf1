"""Jobs of stores: a photo with its place, and what is asked for."""

from dataclasses import dataclass

from pix2pix.archives.store import Entry, Store
from pix2pix.colorize.jobs import Job
from pix2pix.images.task import COLOR, Task


@dataclass(frozen=True, kw_only=True)
class StoreJob(Job):
    """A photo of a store to copy, or one to copy into a store; its paths are for people."""

    origin: Store | None = None
    """Where the photo is; None: `source` is a file of this machine."""
    photo: Entry | None = None
    sidecars: tuple[Entry, ...] = ()
    target: Store
    key: str
    """Of the copy, in `target`."""
    single: bool = False
    """Named by itself, so that whether its copy is there is asked, not listed."""


@dataclass(frozen=True)
class Search:
    """How a run finds its photos; see `jobs.find`."""

    task: Task = COLOR
    every_file: bool = False
    follow: bool = False
    shard: tuple[int, int] = (1, 1)
