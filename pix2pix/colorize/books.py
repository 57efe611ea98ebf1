"""Books: TIFF files of several pages, and of pages too large for the memory, colored into a TIFF.

One page is in memory at a time, and of a large one some rows. Nothing is left out: a page that
cannot be colored fails the whole file, which is then not written.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, Protocol

from pix2pix import files, images
from pix2pix.colorize import gigapixel
from pix2pix.colorize.copies import AS_A_WHOLE, LARGE, Coloring, Maker
from pix2pix.colorize.incolor import in_color
from pix2pix.colorize.workers import check
from pix2pix.errors import Corrupt, PhotoError, TooLarge, UnsupportedFormat, UnsupportedMode
from pix2pix.images import containers, guard, large, sidecars
from pix2pix.images.formats import EXTENSIONS
from pix2pix.images.task import COLOR, Task
from pix2pix.images.tiff import extract, grid, output, pages, structure
from pix2pix.images.tiff.extract import Fields
from pix2pix.images.tiff.source import Source
from pix2pix.images.tiff.structure import Data

_KEPT = {254, 297}  # kind of page, and its number
_SLACK = 2**16
_HEADER = 8  # [bytes] of a TIFF, at least
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Options(Protocol):
    """What is asked for of it, as of folders.FileOptions."""

    @property
    def pages(self) -> Literal["first", "all"]:
        """Which pages are colored."""

    @property
    def max_pixels(self) -> int:
        """The most that a page may have."""

    @property
    def allow_truncated(self) -> bool:
        """Whether what is there of a cut file is taken."""

    @property
    def depth(self) -> int:
        """16 to keep the 16 bits of a page."""

    @property
    def keep_gps(self) -> bool:
        """Whether the place where it was taken is kept, too."""

    @property
    def skip_color(self) -> bool:
        """Whether pages in color already are left as they are."""


Beside = Callable[[images.Photo], images.Photo]


def _nothing(photo: images.Photo) -> images.Photo:
    return photo


class AlreadyInColor(Exception):
    """All of it is in color, and was to be left alone then."""


@dataclass
class Book:
    """A TIFF whose pages are colored one by one, or row by row; `open_book` makes it."""

    source: Data
    options: Options
    offsets: list[int]  # of the directories of its pages
    left_out: list[str]  # what else there is, in words
    beside: Beside = _nothing
    """Adds what stands beside the file: sidecars."""
    taken: float = 0  # bytes of the pages so far
    model: str = ""
    task: Task = COLOR

    @cached_property
    def chained(self) -> set[int]:
        """Where the directories are that are below no other."""
        return set(structure.chain(self.source, structure.header(self.source)))

    def color(self, dest: str, make: Maker, status: os.stat_result | None = None) -> list[str]:
        """Color it into the file `dest`, whole or not at all -> warnings.

        Raises PhotoError, and AlreadyInColor; there is no file then.
        """
        try:
            with files.replacing(dest, source=status) as sink:
                return self.write(sink, make)
        except OSError as error:
            raise files.write_error(error) from error

    def write(self, sink: output.Sink, make: Maker) -> list[str]:
        """Color it into a file that can be written anew at its beginning -> warnings.

        Raises PhotoError, OSError, and AlreadyInColor.
        """
        warnings: list[str] = []
        count, kept = len(self.offsets), 0
        writer = output.TiffWriter(sink)
        for number in range(count):
            check()
            place = f"page {number + 1} of {count}: " if count > 1 else ""
            try:
                with containers.sound("TIFF"):
                    page = _Page(self, number, writer)
                warnings += [place + warning for warning in page.color(make)]
            except PhotoError as error:
                error.reason = place + error.reason
                raise
            kept += page.kept
        if kept == count:
            raise AlreadyInColor
        writer.finish()
        return warnings + self.left_out

    def close(self) -> None:
        """Close its file."""
        if isinstance(self.source, Source):
            self.source.close()


class _Page:
    """One page of a book, on its way."""

    def __init__(self, book: Book, number: int, writer: output.TiffWriter):
        source, offset = book.source, book.offsets[number]
        self.book, self.source, self.offset, self.writer = book, source, offset, writer
        self.first, self.options = number == 0, book.options
        self.kept = False
        """Whether it was left as it is, in its own colors."""
        self.size = pages.layout_at(source, offset).size or (0, 0)
        guard.check_pixels(self.size, book.options.max_pixels)
        containers.check_density(self.size, source)
        head = structure.header(source)
        own = not self.first and offset in book.chained  # a preview before it speaks for the file
        self.fields = extract.page_fields(source, head, offset, own=own, skip=grid.OWN)
        self.head, self.grid = head, None
        if grid.is_listed(head, self.fields):
            self.grid = grid.of_page(source, head, offset)
            book.taken += float(self.grid.counts.sum(dtype=float))
            if book.taken > 2 * len(source) + _SLACK:
                raise Corrupt("TIFF pages that share their pixels")

    @property
    def more(self) -> Fields:
        """The fields that are kept though they say nothing of the photo."""
        return {
            tag: output.little(self.head, self.fields[tag]) for tag in _KEPT & self.fields.keys()
        }

    def color(self, make: Maker) -> list[str]:
        """Write it in color -> what was lost. Raises PhotoError."""
        if self.size[0] * self.size[1] <= LARGE:
            return self._as_a_whole(make)
        if not isinstance(make, Coloring):
            return [*self._as_a_whole(make), AS_A_WHOLE]
        if self.grid is None:
            return [*self._as_a_whole(make), "read as a whole: its strips or tiles are not listed"]
        try:
            partly = self.options.allow_truncated
            page = large.plan(self.source, self.grid, self.fields, partly=partly)
        except (UnsupportedMode, TooLarge) as error:
            return [*self._as_a_whole(make), f"read as a whole: {error.reason}"]
        return self._by_rows(page, make)

    def _by_rows(self, page: large.LargePage, make: Coloring) -> list[str]:
        looked = gigapixel.look(page, make)
        if self.options.skip_color and looked.in_color and self._stay():
            return []
        self.book.model = make.model.name
        gps = self.options.keep_gps
        return gigapixel.color(
            page,
            looked,
            make,
            self.writer,
            beside=self.book.beside if self.first else None,
            more=self.more,
            deep=self.options.depth == 16,
            keep_gps=gps,
        )

    def _as_a_whole(self, make: Maker) -> list[str]:
        photo = images.read(
            self._alone(),
            max_pixels=self.options.max_pixels,
            allow_truncated=self.options.allow_truncated,
            deep=self.options.depth == 16,
        )
        if self.options.skip_color and in_color(photo.rgb) and self._stay():
            return []
        if self.first:
            photo = self.book.beside(photo)
        made = make(photo)
        del photo  # its pixels take memory
        self.book.model, self.book.task = made.model, made.task
        check()
        data, lost = made.encode("TIFF", keep_gps=self.options.keep_gps)
        self.writer.copy(data, self.more)
        return lost

    def _alone(self) -> bytes:
        """The page as a file of its own."""
        most = 16 * self.options.max_pixels + 2**26
        found, partly = self.grid, self.options.allow_truncated
        if found is None:
            if len(self.source) > most:
                raise TooLarge(f"more bytes than the limit of {most:,}, and its parts not named")
            return extract.alone(self.source[:], self.offset)
        if found.counts.sum(dtype=float) > most:
            raise TooLarge(f"more bytes than the limit of {most:,}")
        everything = range(found.down), range(found.across)
        return grid.part(self.source, self.head, found, self.fields, *everything, partly=partly)

    def _stay(self) -> bool:
        """Write it as it is, in its own colors -> whether that was possible."""
        if self.grid is None or not output.is_plain(self.head, self.fields):
            return False
        self.kept = True
        if len(self.book.offsets) > 1:
            self.writer.keep(self.source, self.offset)
        return True


def open_book(
    source: str | bytes,
    dest: str,
    options: Options,
    make: Maker | None = None,
    beside: Beside = _nothing,
) -> Book | None:
    """Open a TIFF that is to be colored page by page or row by row; None for any other file.

    It is one with several pages, of which all are wanted, or one too large for the memory, at a
    path or in memory; its copy will be called `dest`, "-" for a pipe. A `Coloring` makes those
    that are large, others only several pages. `beside` adds the sidecars of one in memory. Raises
    PhotoError for one that cannot be colored so. Close it.
    """
    if options.pages == "first" and not isinstance(make, Coloring):
        return None
    if isinstance(source, bytes):
        return _book(source, beside, dest, options)
    try:
        data = Source(source)
    except PhotoError:  # said where the file is read as any other
        return None
    book = None
    try:
        book = _book(data, partial(sidecars.add, path=source), dest, options)
        return book
    finally:
        if book is None:
            data.close()


def _book(source: Data, beside: Beside, dest: str, options: Options) -> Book | None:
    if source[:4] not in _TIFFS or len(source) < _HEADER:
        return None
    with containers.sound("TIFF"):
        container = pages.inspect(source)
    width, height = container.size or (0, 0)
    is_large = width * height > LARGE
    is_tiff = dest == "-" or EXTENSIONS.get(os.path.splitext(dest)[1].lower()) == "TIFF"
    if options.pages == "first":
        if not is_large or not is_tiff:
            return None
        guard.check_pixels((width, height), options.max_pixels)
        main = container.page or structure.header(source).first
        further = container.frames - 1
        words = f"{further:,} further frame{'' if further == 1 else 's'} ignored"
        return Book(source, options, [main], [words] if further else [], beside)
    with containers.sound("TIFF"):
        offsets, others = pages.full(source, partly=options.allow_truncated)
    if len(offsets) == 1 and not is_large:
        return None
    if not is_tiff:
        raise UnsupportedFormat(f"{len(offsets):,} pages go into a TIFF only: name the output .tif")
    words = f"{others:,} preview{'' if others == 1 else 's'}, mask or pyramid level left out"
    return Book(source, options, offsets, [words] if others else [], beside)
