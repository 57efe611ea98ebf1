"""Settings: generated from signatures, composed from YAML, and named when they are wrong."""

import json
import re

import pytest
import torch
import yaml
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from tiny_runs import make_photos, pairs

from pix2pix import nets, recipes, weights
from pix2pix.data import Photos, RandomCrop
from pix2pix.errors import DataError, SettingError
from pix2pix.recipes import CONFIGS
from pix2pix.train.__main__ import fit_configured, main
from pix2pix.train.config import (
    field_type,
    fitting_size,
    open_photos,
    parameters,
    plain,
    register,
    schema,
)
from pix2pix.train.processes import launch
from pix2pix.train.settings import Intervals, Optimization, Start

TINY = {"width": 4, "depth": 2, "decoder": [8, 8, 8, 8], "bottleneck": 8}


def composed(*overrides):
    register()
    with initialize_config_module("pix2pix.configs", version_base="1.3"):
        return compose("train", [*overrides], return_hydra_config=False)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("config") / "photos", count=12)


@pytest.fixture
def overrides(photos, tmp_path):
    """A run of two steps of a tiny net, in a folder of its own."""
    data = [f"data.path={photos}", f"data.cache={photos.parent / 'cache'}", "data.size=32"]
    net = ["recipe.generator.width=4", "recipe.generator.depth=3", "recipe.critic_width=4"]
    trainer = ["trainer.steps=2", "trainer.batch=2", "trainer.accelerator=cpu", "trainer.workers=0"]
    return [*data, *net, *trainer, "logger.tensorboard=false", f"run_dir={tmp_path / 'run'}"]


def test_a_schema_is_its_signature():
    def source(positional, *, count: int = 3, sides: tuple[int, ...] = (1, 2), path: str): ...

    found = schema("S", source, extra={"more": (str | None, None)})
    one = found(path="x")
    assert (one.count, one.sides, one.path, one.more) == (3, [1, 2], "x", None)
    assert found.__annotations__ == {
        **{"count": int, "sides": list[int], "path": str, "more": str | None}
    }
    assert schema("S", source, skip=("path",)).__annotations__.keys() == {"count", "sides"}


@pytest.mark.parametrize(
    "hint, expected",
    [(int, int), (str | None, str | None), (tuple[int, ...], list[int]), (int | str, str)],
)
def test_types_that_omegaconf_knows(hint, expected):
    assert field_type(hint) == expected


def test_defaults_are_those_of_the_signatures():
    config = plain(composed("data.path=x"))
    assert config["recipe"]["l1"] == 25.0 and config["trainer"]["batch"] == 32
    assert config["recipe"]["generator"]["width"] == 64
    assert set(config["trainer"]) == {
        *(name for kind in (launch, Optimization, Intervals, Start) for name in parameters(kind))
    }
    assert set(config["data"]) == {
        *("path", "val", "film", "exposure", "color", "hints", "drawing", "border"),
        *(n for n in [*parameters(Photos), *parameters(RandomCrop)] if n not in ("seed", "split")),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "generator"), pairs())
def test_every_recipe_and_generator_composes_and_trains(recipe, generator, photos, tmp_path):
    known = parameters(nets.GENERATORS[recipes.read_generator(generator)["net"]])
    config = composed(
        f"recipe={recipe}",
        f"recipe/generator={generator}",
        *(f"recipe.generator.{key}={value}" for key, value in TINY.items() if key in known),
        f"data.path={photos}",
        f"data.cache={photos.parent / 'cache'}",
        "data.size=32",
        "data.val_fraction=0.2",
        "trainer={steps: 2, batch: 2, workers: 0, accelerator: cpu, precision: fp32}",
        "trainer.val_photos=2",
        "logger.tensorboard=false",
    )
    state = fit_configured(config, recipe_name=recipe, run_dir=str(tmp_path))
    assert state.step == 2
    net, header = weights.load(tmp_path / "best.safetensors")
    assert (header.recipe, header.steps, header.area) == (recipe, 2, 32 * 32)
    assert type(net) is type(state.recipe.generator)
    assert json.loads(state.state_dict()["config"])["data"]["size"] == 32


@pytest.mark.slow
@pytest.mark.parametrize("group", ["recipe", "recipe/generator", "data", "trainer", "logger", ""])
def test_every_yaml_file_is_reached(group):
    folder = CONFIGS.parent / group
    for file in (f for f in folder.iterdir() if f.name.endswith(".yaml")):
        config = composed(f"{group}={file.name[:-5]}" if group else "recipe=pix2pix")
        there = OmegaConf.select(config, group.replace("/", ".")) if group else config
        for key, value in yaml.safe_load(file.read_text()).items():
            if isinstance(value, (str, int, float)) and "${" not in str(value):
                assert there[key] == value, file.name


