"""TIFF before decoding: which of its directories is the picture, and what its samples mean.

The first directory is often a preview, and the picture is a later one, or one below it; masks and
pyramids are no further pictures. Source: TIFF 6.0; TIFF/EP; DNG 1.7; BigTIFF as libtiff defines it.
"""

import functools
import io
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from pix2pix.errors import Corrupt, TooLarge, Truncated, UnsupportedFormat, UnsupportedMode
from pix2pix.images import guard
from pix2pix.images.formats import Container
from pix2pix.images.tiff import extract, structure
from pix2pix.images.tiff.structure import Data, Entries, TiffHeader

_KIND, _OLD_KIND = 254, 255
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_BYTES = 273, 277, 278, 279
_MAX_SAMPLE, _SAMPLE_FORMAT = 281, 339
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_SUB_DIRECTORIES, _DNG_VERSION = extract.SUB_DIRECTORIES, 50706
_TAGS = {_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _MAX_SAMPLE}
_TAGS |= {_STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES}
_TAGS |= {_SAMPLE_FORMAT, _SUB_DIRECTORIES, _DNG_VERSION}
_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000, 50001}
_NAMES = {
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
_LOSSY = {6, 7, 50001}
# Sensor data: a color filter array, or one value a color before white balance; makers' own codes.
_RAW_PHOTOMETRIC = {32803, 34892}
_RAW_COMPRESSION = {32767, 32769, 32770, 34713, 65000, 65535}
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_BYTES = {1, 2, 7}  # types that stay one object
_MAX_ENTRIES, _MAX_NUMBERS = 65_535, 1_000_000
_MAX_VISITED, _MAX_SUB_DIRECTORIES, _MAX_ENTRIES_VISITED = 1_000, 64, 1_000_000
_HEAD = TiffHeader("<", False, 0)
# A tile is decoded whole, however little of it is picture.
_MAX_TILE = 2**26


@dataclass(frozen=True)
class Page:
    """One directory, and where it is."""

    offset: int
    entries: Entries

    def first(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return structure.first(self.entries, tag, default)

    @property
    def is_reduced(self) -> bool:
        """A preview or one step of a pyramid."""
        return bool(self.first(_KIND, 0) & _REDUCED) or self.first(_OLD_KIND, 0) == _OLD_REDUCED

    @property
    def is_mask(self) -> bool:
        """Which parts of another page are visible."""
        return bool(self.first(_KIND, 0) & _MASK) or self.first(_PHOTOMETRIC, 0) == _MASK

    @property
    def is_raw(self) -> bool:
        """Data of a camera's sensor, or a file that holds them."""
        return (
            self.first(_PHOTOMETRIC, 0) in _RAW_PHOTOMETRIC
            or self.first(_COMPRESSION, 0) in _RAW_COMPRESSION
            or len(self.entries.get(_DNG_VERSION, ())) == 4
        )

    @property
    def pixels(self) -> int:
        """Width times height as stated."""
        return self.first(_WIDTH, 0) * self.first(_HEIGHT, 0)


def inspect(data: Data) -> Container:
    """The picture's layout and the number of full pages.

    Raises UnsupportedFormat for camera raw files, UnsupportedMode for a compression that is not
    read here, TooLarge for absurd tiles, Corrupt for absurd directories.
    """
    try:
        head = structure.header(data)
    except ValueError:
        return Container(cut=True)
    pages = list(_visited(data, head))
    if any(page.is_raw for page in pages) or data[8:11] == b"CR\x02":
        raise UnsupportedFormat("a camera raw file")
    if not pages:
        return Container(cut=True)
    page = _main(pages)
    for offset in {head.first, page.offset}:
        _check_counts(data, head, offset)
    _check_decodable(page)
    container = _layout(page, len(data))
    chained = sum(1 for _ in structure.chain(data, head))
    full = sum(1 for page in pages if not (page.is_reduced or page.is_mask))
    container.frames = max(1, full + max(0, chained - len(pages)))
    container.many = chained == structure.MAX_PAGES
    if page.offset != head.first or (head.big and head.order == ">"):
        container.page = page.offset
    return container


def full(data: Data, *, partly: bool = False) -> tuple[list[int], int]:
    """Where the directories of all full pages are, and how many others there are.

    Previews, masks and steps of pyramids are others; where there is nothing else, the picture is
    what `inspect` takes for it. Raises TooLarge for more than
    structure.MAX_PAGES, and, unless `partly`, Truncated and Corrupt where the chain of pages leads
    past the end or back.
    """
    head = structure.header(data)
    chain = list(structure.chain(data, head))
    if not chain:
        raise Truncated("the TIFF ends early")
    every = list(_visited(data, head, most=structure.MAX_PAGES))
    if len(chain) == structure.MAX_PAGES or chain[-1] not in {page.offset for page in every}:
        raise TooLarge(f"{structure.MAX_PAGES:,} pages or more")
    _, stop, _ = structure.extent(data, head, chain[-1])
    following = head.number(data[stop : stop + head.word])
    if not partly and (stop + head.word > len(data) or following >= len(data)):
        raise Truncated("the TIFF ends before its last page")
    if not partly and following:
        raise Corrupt("the chain of TIFF pages leads back to an earlier one")
    chained = set(chain)
    found = [
        page.offset
        for page in every
        if not (page.is_reduced or page.is_mask) and (page.pixels or page.offset in chained)
    ]
    found = found or [_main(every).offset]
    return found, len(every) - len(found)


def layout_at(data: Data, offset: int) -> Container:
    """What the page whose directory is at `offset` says of itself. Raises as `inspect`."""
    page = Page(offset, structure.directory(data, structure.header(data), offset, _TAGS))
    _check_counts(data, structure.header(data), offset)
    _check_decodable(page)
    return _layout(page, len(data))


def _visited(data: Data, head: TiffHeader, most: int = _MAX_VISITED) -> Iterator[Page]:
    """The pages in the order of the file, each before those below it."""
    budget = _MAX_ENTRIES_VISITED
    for number, offset in enumerate(structure.chain(data, head)):
        page = Page(offset, structure.directory(data, head, offset, _TAGS))
        yield page
        below = page.entries.get(_SUB_DIRECTORIES, ())[:_MAX_SUB_DIRECTORIES]
        for place in [int(place) for place in below if 0 < int(place) < len(data)]:
            yield Page(place, structure.directory(data, head, place, _TAGS))
            budget -= len(structure.positions(data, head, place))
        budget -= len(structure.positions(data, head, offset))
        if number + 1 == most or budget < 0:
            return


def _main(pages: list[Page]) -> Page:
    """The first full page; where all are marked as previews, the largest."""
    for page in pages:
        if not (page.is_reduced or page.is_mask) and page.pixels:
            return page
    shown = [page for page in pages if not page.is_mask] or pages
    return max(shown, key=lambda page: page.pixels)


def _check_decodable(page: Page) -> None:
    compression = page.first(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS or not has_codec(compression):
        name = f" ({_NAMES[compression]})" if compression in _NAMES else ""
        raise UnsupportedMode(f"TIFF compression {compression}{name}")
    if page.first(_TILE_WIDTH, 0) * page.first(_TILE_HEIGHT, 0) > _MAX_TILE:
        raise TooLarge(f"TIFF tiles of more than {_MAX_TILE:,} pixels")


@functools.cache
def has_codec(compression: int) -> bool:
    """Whether this libtiff has it, tried with one pixel: its own error would name no reason.

    Tried by reading: libtiff may crash when it is to write with a codec that it lacks.
    """
    if compression not in _OPTIONAL:
        return True
    bits, photometric, pixel = _OPTIONAL[compression]()
    guard.silence_libtiff()
    fields = {tag: extract.longs(_HEAD, 1) for tag in (_WIDTH, _HEIGHT, _ROWS)} | {
        _BITS: extract.shorts(_HEAD, *bits),
        _COMPRESSION: extract.shorts(_HEAD, compression),
        _PHOTOMETRIC: extract.shorts(_HEAD, photometric),
        _SAMPLES: extract.shorts(_HEAD, len(bits)),
        _STRIP_OFFSETS: extract.shorts(_HEAD, 8),
        _STRIP_BYTES: extract.shorts(_HEAD, len(pixel)),
    }
    try:
        with guard.reading(1):
            Image.open(io.BytesIO(extract.assembled(_HEAD, fields, pixel))).load()
    except Exception:  # OSError, SyntaxError, KeyError: by version
        return False
    return True


def _webp_pixel() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


# Not every libtiff has these: bits, photometric interpretation and one pixel of each.
_OPTIONAL: dict[int, Callable[[], tuple[tuple[int, ...], int, bytes]]] = {
    34925: lambda: ((8,), 1, lzma.compress(b"\0", check=lzma.CHECK_NONE)),
    50000: lambda: ((8,), 1, bytes.fromhex("28b52ffd 2001 090000 00")),
    50001: lambda: ((8, 8, 8), 2, _webp_pixel()),
}


def _layout(page: Page, size: int) -> Container:
    bits = page.first(_BITS, 1)
    floats = page.first(_SAMPLE_FORMAT, 1) == 3
    container = Container(deep=bits > 8 and not floats)
    if _WIDTH in page.entries and _HEIGHT in page.entries:
        container.size = page.first(_WIDTH, 0), page.first(_HEIGHT, 0)
    container.white = _white(page, bits)
    container.inverted = page.first(_PHOTOMETRIC, 1) == 0
    container.lossless = page.first(_COMPRESSION, 1) not in _LOSSY
    container.cut = page.offset >= size or not _strips_fit(page.entries, size)
    return container


def _check_counts(data: Data, head: TiffHeader, offset: int) -> None:
    """Pillow turns each number of a directory into an object, however many there are."""
    start, stop, size = structure.extent(data, head, offset)
    if stop - start > _MAX_ENTRIES * size:
        raise Corrupt(f"more than {_MAX_ENTRIES:,} entries in a TIFF directory")
    for position in structure.positions(data, head, offset):
        entry = structure.entry(data, head, position)
        if entry.kind not in _BYTES and _MAX_NUMBERS < entry.count <= len(data):
            raise Corrupt(f"more than {_MAX_NUMBERS:,} numbers in a TIFF entry")


def _white(page: Page, bits: int) -> int | None:
    """The value of white in integer samples of 9 to 16 bits, where the file states it."""
    if not 8 < bits <= 16 or page.first(_SAMPLE_FORMAT, 1) != 1:
        return None
    stated = page.first(_MAX_SAMPLE, 0)
    if 255 < stated < 2**bits - 1:
        return stated
    return None if bits == 16 else 2**bits - 1


def _strips_fit(entries: Entries, size: int) -> bool:
    for offsets, counts in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
        if offsets in entries and counts in entries:
            ends = zip(entries[offsets][-16:], entries[counts][-16:], strict=False)
            return all(int(offset) + int(count) <= size for offset, count in ends)
    return False
