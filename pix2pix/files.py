"""Files: checked reads of regular files, and atomic writes.

No decoder sees a path: everything a file can be besides a picture (pipe, device, folder, a file
that shrinks while it is read) is settled here. What is written lies under another name beside its
target until it is on the disk, `.pix2pix-HOST-RANDOM.tmp`: hidden, narrow from the start, and
locked. The system drops the lock when the process dies, so that the next run knows what to sweep.
"""

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pix2pix.errors import NoSpace, NotPermitted, PhotoError, TooLarge, Unreadable

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where an open file cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

Bytes = bytes | memoryview

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FAULTS = (  # a drive or a network that fails, a machine without memory or files to open
    *("EIO", "ENXIO", "ENODEV", "EREMOTEIO", "ESTALE", "ENOTCONN", "ESHUTDOWN", "EHOSTDOWN"),
    *("ENETDOWN", "ENOLINK", "ENOLCK", "ENOMEM", "EMFILE", "ENFILE", "EINTR"),
)
BUSY = {
    *(errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNABORTED),
    *(errno.ECONNREFUSED, errno.EPIPE, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETRESET),
}
"""Of errors that may be gone a little later."""
PASSING = BUSY | {getattr(errno, name) for name in _FAULTS if hasattr(errno, name)}
"""Of errors that are the machine's, not the file's: another machine or run may not meet them."""
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # of drives that have none
_READ_FLAGS = os.O_RDONLY | sum(  # where the system has them
    getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK", "O_BINARY")
)
_WRITE_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
_HOST = hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]
_NAME = re.compile(r"\.pix2pix-(?:([0-9a-f]{8})-)?[0-9a-f]+\.tmp")
_ABANDONED = 3600  # seconds after which a file that no lock can tell about is nobody's


def read_bytes(source: str | Path | bytes | BinaryIO, *, max_bytes: int) -> bytes:
    """Read all of a path, of bytes or of a binary stream, at most `max_bytes`.

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
    file, size = open_regular(path)
    with file:
        _check_size(size, max_bytes)
        try:
            data = file.read(size)
        except OSError as error:
            raise read_error(error) from error
    if (count := len(data)) < size:
        raise Unreadable(f"the file shrank while it was read, from {size:,} to {count:,} bytes")
    return data


def open_regular(path: str) -> tuple[BinaryIO, int]:
    """Open a regular file to read -> the file, and its size [bytes] by then.

    Raises Unreadable and NotPermitted.
    """
    try:
        _check_regular(os.stat(path).st_mode)  # before open: opening a device can have effects
        file = open(os.open(path, _READ_FLAGS), "rb")
    except ValueError as error:  # a NUL in the name
        raise Unreadable(str(error)) from error
    except OSError as error:
        raise read_error(error) from error
    try:
        status = os.fstat(file.fileno())
        _check_regular(status.st_mode)
    except BaseException:
        file.close()
        raise
    return file, status.st_size


def _check_regular(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    pipe = "; give - to read a photo from a pipe" if stat.S_ISFIFO(mode) else ""
    raise Unreadable(f"{kind(mode)}, not a file{pipe}")


def kind(mode: int) -> str:
    """Describe a file by its st_mode: "a folder", "a named pipe"."""
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


@contextmanager
def replacing(
    dest: str | Path,
    *,
    size: int | None = None,
    source: os.stat_result | None = None,
    special: bool = False,
    new: bool = False,
) -> Iterator["Sink"]:
    """Replace `dest` atomically by what a `with` block writes through the function it is given.

    Whatever happens, `dest` holds its old bytes or all the new ones, and no temporary file stays:
    it is written beside it (a rename across file systems is a copy, and a copy can be cut), synced
    where the drive can, and renamed. With `special`, a device or a pipe is written as it is; else a
    pipe or a link is replaced, and a device refused; with `new` whatever is there stays, and
    FileExistsError is raised. `size` is the number of bytes to come, which a
    full disk's message states. With `source` the file gets its modification time, and its mode less
    the umask and less setuid, setgid and sticky; it is never readable by more than `source` is, not
    even while it is written.
    Raises OSError, which names `dest`.
    """
    target = os.fspath(dest)
    if special and os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb", buffering=0) as device:
            yield Sink(device.fileno())
        return
    if not special and _is_device(target):
        raise PermissionError(errno.EPERM, "it is a device", target)
    folder = os.path.dirname(target) or "."
    try:
        temporary, descriptor = _create(folder, source)
        try:
            try:
                yield Sink(descriptor)
                _sync(descriptor)
                if source is not None:
                    with contextlib.suppress(OSError, OverflowError):  # some network drives refuse
                        os.utime(temporary, ns=(source.st_atime_ns, source.st_mtime_ns))
                if fcntl is not None:
                    _rename(temporary, target, new)  # under the lock
            finally:
                os.close(descriptor)
            if fcntl is None:
                _rename(temporary, target, new)  # Windows renames no open file
        finally:
            _remove(temporary)
    except OSError as error:
        error.filename = target
        if error.errno in _NO_SPACE and size is not None:
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(folder).free
                error.strerror = f"the disk is full: {size:,} bytes needed, {free:,} free"
        raise
    _sync_folder(folder)


def _rename(temporary: str, target: str, new: bool) -> None:
    """Give a file its name; with `new` raise FileExistsError where that is taken."""
    if new:
        try:
            os.link(temporary, target)
            return
        except FileExistsError:
            raise
        except OSError:  # a drive without links, where a file made just now would be replaced
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "it is there already", target) from None
    os.replace(temporary, target)


def _is_device(path: str) -> bool:
    """Whether a path, unless it is a link, is a device: root could rename over it."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def write_bytes(
    data: Bytes,
    dest: str | Path,
    *,
    source: os.stat_result | None = None,
    special: bool = False,
    new: bool = False,
) -> None:
    """Write `data` to path `dest` atomically (see `replacing`).

    Raises NoSpace and NotPermitted, and with `new` FileExistsError.
    """
    try:
        with replacing(dest, size=len(data), source=source, special=special, new=new) as write:
            write(data)
    except FileExistsError:
        if new:
            raise
        raise write_error(FileExistsError(errno.EEXIST, "File exists", os.fspath(dest))) from None
    except OSError as error:
        raise write_error(error) from error


