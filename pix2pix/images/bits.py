"""Numbers in binary headers: bytes in either order, and bits as video codecs pack them."""

Size = tuple[int, int]  # (width, height)


def big(data: bytes, start: int, size: int) -> int:
    """Read an unsigned big-endian integer of `size` bytes, of fewer at the end of `data`."""
    return int.from_bytes(data[start : start + size], "big")


def little(data: bytes, start: int, size: int) -> int:
    """Read an unsigned little-endian integer."""
    return int.from_bytes(data[start : start + size], "little")


class Bits:
    """A bit reader, most significant bit first. Reading past the end raises ValueError."""

    def __init__(self, data: bytes):
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """Read `count` bits as an unsigned integer."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the header ends early")
        return self._value >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        """Read one bit."""
        return self.take(1) == 1

    def exp_golomb(self) -> int:
        """Read an unsigned Exp-Golomb code (ITU-T H.265, 9.2)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a number of more than 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)
