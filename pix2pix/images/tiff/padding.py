"""The bytes of a TIFF that nothing points to: libtiff skips one before what has to begin evenly.

In a file they are zero. In memory, as Pillow has it grow, they are what was there before, so that
the same picture would make another file now and then.
"""

import io

from pix2pix.images.tiff import structure

_HEADER = 8  # [bytes]
_PLACES = {273: 279, 324: 325}  # tags of strips' and tiles' offsets: of their byte counts
_BELOW = {330, 34665, 34853}  # tags of directories below a page: SubIFDs, EXIF, GPS


def clear(file: io.BytesIO) -> None:
    """Zero what lies between the parts of a classic TIFF of one page.

    The page has no directories below it: they would be taken for padding.
    """
    parts = sorted(_parts(file.getvalue()))
    end = 0
    with file.getbuffer() as view:
        for start, stop in [*parts, (len(view), len(view))]:
            view[end:start] = bytes(max(0, start - end))
            end = max(end, stop)


def _parts(data: bytes) -> list[tuple[int, int]]:
    """(start, stop) of the header, the directory, its values, and the strips or tiles."""
    head = structure.header(data)
    _, stop, _ = structure.extent(data, head, head.first)
    parts = [(0, _HEADER), (head.first, stop + head.word)]
    for position in structure.positions(data, head, head.first):
        entry = structure.entry(data, head, position)
        parts.append((entry.place, entry.place + entry.length))
    found = structure.directory(data, head, head.first, {*_PLACES, *_PLACES.values(), *_BELOW})
    assert not found.keys() & _BELOW, "what such a directory holds would be cleared"
    for offsets, counts in _PLACES.items():
        if offsets in found:
            places = zip(found[offsets].tolist(), found[counts].tolist(), strict=True)
            parts += [(start, start + size) for start, size in places]
    return parts
