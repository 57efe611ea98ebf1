"""A photo through a pipe: from stdin, to stdout, or both; `-` stands for them."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer

from pix2pix import images, outputs
from pix2pix.folders import Colors
from pix2pix.jobs import Record, failure


def run(
    source: str,
    dest: str,
    load: Callable[[], Colors],
    coloring: dict[str, Any],
    overwrite: bool,
    keep_gps: bool,
    reading: dict[str, Any],
) -> Iterator[Record]:
    """Color one photo -> its record. `coloring` and `reading` are as for `folders.run`."""
    if dest == "-" and sys.stdout.isatty():
        raise typer.BadParameter("a picture is not for the terminal: give -o, or redirect")
    status = _stdin_status() if source == "-" else outputs.status(source)
    state = "none" if dest == "-" else outputs.state(dest, status)
    if state == "good" and not overwrite:
        yield Record(source, "skipped", output=dest)
        return
    try:
        photo = images.read(sys.stdin.buffer if source == "-" else source, **reading)
    except Exception as error:  # whatever it is, it is one line
        yield failure(source, error)
        return
    model = load()
    try:
        rgb = model.rgb(photo.rgb, **coloring)
        where = sys.stdout.buffer if dest == "-" else dest
        warnings = images.write(
            rgb, where, like=photo, model=model.name, keep_gps=keep_gps, source=status
        )
    except Exception as error:
        yield failure(source, error)
    else:
        redone = None if overwrite else outputs.REDONE.get(state)
        yield Record(source, "colored", dest, reason=redone, warnings=photo.warnings + warnings)


def _stdin_status() -> os.stat_result | None:
    """The state of the file that stdin comes from, `< private.jpg`, or None when it is a pipe."""
    try:
        status = os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