def write_stream(data: Bytes, stream: BinaryIO) -> None:
    """Write `data` to an open stream. Raises NoSpace and NotPermitted."""
    try:
        stream.write(data)
    except OSError as error:
        raise write_error(error) from error


def read_error(error: OSError) -> PhotoError:
    """The typed error for a read that the file system refused."""
    reason = error.strerror or str(error)
    if error.errno in _DENIED:
        return NotPermitted(f"reading is not permitted: {reason}")
    return Unreadable(reason, again=error.errno in PASSING)


def write_error(error: OSError) -> PhotoError:
    """The typed error for a write that the file system refused."""
    reason = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return NoSpace(reason)
    if error.errno in _DENIED:
        # a folder was writable at the start: Linux makes a drive that fails read-only
        reason = f"writing is not permitted: {reason}"
        return NotPermitted(reason, again=error.errno == errno.EROFS)
    reason = f"the file system refused the output: {reason}"
    return NotPermitted(reason, again=error.errno in PASSING)


def sweep(folder: str) -> None:
    """Remove the temporary files that killed runs left in a folder; never those in use.

    A file that another machine may be writing, and one on a drive without locks, goes after an
    hour. What cannot be looked at or removed stays.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named is None:
                continue
            with contextlib.suppress(OSError):
                if _is_dead(entry.path) if named[1] in (None, _HOST) else _is_old(entry.path):
                    _remove(entry.path)


class Sink:
    """Where the bytes of a file go: called with some, it writes them behind the others."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def __call__(self, data: Bytes) -> None:
        """Write all of `data`. Raises OSError."""
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(self._descriptor, view) :]

    def begin_with(self, data: Bytes) -> None:
        """Write `data` over the first bytes of the file, and go on behind the last ones."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self(data)
        os.lseek(self._descriptor, 0, os.SEEK_END)


def _sync(descriptor: int) -> None:
    """fsync a file, where the drive can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _sync_folder(folder: str) -> None:
    """fsync a folder: a rename is only safe after that.

    Windows cannot, and some file systems: there the bytes alone are safe, which are by then.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _create(folder: str, source: os.stat_result | None) -> tuple[str, int]:
    """Create a temporary file, with its final mode and the lock -> path, descriptor."""
    # A short name of its own: the target's may already be as long as the file system allows.
    path = os.path.join(folder, f".pix2pix-{_HOST}-{secrets.token_hex(8)}.tmp")
    mode = 0o666 if source is None else stat.S_IMODE(source.st_mode) & 0o777
    if os.name == "nt":
        mode |= stat.S_IWRITE  # a read-only file could not be replaced by the next run
    descriptor = os.open(path, _WRITE_FLAGS, mode)  # the umask takes its bits away
    try:
        if source is not None:
            _narrow(descriptor, source)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a drive without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return path, descriptor
    except BaseException:
        os.close(descriptor)
        _remove(path)
        raise
    os.close(descriptor)  # another run swept it before it was locked
    return _create(folder, source)


def _narrow(descriptor: int, source: os.stat_result) -> None:
    """Take away the group's permissions where the file's group is not that of `source`.

    The group then keeps the bits that everyone has.
    """
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    narrow = mode & (0o707 | (mode & 0o007) << 3)
    if status.st_gid != source.st_gid and narrow != mode and hasattr(os, "fchmod"):
        os.fchmod(descriptor, narrow)


def _is_dead(path: str) -> bool:
    """Whether no living process of this machine writes the file. Raises OSError."""
    if fcntl is None:
        return True  # else it is open, and cannot be removed
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Shared, since network drives want a file open for writing for the other kind.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a drive without locks
        return _is_old(path)
    finally:
        os.close(descriptor)
    return True


def _is_old(path: str) -> bool:
    """Whether a file is older than any write takes; by its own time, not the photo's."""
    return time.time() - os.lstat(path).st_ctime > _ABANDONED


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
