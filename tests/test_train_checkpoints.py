"""The checkpoint writer against kills, full disks, flipped bits and files from strangers."""

import argparse
import errno
import hashlib
import io
import os
import pickle
import subprocess
from pathlib import Path

import pytest
import torch

from pix2pix import files
from pix2pix.errors import CheckpointError
from pix2pix.train.checkpoints import Checkpoints, load, prepare_folder, write_atomically


def state(step: int) -> dict:
    weights = torch.full((1000,), float(step))
    parts = {"average": {}, "optimizers": [], "best": 0.0, "config": "{}"}
    return {"recipe": {"w": weights}, "step": step, **parts}


@pytest.fixture
def checkpoints(tmp_path):
    found = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        found.save(state(step), step)
    return found


def test_what_is_saved_is_loaded_and_the_two_newest_are_kept(checkpoints, tmp_path):
    assert checkpoints.steps() == [2, 3]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".ckpt", ".ckpt", ".sha256", ".sha256"]
    saved = checkpoints.load()
    assert saved["step"] == 3 and torch.equal(saved["recipe"]["w"], torch.full((1000,), 3.0))


def test_the_hash_is_that_of_sha256sum(checkpoints, tmp_path):
    check = subprocess.run(
        ["sha256sum", "--check", "step-00000003.sha256"], cwd=tmp_path, capture_output=True
    )
    assert check.returncode == 0, check.stderr


def test_no_checkpoint_is_none(tmp_path):
    assert Checkpoints(tmp_path).load() is None


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    return data[:900] + bytes([data[900] ^ 1]) + data[901:]


@pytest.mark.parametrize("damage", [cut, flip, lambda data: b""], ids=["cut", "flipped", "empty"])
def test_a_damaged_one_is_passed_over_and_said_so(checkpoints, damage):
    path = checkpoints.path(3)
    path.write_bytes(damage(path.read_bytes()))
    said = []
    assert checkpoints.load(say=said.append)["step"] == 2
    assert len(said) == 1 and str(path) in said[0] and "one before" in said[0]


def test_a_hash_that_is_missing_or_odd_counts_as_damage(checkpoints):
    checkpoints.path(3).with_suffix(".sha256").unlink()
    checkpoints.path(2).with_suffix(".sha256").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="none of its 2 checkpoints is whole"):
        checkpoints.load(say=lambda text: None)


def test_saving_drops_the_later_ones_of_a_course_that_was_left(checkpoints):
    checkpoints.save(state(1), 1)  # as after going on from an older checkpoint
    assert checkpoints.steps() == [1]
    assert checkpoints.load()["step"] == 1


