"""The script that trains the bundled weights again, from end to end, a step a stage."""

import subprocess
from pathlib import Path

import pytest
import torch
import warm
from places import SCRIPTS
from safetensors.torch import save_file
from test_train_config import composed
from tiny_runs import make_photos
from torchvision.models import mobilenet_v2

from pix2pix import Colorizer, weights
from pix2pix.data.cache import list_photos
from pix2pix.data.pictures import in_validation
from pix2pix.nets import build_generator, config_of
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
    encoder = {
        name: tensor.contiguous()
        for name, tensor in mobilenet_v2(weights=None).state_dict().items()
        if name.startswith("features.")
    }
    save_file(encoder, folder / "encoder.safetensors")
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
    for part in ("name", "recipe", "saturation", "head", "ab_scale"):
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


def test_the_stages_of_another_net_compose_and_follow_each_other(tmp_path):
    """NET=lite0, with a Python that only writes down what it is asked."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$HOME/asked"\n')
    python.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": str(python)}

    def asked(**others):
        (tmp_path / "asked").unlink(missing_ok=True)
        (tmp_path / "out" / "answers").mkdir(parents=True, exist_ok=True)
        command = ["bash", str(SCRIPT), str(tmp_path), str(tmp_path / "out"), "encoder.safetensors"]
        environ = {**environment, **others}
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        return done, [line.split() for line in (tmp_path / "asked").read_text().splitlines()]

    done, lines = asked(NET="lite0")
    assert done.returncode == 0, done.stderr
    stages = [words[2:] for words in lines if words[1] == "pix2pix.train" and "lite0" in words[2]]
    runs = []
    for overrides in stages:
        config = composed(*overrides)
        runs.append(Path(config.run_dir).name)
        assert (
            config.recipe.generator.encoder == "efficientnet_lite0"
            and config.recipe.generator.light
        )
        assert (config.trainer.init_from or "").split("/")[-2:-1] == runs[-2:-1]
    assert runs == ["lite0-96", "lite0-128", "lite0-192", "lite0-hints-192", "lite0-hints-224"]
    frozen = [composed(*overrides).recipe.generator.frozen for overrides in stages]
    assert frozen == [5, 5, 0, 0, 0]
    assert any(w[-5] == f"{tmp_path}/out/default.safetensors" for w in lines if "bundle" in w[0])
    done = subprocess.run(
        ["bash", str(SCRIPT), str(tmp_path), str(tmp_path / "out")],
        env={**environment, "NET": "vgg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "NET=vgg: mobilenet_v2 or lite0" in done.stderr


@pytest.mark.slow
def test_every_stage_has_its_run(out):
    stages = [p.name for p in out.iterdir() if (p / "last.safetensors").exists()]
    sides = [f"{name}-{side}" for name in ("default", "hints", "pages") for side in (128, 192)]
    course = ["answers-128", "answers-64", "pix2pix-128", "pix2pix-l1-128", "truth-64"]
    assert sorted(stages) == sorted([*sides, *course])
