"""The boxes that AVIF, HEIF and JPEG 2000 files are made of.

Source: ISO/IEC 14496-12, 4.2; ISO/IEC 15444-1, annex I.4.
"""

from collections.abc import Iterator

Box = tuple[bytes, int, int]
MAX_BOXES = 20_000


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """(type, start, end of its content) of the boxes in a stretch, the last one cut to it."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = end if size == 0 else min(start + size, end)
        if stop < start + head:
            return
        yield data[start + 4 : start + 8], start + head, stop
        start = stop
