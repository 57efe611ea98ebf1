"""The strips or tiles of a TIFF page, and any rectangle of them as a file of its own.

What a page says of its pixels is true of each of its parts: whatever reads a TIFF reads a part.
"""

from dataclasses import dataclass, replace

import numpy as np

from pix2pix.errors import Corrupt, Truncated
from pix2pix.images.tiff import extract, structure
from pix2pix.images.tiff.extract import Fields, longs
from pix2pix.images.tiff.structure import Data, TiffHeader

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_TAGS = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES, _ROWS, _COUNTS}
_TAGS |= {_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS}
OWN = {_WIDTH, _HEIGHT, _OFFSETS, _ROWS, _COUNTS, 288, 289, *range(_TILE_WIDTH, 326)}
_OLD_JPEG, _YCBCR = 6, 6
# What decides about pixels: fill order, T4 and T6 options, predictor, colors of a palette, inks,
# samples, JPEG tables, YCbCr, color profile. No orientation: parts lie as they lie.
LAYOUT = {_BITS, _COMPRESSION, _PHOTOMETRIC, 266, _SAMPLES, 280, 281, _PLANAR, 292, 293, 317, 320}
LAYOUT |= {332, 338, 339, 347, 529, 530, 531, 532, 34675}
"""The fields without which a part cannot be read."""
_MISSING = 2**31  # an offset past the end of any part


@dataclass(frozen=True)
class Grid:
    """Where the strips or tiles of one page are: planes, then rows, then columns of them."""

    size: tuple[int, int]
    segment: tuple[int, int]  # width and height of a strip or tile
    tiled: bool
    planes: int  # 1, or as many as there are samples
    offsets: np.ndarray
    counts: np.ndarray

    @property
    def across(self) -> int:
        """Strips or tiles side by side."""
        return -(-self.size[0] // self.segment[0])

    @property
    def down(self) -> int:
        """Rows of strips or tiles."""
        return -(-self.size[1] // self.segment[1])


def of_page(data: Data, head: TiffHeader, offset: int, *, cut: bool = True) -> Grid:
    """The strips or tiles of the page whose directory is at `offset`.

    Strips that are not compressed are `cut` into rows. Raises Corrupt where they are not those of
    the page's size, or overlap.
    """
    entries = structure.directory(data, head, offset, _TAGS)

    def first(tag: int, default: int) -> int:
        return structure.first(entries, tag, default)

    width, height = first(_WIDTH, 0), first(_HEIGHT, 0)
    if not (width and height):
        raise Corrupt("width or height is zero")
    tiled, samples = _TILE_WIDTH in entries, first(_SAMPLES, 1)
    planes = samples if first(_PLANAR, 1) == 2 else 1
    rows = min(max(1, first(_ROWS, height)), height)
    segment = (first(_TILE_WIDTH, 0), first(_TILE_HEIGHT, 0)) if tiled else (width, rows)
    offsets = entries.get(_TILE_OFFSETS if tiled else _OFFSETS)
    counts = entries.get(_TILE_COUNTS if tiled else _COUNTS)
    if 0 in segment:
        raise Corrupt("TIFF tiles without size")
    if offsets is None:
        raise Corrupt("no TIFF strips or tiles")
    row = -(-segment[0] * (samples // planes) * first(_BITS, 1) // 8)
    plain = first(_COMPRESSION, 1) == 1 and first(_PHOTOMETRIC, 1) != _YCBCR
    wanted = -(-width // segment[0]) * -(-height // segment[1]) * planes
    if counts is None and plain:
        counts = np.full(wanted, row * segment[1], np.uint64)
    if counts is None or min(len(offsets), len(counts)) < wanted:
        raise Corrupt(f"{len(offsets):,} of {wanted:,} TIFF strips or tiles")
    grid = Grid((width, height), segment, tiled, planes, offsets[:wanted], counts[:wanted])
    if grid.counts.sum(dtype=np.float64) > 2 * len(data) + 2**16:
        raise Corrupt("TIFF strips or tiles that overlap")
    return _row_by_row(grid, row) if cut and plain and not tiled and rows > 1 else grid


def is_listed(head: TiffHeader, fields: Fields) -> bool:
    """Whether the strips or tiles of a page are listed: those of old JPEG may not be."""
    _, _, values = fields.get(_COMPRESSION, (3, 1, b""))
    return head.number(values[:2]) != _OLD_JPEG


def places(head: TiffHeader, grid: Grid, offsets: list[int]) -> Fields:
    """The fields of a page's size and of its strips or tiles, which are at `offsets`."""
    (width, height), (wide, high), counts = grid.size, grid.segment, grid.counts.tolist()
    size = {_WIDTH: longs(head, width), _HEIGHT: longs(head, height)}
    if not grid.tiled:
        strips = {_OFFSETS: longs(head, *offsets), _COUNTS: longs(head, *counts)}
        return size | strips | {_ROWS: longs(head, high)}
    tiles = {_TILE_OFFSETS: longs(head, *offsets), _TILE_COUNTS: longs(head, *counts)}
    return size | tiles | {_TILE_WIDTH: longs(head, wide), _TILE_HEIGHT: longs(head, high)}


def _row_by_row(grid: Grid, row: int) -> Grid:
    """Uncompressed strips can be cut anywhere."""
    (width, height), step = grid.size, grid.segment[1]
    if height * grid.planes > 2**24:
        return grid
    tops = np.arange(height)
    starts = grid.offsets.reshape(grid.planes, -1)[:, tops // step] + (tops % step * row)
    counts = np.full(height * grid.planes, row, np.uint64)
    offsets = starts.astype(np.uint64).reshape(-1)
    return Grid(grid.size, (width, 1), False, grid.planes, offsets, counts)


def part(
    data: Data,
    head: TiffHeader,
    grid: Grid,
    fields: Fields,
    rows: range,
    columns: range,
    *,
    partly: bool = False,
) -> bytes:
    """Some rows and columns of strips or tiles as a file, with those `fields` that still hold.

    Raises Truncated where the file ends before they do, or, `partly`, has what is there.
    """
    pieces: list[bytes] = []
    offsets, counts, at = [], [], 8
    for plane in range(grid.planes):
        for row in rows:
            start = (plane * grid.down + row) * grid.across
            for index in range(start + columns.start, start + columns.stop):
                offset, count = int(grid.offsets[index]), int(grid.counts[index])
                whole = offset + count <= len(data)
                if not (whole or partly):
                    raise Truncated("the TIFF ends early")
                if whole:
                    pieces.append(data[offset : offset + count])
                offsets.append(at if whole else _MISSING)
                counts.append(count)
                at += count if whole else 0
    (width, height), (wide, high) = grid.size, grid.segment
    size = (
        min(width, columns.stop * wide) - columns.start * wide,
        min(height, rows.stop * high) - rows.start * high,
    )
    within = replace(grid, size=size, counts=np.array(counts, np.uint64))
    fields = {tag: field for tag, field in fields.items() if tag not in OWN}
    return extract.assembled(head, fields | places(head, within, offsets), b"".join(pieces), data)
