"""The bytes of a file that is too large for the memory, read where they are asked for.

In the place of `bytes` for what reads a TIFF's structure: it has a length and gives slices. The
file is not mapped: one that shrinks while it is read would end the process.
"""

import threading
from contextlib import suppress
from typing import BinaryIO

from pix2pix import files
from pix2pix.errors import Unreadable

_PAGE = 2**16  # [bytes] read at once for the small values of directories, which lie side by side


class Source:
    """A regular file as slices of bytes. Threads may share one.

    Raises Unreadable and NotPermitted, when it is made and when it is read.
    """

    def __init__(self, path: str):
        self._file: BinaryIO
        self._file, self._size = files.open_regular(path)
        self._lock = threading.Lock()
        self._start, self._near = 0, b""
        if not self._size:
            self._file.close()
            raise Unreadable("the file is empty")

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """The bytes of a slice with step 1, fewer where the file ends."""
        start, stop, _ = part.indices(self._size)
        if stop <= start:
            return b""
        with self._lock:
            if stop - start >= _PAGE:
                return self._read(start, stop - start)
            at = start - self._start
            if not 0 <= at <= len(self._near) - (stop - start):
                near = self._read(start, min(_PAGE, self._size - start))
                self._start, self._near, at = start, near, 0
            return self._near[at : at + stop - start]

    def _read(self, start: int, size: int) -> bytes:
        try:
            self._file.seek(start)
            data = self._file.read(size)
        except OSError as error:
            raise files.read_error(error) from error
        if len(data) < size:
            raise Unreadable(f"the file shrank while it was read, from {self._size:,} bytes")
        return data

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()