def test_an_override_needs_no_plus():
    config = composed("recipe.l1=30", "trainer.steps=7", "data.film=0.5", "data.path=x")
    assert (config.recipe.l1, config.trainer.steps, config.data.film) == (30.0, 7, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "override, named",
    [
        ("recipe.l2=3", "recipe.l2"),
        ("trainer.stepz=1", "trainer.stepz"),
        ("recipe.generator.widht=4", "recipe.generator.widht"),
        ("data.pathh=x", "data.pathh"),
        ("trainer.steps=many", "trainer.steps"),
        ("data.flip=perhaps", "data.flip"),
        ("data.size=large", "data.size"),
        ("recipe.l1=[1]", "recipe.l1"),
        ("trainer.photos=x", "trainer.photos"),  # an argument of fit, but no setting
        ("recipe=pix3pix", "recipe/pix3pix"),
        ("trainer.precision=fp8", "trainer.precision=fp8"),
        ("trainer.schedule=cosinus", "trainer.schedule=cosinus"),
        ("trainer.accelerator=abacus", "trainer.accelerator=abacus"),
        ("trainer.batch=3 trainer.accumulate=2", "trainer.batch=3"),
        ("data.size=33", "data.size=33.*multiples of 8, such as 40"),
        ("trainer.sizes=[16,20]", r"trainer.sizes=\[16, 20\]: 20 is no multiple of 8"),
        ("data.size=16", "data.size=16: this recipe's PatchGAN takes 24 pixels or more"),
        ("trainer.sizes=[32,16]", r"trainer.sizes=.32, 16.: this .* 24 pixels or more"),
        ("trainer.sizes=[16,40]", "40 is no multiple of 8 from 8 to data.size=32"),
        ("recipe/generator=mobilenet_v2 recipe.generator.encoder=vgg", "recipe: encoder 'vgg'"),
        ("--multirun=3", "--multirun"),
    ],
)
def test_what_is_wrong_is_named_in_a_few_lines(override, named, overrides, capsys, tmp_path):
    if "mobilenet" in override:
        overrides = [o for o in overrides if "generator" not in o]
    assert main([*overrides, *override.split()]) == 1
    error = capsys.readouterr().err
    listed = 2 * len(recipes.names()) if "pix3pix" in override else 0  # Hydra tells what there is
    assert "Traceback" not in error and len(error.splitlines()) < 10 + listed
    assert re.search(named, error), error
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_photos_that_are_not_given_are_asked_for(capsys):
    assert main([]) == 1
    assert capsys.readouterr().err == (
        "pix2pix train: data.path: not given, such as in: data.path=...\n"
    )


@pytest.mark.slow
def test_help_shows_the_settings(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "pix2pix train data.path=photos" in shown and "critic_width: 64" in shown


@pytest.mark.slow
def test_a_sweep_is_one_run_a_value(overrides, tmp_path, capsys):
    assert main(["--multirun", *overrides, "recipe.l1=10,30"]) == 0
    for job, l1 in enumerate((10.0, 30.0)):
        folder = tmp_path / "run" / str(job)
        assert yaml.safe_load((folder / "config.yaml").read_text())["recipe"]["l1"] == l1
        assert weights.read_header(folder / "last.safetensors").arguments["l1"] == l1


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_run_that_fails(overrides, tmp_path, capsys):
    assert main(["--multirun", *overrides, "trainer.accumulate=3,1"]) == 1
    assert "trainer.batch=2: not a multiple" in capsys.readouterr().err
    assert (tmp_path / "run" / "1" / "last.safetensors").exists()


class Net:
    multiple = 64


@pytest.mark.parametrize("size, fitting", [(None, 128), (64, 64), (192, 192)])
def test_a_size_that_fits(size, fitting):
    assert fitting_size(size, Net()) == fitting


def test_a_deep_net_enlarges_the_default(monkeypatch):
    monkeypatch.setattr(Net, "multiple", 256)
    assert fitting_size(None, Net()) == 256
    with pytest.raises(SettingError, match="data.size=128: this Net takes multiples of 256"):
        fitting_size(128, Net())


def settings_for(path, **given):
    data = {"path": str(path), "val": None, "cache": str(path.parent / "cache"), "size": 16}
    return data | given


def test_some_photos_are_held_back_for_validation(photos):
    train, val = open_photos(settings_for(photos, val_fraction=0.3), seed=5)
    names = {row.name for row in train.rows}, {row.name for row in val.rows}
    assert len(names[0]) + len(names[1]) == 12 and not names[0] & names[1]
    assert train.seed == 5


def test_a_folder_too_small_to_hold_some_back_is_trained_on_unwatched(photos):
    train, val = open_photos(settings_for(photos, val_fraction=1e-9), seed=0)
    assert len(train) == 12 and val is None


def test_a_folder_for_validation_is_used_whole(photos, tmp_path):
    other = make_photos(tmp_path / "other", count=5, side=48)
    train, val = open_photos(settings_for(photos, val=str(other)), seed=0)
    assert (len(train), len(val)) == (12, 5)
    with pytest.raises(DataError, match="12 of 12 validation photos are trained on too"):
        open_photos(settings_for(photos, val=str(photos)), seed=0)


@pytest.mark.slow
def test_sizes_reach_the_net(overrides):
    seen = []

    def note(module, arguments, output):
        if isinstance(module, nets.UNet) and module.training:
            seen.append(arguments[0].shape[-2:])

    hook = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        assert main([*overrides, "trainer.sizes=[24]"]) == 0
    finally:
        hook.remove()
    assert set(seen) == {(24, 24)}
