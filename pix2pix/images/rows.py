"""Write a large page of a TIFF row by row: compressed as its source was, with its metadata.

Tiles stay tiles of the same size; strips become strips of some rows. Neither the rows that are
written nor those to come are in memory.
"""

import io
import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pix2pix.errors import one_line
from pix2pix.images import icc, writing
from pix2pix.images.metadata import statement, writer
from pix2pix.images.reading import Photo
from pix2pix.images.task import COLOR, Task
from pix2pix.images.tiff import extract, packing, pieces, structure
from pix2pix.images.tiff.extract import Fields, longs, shorts
from pix2pix.images.tiff.grid import Grid
from pix2pix.images.tiff.output import TiffWriter
from pix2pix.images.tiff.structure import TiffHeader
from pix2pix.strips import thread_pool

_HEAD = TiffHeader("<", False, 0)
_STRIP = 2**18  # [bytes] of a strip, at least
_ORIENTATION = 274
_ALIGNED = 16  # [px] that JPEG's blocks fit into


class RowWriter:
    """Takes the rows of a page from the top down; at last `finish` it."""

    def __init__(self, file: TiffWriter, like: Photo, source: Grid, *, transparent: bool):
        """`like` says how to compress and how deep, `source` how the pixels of the source lay."""
        self._file, self.size = file, source.size
        channels, deep = 4 if transparent else 3, like.deep is not None
        name = writing.tiff_compression(like.encoding, transparent=transparent, lossless=deep)
        name = like.encoding.get("compression", name) if deep else name
        compression = pieces.JPEG if name == "jpeg" and not deep else packing.compression(name)
        quality = writing.jpeg_quality(like.encoding)
        self._layout = pieces.fields(compression, channels, bits=16 if deep else 8, quality=quality)
        self._encode = pieces.encoder(compression, quality=quality, frugal=True)
        width = self.size[0]
        step = _ALIGNED if compression == pieces.JPEG else 1
        self._tiled = source.tiled and not any(side % _ALIGNED for side in source.segment)
        if self._tiled:
            self._piece = source.segment
        else:
            rows = math.ceil(_STRIP / (width * channels * step)) * step
            self._piece = width, min(rows, self.size[1])
        self._rest: np.ndarray | None = None
        self._offsets: list[int] = []
        self._counts: list[int] = []

    def add(self, rgb: np.ndarray, alpha: np.ndarray | None) -> None:
        """Write the next rows (n, W, 3), and (n, W) where it is transparent: uint8 or uint16."""
        pixels = rgb if alpha is None else np.dstack([rgb, alpha])
        if self._rest is not None:
            pixels = np.concatenate([self._rest, pixels])
            self._rest = None
        whole = len(pixels) // self._piece[1] * self._piece[1]
        self._write(pixels[:whole])
        if whole < len(pixels):
            self._rest = pixels[whole:].copy()

    def finish(self, said: Fields, data: bytes) -> None:
        """End the page with all that `describe` says of it besides its pixels."""
        if self._rest is not None:
            self._write(self._rest)
        fields = said | self._layout | {256: longs(_HEAD, self.size[0])}
        fields[257] = longs(_HEAD, self.size[1])
        wide, high = self._piece
        if self._tiled:
            fields |= {322: longs(_HEAD, wide), 323: longs(_HEAD, high)}
        else:
            fields[278] = longs(_HEAD, high)
        for tag in (324, 325) if self._tiled else (273, 279):
            fields[tag] = longs(_HEAD, 0)
        self._file.page(fields, data, self._offsets, self._counts)

    def _write(self, pixels: np.ndarray) -> None:
        with thread_pool() as pool:
            for data in pool.map(self._encode, self._cut(pixels)):
                self._offsets.append(self._file.add(data))
                self._counts.append(len(data))

    def _cut(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        """Tiles, filled up with their last row and column, or strips."""
        wide, high = self._piece
        for top in range(0, len(pixels), high):
            for left in range(0, self.size[0], wide):
                piece = pixels[top : top + high, left : left + wide]
                if self._tiled and piece.shape[:2] != (high, wide):
                    lacking = [(0, high - piece.shape[0]), (0, wide - piece.shape[1]), (0, 0)]
                    piece = np.pad(piece, lacking, "edge")
                yield piece


def describe(
    size: tuple[int, int],
    like: Photo,
    *,
    model: str,
    task: Task = COLOR,
    turned: int = 1,
    keep_gps: bool = False,
    warnings: list[str],
) -> tuple[Fields, bytes]:
    """What the directory of a large copy says besides its pixels, and the TIFF that it lies in.

    As `images.write` has it, but for the orientation `turned`, which stays.
    """
    dot = Image.new("RGB", (1, 1))
    options = {"icc_profile": icc.srgb_bytes()} if like.profiled else {}
    failure: Exception | None = None
    for source in (like, Photo(like.rgb, None, like.format)):  # then without what the file said
        buffer, lost = io.BytesIO(), list[str]()
        try:
            said = statement.compose(
                source,
                name="TIFF",
                size=size,
                model=model,
                task=task,
                keep_gps=keep_gps,
                warnings=lost,
            )
            dpi = {"dpi": source.dpi} if source.dpi else {}
            dot.save(buffer, "TIFF", **options, **dpi)
            writer.finish_tiff(buffer, said)
            break
        except (ValueError, TypeError, OverflowError, OSError, ArithmeticError) as error:
            if failure is not None:
                raise
            failure = error
    if failure is not None:
        warnings.append(f"EXIF, XMP, IPTC and comments not written: {one_line(failure)}")
    warnings += lost
    data = buffer.getvalue()
    head = structure.header(data)
    fields = extract.page_fields(data, head, head.first)
    for tag in (*range(256, 260), 262, 273, *range(277, 280), 284):
        fields.pop(tag, None)
    fields.pop(_ORIENTATION, None)
    if turned != 1:
        fields[_ORIENTATION] = shorts(_HEAD, turned)
    return fields, data
