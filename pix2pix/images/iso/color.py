"""AVIF and HEIF: the coding of the main picture, from its colr box or from inside its codec.

Source: ISO/IEC 14496-12 (boxes, colr), ISO/IEC 23008-12 (pitm, ipco, ipma).
"""

from pix2pix.images.bits import big
from pix2pix.images.coding import Coding, from_code_points
from pix2pix.images.iso import av1, hevc
from pix2pix.images.iso.boxes import MAX_BOXES, Box, boxes


def coding(data: bytes) -> Coding | None:
    """Read the coding of the main picture, None for sRGB and where there is an ICC profile.

    An HDR coding holds beside a profile, too: such profiles are stand-ins for old readers. Raises
    UnsupportedMode for transfer functions that are not read here.
    """
    top = {kind: (start, end) for kind, start, end in boxes(data, 0, len(data))}
    found: list[Box] = []
    if b"meta" in top:
        start, end = top[b"meta"]
        found = _properties(data, start + 4, end)
    colors = [start for kind, start, _ in found if kind == b"colr"]
    kinds = [data[start : start + 4] for start in colors]
    points = _numbers(data, colors[kinds.index(b"nclx")] + 4) if b"nclx" in kinds else None
    if points is None and b"moov" in top:  # an image sequence
        start = data.find(b"colrnclx", *top[b"moov"])
        points = _numbers(data, start + 8) if start > 0 else None
    if points is None:
        points = _in_codec(data, found)
    result = None if points is None else from_code_points(*points)
    profiled = b"prof" in kinds or b"rICC" in kinds
    return result if result is not None and (result.hdr or not profiled) else None


def _in_codec(data: bytes, properties: list[Box]) -> tuple[int, int] | None:
    for kind, start, end in properties:
        if kind == b"hvcC":
            return hevc.color(data[start:end])
        if kind == b"av1C":
            return av1.color(data[start:end])
    return None


def _numbers(data: bytes, start: int) -> tuple[int, int]:
    """Primaries and transfer function of an nclx at `start`."""
    return big(data, start, 2), big(data, start + 2, 2)


def _properties(data: bytes, start: int, end: int) -> list[Box]:
    """The properties of the main item, and those of others where it has none of the kind.

    A grid may leave its color to the tiles; the properties of a gain map stand beside, unasked.
    """
    meta = {kind: (begin, stop) for kind, begin, stop in boxes(data, start, end)}
    if b"iprp" not in meta:
        return []
    iprp = {kind: (begin, stop) for kind, begin, stop in boxes(data, *meta[b"iprp"])}
    every = list(boxes(data, *iprp[b"ipco"])) if b"ipco" in iprp else []
    begin = meta[b"pitm"][0] if b"pitm" in meta else 0
    main = big(data, begin + 4, 4 if data[begin] else 2)
    links = _links(data, *iprp[b"ipma"]) if b"ipma" in iprp else {}
    own = [every[index - 1] for index in links.get(main, []) if 0 < index <= len(every)]
    kinds = {kind for kind, _, _ in own}
    if b"tmap" in data[start:end]:  # with an HDR rendition beside the picture
        return own
    return own + [box for box in every if box[0] not in kinds]


def _links(data: bytes, start: int, end: int) -> dict[int, list[int]]:
    """Item -> the numbers of its properties, from 1, by an ipma box."""
    wide, long = data[start] > 0, bool(data[start + 3] & 1)
    count, position = big(data, start + 4, 4), start + 8
    links: dict[int, list[int]] = {}
    for _ in range(min(count, MAX_BOXES)):
        if position + 3 > end:
            break
        size = 4 if wide else 2
        item = big(data, position, size)
        number = data[position + size : position + size + 1] or b"\0"
        position += size + 1
        step = 2 if long else 1
        links[item] = [
            big(data, at, step) & (0x7FFF if long else 0x7F)
            for at in range(position, position + step * number[0], step)
        ]
        position += step * number[0]
    return links