class Canary:
    """Pickled by a stranger: unpickling it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def a_pickle(path: Path, canary: Path) -> None:
    path.write_bytes(pickle.dumps({"recipe": Canary(canary)}, protocol=2))


def a_torch_file(path: Path, canary: Path) -> None:
    torch.save({"recipe": Canary(canary)}, path)


def a_file_of_another_program(path: Path, canary: Path) -> None:
    torch.save({"state_dict": {}}, path)


def no_torch_file(path: Path, canary: Path) -> None:
    path.write_bytes(b"PK\x03\x04 and so on")


@pytest.mark.parametrize("make", [a_pickle, a_torch_file, a_file_of_another_program, no_torch_file])
@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin"])
def test_a_strangers_file_is_refused_and_executes_nothing(tmp_path, make, suffix):
    path, canary = tmp_path / f"model{suffix}", tmp_path / "canary"
    make(path, canary)
    with pytest.raises(CheckpointError, match="sha256"):
        load(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n")
    with pytest.raises(CheckpointError, match="not a checkpoint of a training run"):
        load(path)
    assert not canary.exists()


def test_a_missing_one_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.ckpt.*No such file"):
        load(tmp_path / "none.ckpt")


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(ZeroDivisionError), files.replacing(path, size=3) as write:
        write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_path_and_the_bytes(checkpoints, monkeypatch):
    write = os.write

    def full(descriptor, data):
        write(descriptor, bytes(data)[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    size = checkpoints.path(3).stat().st_size
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CheckpointError) as caught:
        write_atomically(checkpoints.path(4), bytes(size))
    monkeypatch.undo()
    assert str(checkpoints.path(4)) in str(caught.value)
    assert f"{size:,} bytes needed" in str(caught.value)
    assert not list(checkpoints.folder.glob(".*"))
    assert checkpoints.load()["step"] == 3


def test_a_small_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting takes root")
    try:
        prepare_folder(disk / "checkpoints")
        found = Checkpoints(disk / "checkpoints")
        found.save(state(1), 1)
        large = state(2) | {"average": {"w": torch.zeros(20_000)}}
        with pytest.raises(CheckpointError, match=r"step-00000002.*full: 8\d,\d{3} bytes needed"):
            found.save(large, 2)
        assert found.load()["step"] == 1
        assert not list(found.folder.glob(".*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_is_made_and_cleared_of_what_a_kill_left(tmp_path):
    folder = tmp_path / "a" / "b"
    prepare_folder(folder)
    (folder / f".pix2pix-{files._HOST}-00ff.tmp").write_bytes(b"half")
    (folder / "step-00000001.ckpt").write_bytes(b"whole")
    prepare_folder(folder)
    assert [p.name for p in folder.iterdir()] == ["step-00000001.ckpt"]


def test_a_file_in_the_way_fails_at_once(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"file.*cannot be written: "):
        prepare_folder(tmp_path / "file" / "checkpoints")


def resaved(path: Path, data: bytes) -> Path:
    """A file whose sha256 fits it."""
    path.write_bytes(data)
    path.with_suffix(".sha256").write_text(hashlib.sha256(data).hexdigest())
    return path


def pickled(held) -> bytes:
    file = io.BytesIO()
    torch.save(held, file)
    return file.getvalue()


FOREIGN = {
    "it is empty": b"",
    "(it asks for code, [a-z]+.system|its bytes are none)": pickle.dumps(
        {"a": os.system}, protocol=2
    ),
    "it asks for code, argparse.Namespace": pickled({"args": argparse.Namespace(a=1)}),
    "its bytes are none": b"PK\x03\x04 and so on",
    "it holds a list": pickled([1, 2]),
    "it holds a Tensor": pickled(torch.ones(2)),
    "no 'average'": pickled({"recipe": {}}),
    "'recipe' is a int": pickled({**state(1), "recipe": 5}),
    "'optimizers' is a dict": pickled({**state(1), "optimizers": {}}),
    "something among its weights is no tensor": pickled({**state(1), "average": {"w": 3}}),
    "its 'config' is no JSON": pickled({**state(1), "config": "{"}),
    "its 'config' is no": pickled({**state(1), "config": "[" * 100_000}),
}


@pytest.mark.parametrize("why", FOREIGN)
def test_what_is_wrong_with_a_file_is_said_in_one_line_of_our_own(why, tmp_path):
    path = resaved(tmp_path / "step-00000001.ckpt", FOREIGN[why])
    with pytest.raises(CheckpointError, match=f"not a checkpoint of a training run: {why}") as got:
        load(path)
    said = str(got.value)
    assert said.isprintable() and len(said) < len(str(path)) + 160
    assert "weights_only" not in said and "pickle" not in said.lower()
    with pytest.raises(CheckpointError, match="none of its 1 checkpoints is whole"):
        Checkpoints(tmp_path).load(say=lambda line: None)


def test_a_folder_that_cannot_be_synced_is_no_reason_to_fail(tmp_path, monkeypatch):
    real = os.open
    folder = str(tmp_path)
    monkeypatch.setattr(os, "open", lambda path, *a: deny() if path == folder else real(path, *a))
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def deny():
    raise PermissionError(errno.EACCES, "Permission denied")  # what Windows says of a folder
