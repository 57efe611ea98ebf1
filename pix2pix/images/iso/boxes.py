"""The boxes that AVIF, HEIF and JPEG 2000 files are made of, and the index of their items.

Source: ISO/IEC 14496-12 (4.2 boxes, 8.11 meta, iinf, iloc); ISO/IEC 15444-1, annex I.4.
"""

from collections.abc import Callable, Iterator

from pix2pix.errors import Corrupt
from pix2pix.images.bits import big

Box = tuple[bytes, int, int]  # type, start and end of the content
MAX_BOXES = 20_000
_MAX_WHOLE = 10_000
MAX_ITEMS = 10_000


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Iterate over the boxes in [start, end), the last one cut to it; an invalid one ends it."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        kind, begin, stop = box = _box(data, start, end)
        start = min(stop, end)
        if start < begin:
            return
        yield box if stop <= end else (kind, begin, end)


def whole_boxes(data: bytes, start: int, end: int, *, cut: bool = False) -> Iterator[Box]:
    """Iterate over the boxes in [start, end), strictly.

    Raises Corrupt for too many, for impossible sizes, and, unless `cut`, for one that reaches
    beyond the end, which else is the last.
    """
    for _ in range(_MAX_WHOLE):
        if start + 8 > end:
            return
        _, begin, stop = box = _box(data, start, end)
        if stop < begin:
            raise Corrupt("a box of impossible size")
        if stop > end and not cut:
            raise Corrupt("a box larger than what holds it")
        yield box
        start = stop
    raise Corrupt(f"more than {_MAX_WHOLE:,} boxes")


def _box(data: bytes, start: int, end: int) -> Box:
    """The box at `start`, as large as it says; a size of 0 reaches to the end."""
    size, head = big(data, start, 4), 8
    if size == 1:
        size, head = big(data, start + 8, 8), 16
    return data[start + 4 : start + 8], start + head, start + size if size else end


def item_types(
    data: bytes, start: int, end: int, walk: Callable[[bytes, int, int], Iterator[Box]]
) -> Iterator[tuple[int, bytes, bytes]]:
    """(item, its type, what is said of it) by an iinf box, whose boxes `walk` finds."""
    for kind, at, stop in walk(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and at < stop and data[at] >= 2:
            wide = 2 if data[at] == 2 else 4
            place = at + 4 + wide + 2
            yield big(data, at + 4, wide), data[place : place + 4], data[place:stop]


def item_extents(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """(item, offset, length, construction method) of each piece of each item, by an iloc box.

    Method 0 counts from the start of the file, 1 from that of idat, 2 from that of an item. Raises
    ValueError for too many pieces, and where the box ends early.
    """
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = big(data, at + 6, wide), at + 6 + wide
    total = 0
    for _ in range(min(count, MAX_ITEMS)):
        item, at = big(data, at, wide), at + wide
        method = big(data, at, 2) & 15 if version else 0
        at += (2 if version else 0) + 2  # and the data reference
        base, at = big(data, at, base_size), at + base_size
        pieces, at = big(data, at, 2), at + 2
        total += pieces  # which may take no byte each
        if total > MAX_ITEMS:
            raise ValueError(f"more than {MAX_ITEMS:,} pieces of its pictures")
        for _ in range(pieces):
            at += index_size
            offset, length = big(data, at, offset_size), big(data, at + offset_size, length_size)
            at += offset_size + length_size
            if at > len(data):
                raise ValueError("the places of its pictures end early")
            yield item, base + offset, length, method
