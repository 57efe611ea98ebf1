"""Bytes from and to the file system: regular files only, and writes that are whole or not there.

No decoder sees a path: everything a file can be besides a picture (pipe, device, folder, a file
that shrinks while it is read) is settled here.
"""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from pix2pix.errors import NoSpace, NotPermitted, PhotoError, TooLarge, Unreadable

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
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    raise Unreadable(f"{kinds.get(stat.S_IFMT(mode), 'not a regular file')}, not a file")


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


def write_bytes(data: bytes | memoryview, dest: str | Path) -> None:
    """Put `data` at path `dest` atomically: temporary file beside it, fsync, replace.

    Whatever happens, `dest` holds its old bytes or all the new ones, and an error leaves no
    temporary file. Raises NoSpace and NotPermitted.
    """
    target = os.fspath(dest)
    folder = os.path.dirname(target) or "."
    # A short name of its own: the target's may already be as long as the file system allows.
    temporary = os.path.join(folder, f".pix2pix-{secrets.token_hex(8)}.tmp")
    try:
        _write_temporary(data, temporary)
        try:
            os.replace(temporary, target)
        except BaseException:
            _remove(temporary)
            raise
        _sync_folder(folder)
    except OSError as error:
        raise write_error(error) from error


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
    return NotPermitted(f"writing is not permitted: {reason}")


def _write_temporary(data: bytes | memoryview, temporary: str) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)  # the umask takes its bits away
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _sync_folder(folder: str) -> None:
    # Some file systems (and Windows) cannot sync a folder; the data itself is safe by then.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
