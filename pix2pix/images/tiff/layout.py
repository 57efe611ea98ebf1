"""How the samples of a TIFF page lie in the file, where Pillow has no name for the layout.

Floats of 16 and 64 bits, RGB of floats, 32-bit unsigned integers, gray with alpha or infrared,
CIELab of 16 bits. Source: TIFF 6.0, sections 15, 18 and 23.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import TiffImagePlugin

from pix2pix.errors import Corrupt, TooLarge
from pix2pix.images.formats import Container
from pix2pix.images.tiff import structure

BAND_BYTES = 2**19  # some eight temporary arrays are as large
_BYTEWISE = {1, 5, 8, 32773, 32946, 34925, 50000}  # compressions that know no pixels
_COLORS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3}  # photometric -> its samples
_TYPES = {(1, 8): "u1", (1, 16): "u2", (1, 32): "u4", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
CMYK, LAB = 5, 8
PREMULTIPLIED, ALPHA = 1, 2
# No compression of photos gains as much; it bounds what a small file can make of itself.
_RATIO, _SLACK = 4096, 2**26
_TAGS = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339}


@dataclass(frozen=True)
class SampleLayout:
    """How the samples of one page lie in the file."""

    size: tuple[int, int]
    samples: int
    dtype: np.dtype  # in the file's byte order
    photometric: int
    compression: int
    predictor: int
    fill_order: int
    planes: int  # 1, or as many as there are samples
    extra: tuple[int, ...]  # meaning of the samples behind the colors
    offsets: np.ndarray
    counts: np.ndarray
    segment: tuple[int, int]  # width and height of a strip or tile
    tiled: bool
    partly: bool = False  # read up to where it is damaged

    @property
    def colors(self) -> int:
        """1 for gray, 3 for RGB and CIELab, 4 for CMYK."""
        return _COLORS[self.photometric]

    @property
    def alpha(self) -> int | None:
        """Which sample is alpha."""
        for index, meaning in enumerate(self.extra):
            if meaning in (PREMULTIPLIED, ALPHA) and self.photometric not in (CMYK, LAB):
                return self.colors + index
        return None

    @property
    def dropped(self) -> int:
        """The number of samples that are neither color nor alpha."""
        return self.samples - self.colors - (self.alpha is not None)

    @property
    def mode(self) -> str:
        """The mode of Pillow that the page is brought to."""
        if self.photometric in (CMYK, LAB):
            return "CMYK" if self.photometric == CMYK else "LAB"
        if self.colors == 3:
            return "RGB" if self.alpha is None else "RGBA"
        if self.alpha is not None:
            return "LA"
        return {"u1": "L", "u2": "I;16", "u4": "I;16"}.get(self.dtype.str[1:], "F")

    @property
    def row_bytes(self) -> int:
        """The bytes of one row of a strip or tile."""
        return self.segment[0] * self.samples // self.planes * self.dtype.itemsize

    @property
    def across(self) -> int:
        """Strips or tiles side by side."""
        return -(-self.size[0] // self.segment[0])

    @property
    def down(self) -> int:
        """Rows of strips or tiles."""
        return -(-self.size[1] // self.segment[1])


def of_page(data: bytes, container: Container, *, deep: bool = False) -> SampleLayout | None:
    """The layout of the picture's page, or None where Pillow reads it itself.

    `deep` asks for that of 16-bit RGB, too, of which Pillow keeps 8 bits. Raises Corrupt where the
    strips are not those of its size.
    """
    head = structure.header(data)
    entries = structure.directory(data, head, container.page or head.first, _TAGS)
    first = partial(structure.first, entries)
    bits, kinds = set(entries.get(258, (1,))), set(entries.get(339, (1,)))
    photometric, samples = first(262, -1), first(277, 1)
    dtype = _TYPES.get((int(max(kinds)), int(max(bits))))
    if len(bits) > 1 or len(kinds) > 1 or dtype is None or container.size is None:
        return None
    extra = tuple(int(meaning) for meaning in entries.get(338, ())[:samples])
    extra = (extra + (0,) * samples)[: max(0, samples - _COLORS.get(photometric, samples))]
    planar = first(284, 1) == 2
    cut = deep and photometric == 2 and dtype == "u2" and samples >= 3
    if not (cut or _is_ours(photometric, dtype, samples, extra, planar=planar)):
        return None
    tiled = 322 in entries
    offsets, counts = entries.get(324 if tiled else 273), entries.get(325 if tiled else 279)
    known = first(259, 1) in _BYTEWISE and first(317, 1) in (1, 2, 3)
    if offsets is None or not known:
        return None
    if first(317, 1) == 3 and dtype[0] != "f":
        raise Corrupt("a predictor for floats, but no floats")
    width, height = container.size
    found = SampleLayout(
        size=container.size,
        samples=samples,
        dtype=np.dtype(head.order + dtype),
        photometric=photometric,
        compression=first(259, 1),
        predictor=first(317, 1),
        fill_order=first(266, 1),
        planes=samples if planar else 1,
        extra=extra,
        offsets=offsets,
        counts=counts if counts is not None else np.zeros(0, np.uint32),
        segment=(first(322, 0), first(323, 0))
        if tiled
        else (width, min(max(1, first(278, height)), height)),
        tiled=tiled,
    )
    return _checked(found)


def _is_ours(
    photometric: int, dtype: str, samples: int, extra: tuple[int, ...], *, planar: bool
) -> bool:
    """Whether Pillow lacks the layout, or reads it wrongly, as big-endian floats and planes do."""
    colors = _COLORS.get(photometric)
    if colors is None or not colors <= samples <= TiffImagePlugin.MAX_SAMPLESPERPIXEL:
        return False
    if dtype[0] == "f" or dtype == "u4":
        return photometric in (0, 1, 2)
    if planar and samples > 1 and (dtype == "u2" or bool(extra)):
        return True
    if photometric == LAB:
        return dtype == "u2" or bool(extra)
    if colors > 1:
        return dtype == "u2" and len(extra) > (1 if photometric == 2 else 0)
    return bool(extra) and (dtype != "u1" or extra != (ALPHA,))


def _checked(page: SampleLayout) -> SampleLayout:
    if 0 in page.segment:
        raise Corrupt("TIFF tiles without size")
    row = page.row_bytes
    if row * page.across >= 2**31:
        raise TooLarge("TIFF rows of more than 2 GB")
    wanted = page.across * page.down * page.planes
    if len(page.offsets) < wanted:
        raise Corrupt(f"{len(page.offsets):,} of {wanted:,} TIFF strips or tiles")
    if len(page.counts) < wanted:
        if page.compression != 1:
            raise Corrupt("TIFF strips or tiles without their sizes")
        page = replace(page, counts=np.full(wanted, row * page.segment[1]))
    unpacked = page.size[0] * page.size[1] * page.samples * page.dtype.itemsize
    if unpacked > _SLACK + _RATIO * int(page.counts.sum(dtype=np.float64)):
        raise Corrupt(f"{unpacked:,} bytes of TIFF samples in hardly any data")
    if page.compression == 1 and not page.tiled and page.segment[1] * row > BAND_BYTES:
        return _in_short_strips(page, row)
    return page


def _in_short_strips(page: SampleLayout, row: int) -> SampleLayout:
    """An uncompressed strip can be cut anywhere."""
    rows, height = max(1, BAND_BYTES // row), page.size[1]
    offsets, counts = [], []
    for plane in range(page.planes):
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            strip, within = divmod(top, page.segment[1])
            if within + bottom - top > page.segment[1]:
                return page  # the strips are no multiple of it, and not much longer either
            offsets.append(int(page.offsets[plane * page.down + strip]) + within * row)
            counts.append((bottom - top) * row)
    return replace(
        page,
        offsets=np.array(offsets, np.uint64),
        counts=np.array(counts, np.uint64),
        segment=(page.segment[0], rows),
    )
