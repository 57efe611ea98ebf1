"""Folders of one process: alone while it runs, gone afterwards, whatever way it ended."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix2pix.app.temporary import own_folder, own_uploads, uploads_folder

HOLD = """
import sys
from pathlib import Path
from pix2pix.app.temporary import own_uploads
with own_uploads() as folder:
    Path(folder, "photo.jpg").write_bytes(b"a visitor's")
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(parent: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """Another process that has its folder in `parent` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"GRADIO_TEMP_DIR": str(parent)},
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def folders(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()]


def test_it_is_private_and_goes_at_the_end(tmp_path: Path) -> None:
    with own_folder(tmp_path / "new") as folder:
        assert folder.parent == tmp_path / "new"
        assert os.name == "nt" or folder.stat().st_mode & 0o777 == 0o700
        (folder / "a" / "b").mkdir(parents=True)
    assert folders(tmp_path / "new") == []


def test_what_a_killed_process_left_goes_at_the_next_start_and_a_siblings_stays(
    tmp_path: Path,
) -> None:
    (tmp_path / "somebody").mkdir()  # another program's
    with holder(tmp_path) as (killed, left), holder(tmp_path) as (_, kept):
        killed.kill()
        killed.wait()
        assert (left / "photo.jpg").exists()
        with own_folder(tmp_path) as folder:
            assert not left.exists()
            assert (kept / "photo.jpg").read_bytes() == b"a visitor's"
            assert sorted(folders(tmp_path)) == sorted([folder, kept, tmp_path / "somebody"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_process_that_is_told_to_stop_leaves_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM
        assert folders(tmp_path) == []


def test_gradio_is_told_of_the_folder_and_only_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with own_uploads() as folder:
        assert uploads_folder() == folder and folder.parent == tmp_path
    assert uploads_folder() == tmp_path
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with own_uploads() as folder:
        assert uploads_folder() == folder and folder.is_relative_to(tmp_path)
    assert "GRADIO_TEMP_DIR" not in os.environ


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "photos").mkdir(parents=True)
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "pix2pix-link").symlink_to(elsewhere)
    with own_folder(tmp_path / "parent"):
        assert (elsewhere / "photos").is_dir()
