"""HEVC before decoding: how large its pictures are, whatever the file around them says.

Source: ITU-T H.265, sections 7.3.1 to 7.3.3.
"""

from pix2pix.images.bits import Bits

_SEQUENCE = 33
_HEADER_BYTES = 256  # more than any header up to the size takes
_MAX_UNITS = 10_000

Size = tuple[int, int]


def coded_size(unit: bytes) -> Size | None:
    """(width, height) of the pictures of a NAL unit, or None if it is no sequence parameter set.

    Raises ValueError where it cannot be read.
    """
    if len(unit) < 2 or unit[0] >> 1 & 63 != _SEQUENCE:
        return None
    # 00 00 03 stands for 00 00, so that no start code can occur within
    bits = Bits(unit[2:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:  # 4:4:4
        bits.take(1)
    return bits.exp_golomb(), bits.exp_golomb()


def configured_size(box: bytes) -> Size | None:
    """The size in an HEVC decoder configuration record (hvcC). Raises ValueError."""
    largest: Size | None = None
    position, arrays = 23, box[22] if len(box) > 22 else 0
    for _ in range(arrays):
        count = int.from_bytes(box[position + 1 : position + 3], "big")
        position += 3
        for _ in range(min(count, _MAX_UNITS)):
            length = int.from_bytes(box[position : position + 2], "big")
            found = coded_size(box[position + 2 : position + 2 + length])
            largest = _larger(largest, found)
            position += 2 + length
            if position > len(box):
                raise ValueError("the configuration ends early")
    return largest


def in_band_size(stream: bytes) -> Size | None:
    """The size that the picture itself states, in NAL units with their lengths in 4 bytes."""
    largest: Size | None = None
    position = 0
    for _ in range(_MAX_UNITS):
        if position + 4 > len(stream):
            return largest
        length = int.from_bytes(stream[position : position + 4], "big")
        position += 4
        unit = stream[position : position + min(length, _HEADER_BYTES)]
        largest = _larger(largest, coded_size(unit))
        position += length
    raise ValueError(f"more than {_MAX_UNITS:,} units")


def _larger(first: Size | None, second: Size | None) -> Size | None:
    sizes = [size for size in (first, second) if size is not None]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
