"""Runs: what `colorize` and `translate` have in common, from their arguments to their records."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from typer import BadParameter

from pix2pix.archives.addresses import is_url, names_many, shown
from pix2pix.cli import console

if TYPE_CHECKING:
    from pix2pix.archives.runs import Fleet
    from pix2pix.colorize.copies import Maker
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.colorize.jobs import Record
    from pix2pix.images.task import Task


@dataclass(frozen=True)
class Run:
    """What photos are found by, and where their copies go: the options that both commands have."""

    photos: list[str]
    out: str | None
    part: tuple[int, int]
    as_json: bool
    every_file: bool
    follow: bool
    watch: bool
    manifest: str | None = None
    films: Sequence[str] = ()
    in_parts: bool = False
    """Whether `part` was given, if only 1/1, as in an array of one task."""

    @property
    def several(self) -> bool:
        """Whether there may be more than one input."""
        inputs = [*self.photos, *self.films]
        many = is_url(inputs[0]) and names_many(inputs[0])
        return len(inputs) > 1 or os.path.isdir(inputs[0]) or many or self.watch

    @property
    def remote(self) -> bool:
        """Whether a URL is among the paths."""
        return any(is_url(path) for path in [*self.photos, *self.films, self.out or ""])

    @property
    def relative(self) -> bool:
        """Whether a path that starts at the working folder is among them: `a`, `zip://::a.zip`."""
        paths = [path.rpartition("::")[2] for path in [*self.photos, self.out or self.photos[0]]]
        return not all(is_url(path) or os.path.isabs(path) for path in paths)

    def __call__(
        self,
        task: "Task",
        load: "Callable[[], Maker]",
        files: "FileOptions",
        films: "Iterable[Record]" = (),
    ) -> int:
        """Copy the photos and print the records, then those of `films` -> the exit status."""
        from pix2pix.colorize import folders, jobs, pipe, tally
        from pix2pix.colorize.watch import watch as watch_for

        if self.remote or self.manifest is not None:
            return self.in_archives(task, files, load=load)
        tallies, inputs = dict[str, tally.Tally](), [*self.photos, *self.films]
        say = partial(console.print_records, task=task, tallies=tallies, inputs=inputs)
        say = partial(say, part=self.in_parts)
        if "-" in self.photos or self.out == "-":
            if self.several or self.as_json:
                raise BadParameter("- takes one photo, without --json or --watch")
            if files.skip_color or files.copy_sidecars or self.in_parts:
                raise BadParameter("--skip-color, --sidecars and --shard are not for pipes")
            if self.out in ("-", "", None) and sys.stdout.isatty():
                raise BadParameter("a picture is not for the terminal: give -o, or redirect")
            records = pipe.make_copy(self.photos[0], self.out or "-", load, files)
            return say(records, summary=False)
        # of several inputs, OUT is the folder
        out = os.path.join(self.out, "") if self.out and self.films else self.out
        find = partial(jobs.find, self.photos, task=task, out=out, shard=self.part)
        scan = partial(find, every_file=self.every_file, follow=self.follow, tallies=tallies)
        count = sys.stderr.isatty() and not self.watch
        total = sum(isinstance(job, jobs.Job) for job in scan()) if count else None
        records = folders.make_copies(watch_for(scan) if self.watch else scan(), load, files)
        bar = bool(self.photos)
        return say(chain(records, films), as_json=self.as_json, total=total, bar=bar)

    def in_archives(
        self,
        task: "Task",
        files: "FileOptions",
        *,
        load: "Callable[[], Maker] | None" = None,
        fleet: "Fleet | None" = None,
    ) -> int:
        """The same where URLs are among the paths, with a manifest, or by a fleet."""
        from pix2pix.archives import finding, runs
        from pix2pix.colorize import jobs, tally

        if "-" in [*self.photos, self.out] or self.watch:
            raise BadParameter("- and --watch are not for URLs, --manifest or --engine ray")
        if self.films:
            raise BadParameter("films are files of this machine: not for URLs, --manifest or ray")
        tallies = dict[str, tally.Tally]()
        search = finding.Search(task, self.every_file, self.follow, self.part)
        find = partial(finding.find, self.photos, search, out=self.out)
        count = sys.stderr.isatty() and not self.remote  # a listing may take minutes
        total = sum(isinstance(item, jobs.Job) for item in find()) if count else None
        found = find(tallies=tallies)
        paths = runs.Paths(self.photos, self.out, self.part, self.manifest)
        return console.print_records(
            runs.run(found, paths, files, load=load, fleet=fleet),
            task=task,
            as_json=self.as_json,
            total=total,
            part=self.in_parts,
            tallies=tallies,
            inputs=[shown(path) for path in self.photos],
        )
