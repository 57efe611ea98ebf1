"""Color a page of a TIFF that is too large for the memory: it is read twice, from the top down.

First for the small copy that the net sees, then to lay its colors over each row. Rows are those of
`Colorizer.color`, whatever the size. The pixels lie as they did: where a tag turns the page, it
stays, and only what the net sees is turned.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pix2pix.colorize.copies import Coloring
from pix2pix.colorize.glance import Glance
from pix2pix.colorize.incolor import in_color, remarks
from pix2pix.colorize.model import net_size
from pix2pix.colorize.painter import Painter
from pix2pix.colorize.workers import check
from pix2pix.images import orientation, rows
from pix2pix.images.large import LargePage
from pix2pix.images.reading import Photo
from pix2pix.images.task import COLOR
from pix2pix.images.tiff.extract import Fields
from pix2pix.images.tiff.output import TiffWriter

_TURNED = "turned by its tag, as before: its pixels lie as they did"


@dataclass
class Looked:
    """What is known of a page once all of it was seen."""

    small: np.ndarray  # (h, w, 3) uint8, as the net sees it, as the pixels lie
    sampled: np.ndarray  # (h, w, 3) uint8, to judge its colors by
    transparent: bool

    @property
    def in_color(self) -> bool:
        """Whether it is in color already."""
        return in_color(self.sampled)


def look(page: LargePage, coloring: Coloring) -> Looked:
    """Read a page for the first time. Raises Truncated and Corrupt where it is damaged."""
    page.find_white()
    width, height = page.size
    model = coloring.model
    aside = page.turned > 4
    shape = (width, height) if aside else (height, width)
    net = net_size(*shape, area=model.header.area_for(*shape), multiple=model.engine.multiple)
    glance = Glance(height, width, net[::-1] if aside else net)
    transparent = False
    for band in page.bands():
        check()
        glance.add(band.rgb)
        transparent |= band.alpha is not None
    return Looked(glance.small(), glance.sampled(), transparent)


def color(
    page: LargePage,
    looked: Looked,
    coloring: Coloring,
    file: TiffWriter,
    *,
    beside: Callable[[Photo], Photo] | None,
    more: Fields,
    deep: bool = False,
    keep_gps: bool = False,
) -> list[str]:
    """Color a page into a TIFF -> what was lost, and what it was. Raises PhotoError.

    `beside` adds what stands beside the file, sidecars; `more` are fields that are kept. `deep`
    keeps 16 bits where there are any.
    """
    width, height = page.size
    photo = page.photo(deep=deep)
    deep = photo.deep is not None
    if beside is not None:
        photo = beside(photo)
    aside = page.turned > 4
    upright = (width, height) if aside else (height, width)
    small = np.ascontiguousarray(orientation.turned(looked.small, page.turned))
    ab = coloring.model.chroma(small, upright, coloring.wish)
    ab = np.stack([orientation.turned_back(plane, page.turned) for plane in ab])
    painter = Painter(ab, height, width, deep=deep)
    writer = rows.RowWriter(file, photo, page.grid, transparent=looked.transparent)
    page.warnings.clear()  # of the first time, of 8 bits
    for band in page.bands(deep=deep):
        check()
        if band.deep is None:
            writer.add(painter.paint(band.top, band.rgb), band.alpha)
        else:
            writer.add(painter.paint16(band.top, band.deep.grays), band.deep.alpha)
    said = photo.warnings + [w for w in page.warnings if w not in photo.warnings]
    said += remarks(looked.sampled)
    if page.turned != 1:
        said.append(_TURNED)
    fields, data = rows.describe(
        (width, height),
        photo,
        model=coloring.model.name,
        task=COLOR,
        turned=page.turned,
        keep_gps=keep_gps,
        warnings=said,
    )
    writer.finish(more | fields, data)
    return said
