"""Pairs for training: a gray picture of each photo beside the color one, as `gray/` and `color/`.

Where the gray one is a scan or another print, the net should see that one and not the color
photo's own lightness. Both halves lie in one cache, and are cut and mirrored as one picture.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pix2pix.data.cache import Row
from pix2pix.data.photos import Photos, resize
from pix2pix.errors import DataError

Half = dict[tuple[str, ...], Row]
_STRETCH = 0.01  # by which the ratio of width to height of a pair may differ


class Pairs(Photos):
    """Position in an endless sequence -> (crop (6, size, size) uint8, position).

    A crop is the color rgb, then the gray rgb; `prepare` takes L from the latter. `source` is a
    folder or zip in which folders named `gray_folder` and `color_folder`, at any depth and in upper
    or lower case, hold files of the same name but for their suffix. A gray picture of another size
    is scaled to the color one's. `odd` has the names of the pictures that are left out, and why:
    without a partner, of another shape (by more than 1 % and a pixel), or a second of a name. All
    else is as in `Photos`; `rows` and `name` are those of the color pictures.

    Raises DataError when there are no pairs, ValueError when both folders have one name.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        gray_folder: str = "gray",
        color_folder: str = "color",
        **settings: Any,
    ):
        self.gray_folder, self.color_folder = gray_folder, color_folder
        if gray_folder.casefold() == color_folder.casefold():
            raise ValueError(f"gray_folder={gray_folder}, color_folder={color_folder}: one name")
        self.odd: dict[str, str] = {}
        self._partners: dict[str, Row] = {}  # the gray row of each color row's name
        super().__init__(source, **settings)

    @property
    def notes(self) -> str:
        """A summary of what was left out, for people."""
        return ", ".join(filter(None, [super().notes, self._odd_notes()]))

    def _odd_notes(self) -> str:
        """The number of odd pictures, and three of them; "" when there are none."""
        if not self.odd:
            return ""
        some = [f"{name} {reason}" for name, reason in sorted(self.odd.items())[:3]]
        more = ["..."] if len(self.odd) > len(some) else []
        return f"{len(self.odd)} not in pairs: {'; '.join(some + more)}"

    def _find(self, source: str | Path) -> list[Row]:
        """The color rows that have a gray one."""
        grays, colors = self._halves(super()._find(source))
        pairs = []
        for key, color in colors.items():
            gray = grays.pop(key, None)
            if gray is None:
                self.odd[color.name] = "has no partner"
            elif not _alike(color, gray):
                self.odd[color.name] = f"has another shape than {gray.name}"
            else:
                self._partners[color.name] = gray
                pairs.append(color)
        self.odd |= {row.name: "has no partner" for row in grays.values()}
        if not pairs:
            raise DataError(
                f"{source}: no pairs in folders named {self.gray_folder} and {self.color_folder} "
                f"(data.gray_folder, data.color_folder); {self._odd_notes()}"
            )
        return pairs

    def _halves(self, rows: list[Row]) -> tuple[Half, Half]:
        """The gray rows and the color rows, each by what is equal in the names of a pair."""
        gray: Half = {}
        color: Half = {}
        halves = {self.gray_folder.casefold(): gray, self.color_folder.casefold(): color}
        for row in rows:
            path = PurePosixPath(row.name)
            folders = [part.casefold() for part in path.parts[:-1]]
            found = [place for place, folder in enumerate(folders) if folder in halves]
            if not found:
                self.odd[row.name] = f"is neither in {self.gray_folder} nor in {self.color_folder}"
                continue
            half = halves[folders.pop(found[-1])]  # the innermost: color/gray/0.jpg is gray
            first = half.setdefault((*folders, path.stem), row)
            if first is not row:
                self.odd[row.name] = f"has the name of {first.name}"
        return gray, color

    def picture(self, i: int) -> np.ndarray:
        """Pair i: color rgb, then gray rgb, (H, W, 6) uint8."""
        color = super().picture(i)
        gray = self._stored(self._partners[self.rows[i].name])
        if gray.shape != color.shape:
            gray = resize(gray, color.shape[:2]).permute(1, 2, 0).numpy()
        return np.concatenate([color, gray], 2)


def _alike(color: Row, gray: Row) -> bool:
    """Whether two pictures have equal aspect ratios, but for rounding."""
    ratio = (color.width * gray.height) / (color.height * gray.width)
    pixel = 1 / min(color.height, color.width, gray.height, gray.width)
    return max(ratio, 1 / ratio) <= 1 + _STRETCH + pixel
