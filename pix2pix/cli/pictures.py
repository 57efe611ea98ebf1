"""The commands `pix2pix colorize` and `pix2pix translate`; __main__.py registers them.

Only typer is imported up here, so that `pix2pix --help` stays quick.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING

from typer import BadParameter, Exit

from pix2pix.cli import console, options
from pix2pix.errors import BadHint

if TYPE_CHECKING:
    from pix2pix.colorize.copies import Maker
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.colorize.jobs import Record
    from pix2pix.colorize.wish import Wish
    from pix2pix.images.task import Task


def colorize(
    photos: options.Photos,
    out: options.Out = None,
    weights: options.Weights = "default",
    saturation: options.Saturation = 1.0,
    hint: options.Hints = None,
    take: options.Take = None,
    temperature: options.Temperature = 0.0,
    like: options.Like = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    overwrite: options.Overwrite = False,
    shard: options.Shard = "1/1",
    as_json: options.AsJson = False,
    every_file: options.EveryFile = False,
    follow: options.Follow = False,
    keep_gps: options.KeepGps = False,
    keep_metadata: options.KeepMetadata = False,
    sidecars: options.Sidecars = False,
    allow_truncated: options.AllowTruncated = False,
    max_pixels: options.MaxPixels = 100_000_000,
    skip_color: options.SkipColor = False,
    watch: options.Watch = False,
) -> None:
    """Color photos: `scan.tif` -> `scan.color.tif` beside it, or under OUT; films likewise.

    Put -- before names that begin with a dash.
    """
    from pix2pix.colorize.copies import color_photo
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.film import names
    from pix2pix.images.task import COLOR

    inputs = photos
    films, photos = names.parted(inputs)
    wish = _wish(saturation, None if films else hint, take, temperature)
    run = _Run(photos, out, _part(shard), as_json, every_file, follow, watch, films)
    if hint and run.several:
        raise BadParameter("--hint is for one photo, or one film")
    files = FileOptions(
        overwrite=overwrite,
        skip_color=skip_color,
        max_pixels=max_pixels,
        allow_truncated=allow_truncated,
        keep_gps=keep_gps or keep_metadata,
        copy_sidecars=sidecars,
    )
    if like is not None:
        wish = _with_like(wish, like, files)

    model = cache(partial(console.load_model, weights, device, engine))

    def load() -> "Maker":
        return partial(color_photo, model=model(), wish=wish)

    if not films:
        raise Exit(run(COLOR, load, files))
    from pix2pix.cli.films import color_films

    if watch:
        raise BadParameter("--watch is for photos")
    alone = len(inputs) == 1
    colored = color_films(
        films, wish, hint or [], files, model, out=out, alone=alone, shard=run.part
    )
    raise Exit(run(COLOR, load, files, colored))


def translate(
    photos: options.Photos,
    weights: options.Translation,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.Device = "auto",
    engine: options.Engine = "auto",
    overwrite: options.Overwrite = False,
    shard: options.Shard = "1/1",
    as_json: options.AsJson = False,
    every_file: options.EveryFile = False,
    follow: options.Follow = False,
    keep_gps: options.KeepGps = False,
    sidecars: options.Sidecars = False,
    allow_truncated: options.AllowTruncated = False,
    max_pixels: options.MaxPixels = 100_000_000,
    watch: options.Watch = False,
) -> None:
    """Translate pictures by a net of your own: `map.png` -> `map.translated.png`, or under OUT.

    Put -- before names that begin with a dash.
    """
    from pix2pix.colorize.copies import translate_photo
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.images.task import TRANSLATE

    files = FileOptions(
        overwrite=overwrite,
        max_pixels=max_pixels,
        allow_truncated=allow_truncated,
        keep_gps=keep_gps,
        copy_sidecars=sidecars,
    )

    def load() -> "Maker":
        model = console.load_translator(weights, device, engine)
        return partial(translate_photo, model=model, seed=seed)

    run = _Run(photos, out, _part(shard), as_json, every_file, follow, watch)
    raise Exit(run(TRANSLATE, load, files))


@dataclass(frozen=True)
class _Run:
    """What photos are found by, and where their copies go: the options that both commands have."""

    photos: list[str]
    out: str | None
    part: tuple[int, int]
    as_json: bool
    every_file: bool
    follow: bool
    watch: bool
    films: Sequence[str] = ()

    @property
    def several(self) -> bool:
        inputs = [*self.photos, *self.films]
        return len(inputs) > 1 or os.path.isdir(inputs[0]) or self.watch

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

        tallies, inputs = dict[str, tally.Tally](), [*self.photos, *self.films]
        say = partial(console.print_records, task=task, tallies=tallies, inputs=inputs)
        if "-" in self.photos or self.out == "-":
            if self.several or self.as_json:
                raise BadParameter("- takes one photo, without --json or --watch")
            if self.out in ("-", "", None) and sys.stdout.isatty():
                raise BadParameter("a picture is not for the terminal: give -o, or redirect")
            records = pipe.make_copy(self.photos[0], self.out or "-", load, files)
            return say(records, summary=False)
        find = partial(jobs.find, self.photos, task=task, out=self.out, shard=self.part)
        scan = partial(find, every_file=self.every_file, follow=self.follow, tallies=tallies)
        count = sys.stderr.isatty() and not self.watch
        total = sum(isinstance(job, jobs.Job) for job in scan()) if count else None
        records = folders.make_copies(watch_for(scan) if self.watch else scan(), load, files)
        bar = bool(self.photos)
        return say(chain(records, films), as_json=self.as_json, total=total, bar=bar)


def _wish(
    saturation: float, hints: list[str] | None, seed: int | None, temperature: float
) -> "Wish":
    from pix2pix.colorize.hints import parse
    from pix2pix.colorize.wish import Wish

    try:
        return Wish(saturation, [parse(text) for text in hints or []], seed, temperature)
    except ValueError as error:  # of the saturation, or BadHint
        raise BadParameter(error.reason if isinstance(error, BadHint) else f"{error}") from error


def _with_like(wish: "Wish", path: str, files: "FileOptions") -> "Wish":
    """The wish with a photo to take colors from, or end the command in one line."""
    from pix2pix.colorize.reference import Reference
    from pix2pix.errors import PhotoError

    with console.reported(path, PhotoError):
        return replace(wish, like=Reference.of(path, max_pixels=files.max_pixels))


def _part(shard: str) -> tuple[int, int]:
    """Parse "I/N" -> (i, n) with 1 <= i <= n."""
    part, _, parts = shard.partition("/")
    if part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise BadParameter(f"--shard is I/N such as 2/8, not {shard}")
