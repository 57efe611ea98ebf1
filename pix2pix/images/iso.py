"""AVIF and HEIF before decoding: their boxes, and how large the pictures within truly are.

The sizes that the boxes state are what decoders report; what they allocate is what the coded
stream says, so both are read. Source: ISO/IEC 14496-12 and 23008-12; AV1 Image File Format.
"""

from collections.abc import Iterator

from pix2pix.errors import Corrupt
from pix2pix.images import av1, hevc
from pix2pix.images.formats import Container

_MAX_BOXES = 10_000
_CODED = {b"av01", b"hvc1", b"hev1"}
# A coded picture may be somewhat larger than what is shown of it: whole blocks, or a layer.
_SLACK, _FACTOR = 2**20, 4

Size = tuple[int, int]
Box = tuple[bytes, int, int]  # type, start and end of the content
_Extents = dict[int, list[tuple[int, int]]]  # start and end of the parts of each item


def inspect(data: bytes, *, coded: bytes) -> Container:
    """The largest picture of a file; `coded` is the item type that it must hold, or b"".

    Raises Corrupt for absurd boxes, and where a coded picture is far larger than the file says.
    """
    boxes, cut = _top(data)
    if cut:
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


def _top(data: bytes) -> tuple[list[Box], bool]:
    """The top-level boxes, and whether the file ends within one."""
    boxes = list(_boxes(data, 0, len(data), strict=True))
    end = boxes[-1][2] if boxes else 0
    return boxes, end != len(data)


def _boxes(data: bytes, start: int, stop: int, *, strict: bool = False) -> Iterator[Box]:
    """The boxes between two positions. Raises Corrupt for too many, and for impossible sizes."""
    for _ in range(_MAX_BOXES):
        if start + 8 > stop:
            return
        size, head = _big(data, start, 4), 8
        if size == 1:
            size, head = _big(data, start + 8, 8), 16
        if size == 0:  # to the end
            size = stop - start
        if size < head:
            raise Corrupt("a box of impossible size")
        if start + size > stop:
            if not strict:
                raise Corrupt("a box larger than what holds it")
            yield data[start + 4 : start + 8], start + head, start + size
            return
        yield data[start + 4 : start + 8], start + head, start + size
        start += size
    raise Corrupt(f"more than {_MAX_BOXES:,} boxes")


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
    boxes = list(_boxes(data, start, end))
    idat = next((inner for kind, inner, _ in boxes if kind == b"idat"), 0)
    for kind, inner, stop in boxes:
        if kind == b"iinf":
            kinds = _kinds(data, inner, stop)
        elif kind == b"iloc":
            extents = _extents(data, inner, idat)
        elif kind == b"iprp":
            for properties in _inside(data, inner, stop, b"ipco"):
                for name, at, until in _boxes(data, *properties):
                    if name == b"ispe":
                        stated.append((_big(data, at + 4, 4), _big(data, at + 8, 4)))
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


def _kinds(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """The type of each item, from `iinf`."""
    kinds = {}
    for name, at, _ in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        if name == b"infe" and data[at] >= 2:
            width = 2 if data[at] == 2 else 4
            place = at + 4 + width + 2
            kinds[_big(data, at + 4, width)] = data[place : place + 4]
    return kinds


def _extents(data: bytes, start: int, idat: int) -> _Extents:
    """Where each item lies, from `iloc`."""
    version = data[start]
    offset_size, length_size = data[start + 4] >> 4, data[start + 4] & 15
    base_size, index_size = data[start + 5] >> 4, data[start + 5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = _big(data, start + 6, wide), start + 6 + wide
    found: _Extents = {}
    total = 0
    for _ in range(min(count, _MAX_BOXES)):
        item, at = _big(data, at, wide), at + wide
        inside = version > 0 and _big(data, at, 2) & 15 == 1
        at += (2 if version else 0) + 2
        base, at = _big(data, at, base_size) + (idat if inside else 0), at + base_size
        parts, at = _big(data, at, 2), at + 2
        total += parts  # which may take no byte each
        if total > _MAX_BOXES:
            raise ValueError(f"more than {_MAX_BOXES:,} pieces of its pictures")
        for _ in range(parts):
            at += index_size
            offset, length = _big(data, at, offset_size), _big(data, at + offset_size, length_size)
            at += offset_size + length_size
            if at > len(data):
                raise ValueError("the places of its pictures end early")
            begin = base + offset
            found.setdefault(item, []).append((begin, begin + length if length else len(data)))
    return found


def _grid(stream: bytes) -> Size:
    """The size that a grid of tiles makes up."""
    wide = 4 if stream[1] & 1 else 2
    return _big(stream, 4, wide), _big(stream, 4 + wide, wide)


def _read_track(
    data: bytes, track: tuple[int, int], stated: list[Size], found: list[Size | None]
) -> None:
    """A sequence: its size and that of its first frame."""
    offset = length = 0
    coded = False
    for media in _inside(data, *track, b"mdia"):
        for information in _inside(data, *media, b"minf"):
            for table in _inside(data, *information, b"stbl"):
                for kind, at, _ in _boxes(data, *table):
                    if kind == b"stsd":
                        coded = data[at + 12 : at + 16] == b"av01"
                        stated.append((_big(data, at + 40, 2), _big(data, at + 42, 2)))
                    elif kind == b"stsz":
                        length = _big(data, at + 4, 4) or _big(data, at + 12, 4)
                    elif kind in (b"stco", b"co64"):
                        offset = _big(data, at + 8, 4 if kind == b"stco" else 8)
    if coded:
        found.append(av1.coded_size(data[offset : offset + length]))


def _inside(data: bytes, start: int, end: int, name: bytes) -> list[tuple[int, int]]:
    return [(at, until) for kind, at, until in _boxes(data, start, end) if kind == name]


def _big(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "big")
