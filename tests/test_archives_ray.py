"""A real, small run by Ray: the same files, quiet, nothing left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from photo_sets import fill, gray
from tiny_graphs import write_graph

from pix2pix.archives import manifest
from pix2pix.archives.fleet import _reason

SECONDS = 300  # starting Ray takes some 20 of them on two idle cores


def colorize(folder, *options):
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", "in", *options]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def read(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_ray_makes_the_very_files_of_a_folder_run(tmp_path):
    fill(tmp_path / "in" / "box 1", 5, gray, ".jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no photo")
    weights = ["--weights", str(write_graph(tmp_path / "tiny.onnx"))]
    here = colorize(tmp_path, "-o", "here", *weights)
    ray = colorize(
        tmp_path, "-o", "ray", *weights, "--engine", "ray", "--json", "--manifest", "notes"
    )
    assert (here.returncode, ray.returncode) == (2, 2)
    assert read(tmp_path / "here") == read(tmp_path / "ray") and len(read(tmp_path / "ray")) == 5
    assert ray.stderr == here.stderr  # nothing of Ray's own
    records = {record["path"]: record for record in map(json.loads, ray.stdout.splitlines())}
    rows = {f"in/{row['key']}": row for row in manifest.read(str(tmp_path / "notes")).to_pylist()}
    assert len(records) == 6 and records.keys() == rows.keys()
    for path, record in records.items():
        for name in ("status", "code", "sha256_in", "sha256_out"):
            assert record.get(name) == rows[path][name]
    assert not [p for p in Path("/tmp").glob("pix2pix-ray-*") if not _runs(p)]


def _runs(folder):
    return os.path.exists(f"/proc/{folder.name.split('-')[2]}")


def test_why_an_actor_did_not_start_is_one_line():
    outer = RuntimeError(
        "The actor died.\nTraceback ...\n  raise x\npix2pix.errors.WeightsError: w.onnx: none"
    )
    outer.__cause__ = Exception()
    assert _reason(outer) == "w.onnx: none"
    inner = Exception()
    inner.__cause__ = OSError("the disk: full")
    assert _reason(inner) == "the disk: full"
