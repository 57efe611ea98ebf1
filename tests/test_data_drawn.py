"""Drawn worlds as data sets: endless, the same wherever they are drawn, and trained on."""

import pickle

import numpy as np
import pytest
import torch
from tiny_runs import losses_of
from torch.utils.data import DataLoader

from pix2pix import weights
from pix2pix.color import net_to_rgb
from pix2pix.data import worlds
from pix2pix.data.drawn import Drawn
from pix2pix.errors import SettingError
from pix2pix.train.__main__ import main
from pix2pix.train.config import open_photos

WORLDS = {"marbles": "color", "quilt": "translate"}


@pytest.mark.parametrize("world", WORLDS)
def test_each_position_is_a_scene_of_its_own_wherever_it_is_drawn(world):
    drawn = Drawn(world=world, size=32, seed=3)
    scenes = [drawn[position] for position in (0, 1, 2, 10**9)]
    assert [position for _, position in scenes] == [0, 1, 2, 10**9]
    assert all(not torch.equal(scenes[0][0], other) for other, _ in scenes[1:])
    again = pickle.loads(pickle.dumps(drawn))
    assert torch.equal(again[2][0], scenes[2][0]) and torch.equal(drawn.center(2), scenes[2][0])
    assert not torch.equal(Drawn(world=world, size=32, seed=4)[0][0], scenes[0][0])
    assert drawn.name(2) == f"{world} of seed 3, number 2" and drawn.labels is None


def test_a_batch_of_marbles_is_what_the_world_draws():
    drawn, scenes = Drawn(world="marbles", size=32, seed=3), worlds.marbles(3, size=32, seed=3)
    crops = torch.stack([drawn[i][0] for i in range(3)])
    batch = drawn.prepare(crops, np.arange(3), seed=9)
    assert torch.equal(batch.L, scenes.L) and torch.equal(batch.ab, scenes.ab)
    assert batch.task == drawn.task == "color"
    assert torch.equal(drawn.truth(crops), net_to_rgb(scenes.L, scenes.ab))


def test_a_batch_of_quilts_is_labels_and_picture():
    drawn, scenes = Drawn(world="quilt", size=32, seed=3), worlds.quilt(3, size=32, seed=3)
    crops = torch.stack([drawn[i][0] for i in range(3)])
    batch = drawn.prepare(crops, np.arange(3))
    assert torch.equal(batch.source, scenes.labels) and torch.equal(batch.target, scenes.picture)
    assert batch.task == drawn.task == "translate"
    assert torch.allclose(drawn.truth(crops) * 2 - 1, scenes.picture, atol=1e-6)


@pytest.mark.parametrize("world", WORLDS)
def test_validation_is_on_scenes_that_are_not_trained_on(world):
    train, val = open_photos({"world": world, "size": 16}, seed=5)
    trained = {train[i][0].numpy().tobytes() for i in range(40)}
    watched = {val.center(i).numpy().tobytes() for i in range(40)}
    assert len(trained) == len(watched) == 40 and not trained & watched
    again, _ = open_photos({"world": world, "size": 16}, seed=5)
    assert torch.equal(again[7][0], train[7][0])


def test_a_loader_process_draws_the_same():
    drawn = Drawn(world="quilt", size=16)
    loader = DataLoader(drawn, batch_sampler=[[0, 1], [5, 3]], num_workers=1)
    for crops, positions in loader:
        wanted = torch.stack([drawn[int(p)][0] for p in positions])
        assert torch.equal(crops, wanted)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"world": "mars", "size": 32}, "data.*world=mars: marbles or quilt"),
        ({"world": "quilt", "size": 8}, "data: .*size 8 must be at least .*16"),
    ],
)
def test_what_cannot_be_drawn_is_a_setting(settings, said):
    with pytest.raises(SettingError, match=said):
        open_photos(settings, seed=0)
    with pytest.raises(SettingError, match="film, hints: for photos to color"):
        Drawn(world="quilt").prepare(torch.zeros(1, 6, 8, 8), np.arange(1), film=1, hints=1)


# ---- runs

SMALL = (
    "recipe.generator.width=2", "recipe.generator.depth=3", "recipe.critic_width=2",
    "data.size=32", "trainer.steps=2", "trainer.batch=2", "trainer.val_photos=4",
    "trainer.accelerator=cpu", "trainer.workers=0", "logger.tensorboard=false",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("world", "task"), WORLDS.items())
def test_a_run_needs_no_files_and_its_weights_say_what_they_do(world, task, tmp_path, capsys):
    folder = tmp_path / "run"
    extra = ["recipe.generator.noise=1", "trainer.sizes=[24,32]"]
    assert main([f"run_dir={folder}", f"data={world}", *SMALL, *extra]) == 0
    said = capsys.readouterr().err
    assert f"{world} without end (drawn as they are needed), 1000 to validate; 1 x cpu" in said
    net, header = weights.load(folder / "best.safetensors", task=task)
    assert (header.data, header.generator["noise"]) == (f"{world} without end", 1)
    assert net.down[0][0].in_channels == net.in_channels + 1
    last = losses_of(folder)[-1]
    assert float(last["val_psnr"]) > 5 and ("val_psnr_gray" in last) == (task == "color")


@pytest.mark.slow
def test_a_run_of_two_halves_is_the_run_in_one_piece(tmp_path):
    shared = ["data=marbles", *SMALL, "recipe.generator.noise=1", "trainer.log_every=1"]
    two = [f"run_dir={tmp_path / 'two'}", *shared, "trainer.schedule=constant"]
    one = [f"run_dir={tmp_path / 'whole'}", *shared, "trainer.schedule=constant"]
    assert main([*one, "trainer.steps=4"]) == 0
    assert main([*two, "trainer.steps=2"]) == 0
    assert main([*two, "trainer.steps=4", "trainer.ckpt_path=last"]) == 0
    whole, halves = (losses_of(tmp_path / name) for name in ("whole", "two"))
    assert [row["l1"] for row in whole[2:]] == [row["l1"] for row in halves[2:]]


@pytest.mark.slow
def test_settings_of_files_and_photos_are_none_of_a_world(tmp_path, capsys):
    for override, said in (
        ("data.film=0.5", "data.film: for photos to color"),
        ("data.path=x", "'data.path'"),
        ("data.world=mars", "data.world=mars: marbles or quilt"),
        ("data.size=36", "data.size=36: this UNet takes multiples of 8"),
    ):
        assert main([f"run_dir={tmp_path / 'run'}", "data=quilt", *SMALL, override]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
