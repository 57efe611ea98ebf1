"""AV1 before decoding: how large its frames truly are, and the color that its header states.

AVIF may leave the color there, without a colr box. Source: AV1 Bitstream & Decoding Process
Specification, sections 5.3 to 5.9.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pix2pix.images.bits import Bits, Size

_SEQUENCE, _FRAME_HEADER, _FRAME, _REDUNDANT = 1, 3, 6, 7
_MAX_UNITS = 10_000
_HEADER_BYTES = 256  # more than any header up to the size takes
_SWITCH, _SELECT = 3, 2


@dataclass
class _Sequence:
    """What is to be known of a sequence to read the headers of its frames, and its color."""

    profile: int
    size: Size
    ceiling: Size  # what a frame that overrides the size can state
    reduced: bool  # a still picture whose frame header has no flags
    ordered: bool  # its frames have order hints
    timing: int  # the bits of a frame's presentation time; 0 if it has none
    id_bits: int
    screen_content: int
    integer_motion: int


def coded_size(stream: bytes) -> Size | None:
    """Parse OBUs -> (width, height) of the largest frame, or None if there is none.

    Where a frame sets its own size, the largest that its sequence lets it set. Raises ValueError
    for headers that cannot be read.
    """
    sequence: _Sequence | None = None
    largest: Size | None = None
    for kind, payload in _units(stream):
        if kind == _SEQUENCE:
            sequence = _sequence(Bits(payload))
            found = sequence.size
        elif sequence is not None and _overrides_size(Bits(payload), sequence):
            found = sequence.ceiling
        else:
            continue
        largest = max(largest or found, found, key=lambda size: size[0] * size[1])
    return largest


def color(config: bytes) -> tuple[int, int] | None:
    """Parse an av1C box -> (primaries, transfer), None where they are not stated."""
    try:
        for kind, payload in _units(config[4:]):
            if kind == _SEQUENCE:
                return _color(Bits(payload))
    except ValueError:  # it ends early
        pass
    return None


def _color(bits: Bits) -> tuple[int, int] | None:
    sequence = _sequence(bits)
    if sequence.ordered:
        bits.take(3)
    bits.take(3)  # superres, cdef, restoration
    deep = bits.flag()
    if sequence.profile == 2 and deep:
        bits.take(1)
    if sequence.profile != 1:
        bits.take(1)  # monochrome
    return (bits.take(8), bits.take(8)) if bits.flag() else None


def _units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, start of the payload) of the OBUs that state a size."""
    position = 0
    for _ in range(_MAX_UNITS):
        if position >= len(stream):
            return
        head = stream[position]
        position += 2 if head & 4 else 1  # the extension
        size = len(stream) - position
        if head & 2:
            size, position = _leb128(stream, position)
        kind = head >> 3 & 15
        if kind in (_SEQUENCE, _FRAME_HEADER, _FRAME, _REDUNDANT):
            yield kind, stream[position : position + min(size, _HEADER_BYTES)]
        position += size
    raise ValueError(f"more than {_MAX_UNITS:,} units")


def _leb128(stream: bytes, position: int) -> tuple[int, int]:
    """(value, position behind it)."""
    value = 0
    for index in range(8):
        if position >= len(stream):
            raise ValueError("the size of a unit ends early")
        value |= (stream[position] & 127) << 7 * index
        position += 1
        if stream[position - 1] < 128:
            return value, position
    raise ValueError("the size of a unit has more than 8 bytes")


def _sequence(bits: Bits) -> _Sequence:
    profile = bits.take(3)
    bits.take(1)  # still picture
    reduced = bits.flag()
    timing = 0
    if reduced:
        bits.take(5)
    else:
        timing = _operating_points(bits)
    width_bits, height_bits = 1 + bits.take(4), 1 + bits.take(4)
    size = 1 + bits.take(width_bits), 1 + bits.take(height_bits)
    id_bits = 0
    if not reduced and bits.take(1):
        delta = 2 + bits.take(4)
        id_bits = 1 + delta + bits.take(3)
    bits.take(3)  # superblock, filter and edge
    screen_content = integer_motion = _SELECT
    ordered = False
    if not reduced:
        bits.take(4)
        ordered = bits.flag()  # order hints
        if ordered:
            bits.take(2)
        screen_content = _SELECT if bits.take(1) else bits.take(1)
        if screen_content:
            integer_motion = _SELECT if bits.take(1) else bits.take(1)
    ceiling = 1 << width_bits, 1 << height_bits
    return _Sequence(
        profile, size, ceiling, reduced, ordered, timing, id_bits, screen_content, integer_motion
    )


def _operating_points(bits: Bits) -> int:
    """Passes over timing and operating points; the bits of a frame's presentation time."""
    delay = presentation = 0
    if bits.take(1):
        bits.take(64)
        equal = bits.take(1)
        if equal:
            bits.exp_golomb()  # uvlc is coded alike
        if bits.take(1):  # the decoder model
            delay = 1 + bits.take(5)
            bits.take(32 + 5)
            presentation = 1 + bits.take(5)
            presentation = 0 if equal else presentation
    display = bits.take(1)
    for _ in range(1 + bits.take(5)):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if display and bits.take(1):
            bits.take(4)
    return presentation


def _overrides_size(bits: Bits, sequence: _Sequence) -> bool:
    """Whether a frame states a size of its own."""
    if sequence.reduced or bits.take(1):  # an earlier frame is shown once more
        return False
    kind, shown = bits.take(2), bits.take(1)
    if shown and sequence.timing:
        bits.take(sequence.timing)
    if not shown:
        bits.take(1)
    if kind != _SWITCH and not (kind == 0 and shown):
        bits.take(1)
    bits.take(1)
    screen_content = sequence.screen_content
    if screen_content == _SELECT:
        screen_content = bits.take(1)
    if screen_content and sequence.integer_motion == _SELECT:
        bits.take(1)
    bits.take(sequence.id_bits)
    return kind == _SWITCH or bool(bits.take(1))
