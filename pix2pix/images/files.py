"""Bytes from and to the file system: regular files only, and writes that are whole or not there.

No decoder sees a path: everything a file can be besides a picture (pipe, device, folder, a file
that shrinks while it is read) is settled here.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from pix2pix.errors import NoSpace, NotPermitted, PhotoError, TooLarge, Unreadable
from pix2pix.images import temporary

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_bytes(source: str | Path | bytes | BinaryIO, *, max_bytes: int) -> bytes:
    """The whole of a path, of bytes or of a binary stream, at most `max_bytes`.

    Raises Unreadable (missing, empty, no regular file, shrinking), NotPermitted and TooLarge.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        _check_size(len(data), max_bytes)
    elif isinstance(source, (str, os.PathLike)):
        data = _read_path(os.fspath(source), max_bytes)
    else:
        data = source.read(max_bytes + 1)
        _check_size(len(data), max_bytes)
    if not data:
        raise Unreadable("the file is empty")
    return data


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise TooLarge(f"more bytes than the limit of {max_bytes:,} (max_bytes)")


def _read_path(path: str, max_bytes: int) -> bytes:
    try:
        _check_regular(os.stat(path).st_mode)  # before open: opening a device can have effects
        descriptor = os.open(path, _OPEN_FLAGS)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            _check_regular(status.st_mode)
            _check_size(status.st_size, max_bytes)
            return _read_exactly(file, status.st_size)
    except ValueError as error:  # a NUL in the name
        raise Unreadable(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DENIED:
            raise NotPermitted(f"reading is not permitted: {reason}") from error
        raise Unreadable(reason) from error


def _check_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    pipe = "; give - to read a photo from a pipe" if stat.S_ISFIFO(mode) else ""
    raise Unreadable(f"{kind(mode)}, not a file{pipe}")


def kind(mode: int) -> str:
    """What a file is that is no regular one, by its st_mode, with its article."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a link to nothing",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        count = file.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            raise Unreadable(
                f"the file shrank while it was read, from {size:,} to {filled:,} bytes"
            )
        filled += count
    return bytes(data)


def write_bytes(
    data: bytes | memoryview, dest: str | Path, *, source: os.stat_result | None = None
) -> None:
    """Put `data` at path `dest` atomically: temporary file beside it, fsync, replace.

    `source` is the state of the file that it is made of: `dest` gets its modification time and its
    mode, and is no time readable by more (see temporary.write). Whatever happens, `dest` holds its
    old bytes or all the new ones, and an error leaves no temporary file.
    Raises NoSpace and NotPermitted.
    """
    target = os.fspath(dest)
    try:
        temporary.write(data, target, source=source)
    except OSError as error:
        raise write_error(error) from error
    _sync_folder(os.path.dirname(target) or ".")


def write_stream(data: bytes | memoryview, stream: BinaryIO) -> None:
    """Put `data` into an open stream. Raises NoSpace and NotPermitted."""
    try:
        stream.write(data)
    except OSError as error:
        raise write_error(error) from error


def write_error(error: OSError) -> PhotoError:
    """The typed error for a write that the file system refused."""
    reason = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return NoSpace(reason)
    if error.errno in _DENIED:
        return NotPermitted(f"writing is not permitted: {reason}")
    return NotPermitted(f"the file system refused the output: {reason}")


def _sync_folder(folder: str) -> None:
    # Some file systems (and Windows) cannot sync a folder; the data itself is safe by then.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
