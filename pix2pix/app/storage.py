"""Storage: the room on the disk that all visitors share, uploads and results together.

What lies in the folder counts as it is, so that deletions need no bookkeeping; what is still on its
way counts as promised, so that uploads that come at once do not pass the check together.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pix2pix.app.limits import FILE_BYTES
from pix2pix.errors import NoSpace


class Storage:
    """Room for `most` bytes in `folder`, which is asked for each time."""

    def __init__(self, most: int, folder: Callable[[], Path]):
        self.most, self.folder = most, folder
        self._promised = self._settled = 0  # bytes, since the start; the difference is on its way

    def check(self, size: int = FILE_BYTES) -> None:
        """Raise NoSpace unless `size` more bytes have room. For threads: it looks at the disk."""
        settled = self._settled
        self._compare(size, settled, stored_bytes(self.folder()))

    async def promise(self, size: int) -> "Place":
        """Promise `size` bytes to an upload. Raises NoSpace."""
        settled = self._settled  # before the look: what settles during it may be missed by it
        found = await asyncio.to_thread(stored_bytes, self.folder())
        place = Place(self, settled, found)
        place.grow(size)
        return place

    def _compare(self, size: int, settled: int, found: int) -> None:
        wanted = self._promised - settled + size
        if found + wanted > self.most or wanted > _free(self.folder()):
            raise NoSpace("too many photos are kept here right now; try again in an hour")


class Place:
    """The room that is promised to one upload."""

    def __init__(self, storage: Storage, settled: int, found: int):
        self.storage, self.size = storage, 0
        self._then = settled, found

    def grow(self, size: int) -> None:
        """Promise `size` bytes in all, as more came than was declared. Raises NoSpace."""
        if more := max(0, size - self.size):
            self.storage._compare(more, *self._then)
            self.storage._promised += more
            self.size += more

    def leave(self) -> None:
        """The upload is on the disk, or was given up."""
        self.storage._settled += self.size
        self.size = 0


def stored_bytes(folder: Path) -> int:
    """What the files under `folder` take, each at least 64 KiB. 0 where there is no folder."""
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += max(entry.stat(follow_symlinks=False).st_size, FILE_BYTES)
        except OSError:  # deleted meanwhile
            continue
    return total


def _free(folder: Path) -> int:
    """Bytes free on the disk of `folder`, which may not be there yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
