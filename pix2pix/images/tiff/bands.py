"""The samples of a TIFF page, band by band, whatever compresses them.

libtiff, through Pillow, undoes the compression: it is given each band as a file of plain bytes.
What the bytes mean is worked out here. Source: TIFF 6.0, sections 13 to 15; Adobe Photoshop TIFF
Technical Note 3 for the predictor of floats.
"""

import io
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
from PIL import Image

from pix2pix.images import guard
from pix2pix.images.tiff import extract, layout
from pix2pix.images.tiff.extract import longs
from pix2pix.images.tiff.layout import SampleLayout
from pix2pix.images.tiff.structure import TiffHeader

_HEAD = TiffHeader("<", False, 0)


def bands(data: bytes, page: SampleLayout) -> Iterator[tuple[int, np.ndarray]]:
    """(top row, (rows, width, channels) in native byte order): the colors, then alpha if any."""
    wanted = list(range(page.colors)) + ([] if page.alpha is None else [page.alpha])
    if page.planes == 1:
        for top, values in _plane(data, page, 0):
            yield top, values[..., wanted]
        return
    for parts in zip(*(_plane(data, page, plane) for plane in wanted), strict=True):
        yield parts[0][0], np.concatenate([values for _, values in parts], axis=2)


def _plane(data: bytes, page: SampleLayout, plane: int) -> Iterator[tuple[int, np.ndarray]]:
    """(top row, (rows, width, samples)) of one plane; all samples where they are interleaved."""
    width, height = page.size
    row = page.row_bytes * page.across
    at_once = max(1, layout.BAND_BYTES // (row * page.segment[1]))
    step = max(1, layout.BAND_BYTES // row)
    for first in range(0, page.down, at_once):
        last = min(first + at_once, page.down)
        image = _decoded(data, page, plane, first, last)
        above = first * page.segment[1]
        for top in range(0, min(image.height, height - above), step):
            bottom = min(top + step, image.height, height - above)
            packed = np.asarray(image.crop((0, top, row, bottom)))
            yield above + top, _unpacked(packed, page)[:, :width]


def _decoded(data: bytes, page: SampleLayout, plane: int, first: int, last: int) -> Image.Image:
    """Rows `first` to `last` of strips or tiles as bytes: an image in mode L."""
    start = (plane * page.down + first) * page.across
    stop = start + (last - first) * page.across
    offsets, counts = page.offsets[start:stop], page.counts[start:stop]
    places = zip(offsets.tolist(), counts.tolist(), strict=True)
    segments = [data[offset : offset + count] for offset, count in places]
    lengths = [len(segment) for segment in segments]
    rows = (last - first) * page.segment[1]
    if not page.tiled:
        rows = min(rows, page.size[1] - first * page.segment[1])
    place, size = (324, 325) if page.tiled else (273, 279)
    fields = {
        256: longs(_HEAD, page.row_bytes * page.across),
        257: longs(_HEAD, rows),
        258: longs(_HEAD, 8),
        259: longs(_HEAD, page.compression),
        262: longs(_HEAD, 1),
        266: longs(_HEAD, page.fill_order),
        277: longs(_HEAD, 1),
        place: longs(_HEAD, *accumulate([8, *lengths[:-1]])),  # where each begins
        size: longs(_HEAD, *lengths),
    }
    if page.tiled:
        fields |= {322: longs(_HEAD, page.row_bytes), 323: longs(_HEAD, page.segment[1])}
    else:
        fields[278] = longs(_HEAD, page.segment[1])
    file = io.BytesIO(extract.assembled(_HEAD, fields, b"".join(segments)))
    image = Image.open(file, formats=["TIFF"])
    if page.partly:
        guard.load_what_there_is(image)
    else:
        image.load()
    return image


def _unpacked(packed: np.ndarray, page: SampleLayout) -> np.ndarray:
    """uint8 (rows, bytes) -> (rows, padded width, samples), native, the predictor undone."""
    samples = page.samples // page.planes
    dtype, size = page.dtype.newbyteorder("="), page.dtype.itemsize
    shape = len(packed), page.across, page.segment[0], samples
    if page.predictor == 3:
        parts = packed.reshape(*shape[:2], -1, samples).cumsum(axis=2, dtype=np.uint8)
        parts = parts.reshape(*shape[:2], size, -1)  # the highest bytes of all samples first
        joined = np.ascontiguousarray(np.moveaxis(parts, 2, -1))
        values = joined.view(page.dtype.newbyteorder(">")).astype(dtype)
    else:
        values = packed.view(page.dtype).astype(dtype).reshape(shape)
        if page.predictor == 2:
            whole = values.view(f"u{size}")
            values = whole.cumsum(axis=2, dtype=whole.dtype).view(dtype)
    return values.reshape(shape[0], -1, samples)
