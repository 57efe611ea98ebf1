"""The script that trains the bundled weights again, from end to end, a step a stage."""

import subprocess

import pytest
import torch
import warm
from places import SCRIPTS
from safetensors.torch import save_file
from tiny_runs import make_photos
from torchvision.models import mobilenet_v2

from pix2pix import Colorizer, weights
from pix2pix.data.cache import list_photos
from pix2pix.data.pictures import in_validation
from pix2pix.nets import build_generator, config_of
from pix2pix.recipes import renamed
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
    settings = {k: v for k, v in bundled.arguments.items() if k not in LOCAL}
    assert made.arguments == settings


@pytest.mark.slow
@pytest.mark.parametrize("name", weights.bundled())
def test_what_it_makes_colors_photos(out, name):
    colorizer = Colorizer.from_pretrained(str(out / f"{name}.safetensors"))
    photo = torch.arange(64 * 64 * 3, dtype=torch.uint8).view(64, 64, 3).numpy()
    assert colorizer.rgb(photo).shape == (64, 64, 3)


@pytest.mark.slow
def test_every_stage_has_its_run(out):
    stages = [p.name for p in out.iterdir() if (p / "last.safetensors").exists()]
    sides = [f"{name}-{side}" for name in ("default", "hints", "pages") for side in (128, 192)]
    course = ["answers-128", "answers-64", "pix2pix-128", "pix2pix-l1-128", "truth-64"]
    assert sorted(stages) == sorted([*sides, *course])
