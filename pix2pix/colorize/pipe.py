"""A photo through a pipe: from stdin, to stdout, or both; `-` stands for them."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator

from pix2pix.colorize import outputs
from pix2pix.colorize.copies import Maker
from pix2pix.colorize.folders import FileOptions
from pix2pix.colorize.jobs import Record, failure


def make_copy(
    source: str, dest: str, load: Callable[[], Maker], files: FileOptions
) -> Iterator[Record]:
    """Copy one photo -> its record, as `folders.make_copies` does."""
    status = _stdin_status() if source == "-" else outputs.status(source)
    state = "none" if dest == "-" else outputs.state(dest, status)
    if state == "good" and not files.overwrite:
        yield Record(source, "skipped", output=dest)
        return
    try:
        photo = files.read(sys.stdin.buffer if source == "-" else source, dest)
    except Exception as error:  # whatever it is, it is one line
        yield failure(source, error)
        return
    make = load()
    try:
        where = sys.stdout.buffer if dest == "-" else dest
        made = make(photo)
        parent = None if source == "-" else source
        lost = made.write(where, keep_gps=files.keep_gps, source=status, parent=parent)
    except Exception as error:
        yield failure(source, error)
    else:
        redone = None if files.overwrite else outputs.REDONE.get(state)
        yield Record(source, made.task.done, dest, reason=redone, warnings=lost)


def _stdin_status() -> os.stat_result | None:
    """The state of the file that stdin comes from, `< private.jpg`, or None when it is a pipe."""
    try:
        status = os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
