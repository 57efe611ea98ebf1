"""Whole-or-nothing files on drives and at places that are none of the usual ones.

What they are on usual ones, test_colorize_outputs.py and test_images_writing.py say.
"""

import errno
import os
import stat
import threading

import pytest

from pix2pix.errors import NoSpace, NotPermitted
from pix2pix.files import read_error, replacing, write_bytes, write_error


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_drive_that_cannot_sync_still_gets_the_file(tmp_path, monkeypatch, number):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    write_bytes(b"new", tmp_path / "file")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_a_drive_that_fails_to_sync_keeps_the_old_file(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    write_bytes(b"old", tmp_path / "file")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NotPermitted, match="refused the output: .*error"):
        write_bytes(b"new", tmp_path / "file")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize(
    "number, again",
    [(n, True) for n in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.EMFILE)]
    + [(n, False) for n in (errno.ENOENT, errno.ENAMETOOLONG, errno.EACCES)],
)
def test_a_fault_of_the_machine_may_not_be_met_again(number, again):
    error = OSError(number, os.strerror(number))
    assert read_error(error).again is write_error(error).again is again


def test_a_drive_that_went_read_only_is_a_fault_of_the_machine():
    assert write_error(OSError(errno.EROFS, os.strerror(errno.EROFS))).again


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_written_and_stays_one(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_bytes(b"new", pipe, special=True)
    reader.join(10)
    assert read == [b"new"] and stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_that_is_full_stays_one():
    with pytest.raises(NoSpace):
        write_bytes(b"new", "/dev/full", special=True)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_what_is_no_file_is_replaced_unless_it_is_asked_for(tmp_path):
    """Else a run over a folder would wait for a reader, or write into a device."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/full")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        write_bytes(b"new", path)
        assert path.read_bytes() == b"new" and not path.is_symlink()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="a device of POSIX systems")
def test_a_device_is_refused_unless_it_is_asked_for():
    with pytest.raises(NotPermitted, match="it is a device"):
        write_bytes(b"new", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_an_error_names_the_file_not_the_temporary_one(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught, replacing(path) as write:
        write(b"new")
    assert caught.value.filename == str(path)


def test_a_full_disk_that_does_not_say_what_is_free_is_still_full(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)

    def silent(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("shutil.disk_usage", silent)
    with pytest.raises(NoSpace):
        write_bytes(b"new", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
