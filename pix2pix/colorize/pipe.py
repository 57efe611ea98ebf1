"""A photo through a pipe: from stdin, to stdout, or both; `-` stands for them."""

import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing

from pix2pix.colorize import books, outputs
from pix2pix.colorize.copies import Maker
from pix2pix.colorize.folders import FileOptions
from pix2pix.colorize.jobs import Record, failure
from pix2pix.files import Sink, read_bytes, write_error


def make_copy(
    source: str, dest: str, load: Callable[[], Maker], files: FileOptions
) -> Iterator[Record]:
    """Copy one photo -> its record, as `folders.make_copies` does."""
    status = _stdin_status() if source == "-" else outputs.status(source)
    state = "none" if dest == "-" else outputs.state(dest, status)
    if state == "good" and not files.overwrite:
        yield Record(source, "skipped", output=dest)
        return
    book = photo = None
    try:
        data = sys.stdin.buffer if source == "-" else source
        if files.pages == "all":
            most = 16 * files.max_pixels + 2**26
            held = read_bytes(data, max_bytes=most) if source == "-" else source
            book = books.open_book(held, dest, files)
            data = io.BytesIO(held) if isinstance(held, bytes) else held
        if book is None:
            photo = files.read(data, dest)
    except Exception as error:  # whatever it is, it is one line
        yield failure(source, error)
        return
    make = load()
    try:
        if book is not None:
            lost = _copy_book(book, dest, make, status)
            task = book.task
        elif photo is not None:
            made = make(photo)
            task, parent = made.task, None if source == "-" else source
            where = sys.stdout.buffer if dest == "-" else dest
            lost = made.write(where, keep_gps=files.keep_gps, source=status, parent=parent)
    except books.AlreadyInColor:
        yield Record(source, "ignored", reason="already in color")
    except Exception as error:
        yield failure(source, error)
    else:
        redone = None if files.overwrite else outputs.REDONE.get(state)
        yield Record(source, task.done, dest, reason=redone, warnings=lost)


def _copy_book(
    book: books.Book, dest: str, make: Maker, status: os.stat_result | None
) -> list[str]:
    """Copy a file of several pages -> warnings; to stdout once it is whole."""
    with closing(book):
        if dest != "-":
            return book.color(dest, make, status)
        try:
            with tempfile.TemporaryFile() as file:
                lost = book.write(Sink(file.fileno()), make)
                file.seek(0)
                shutil.copyfileobj(file, sys.stdout.buffer)
                return lost
        except OSError as error:
            raise write_error(error) from error


def _stdin_status() -> os.stat_result | None:
    """The state of the file that stdin comes from, `< private.jpg`, or None when it is a pipe."""
    try:
        status = os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
