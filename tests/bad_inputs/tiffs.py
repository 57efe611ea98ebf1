"""TIFF files, entry by entry; the same structure serves for EXIF."""

import struct

import numpy as np

SHORT, LONG = 3, 4
Entry = tuple[int, int, int, bytes]  # tag, type, count, value or offset in 4 bytes


def short(tag: int, *values: int, order: str = "<") -> Entry:
    """Up to two 16-bit values."""
    packed = struct.pack(order + f"{len(values)}H", *values)
    return tag, SHORT, len(values), packed.ljust(4, b"\0")


def long(tag: int, value: int, order: str = "<") -> Entry:
    return tag, LONG, 1, struct.pack(order + "I", value)


def directory(entries: list[Entry], *, following: int = 0, order: str = "<") -> bytes:
    body = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + value for tag, kind, count, value in entries
    )
    return struct.pack(order + "H", len(entries)) + body + struct.pack(order + "I", following)


def header(order: str = "<", first: int = 8) -> bytes:
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", first)


def tiff(
    samples: np.ndarray,
    *,
    order: str = "<",
    photometric: int = 1,
    sample_format: int = 1,
    bits: int | None = None,
    more: list[Entry] | None = None,
    declared: tuple[int, int] | None = None,
    following: int = 0,
) -> bytes:
    """(H, W) samples in one uncompressed strip behind the directory.

    `bits` overrides what is stated, `declared` (width, height) too; `more` are further entries,
    or others in the place of these.
    """
    height, width = samples.shape[:2]
    if declared:
        width, height = declared
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    entries = [
        long(256, width, order),
        long(257, height, order),
        short(258, bits or samples.dtype.itemsize * 8, order=order),
        short(259, 1, order=order),
        short(262, photometric, order=order),
        long(273, 0, order),
        short(277, 1, order=order),
        long(278, height, order),
        long(279, len(pixels), order),
        short(339, sample_format, order=order),
    ]
    replaced = {entry[0] for entry in more or []}
    entries = [entry for entry in entries if entry[0] not in replaced] + (more or [])
    start = 8 + 2 + 12 * len(entries) + 4
    entries = [long(273, start, order) if entry[0] == 273 else entry for entry in entries]
    entries.sort(key=lambda entry: entry[0])
    return header(order) + directory(entries, following=following, order=order) + pixels
