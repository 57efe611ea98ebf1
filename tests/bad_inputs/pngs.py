"""PNG files, chunk by chunk."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(
    width: int,
    height: int,
    rows: bytes = b"",
    *,
    bits: int = 8,
    color: int = 0,
    before: bytes = b"",
    after: bytes = b"",
    compressed: bytes | None = None,
) -> bytes:
    """A PNG of raw rows, each without its filter byte; chunks `before` and `after` the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    if compressed is None:
        stride = len(rows) // height if rows else 0
        filtered = b"".join(
            b"\0" + rows[i : i + stride] for i in range(0, len(rows), max(1, stride))
        )
        compressed = zlib.compress(filtered)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", compressed) + after
    return SIGNATURE + body + chunk(b"IEND", b"")


def from_samples(samples: np.ndarray, *, before: bytes = b"") -> bytes:
    """(H, W) or (H, W, C) uint8 or uint16 -> a PNG of that depth; C is 2 (LA), 3 or 4."""
    height, width = samples.shape[:2]
    color = {1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    bits = samples.dtype.itemsize * 8
    rows = samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    return png(width, height, rows, bits=bits, color=color, before=before)


def with_chunk(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk right behind its header."""
    return data[:33] + chunk(kind, content) + data[33:]


def text_bomb(size: int) -> bytes:
    """The content of a zTXt chunk that inflates to `size` bytes."""
    return b"Comment\0\0" + _zeros(size)


def profile_bomb(size: int) -> bytes:
    """The content of an iCCP chunk that inflates to `size` bytes."""
    return b"icc\0\0" + _zeros(size)


def _zeros(size: int) -> bytes:
    squeeze, block = zlib.compressobj(9), bytes(2**20)
    pieces = [squeeze.compress(block) for _ in range(size // len(block))]
    return b"".join([*pieces, squeeze.flush()])


def flat_bits(width: int, height: int) -> bytes:
    """A real black 1-bit PNG of any size, in little memory."""
    squeeze, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    rows = [squeeze.compress(row * 100) for _ in range(height // 100)]
    rows += [squeeze.compress(row * (height % 100)), squeeze.flush()]
    return png(width, height, bits=1, compressed=b"".join(rows))


def compressed_profile(profile: bytes) -> bytes:
    """The content of an iCCP chunk."""
    return b"icc\0\0" + zlib.compress(profile)
