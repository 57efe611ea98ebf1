"""The scans of a JPEG: where the last one ends, and whether all were begun that it takes.

Source: ITU-T T.81, annexes B and G.
"""

import re
from dataclasses import dataclass, field

from pix2pix.images.bits import big

# In scan data FF is followed by 00 or FF; restart markers divide it.
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_RESTARTS = frozenset(range(0xD0, 0xD8))
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_BETWEEN_SCANS = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_SCAN, _RESTART_INTERVAL, _END = 0xDA, 0xDD, 0xD9


@dataclass
class Ending:
    """The end of the last scan's data: a marker that belongs to no scan, or the file's end."""

    position: int
    marked: bool  # the end marker is there
    complete: bool  # all coefficients in all bits, all restart intervals of the last scan


@dataclass
class _Frame:
    width: int = 0
    height: int = 0
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)  # component: (h, v)
    bits: dict[int, list[int]] = field(default_factory=dict)  # component: 64 lowest, 99 none
    interval: int = 0  # MCUs between restart markers, 0 for no markers

    def units(self, components: list[int]) -> int:
        """MCUs of a scan of these components."""
        across = max((h for h, _ in self.sampling.values()), default=1) or 1
        down = max((v for _, v in self.sampling.values()), default=1) or 1
        if len(components) != 1:
            return -(-self.width // (8 * across)) * -(-self.height // (8 * down))
        h, v = self.sampling.get(components[0], (1, 1))
        return -(-self.width * h // (8 * across)) * -(-self.height * v // (8 * down))


def ending(data: bytes) -> Ending | None:
    """Find where the last scan of a JPEG ends, None where no scan begins."""
    frame, position = _Frame(), 2
    found: Ending | None = None
    while True:
        marker = _MARKER.search(data, position)
        if marker is None:
            return found
        kind, start = data[marker.start() + 1], marker.end()
        if found is not None and (kind == _END or kind not in _BETWEEN_SCANS):
            found.marked = kind == _END
            return found
        if kind == 0x01 or 0xD0 <= kind <= 0xD9:
            position = start
            continue
        end = start + big(data, start, 2)
        if end > len(data) or end < start + 2:
            return found
        position = end
        content = data[start + 2 : end]
        if kind in _FRAMES:
            _read_frame(frame, content)
        elif kind == _RESTART_INTERVAL:
            frame.interval = big(content, 0, 2)
        elif kind == _SCAN:
            if not _fits(frame, content):  # chance bytes behind the picture
                return found
            position, restarts = _scan_end(data, end, frame.interval > 0)
            complete = _read_scan(frame, content, restarts)
            found = Ending(position, False, complete)


def _fits(frame: _Frame, content: bytes) -> bool:
    """Whether a scan header names components of the frame, and no more than it has room for."""
    count = content[0] if content else 0
    named = {content[1 + 2 * i] for i in range(count) if 2 * i + 1 < len(content)}
    return 0 < count <= 4 and len(content) == 4 + 2 * count and named <= set(frame.sampling)


def _read_frame(frame: _Frame, content: bytes) -> None:
    frame.height = big(content, 1, 2)
    frame.width = big(content, 3, 2)
    for at in range(6, len(content) - 2, 3):
        frame.sampling[content[at]] = content[at + 1] >> 4, content[at + 1] & 15
        frame.bits[content[at]] = [99] * 64


def _scan_end(data: bytes, start: int, restarts: bool) -> tuple[int, int]:
    """(where the scan's data end, restart markers in them)."""
    count = 0
    for marker in _MARKER.finditer(data, start):
        if not restarts or data[marker.start() + 1] not in _RESTARTS:
            return marker.start(), count
        count += 1
    return len(data), count


def _read_scan(frame: _Frame, content: bytes, restarts: int) -> bool:
    """Notes what a scan header promises -> whether the picture is complete with that scan."""
    components = [content[1 + 2 * i] for i in range(content[0])]
    first, last, low = content[-3], content[-2], content[-1] & 15
    for component in components:
        bits = frame.bits[component]
        bits[first : last + 1] = [low] * len(bits[first : last + 1])
    if frame.interval and restarts < -(-frame.units(components) // frame.interval) - 1:
        return False
    return all(bit == 0 for bits in frame.bits.values() for bit in bits)
