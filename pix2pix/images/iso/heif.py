"""AVIF and HEIF before decoding: their boxes, and how large the pictures within truly are.

The sizes that the boxes state are what decoders report; what they allocate is what the coded
stream says, so both are read. Source: ISO/IEC 14496-12 and 23008-12; AV1 Image File Format.
"""

from collections.abc import Iterator

from pix2pix.errors import Corrupt
from pix2pix.images.bits import Size, big
from pix2pix.images.formats import Container
from pix2pix.images.iso import av1, hevc
from pix2pix.images.iso.boxes import Box, item_extents, item_types, whole_boxes

_CODED = {b"av01", b"hvc1", b"hev1"}
# A coded picture may be somewhat larger than what is shown of it: whole blocks, or a layer.
_SLACK, _FACTOR = 2**20, 4

_Extents = dict[int, list[tuple[int, int]]]  # start and end of the parts of each item


def inspect(data: bytes, *, coded: bytes) -> Container:
    """Measure the largest picture of a file; `coded` is the item type it must hold, or b"".

    Raises Corrupt for absurd boxes, and where a coded picture is far larger than the file says.
    """
    boxes = list(whole_boxes(data, 0, len(data), cut=True))
    if not boxes or boxes[-1][2] != len(data):  # it ends within one
        return Container(cut=True)
    try:
        stated, found = _sizes(data, boxes)
    except (ValueError, IndexError) as error:
        raise Corrupt(f"its boxes cannot be read: {error}") from error
    if coded and not found:
        raise Corrupt("no coded picture in it")
    container = Container()
    largest = max(stated, key=_area, default=None)
    biggest = max(found, key=_area, default=largest)
    if largest and biggest and _area(biggest) > _FACTOR * _area(largest) + _SLACK:
        raise Corrupt(
            f"the file says {largest[0]:,} x {largest[1]:,} pixels, "
            f"its picture has {biggest[0]:,} x {biggest[1]:,}"
        )
    if largest and biggest:
        container.size = max(largest, biggest, key=_area)
    return container


def _area(size: Size) -> int:
    return size[0] * size[1]


def _sizes(data: bytes, boxes: list[Box]) -> tuple[list[Size], list[Size]]:
    """(sizes that the boxes state, sizes of the coded pictures)."""
    stated: list[Size] = []
    found: list[Size | None] = []
    for kind, start, end in boxes:
        if kind == b"meta":
            _read_items(data, start + 4, end, stated, found)
        elif kind == b"moov":
            for track in _inside(data, start, end, b"trak"):
                _read_track(data, track, stated, found)
    return stated, [size for size in found if size is not None]


def _read_items(
    data: bytes, start: int, end: int, stated: list[Size], found: list[Size | None]
) -> None:
    """Still pictures: what `meta` lists."""
    kinds: dict[int, bytes] = {}
    extents: _Extents = {}
    boxes = list(whole_boxes(data, start, end))
    idat = next((inner for kind, inner, _ in boxes if kind == b"idat"), 0)
    for kind, inner, stop in boxes:
        if kind == b"iinf":
            kinds = {item: name for item, name, _ in item_types(data, inner, stop, whole_boxes)}
        elif kind == b"iloc":
            extents = _extents(data, inner, idat)
        elif kind == b"iprp":
            for properties in _inside(data, inner, stop, b"ipco"):
                for name, at, until in whole_boxes(data, *properties):
                    if name == b"ispe":
                        stated.append((big(data, at + 4, 4), big(data, at + 8, 4)))
                    elif name == b"hvcC":
                        found.append(hevc.configured_size(data[at:until]))
    budget = 4 * len(data)
    for item, kind in kinds.items():
        if kind not in _CODED and kind != b"grid":
            continue
        parts = extents.get(item, [])
        budget -= sum(max(0, min(until, len(data)) - at) for at, until in parts)
        if budget < 0:
            raise Corrupt("pictures that overlap many times")
        stream = b"".join(data[at:until] for at, until in parts)
        if kind == b"grid":
            stated.append(_grid(stream))
        elif kind == b"av01":
            found.append(av1.coded_size(stream))
        else:
            found.append(hevc.in_band_size(stream))


def _extents(data: bytes, start: int, idat: int) -> _Extents:
    """Where each item lies, from `iloc`; a length of 0 reaches to the end."""
    found: _Extents = {}
    for item, offset, length, method in item_extents(data, start):
        begin = offset + (idat if method == 1 else 0)
        found.setdefault(item, []).append((begin, begin + length if length else len(data)))
    return found


def _grid(stream: bytes) -> Size:
    """The size that a grid of tiles makes up."""
    wide = 4 if stream[1] & 1 else 2
    return big(stream, 4, wide), big(stream, 4 + wide, wide)


def _read_track(
    data: bytes, track: tuple[int, int], stated: list[Size], found: list[Size | None]
) -> None:
    """A sequence: its size and that of its first frame."""
    offset = length = 0
    coded = False
    for table in _inside(data, *track, b"mdia", b"minf", b"stbl"):
        for kind, at, _ in whole_boxes(data, *table):
            if kind == b"stsd":
                coded = data[at + 12 : at + 16] == b"av01"
                stated.append((big(data, at + 40, 2), big(data, at + 42, 2)))
            elif kind == b"stsz":
                length = big(data, at + 4, 4) or big(data, at + 12, 4)
            elif kind in (b"stco", b"co64"):
                offset = big(data, at + 8, 4 if kind == b"stco" else 8)
    if coded:
        found.append(av1.coded_size(data[offset : offset + length]))


def _inside(data: bytes, start: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the boxes at the end of a path of types."""
    for kind, at, until in whole_boxes(data, start, end):
        if kind == path[0]:
            yield from _inside(data, at, until, *path[1:]) if path[1:] else [(at, until)]
