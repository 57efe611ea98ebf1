"""Pairs for training: a gray picture of each photo beside the color one, as `gray/` and `color/`.

Where the gray one is a scan or another print, the net should see that one and not the color
photo's own lightness. Both halves lie in one cache, and are cut and mirrored as one picture.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pix2pix.data.cache import Row
from pix2pix.data.photos import Photos
from pix2pix.data.pictures import resize
from pix2pix.errors import DataError

Half = dict[tuple[str, ...], Row]
_STRETCH = 0.01  # by which the ratio of width to height of a pair may differ


class Partners:
    """Pictures in pairs: of equal names, but for the suffix, in two folders.

    `folders` are the folders' names by the names of their settings, at any depth and in upper or
    lower case: {"gray_folder": "gray", "color_folder": "color"}. `rows` are the pictures of the
    second that have a partner in the first, which `of` has by their names. `odd` has the names of
    the pictures that are left out, and why: without a partner, of another shape (by more than 1 %
    and a pixel), or a second of a name.

    Those in neither are odd too, by `elsewhere`. Raises DataError when there are no pairs.
    """

    def __init__(
        self,
        source: str | Path,
        rows: list[Row],
        folders: dict[str, str],
        *,
        elsewhere: str | None = None,
    ):
        self.names = tuple(folders.values())
        self.elsewhere = elsewhere or f"is neither in {' nor in '.join(self.names)}"
        self.odd: dict[str, str] = {}
        self.of: dict[str, Row] = {}
        self.rows: list[Row] = []
        firsts, seconds = self._halves(rows)
        for key, second in seconds.items():
            first = firsts.pop(key, None)
            if first is None:
                self.odd[second.name] = "has no partner"
            elif not _alike(second, first):
                self.odd[second.name] = f"has another shape than {first.name}"
            else:
                self.of[second.name] = first
                self.rows.append(second)
        self.odd |= {row.name: "has no partner" for row in firsts.values()}
        if not self.rows:
            settings = ", ".join(f"data.{name}" for name in folders)
            raise DataError(
                f"{source}: no pairs in folders named {' and '.join(self.names)} ({settings}); "
                f"{self.notes}"
            )

    @property
    def notes(self) -> str:
        """The number of odd pictures, and three of them, for people; "" when there are none."""
        if not self.odd:
            return ""
        some = [f"{name} {reason}" for name, reason in sorted(self.odd.items())[:3]]
        more = ["..."] if len(self.odd) > len(some) else []
        return f"{len(self.odd)} not in pairs: {'; '.join(some + more)}"

    def stack(self, row: Row, stored: Callable[[Row], np.ndarray]) -> np.ndarray:
        """A row -> its picture, then its partner's at the same size, (H, W, 6) uint8."""
        second, first = stored(row), stored(self.of[row.name])
        if first.shape != second.shape:
            first = resize(first, second.shape[:2]).permute(1, 2, 0).numpy()
        return np.concatenate([second, first], 2)

    def _halves(self, rows: list[Row]) -> tuple[Half, Half]:
        """The rows in either folder, each by what is equal in the names of a pair."""
        halves: tuple[Half, Half] = {}, {}
        known = dict(zip((name.casefold() for name in self.names), halves, strict=True))
        for row in rows:
            path = PurePosixPath(row.name)
            folders = [part.casefold() for part in path.parts[:-1]]
            found = [place for place, folder in enumerate(folders) if folder in known]
            if not found:
                self.odd[row.name] = self.elsewhere
                continue
            half = known[folders.pop(found[-1])]  # the innermost: color/gray/0.jpg is gray
            first = half.setdefault((*folders, path.stem), row)
            if first is not row:
                self.odd[row.name] = f"has the name of {first.name}"
        return halves


def check_names(folders: dict[str, str]) -> None:
    """Raise ValueError when two folders, by the names of their settings, have one name."""
    if len({name.casefold() for name in folders.values()}) < len(folders):
        raise ValueError(f"{', '.join(f'{k}={v}' for k, v in folders.items())}: one name")


class Pairs(Photos):
    """Position in an endless sequence -> (crop (6, size, size) uint8, position).

    A crop is the color rgb, then the gray rgb; `prepare` takes L from the latter. `source` is a
    folder or zip in which folders named `gray_folder` and `color_folder` hold the `Partners`. A
    gray picture of another size is scaled to the color one's. `odd` are those left out. All else is
    as in `Photos`; `rows` and `name` are those of the color pictures.

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
        self.folders = {"gray_folder": gray_folder, "color_folder": color_folder}
        check_names(self.folders)
        super().__init__(source, **settings)

    @property
    def odd(self) -> dict[str, str]:
        """The names of the pictures that are left out, and why."""
        return self.partners.odd

    @property
    def notes(self) -> str:
        """A summary of what was left out, for people."""
        return ", ".join(filter(None, [super().notes, self.partners.notes]))

    def _everything(self, source: str | Path) -> list[Row]:
        """The color rows that have a gray one."""
        self.partners = Partners(source, super()._everything(source), self.folders)
        return self.partners.rows

    def picture(self, i: int) -> np.ndarray:
        """Pair i: color rgb, then gray rgb, (H, W, 6) uint8."""
        return self.partners.stack(self.rows[i], self._stored)


def _alike(color: Row, gray: Row) -> bool:
    """Whether two pictures have equal aspect ratios, but for rounding."""
    ratio = (color.width * gray.height) / (color.height * gray.width)
    pixel = 1 / min(color.height, color.width, gray.height, gray.width)
    return max(ratio, 1 / ratio) <= 1 + _STRETCH + pixel
