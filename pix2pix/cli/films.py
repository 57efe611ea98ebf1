"""Films on the command line: what `pix2pix colorize` does with those among its inputs.

Only what is light is imported up here, as in pictures.py.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from typer import BadParameter

from pix2pix.cli import packages
from pix2pix.errors import BadHint
from pix2pix.terminal import escape

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer
    from pix2pix.colorize.folders import FileOptions
    from pix2pix.colorize.jobs import Record
    from pix2pix.colorize.wish import Wish
    from pix2pix.film.coloring import Look


def color_films(
    films: Sequence[str],
    wish: "Wish",
    hints: Sequence[str],
    files: "FileOptions",
    load: "Callable[[], Colorizer]",
    *,
    out: str | None,
    alone: bool,
    shard: tuple[int, int],
) -> "Iterator[Record]":
    """Color films -> their records. Ends the command in one line without PyAV, or for bad hints.

    `alone`: there is no other input. `load` gives the model when the first film needs it.
    """
    packages.need("av", "coloring a film", "video")
    if out == "-" or "-" in films:
        raise BadParameter("a film is not for a pipe: give -o a file or a folder")
    from pix2pix.film.coloring import Look
    from pix2pix.film.films import Run
    from pix2pix.film.hints import parse
    from pix2pix.film.jobs import find

    try:
        timed = tuple(map(parse, hints))
    except BadHint as error:
        raise BadParameter(error.reason) from error

    def look() -> "Look":
        return Look(load(), wish, timed)

    return Run(look, files, film_bar)(find(films, out=out, alone=alone, shard=shard))


@contextmanager
def film_bar(path: str, frames: int) -> "Iterator[Callable[[int], object]]":
    """A bar of a film's frames on a terminal, with the time left; gives what moves it on."""
    from tqdm import tqdm

    name = escape(os.path.basename(path))
    shown = sys.stderr.isatty()
    with tqdm(total=frames, unit="frame", desc=name, disable=not shown, file=sys.stderr) as bar:
        begun = False

        def move(count: int) -> None:
            nonlocal begun
            if begun or not shown:
                bar.update(count)
            else:  # done by an earlier run, in no time
                bar.initial = bar.n = bar.last_print_n = count
                bar.refresh()
            begun = True

        yield move
