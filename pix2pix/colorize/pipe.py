"""A photo through a pipe: from stdin, to stdout, or both; `-` stands for them."""

import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from pix2pix import images
from pix2pix.colorize import outputs
from pix2pix.colorize.copies import Maker
from pix2pix.colorize.folders import FileOptions
from pix2pix.colorize.jobs import Record, failure
from pix2pix.files import Sink, read_bytes, write_error
from pix2pix.images import sidecars

if TYPE_CHECKING:
    from pix2pix.colorize.books import Book


def make_copy(
    source: str, dest: str, load: Callable[[], Maker], files: FileOptions
) -> Iterator[Record]:
    """Copy one photo -> its record, as `folders.make_copies` does."""
    status = _stdin_status() if source == "-" else outputs.status(source)
    state = "none" if dest == "-" else outputs.state(dest, status)
    if state == "good" and not files.overwrite:
        yield Record(source, "skipped", output=dest)
        return
    make = load() if files.asks_for_books else None
    try:
        found = _open(source, dest, files, make)
    except Exception as error:  # whatever it is, it is one line
        yield failure(source, error)
        return
    make = make or load()
    redone = None if files.overwrite else outputs.REDONE.get(state)
    try:
        if not isinstance(found, images.Photo):
            yield _copy_book(found, source, dest, make, status, redone)
            return
        made = make(found)
        where, parent = (
            sys.stdout.buffer if dest == "-" else dest,
            None if source == "-" else source,
        )
        lost = made.write(where, keep_gps=files.keep_gps, source=status, parent=parent)
    except Exception as error:
        yield failure(source, error)
    else:
        yield Record(source, made.task.done, dest, reason=redone, warnings=lost)


def _open(source: str, dest: str, files: FileOptions, make: Maker | None) -> "images.Photo | Book":
    """Read a photo, or with `make` open a TIFF that is colored page by page or row by row."""
    held = sys.stdin.buffer if source == "-" else source
    if make is None:
        return _with_sidecars(files.read(held, dest), source)
    from pix2pix.colorize.books import open_book

    data = held if isinstance(held, str) else read_bytes(held, max_bytes=files.max_bytes)
    book = open_book(data, dest, files, make)
    return book or _with_sidecars(files.read(data, dest), source)


def _with_sidecars(photo: images.Photo, source: str) -> images.Photo:
    """What stands beside the photo's file; nothing does beside stdin."""
    return photo if source == "-" else sidecars.add(photo, source)


def _copy_book(
    book: "Book",
    source: str,
    dest: str,
    make: Maker,
    status: os.stat_result | None,
    redone: str | None,
) -> Record:
    """Copy a TIFF page by page or row by row -> its record; to stdout once it is whole."""
    from pix2pix.colorize.books import AlreadyInColor

    with closing(book):
        try:
            if dest != "-":
                lost = book.color(dest, make, status)
            else:
                with tempfile.TemporaryFile() as file:
                    lost = book.write(Sink(file.fileno()), make)
                    file.seek(0)
                    shutil.copyfileobj(file, sys.stdout.buffer)
        except AlreadyInColor:
            return Record(source, "ignored", reason="already in color")
        except OSError as error:
            raise write_error(error) from error
    return Record(source, book.task.done, dest, reason=redone, warnings=lost)


def _stdin_status() -> os.stat_result | None:
    """The state of the file that stdin comes from, `< private.jpg`, or None when it is a pipe."""
    try:
        status = os.fstat(sys.stdin.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
