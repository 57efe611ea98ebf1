"""The script for a GPU that one has for minutes, a step a stage, on a CPU."""

import csv
import os
import shutil
import subprocess
import zipfile

import pytest
import torch
import warm
from places import SCRIPTS
from safetensors.torch import save_file
from tiny_runs import make_photos

from pix2pix import weights
from pix2pix.data.pictures import in_validation
from pix2pix.nets.backbones import build_backbone
from pix2pix.train.checkpoints import Checkpoints

SCRIPT = SCRIPTS / "train_gpu.sh"
STAGES = ["frozen-128", "thawed-192", "hints-192", "hints-224"]
SHORT = "data.size=32 trainer.sizes=[32] trainer.val_photos=2 data.pages=0 trainer.workers=0"


def run(*arguments, home, **environment):
    return subprocess.run(
        ["bash", str(SCRIPT), *map(str, arguments)],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "PYTHON": warm.python(),
            **{k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")},
            "PART": "3M",
            "SIDE": "32",
            "BATCH": "2",
            "MORE": SHORT,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """The folder on the borrowed machine, after a call of a step a stage."""
    folder = tmp_path_factory.mktemp("lent")
    photos = make_photos(folder / "photos", count=8, side=48)
    held = next(name for i in range(10**4) if in_validation(name := f"held{i}.png", 0.02))
    (photos / "photo00.png").rename(photos / held)
    (folder / "zips").mkdir()
    for part in range(2):
        with zipfile.ZipFile(folder / "zips" / f"part-{part}.zip", "w") as archive:
            for path in sorted(photos.iterdir())[part::2]:
                archive.write(path, path.name)
    torch.manual_seed(0)
    save_file(build_backbone("efficientnet_lite0").state_dict(), folder / "encoder.safetensors")
    done = train(folder, STEPS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def train(folder, **environment):
    paths = folder / "zips", folder / "out", folder / "encoder.safetensors"
    return run(*paths, home=folder, **environment)


def steps(folder, stage):
    return Checkpoints(folder / "out" / stage / "checkpoints").steps()[-1]


@pytest.mark.slow
def test_every_stage_trains_on_all_zips_and_follows_the_one_before(lent):
    assert len(list((lent / "out" / "photos").glob("*.png"))) == 8
    assert [steps(lent, stage) for stage in STAGES] == [1] * 4
    headers = [weights.read_header(lent / "out" / s / "last.safetensors") for s in STAGES]
    assert [h.recipe for h in headers] == ["unet_l1", "unet_l1", "hints", "hints"]
    assert [h.generator.get("bins") for h in headers] == [0, 0, 10, 10]
    assert all(h.generator["light"] for h in headers)


@pytest.mark.slow
def test_what_is_carried_home_comes_in_parts_and_is_whole(lent, tmp_path):
    back = shutil.copytree(lent / "out" / "back", tmp_path / "back")
    parts = sorted(back.glob("runs.tar.*"))
    assert len(parts) > 3 and all(part.stat().st_size <= 3 * 2**20 for part in parts)
    joined = run("join", back, tmp_path / "home", home=tmp_path)
    assert joined.returncode == 0, joined.stderr
    for stage in STAGES:
        name = f"{stage}/last.safetensors"
        assert (tmp_path / "home" / name).read_bytes() == (lent / "out" / name).read_bytes()
    newest = Checkpoints(tmp_path / "home" / STAGES[-1] / "checkpoints")
    assert newest.load()["step"] == 1 and len(list(newest.folder.iterdir())) == 2
    assert not (tmp_path / "home" / STAGES[0] / "checkpoints").exists()

    part = parts[1].read_bytes()
    parts[1].write_bytes(part[:-1] + bytes([part[-1] ^ 1]))
    broken = run("join", back, tmp_path / "other", home=tmp_path)
    assert broken.returncode != 0 and parts[1].name in broken.stdout + broken.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_it_goes_on_where_it_was_and_stops_when_the_time_is_up(lent):
    out = lent / "out"
    before = (out / "hints-192" / "last.safetensors").read_bytes()
    (out / "hints-224" / "done").unlink()
    table = out / "hints-192" / "metrics.csv"  # a speed by which the last stage is long
    table.write_text("step,images_per_second\n1,\n2,1e6\n")
    again = train(lent, MINUTES="0.75", CHECKPOINT="0", STEPS="")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (out / "hints-192" / "last.safetensors").read_bytes() == before
    with (out / "hints-224" / "metrics.csv").open() as file:
        assert int(list(csv.DictReader(file))[-1]["step"]) > 1
    assert "going on from step 1" in again.stderr and "stopped at step" in again.stderr
    assert steps(lent, "hints-224") > 1
    names = [part.name for part in (out / "back").iterdir()]
    size = sum(part.stat().st_size for part in (out / "back").iterdir())
    assert "SHA256SUMS" in names and size < 60e6


def test_it_says_what_it_takes():
    done = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 1 and "DATA_ZIPS OUT ENCODER" in done.stderr
