"""Outputs: their time and mode, when they are made anew, and what killed runs leave."""

import os
import stat
import subprocess
import sys
import time

import pytest
from test_colorize_folders import assert_colored, color, files, outcomes, photo, unprivileged  # noqa: F401

from pix2pix import files as whole
from pix2pix.colorize.outputs import state, status

OLD = 946_684_800_123_456_789  # ns: 1 January 2000
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@posix
@pytest.mark.parametrize(
    ("source", "kept"),
    [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o666, 0o644), (0o400, 0o400)]
    + [(0o4755, 0o755), (0o1777, 0o755)],
)
def test_an_output_has_its_photo_s_time_and_is_readable_by_no_more(tmp_path, umask, source, kept):
    path = photo(tmp_path / "a.png")
    os.utime(path, ns=(OLD, OLD))
    path.chmod(source)
    for _ in range(2):  # also over an output that all may read
        assert outcomes(color(tmp_path, overwrite=True)) == [("a.png", "colored")]
        made = tmp_path / "a.color.png"
        assert (mode(made), os.stat(made).st_mtime_ns) == (kept, OLD)
        made.chmod(0o644)
        os.utime(made)


@posix
def test_no_byte_is_in_a_file_that_more_may_read(tmp_path, umask, monkeypatch):
    path, seen, write = photo(tmp_path / "a.png"), [], os.write

    def looking(descriptor, data):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return write(descriptor, data)

    path.chmod(0o600)
    monkeypatch.setattr(os, "write", looking)
    color(path)
    assert seen and set(seen) == {0o600}


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize(("source", "kept"), [(0o640, 0o600), (0o664, 0o644), (0o604, 0o604)])
def test_another_group_gets_what_everyone_has(tmp_path, umask, source, kept):
    path = photo(tmp_path / "a.png")
    os.chown(path, -1, 54321)
    path.chmod(source)
    color(path)
    assert mode(tmp_path / "a.color.png") == kept
    assert os.stat(tmp_path / "a.color.png").st_gid != 54321


def test_an_output_that_is_empty_or_older_is_made_anew_and_said(tmp_path):
    source = photo(tmp_path / "a.png")
    color(source)
    assert outcomes(color(source)) == [("a.png", "skipped")]
    made = tmp_path / "a.color.png"
    made.write_bytes(b"")
    (record,) = color(source)
    assert (record.status, record.reason) == ("colored", "made anew: the output was empty")
    assert_colored(made)
    now = os.stat(source).st_mtime_ns + 10_000_000_000
    os.utime(source, ns=(now, now))
    (record,) = color(source)
    assert record.status == "colored"
    assert record.reason == "made anew: the output was older than the photo"
    assert outcomes(color(source)) == [("a.png", "skipped")]


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (OLD, "good"),
        (OLD + 1, "good"),
        (OLD // 100 * 100, "good"),  # as NTFS rounds
        (OLD // 10**9 * 10**9, "good"),  # as ext3
        (OLD // (2 * 10**9) * 2 * 10**9, "good"),  # as FAT
        (OLD - 1, "older"),
        (OLD - 3 * 10**9, "older"),
        (0, "older"),
    ],
)
def test_times_as_drives_keep_them(tmp_path, output, found):
    made, source = photo(tmp_path / "a.color.png"), photo(tmp_path / "a.png")
    os.utime(source, ns=(OLD, OLD))
    os.utime(made, ns=(output, output))
    if os.stat(source).st_mtime_ns != OLD or os.stat(made).st_mtime_ns != output:
        pytest.skip("this file system keeps no nanoseconds")
    assert state(str(made), status(str(source))) == found


WRITER = """
import os, sys
from pix2pix import files
def wait(descriptor):
    print("written", flush=True)
    sys.stdin.read()
os.fsync = wait
files.write_bytes(b"half a picture", sys.argv[1])
"""


@posix
def test_a_killed_run_s_file_goes_and_a_living_one_s_stays(tmp_path):
    source = photo(tmp_path / "a.png")
    command = [sys.executable, "-c", WRITER, str(tmp_path / "b.color.png")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as writer:
        assert writer.stdout.readline() == "written\n"
        (name,) = [name for name in files(tmp_path) if name != "a.png"]
        color(source)
        assert name in files(tmp_path)
        writer.kill()
    assert name in files(tmp_path)
    color(source)  # which is done already
    assert files(tmp_path) == ["a.color.png", "a.png"]


@posix
def test_a_living_run_puts_its_file_in_place_whatever_sweeps(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "b.color.png")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as writer:
        assert writer.stdout.readline() == "written\n"
        whole.sweep(str(tmp_path))
        writer.communicate("")
    assert writer.returncode == 0
    assert files(tmp_path) == ["b.color.png"]


def test_files_of_other_machines_go_after_an_hour_and_others_never(tmp_path, monkeypatch):
    ours = tmp_path / f".pix2pix-{whole._HOST}-00ff.tmp"
    earlier = tmp_path / ".pix2pix-0123456789abcdef.tmp"  # of an earlier version
    other = tmp_path / ".pix2pix-0123abcd-00ff.tmp"
    kept = [tmp_path / name for name in (".pix2pix-x.tmp", "pix2pix-00.tmp", ".pix2pix-00.png")]
    for path in (ours, earlier, other, *kept):
        path.touch()
    whole.sweep(str(tmp_path))
    assert not ours.exists() and not earlier.exists() and other.exists()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    whole.sweep(str(tmp_path))
    assert files(tmp_path) == sorted(path.name for path in kept)


@posix
def test_where_locks_do_not_work_only_time_tells(tmp_path, monkeypatch):
    ours = tmp_path / f".pix2pix-{whole._HOST}-00ff.tmp"
    ours.touch()

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(whole.fcntl, "flock", refuse)
    color(photo(tmp_path / "a.png"))
    assert files(tmp_path) == [ours.name, "a.color.png", "a.png"]


def test_without_fcntl_writing_and_sweeping_work(tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "fcntl", None)
    (tmp_path / f".pix2pix-{whole._HOST}-00ff.tmp").touch()
    color(photo(tmp_path / "a.png"))
    assert files(tmp_path) == ["a.color.png", "a.png"]


def test_a_drive_that_keeps_no_times_still_gets_the_picture(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    source = photo(tmp_path / "a.png")
    monkeypatch.setattr(os, "utime", refuse)
    assert outcomes(color(source)) == [("a.png", "colored")]
    assert outcomes(color(source)) == [("a.png", "skipped")]


def test_an_error_of_the_drive_says_what_it_is(tmp_path):
    with pytest.raises(Exception, match="the file system refused the output: .*[Nn]ame too long"):
        whole.write_bytes(b"x", tmp_path / ("n" * 300))
    assert files(tmp_path) == []
