"""Temporary files beside their targets: narrow from the start, locked while alive, then swept.

Their names tell the machine, `.pix2pix-HOST-RANDOM.tmp`. The process that writes one holds a lock
on it, which the system drops when the process dies, so that the next run knows what is nobody's.
"""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import stat
import time

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where an open file cannot be deleted anyway
    fcntl = None  # type: ignore[assignment]

_HOST = hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]
_NAME = re.compile(r"\.pix2pix-(?:([0-9a-f]{8})-)?[0-9a-f]+\.tmp")
_ABANDONED = 3600  # seconds after which a file that no lock can tell about is nobody's
_OPEN_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)


def write(data: bytes | memoryview, target: str, *, source: os.stat_result | None = None) -> None:
    """Put `data` at `target`: written and synced under another name, then renamed onto it.

    With `source` the file gets its modification time, and its mode less the umask and less setuid,
    setgid and sticky. It is never readable by more than `source` is, not even while it is written.
    Whatever happens, no temporary file stays. Raises OSError.
    """
    temporary, descriptor = _create(os.path.dirname(target) or ".", source)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
            if source is not None:
                with contextlib.suppress(OSError, OverflowError):  # some network drives refuse
                    os.utime(temporary, ns=(source.st_atime_ns, source.st_mtime_ns))
            if fcntl is not None:
                os.replace(temporary, target)  # under the lock
        finally:
            os.close(descriptor)
        if fcntl is None:
            os.replace(temporary, target)  # Windows renames no open file
    except BaseException:
        _remove(temporary)
        raise


def sweep(folder: str) -> None:
    """Remove the temporary files that killed runs left in a folder; never those of living ones.

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


def _create(folder: str, source: os.stat_result | None) -> tuple[str, int]:
    """(path, descriptor) of a new file of ours, empty, with its final mode and the lock."""
    # A short name of its own: the target's may already be as long as the file system allows.
    path = os.path.join(folder, f".pix2pix-{_HOST}-{secrets.token_hex(8)}.tmp")
    mode = 0o666 if source is None else stat.S_IMODE(source.st_mode) & 0o777
    if os.name == "nt":
        mode |= stat.S_IWRITE  # a read-only file could not be replaced by the next run
    descriptor = os.open(path, _OPEN_FLAGS, mode)  # the umask takes its bits away
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
    """Where the file belongs to another group than `source`, take what that one is not meant for.

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
