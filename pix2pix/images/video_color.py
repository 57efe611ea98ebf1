"""Primaries and transfer function from the sequence headers of HEVC and AV1.

HEIF may leave them there, without a colr box. Source: ITU-T H.265, 7.3.2.2, 7.3.3, E.2.1; AV1
bitstream specification, 5.5.
"""

_MAX_ZEROS = 32


class _Bits:
    """Big-endian bits; those past the end are zero."""

    def __init__(self, data: bytes):
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        shifted = self.value >> self.left if self.left >= 0 else self.value << -self.left
        return shifted & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.take(1) == 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while zeros < _MAX_ZEROS and self.left > 0 and not self.flag():
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def hevc(config: bytes) -> tuple[int, int] | None:
    """The content of an hvcC box -> (primaries, transfer), None where they are not stated."""
    position, arrays = 23, config[22] if len(config) > 22 else 0
    for _ in range(arrays):
        kind = config[position] & 0x3F if position < len(config) else 0
        units = int.from_bytes(config[position + 1 : position + 3], "big")
        position += 3
        for _ in range(units):
            size = int.from_bytes(config[position : position + 2], "big")
            unit = config[position + 2 : position + 2 + size]
            position += 2 + size
            if kind == 33 and len(unit) == size > 4:
                return _sequence_parameters(unit[2:].replace(b"\0\0\3", b"\0\0"))
            if position > len(config):
                return None
    return None


def _sequence_parameters(data: bytes) -> tuple[int, int] | None:
    bits = _Bits(data[:4096])
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)  # nesting, general profile, level
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:  # 4:4:4
        bits.take(1)
    bits.golomb(), bits.golomb()  # width, height
    if bits.flag():
        _skip(bits, 4)
    _skip(bits, 2)  # bit depths
    order_bits = bits.golomb() + 4
    _skip(bits, 3 * (layers + 1 if bits.flag() else 1))
    _skip(bits, 6)  # block sizes
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.take(2)
    if bits.flag():  # pcm
        bits.take(8)
        _skip(bits, 2)
        bits.take(1)
    if bits.golomb():  # pictures predicted from others: a film
        return None
    if bits.flag():
        for _ in range(min(bits.golomb(), 33)):
            bits.take(order_bits + 1)
    bits.take(2)
    return _usability(bits) if bits.flag() else None


def _usability(bits: _Bits) -> tuple[int, int] | None:
    """The start of H.265's video usability information."""
    if bits.flag() and bits.take(8) == 255:  # aspect ratio
        bits.take(32)
    if bits.flag():  # overscan
        bits.take(1)
    if bits.flag():
        bits.take(4)
        if bits.flag():
            return _pair(bits)
    return None


def _skip(bits: _Bits, count: int) -> None:
    for _ in range(count):
        bits.golomb()


def _skip_scaling_lists(bits: _Bits) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.golomb()
            else:
                _skip(bits, min(64, 1 << (4 + 2 * size)) + (size > 1))


def av1(config: bytes) -> tuple[int, int] | None:
    """The content of an av1C box -> (primaries, transfer), None where they are not stated."""
    if len(config) < 6 or config[4] >> 3 & 15 != 1 or not config[4] & 2:
        return None
    start = 6 + (config[4] >> 2 & 1)  # behind the size, below 128
    bits = _Bits(config[start:])
    profile = bits.take(3)
    bits.take(1)
    reduced = bits.flag()
    if reduced:
        bits.take(5)
    elif not _skip_operating_points(bits):
        return None
    across, down = bits.take(4) + 1, bits.take(4) + 1
    bits.take(across + down)
    if not reduced:
        _skip_film_tools(bits)
    else:
        bits.take(3)
    bits.take(3)  # superres, cdef, restoration
    deep = bits.flag()
    if profile == 2 and deep:
        bits.take(1)
    if profile != 1:
        bits.take(1)  # monochrome
    return _pair(bits) if bits.flag() else None


def _skip_operating_points(bits: _Bits) -> bool:
    """False where timing is stated: a film, which says its color in colr."""
    if bits.flag():
        return False
    delays = bits.flag()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delays and bits.flag():
            bits.take(4)
    return True


def _skip_film_tools(bits: _Bits) -> None:
    if bits.flag():  # frame numbers
        bits.take(7)
    bits.take(3 + 4)
    ordered = bits.flag()
    if ordered:
        bits.take(2)
    screen = bits.flag() or bits.flag()
    if screen and not bits.flag():
        bits.take(1)
    if ordered:
        bits.take(3)


def _pair(bits: _Bits) -> tuple[int, int]:
    return bits.take(8), bits.take(8)
