"""A page of a TIFF that is too large for the memory, as rows of 8-bit sRGB from the top down.

Its strips or tiles are decoded a few at a time, as any TIFF is (decoder.py, modes.py). The pixels
stay as they lie, and so does the tag that turns them. `plan` says which pages can be read so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from pix2pix.errors import Corrupt, TooLarge, Truncated, UnsupportedMode
from pix2pix.images import containers, decoder, depth, guard, icc, memory, modes, reading
from pix2pix.images.depth import Deep
from pix2pix.images.formats import Container
from pix2pix.images.tiff import extract, grid, structure
from pix2pix.images.tiff.extract import Fields
from pix2pix.images.tiff.grid import Grid
from pix2pix.images.tiff.structure import Data, TiffHeader
from pix2pix.strips import thread_pool

_BAND, _CELL = 2**23, 2**21  # pixels that are given, and that are decoded, at once, where it can be
_MOST = 2**27  # pixels of a row of strips or tiles: more are as much as a whole picture
_BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 258, 259, 262, 274, 277
_FORMAT, _PROFILE = 339, 34675
_NO_LIMIT = 2**62
_TWELVE_BITS = 4095
Cell = tuple[range, range]
"""Rows and columns of strips or tiles."""


@dataclass(frozen=True)
class Band:
    """Some rows of a page."""

    top: int
    rgb: np.ndarray  # (rows, W, 3) uint8 sRGB; of gray a read-only view of one plane
    alpha: np.ndarray | None  # (rows, W) uint8
    deep: Deep | None  # its 16 bits, where they are asked for


@dataclass
class LargePage:
    """One page of a TIFF, to be read from the top down. `plan` makes it."""

    data: Data
    head: TiffHeader
    grid: Grid
    fields: Fields  # all but where its pixels are
    partly: bool  # damaged parts are black
    white: int | None = None  # of gray of 16 bits
    warnings: list[str] = field(default_factory=list)  # of its pixels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as the pixels lie."""
        return self.grid.size

    @property
    def turned(self) -> int:
        """The orientation, 1 to 8, that the file states and the pixels have not got."""
        _, _, values = self.fields.get(_ORIENTATION, (3, 1, b""))
        value = self.head.number(values[:2])
        return value if value in range(1, 9) else 1

    def photo(self, *, deep: bool = False) -> reading.Photo:
        """What the page says besides its pixels; those of the photo are a corner of it.

        `deep` asks for 16 bits. Raises the errors of pix2pix.errors.
        """
        fields = {tag: found for tag, found in self.fields.items() if tag != _ORIENTATION}
        try:
            corner = self._part((range(1), range(1)), fields)
            photo = reading.read(corner, max_pixels=_NO_LIMIT, deep=deep)
        except (Truncated, Corrupt):
            if not self.partly:
                raise
            return reading.read(_dot(self.data, self.head, fields), max_pixels=_NO_LIMIT)
        plain = replace(self, white=None)._decoded((range(1), range(1)), deep=deep)
        said = [warning for warning in photo.warnings if warning not in plain.warnings]
        return replace(photo, warnings=said)

    def bands(self, *, deep: bool = False) -> Iterator[Band]:
        """The rows from the top down, `deep` with their 16 bits.

        Raises Truncated and Corrupt where they are damaged.
        """
        rows = max(1, _BAND // (self.size[0] * self.grid.segment[1]))
        with thread_pool() as pool:
            for first in range(0, self.grid.down, rows):
                cells = self._cells(range(first, min(first + rows, self.grid.down)))
                parts = pool.map(partial(self._decoded, deep=deep), cells)
                yield self._band(cells, parts, deep=deep)

    def find_white(self) -> None:
        """Find the value of white where it depends on all pixels: that of gray of 16 bits."""
        if self._number(_BITS) != 16 or self._number(_SAMPLES) != 1 or self.white is not None:
            return
        every = range(self.grid.down)
        step = max(1, _CELL // (self.size[0] * self.grid.segment[1]))
        low, high, stated = np.inf, -np.inf, None
        for first in every[::step]:
            for cell in self._cells(every[first : first + step]):
                container, image = self._image(self._bytes(cell), [])
                if image is None:
                    continue
                stated = container.white
                values = modes.extremes([np.asarray(image)])
                low, high = min(low, values[0]), max(high, values[1])
            if high > max(_TWELVE_BITS, stated or 0):  # nothing that comes changes anything
                break
        found = Container(white=stated)
        self.white = round(modes.white_of(low, high, found, floats=False, warnings=[]))

    def _number(self, tag: int) -> int:
        kind, _, values = self.fields.get(tag, (3, 1, b""))
        return self.head.number(values[: structure.SIZES.get(kind, 1)]) if values else 1

    def _cells(self, rows: range) -> list[Cell]:
        """Rows of strips or tiles in pieces that are decoded at once."""
        wide, high = self.grid.segment
        columns = range(self.grid.across)
        if self.grid.tiled:
            step = max(1, _CELL // (wide * high * len(rows)))
            return [(rows, columns[at : at + step]) for at in columns[::step]]
        step = max(1, _CELL // (wide * high))
        return [(rows[at : at + step], columns) for at in range(0, len(rows), step)]

    def _part(self, cell: Cell, fields: Fields) -> bytes:
        return grid.part(self.data, self.head, self.grid, fields, *cell, partly=self.partly)

    def _bytes(self, cell: Cell) -> bytes:
        layout = {tag: found for tag, found in self.fields.items() if tag in grid.LAYOUT}
        return self._part(cell, layout)

    def _image(self, data: bytes, warnings: list[str]) -> tuple[Container, Image.Image | None]:
        """A decoded cell; None where nothing of it is there."""
        with guard.reading(_NO_LIMIT):
            container = containers.inspect("TIFF", data)
            if self.white is not None:
                container.white = self.white
            try:
                return container, decoder.decode(
                    data, "TIFF", container, max_pixels=_NO_LIMIT, warnings=warnings
                )
            except Truncated:
                if not self.partly:
                    raise
            try:
                return container, decoder.decode_truncated(
                    data, "TIFF", container, max_pixels=_NO_LIMIT, warnings=warnings
                )
            except Truncated:
                warnings.append(decoder.ENDS_EARLY)
                return container, None

    def _decoded(self, cell: Cell, *, deep: bool) -> "_Decoded":
        warnings: list[str] = []
        data = self._bytes(cell)
        container, image = self._image(data, warnings)
        if image is None:
            return _Decoded(None, None, None, warnings)
        found = depth.of(image, "TIFF", container, data, None) if deep else None
        rgb, alpha = modes.to_rgb(image, container, warnings=warnings)
        if found is not None:
            found.settle(warnings)
        return _Decoded(rgb, alpha, found, warnings)

    def _band(self, cells: list[Cell], parts: Iterator["_Decoded"], *, deep: bool) -> Band:
        wide, high = self.grid.segment
        top = cells[0][0].start * high
        height = min(self.size[1], cells[-1][0].stop * high) - top
        gray = self._number(_PHOTOMETRIC) <= 1
        pixels = np.zeros((height, self.size[0], *(() if gray else (3,))), np.uint8)
        alpha = None
        whole = Deep(np.zeros(pixels.shape[:2], np.uint16)) if deep else None
        for (rows, columns), part in zip(cells, parts, strict=True):
            rgb, mask, its_deep, warnings = part
            self.warnings += [warning for warning in warnings if warning not in self.warnings]
            if rgb is None:
                continue
            place = slice(rows.start * high - top, None), slice(columns.start * wide, None)
            pixels[place][: rgb.shape[0], : rgb.shape[1]] = rgb[..., 0] if gray else rgb
            if mask is not None:
                if alpha is None:
                    alpha = np.zeros((height, self.size[0]), np.uint8)
                alpha[place][: mask.shape[0], : mask.shape[1]] = mask
            if whole is not None:
                _lay(whole, place, its_deep or _as_deep(rgb, mask))
        return Band(top, memory.as_rgb(pixels) if gray else pixels, alpha, whole)


def _dot(data: Data, head: TiffHeader, fields: Fields) -> bytes:
    """A TIFF of one gray pixel that says what `fields` say besides their pixels."""
    said = {tag: found for tag, found in fields.items() if tag not in grid.LAYOUT}
    one, eight = extract.longs(head, 1), extract.longs(head, 8)
    layout = dict.fromkeys((256, 257, 259, 262, 277, 278, 279), one)
    layout |= {_BITS: extract.shorts(head, 8), 273: eight}
    return extract.assembled(head, said | layout, b"\0", data)


def _as_deep(rgb: np.ndarray, alpha: np.ndarray | None) -> Deep:
    """The 8 bits of a damaged cell, beside others of 16."""
    levels = np.uint16(257)
    return Deep(rgb[..., 1] * levels, None if alpha is None else alpha * levels)


def _lay(whole: Deep, place: tuple[slice, slice], part: Deep) -> None:
    """Put a part of a picture to its place."""
    height, width = part.grays.shape
    whole.grays[place][:height, :width] = part.grays
    if part.alpha is not None:
        if whole.alpha is None:
            whole.alpha = np.zeros(whole.grays.shape, np.uint16)
        whole.alpha[place][:height, :width] = part.alpha


class _Decoded(NamedTuple):
    """A cell, as `modes.to_rgb` and `depth.of` have it; None where nothing is there."""

    rgb: np.ndarray | None
    alpha: np.ndarray | None
    deep: Deep | None
    warnings: list[str]


def plan(data: Data, found: Grid, fields: Fields, *, partly: bool = False) -> LargePage:
    """Prepare a page by its strips or tiles and its fields.

    Raises UnsupportedMode for pixels that can only be read all at once, and TooLarge where a strip
    or a row of tiles takes as much memory.
    """
    page = LargePage(data, structure.header(data), found, fields, partly)
    if page._number(_FORMAT) == 3 or page._number(_BITS) > 16:
        raise UnsupportedMode("floats and integers of 32 bits are scaled by the brightest of all")
    if page._number(_BITS) == 16 and page._number(_PHOTOMETRIC) < 2 and page._number(_SAMPLES) > 1:
        raise UnsupportedMode("16-bit gray with alpha is scaled by the brightest of all")
    if icc.coding(fields.get(_PROFILE, (7, 0, b""))[2] or None):
        raise UnsupportedMode("HDR is scaled by the brightest of all")
    if found.size[0] * found.segment[1] > _MOST:
        rows = f"{found.segment[1]:,} rows of {found.size[0]:,} pixels"
        raise TooLarge(f"its {'tiles' if found.tiled else 'strips'} have {rows}")
    return page
