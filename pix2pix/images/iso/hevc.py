"""HEVC before decoding: how large its pictures truly are, and the color that its headers state.

HEIF may leave the color there, without a colr box. Source: ITU-T H.265, 7.3.1 to 7.3.3, E.2.1.
"""

from collections.abc import Iterator

from pix2pix.images.bits import Bits, Size, big

_SEQUENCE = 33
_MAX_UNITS = 10_000
_HEADER_BYTES = 256  # more than any header up to the size takes
_COLOR_BYTES = 4096  # and up to the color


def coded_size(unit: bytes) -> Size | None:
    """Parse a NAL unit -> (width, height), or None if it is no sequence parameter set.

    Raises ValueError where it cannot be read.
    """
    return _size(unit, _HEADER_BYTES)[0] if _is_sequence(unit) else None


def configured_size(config: bytes) -> Size | None:
    """Parse a decoder configuration record (hvcC) -> the largest size. Raises ValueError."""
    return _largest(_configured(config))


def in_band_size(stream: bytes) -> Size | None:
    """Parse the coded picture, NAL units with lengths in 4 bytes -> the size that it states."""
    return _largest(_in_band(stream))


def color(config: bytes) -> tuple[int, int] | None:
    """Parse a decoder configuration record (hvcC) -> (primaries, transfer), None if not stated."""
    try:
        return next((_color(unit) for unit in _configured(config) if _is_sequence(unit)), None)
    except ValueError:  # it ends early
        return None


def _configured(config: bytes) -> Iterator[bytes]:
    """The NAL units of a decoder configuration record."""
    position, arrays = 23, config[22] if len(config) > 22 else 0
    for _ in range(arrays):
        count = big(config, position + 1, 2)
        position += 3
        for _ in range(min(count, _MAX_UNITS)):
            length = big(config, position, 2)
            yield config[position + 2 : position + 2 + length]
            position += 2 + length
            if position > len(config):
                raise ValueError("the configuration ends early")


def _in_band(stream: bytes) -> Iterator[bytes]:
    """The start of each NAL unit of a coded picture."""
    position = 0
    for _ in range(_MAX_UNITS):
        if position + 4 > len(stream):
            return
        length = big(stream, position, 4)
        yield stream[position + 4 : position + 4 + min(length, _HEADER_BYTES)]
        position += 4 + length
    raise ValueError(f"more than {_MAX_UNITS:,} units")


def _largest(units: Iterator[bytes]) -> Size | None:
    sizes = [size for unit in units if (size := coded_size(unit)) is not None]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _is_sequence(unit: bytes) -> bool:
    return len(unit) > 1 and unit[0] >> 1 & 63 == _SEQUENCE


def _size(unit: bytes, most: int) -> tuple[Size, int, Bits]:
    """The size in a sequence parameter set, its number of sub-layers, and the bits that follow."""
    # 00 00 03 stands for 00 00, so that no start code can occur within
    bits = Bits(unit[2:most].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)  # nesting, general profile, level
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:  # 4:4:4
        bits.take(1)
    return (bits.exp_golomb(), bits.exp_golomb()), layers, bits


def _color(unit: bytes) -> tuple[int, int] | None:
    """The color in a sequence parameter set, far behind the size."""
    _, layers, bits = _size(unit, _COLOR_BYTES)
    if bits.flag():
        _skip(bits, 4)
    _skip(bits, 2)  # bit depths
    order_bits = bits.exp_golomb() + 4
    _skip(bits, 3 * (layers + 1 if bits.flag() else 1))
    _skip(bits, 6)  # block sizes
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.take(2)
    if bits.flag():  # pcm
        bits.take(8)
        _skip(bits, 2)
        bits.take(1)
    if bits.exp_golomb():  # pictures predicted from others: a film
        return None
    if bits.flag():
        for _ in range(min(bits.exp_golomb(), 33)):
            bits.take(order_bits + 1)
    bits.take(2)
    return _usability(bits) if bits.flag() else None


def _usability(bits: Bits) -> tuple[int, int] | None:
    """The start of H.265's video usability information."""
    if bits.flag() and bits.take(8) == 255:  # aspect ratio
        bits.take(32)
    if bits.flag():  # overscan
        bits.take(1)
    if bits.flag():
        bits.take(4)
        if bits.flag():
            return bits.take(8), bits.take(8)
    return None


def _skip(bits: Bits, count: int) -> None:
    for _ in range(count):
        bits.exp_golomb()


def _skip_scaling_lists(bits: Bits) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.exp_golomb()
            else:
                _skip(bits, min(64, 1 << (4 + 2 * size)) + (size > 1))
