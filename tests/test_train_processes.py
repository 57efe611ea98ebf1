"""Two processes over gloo against one: the same steps, the same weights, no waiting for ever."""

import json
import os
import subprocess

import numpy as np
import pytest
import torch
import warm
from test_train_loop import last_of, overrides_for
from tiny_runs import (
    BATCH_NORM,
    NO_DROPOUT,
    in_two_processes,
    losses_of,
    make_photos,
    train_and_return,
    train_from_other_weights,
    train_on_a_full_disk,
    train_until_told,
    train_with_bad_losses,
)

from pix2pix.errors import SettingError
from pix2pix.train.__main__ import main
from pix2pix.train.checkpoints import Checkpoints
from pix2pix.train.processes import is_first, launch, native_precision
from pix2pix.train.run import only_run_in


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("processes") / "photos")


def distance(one, other):
    return max(np.abs(one[key] - other[key]).max() for key in one)


@pytest.mark.slow
def test_two_processes_equal_one(photos, tmp_path):
    one = train_and_return(NO_DROPOUT, photos, tmp_path / "one", gan_start=3)
    both = in_two_processes(
        train_and_return, NO_DROPOUT, photos, tmp_path / "two", gan_start=3, processes=2
    )
    assert distance(*both) == 0
    assert distance(one, both[0]) < 1e-5
    for mine, its in zip(losses_of(tmp_path / "one"), losses_of(tmp_path / "two"), strict=True):
        for name in mine:
            assert float(mine[name] or 0) == pytest.approx(float(its[name] or 0), rel=1e-4), name


@pytest.mark.slow
def test_two_processes_of_torchrun_equal_one_with_the_same_batch(photos, tmp_path):
    settings = overrides_for(photos, tmp_path / "one", "recipe.generator.dropout=0")
    settings += ["trainer.steps=3", "trainer.save_seconds=0", "recipe.gan_start=1"]
    assert main(settings) == 0
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    more = ["trainer.devices=2", f"run_dir={tmp_path / 'two'}"]
    done = subprocess.run(
        [warm.python(), *launcher, "-m", "pix2pix.train", *settings, *more],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("2 x cpu") == 1
    one, two = last_of(tmp_path / "one"), last_of(tmp_path / "two")
    assert max((one["recipe"][k] - two["recipe"][k]).abs().max() for k in one["recipe"]) < 1e-5
    # what Adam has gathered are the gradients: their means, over both optimizers
    for mine, its in zip(one["optimizers"], two["optimizers"], strict=True):
        for key, moments in mine["state"].items():
            a, b = moments["exp_avg"], its["state"][key]["exp_avg"]
            assert (a - b).abs().max() <= 1e-5 * max(1, a.abs().max()), key


@pytest.mark.parametrize(
    "ranks, first",
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "4", "SLURM_LOCALID": "0"}, False),
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),
    ],
)
def test_the_first_process_by_what_its_starter_says(ranks, first, monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, rank in ranks.items():
        monkeypatch.setenv(name, rank)
    assert is_first() == first


@pytest.mark.slow
def test_with_batch_norm_both_hold_the_same_weights_and_statistics(photos, tmp_path):
    both = in_two_processes(
        train_and_return, BATCH_NORM, photos, tmp_path, processes=2, accumulate=2, steps=3
    )
    assert any("running_mean" in key for key in both[0])
    assert distance(*both) == 0


@pytest.mark.slow
def test_both_begin_with_the_weights_of_the_first(photos, tmp_path):
    both = in_two_processes(
        train_from_other_weights, NO_DROPOUT, photos, tmp_path, processes=2, steps=1
    )
    assert distance(*both) == 0


@pytest.mark.slow
def test_another_number_of_processes_goes_on_at_the_same_photos(photos, tmp_path):
    settings = {"schedule": "constant", "gan_start": 9}
    whole = train_and_return(NO_DROPOUT, photos, tmp_path / "whole", steps=6, **settings)
    folder = tmp_path / "run"
    in_two_processes(train_and_return, NO_DROPOUT, photos, folder, steps=3, processes=2, **settings)
    assert Checkpoints(folder / "checkpoints").steps() == [3]
    end = train_and_return(NO_DROPOUT, photos, folder, steps=6, ckpt_path="last", **settings)
    assert distance(whole, end) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_stops_both_after_the_same_step(photos, tmp_path, rank):
    both = in_two_processes(
        train_until_told, NO_DROPOUT, photos, tmp_path, processes=2, steps=50, rank=rank
    )
    assert both == ("SystemExit: 143", "SystemExit: 143")
    assert Checkpoints(tmp_path / "checkpoints").steps() == [2]


@pytest.mark.slow
def test_a_locked_folder_stops_both(photos, tmp_path):
    with only_run_in(tmp_path):
        both = in_two_processes(train_and_return, NO_DROPOUT, photos, tmp_path, processes=2)
    assert all("CheckpointError" in text and "another run" in text for text in both)


@pytest.mark.slow
def test_bad_losses_stop_both_and_all_photos_are_named(photos, tmp_path):
    both = in_two_processes(train_with_bad_losses, NO_DROPOUT, photos, tmp_path, processes=2)
    assert all("Diverged" in text for text in both)
    first = json.loads((tmp_path / "not_finite.jsonl").read_text().splitlines()[0])
    assert len(set(first["photos"])) == 4


@pytest.mark.slow
def test_a_full_disk_at_the_first_ends_the_second_too(photos, tmp_path):
    first, second = in_two_processes(
        train_on_a_full_disk, NO_DROPOUT, photos, tmp_path, processes=2, save_seconds=0
    )
    assert "CheckpointError" in first and "disk is full" in first
    assert "RuntimeError" in second  # gloo: the connection is closed


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"precision": "fp8"}, "trainer.precision=fp8: auto, bf16, fp16, fp32"),
        ({"accelerator": "abacus"}, "trainer.accelerator=abacus"),
        ({"accelerator": "cpu", "devices": 0}, "trainer.devices=0"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, text):
    with pytest.raises(SettingError, match=text):
        launch(**settings)


@pytest.mark.parametrize(
    "device, capability, precision",
    [
        ("cuda", (9, 0), "bf16"),
        ("cuda", (8, 0), "bf16"),
        ("cuda", (7, 5), "fp16"),
        ("mps", 0, "fp32"),
    ],
)
def test_auto_takes_what_the_hardware_has(monkeypatch, device, capability, precision):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert native_precision(torch.device(device)) == precision


@pytest.mark.parametrize("there, precision", [(True, "bf16"), (False, "fp32")])
def test_auto_on_a_cpu(monkeypatch, there, precision):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: there)
    assert native_precision(torch.device("cpu")) == precision
