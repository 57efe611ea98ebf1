"""Folders of one process: nobody else's while it runs, gone with it.

A process that is killed cannot delete its own; the next one with the same parent does.
"""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _LOCK = "pix2pix-", ".lock"
_GRADIO = "GRADIO_TEMP_DIR"  # where Gradio keeps uploads and results; read each time
_PATIENCE = 30  # [s] for another process that deletes what it found


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, for this user only, deleted at the end.

    Those of processes that were killed are deleted first. Whether one still runs is seen by the
    lock that it holds: the system takes it back whatever way a process ends, and a process number
    may be somebody else's by now, or from another container.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(parent / f"{_PREFIX}folders{_LOCK}", timeout=_PATIENCE):  # one at a time
        _delete_orphans(parent)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = FileLock(folder / _LOCK, timeout=0)
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()  # Windows deletes no file that is in use
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_uploads() -> Iterator[Path]:
    """Within, Gradio keeps its files in a folder of this process's own.

    SIGTERM ends what is within first, and then the process.
    """
    before = os.environ.get(_GRADIO)
    with _unwound(), own_folder(Path(before) if before else _of_this_user()) as folder:
        os.environ[_GRADIO] = str(folder)
        try:
            yield folder
        finally:
            if before is None:
                del os.environ[_GRADIO]
            else:
                os.environ[_GRADIO] = before


def uploads_folder() -> Path:
    """Where Gradio keeps its files now."""
    return Path(os.environ.get(_GRADIO) or Path(tempfile.gettempdir(), "gradio").resolve())


@contextmanager
def _unwound() -> Iterator[None]:
    """Within, SIGTERM is an exception where it would end the process at once, and ends it after."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where no signal arrives
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    except _Terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)  # so that the exit status tells of it
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(BaseException):
    pass


def _raise(number: int, frame: object) -> None:
    raise _Terminated


def _of_this_user() -> Path:
    """The usual parent. Other users of this machine have one each, so that nobody is locked out."""
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()).resolve() / f"{_PREFIX}{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if user != "" and folder.lstat().st_uid != user:  # somebody was here first
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    return folder


def _delete_orphans(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            with lock:
                pass  # nobody held it
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)
