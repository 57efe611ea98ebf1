"""Whole runs: resumed bit for bit after signals, kills and broken disks, or refused in one line.

With test_run, test_step, test_processes and test_checkpoints, every line of the contract on bad
inputs in training has its case.
"""

import copy
import hashlib
import json
import math
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import warm
from PIL import Image
from test_train_checkpoints import a_pickle, a_torch_file
from tiny_runs import (
    BATCH_NORM,
    GAN,
    UNET,
    equal_states,
    in_child,
    kill_at,
    losses_of,
    make_photos,
    make_recipe,
    open_photos,
    train,
)

import pix2pix.train.__main__ as training
from pix2pix import weights
from pix2pix.errors import CheckpointError, Diverged
from pix2pix.train import loop, processes
from pix2pix.train.__main__ import main
from pix2pix.train.checkpoints import Checkpoints
from pix2pix.train.run import only_run_in

# everything that resuming must carry over: dropout, both stages, average, film, a short last step
SETTINGS = {
    "steps": 8,
    "gan_start": 4,
    "ema": 0.9,
    "augment": {"film": 0.7, "exposure": 0.2, "color": 0.1},
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("train") / "photos")


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The uninterrupted run: its rows and its last checkpoint."""
    folder = tmp_path_factory.mktemp("whole")
    train(GAN, photos, folder, **SETTINGS)
    return losses_of(folder), last_of(folder)


def last_of(folder):
    saved = Checkpoints(folder / "checkpoints").load(say=pytest.fail)
    return {key: saved[key] for key in ("recipe", "average", "optimizers", "step")}


def at_step(monkeypatch, step, action):
    """Call `action` within a step of `fit`."""
    original = loop.train_step

    def train_step(fabric, state, micro, **settings):
        if state.step == step:
            action(state)
        return original(fabric, state, micro, **settings)

    monkeypatch.setattr(loop, "train_step", train_step)


def assert_same(whole, folder):
    rows, last = whole
    assert losses_of(folder) == rows
    assert equal_states(last_of(folder), last)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("step, workers", [(1, 0), (5, 1)], ids=["l1-stage", "gan-stage"])
def test_stopped_and_resumed_is_never_stopped(
    kind, step, workers, photos, tmp_path, whole, monkeypatch, capsys
):
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stop:
        at_step(patch, step, lambda state: signal.raise_signal(kind))
        train(GAN, photos, tmp_path, **SETTINGS)
    assert stop.value.code == 143
    assert last_of(tmp_path)["step"] == step + 1
    train(GAN, photos, tmp_path, ckpt_path="last", workers=workers, **SETTINGS)
    assert_same(whole, tmp_path)
    told = capsys.readouterr().err
    assert f"stopped at step {step + 1}" in told and f"going on from step {step + 1}" in told


@pytest.mark.slow
def test_killed_again_and_again_loses_nothing_but_time(photos, tmp_path, whole):
    dice, saved = random.Random(0), Checkpoints(tmp_path / "checkpoints")
    for moment in range(7):
        child = in_child(train, GAN, photos, tmp_path, ckpt_path="last", save_seconds=0, **SETTINGS)
        wait_for(lambda after=moment: max(saved.steps(), default=0) > after)
        time.sleep(dice.random() * 0.1)
        child.kill()
        child.join()
        if saved.steps()[-1] == SETTINGS["steps"]:
            break
    assert moment > 1
    train(GAN, photos, tmp_path, ckpt_path="last", **SETTINGS)
    assert_same(whole, tmp_path)


def wait_for(condition):
    deadline = time.monotonic() + 600  # a busy machine
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


# A save touches the file system so often: for hash, checkpoint and weights each a write, a sync, a
# rename, a sync of the folder, and two removals. The run's first eight write its settings and the
# head of its metrics.
@pytest.mark.slow
@pytest.mark.parametrize("event", range(12, 64, 5))
def test_killed_within_a_checkpoint_write(event, photos, tmp_path, whole):
    child = in_child(kill_at, event, GAN, photos, tmp_path, save_seconds=0, **SETTINGS)
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    train(GAN, photos, tmp_path, ckpt_path="last", **SETTINGS)
    assert_same(whole, tmp_path)
    assert not list(tmp_path.rglob(".pix2pix-*"))


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    damage, photos, tmp_path, whole, monkeypatch, capsys
):
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        at_step(patch, 5, lambda state: signal.raise_signal(signal.SIGTERM))
        train(GAN, photos, tmp_path, save_seconds=0, **SETTINGS)
    path = tmp_path / "checkpoints" / "step-00000006.ckpt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    train(GAN, photos, tmp_path, ckpt_path="last", **SETTINGS)
    told = capsys.readouterr().err
    assert f"{path}: truncated or changed" in told and "going on from step 5" in told
    assert_same(whole, tmp_path)


def test_another_net_is_refused_with_the_difference(photos, tmp_path):
    train(GAN, photos, tmp_path, steps=2)
    wider = {**GAN, "generator": {**UNET, "width": 6}}
    with pytest.raises(CheckpointError, match="another net: recipe.generator.width: 4 -> 6"):
        train(wider, photos, tmp_path, steps=4, ckpt_path="last")
    assert Checkpoints(tmp_path / "checkpoints").load()["step"] == 2


def test_another_rate_and_batch_are_taken_and_said(photos, tmp_path, capsys):
    train(GAN, photos, tmp_path, steps=2, lr=1e-4)
    state = train(GAN, photos, tmp_path, steps=4, ckpt_path="last", lr=3e-4, batch=2)
    told = capsys.readouterr().err
    assert "recipe.lr: 0.0001 -> 0.0003; trainer.batch: 4 -> 2" in told
    assert state.step == 4
    assert state.optimizers[0].param_groups[0]["initial_lr"] == 3e-4


def test_a_folder_with_a_run_is_not_begun_anew(photos, tmp_path):
    train(GAN, photos, tmp_path, steps=2)
    with pytest.raises(CheckpointError, match="ckpt_path=last, or give another run_dir"):
        train(GAN, photos, tmp_path, steps=2)


def test_a_finished_run_stays_as_it_is(photos, tmp_path, capsys):
    train(GAN, photos, tmp_path, steps=2)
    before = losses_of(tmp_path), last_of(tmp_path)
    assert train(GAN, photos, tmp_path, steps=2, ckpt_path="last").step == 2
    assert_same(before, tmp_path)


def test_a_checkpoint_of_another_folder_is_gone_on_from(photos, tmp_path, whole):
    train(GAN, photos, tmp_path / "a", **{**SETTINGS, "steps": 3, "schedule": "constant"})
    path = str(tmp_path / "a" / "checkpoints" / "step-00000003.ckpt")
    state = train(GAN, photos, tmp_path / "b", ckpt_path=path, **SETTINGS)
    assert state.step == 8
    assert [row["step"] for row in losses_of(tmp_path / "b")] == ["4", "5", "6", "7", "8"]


def test_weights_of_another_run_are_started_from(photos, tmp_path, monkeypatch):
    train(GAN, photos, tmp_path / "a", steps=3)
    source = tmp_path / "a" / "last.safetensors"
    begun = []
    at_step(monkeypatch, 0, lambda state: begun.append(copy.deepcopy(state)))
    train(GAN, photos, tmp_path / "b", steps=1, init_from=str(source))
    expected = weights.load(source)[0].state_dict()
    assert equal_states(begun[0].recipe.generator.state_dict(), expected)
    assert equal_states(begun[0].average.state_dict(), expected)
    other = {**GAN, "generator": {**UNET, "width": 6}}
    with pytest.raises(weights.WeightsError, match="of another net: .*tensors differ"):
        train(other, photos, tmp_path / "c", steps=1, init_from=str(source))


def test_a_full_disk_stops_the_run_and_keeps_the_old_checkpoint(photos, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting takes root; test_checkpoints has a simulated full disk")
    try:
        with pytest.raises(CheckpointError, match=rf"{disk}.*step.*full: [\d,]+ bytes needed"):
            train({**GAN, "critic_width": 12}, photos, disk, save_seconds=0)
        saved = Checkpoints(disk / "checkpoints").load(say=pytest.fail)
        assert saved["step"] >= 1
        assert not list(disk.rglob(".pix2pix-*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_second_run_in_the_folder_is_refused_before_it_trains(photos, tmp_path, monkeypatch):
    at_step(monkeypatch, 0, lambda state: pytest.fail("it trains"))
    with only_run_in(tmp_path), pytest.raises(CheckpointError, match="another run is writing"):
        train(GAN, photos, tmp_path)


def with_bad_steps(config, *bad):
    """A recipe whose loss is NaN at some steps of batch 4."""
    recipe = make_recipe(config)
    original = recipe.generator_loss

    def generator_loss(batch, fake, *, adversarial):
        factor = math.nan if int(batch.positions[0]) // 4 in bad else 1.0
        terms = original(batch, fake, adversarial=adversarial)
        return {name: term * factor for name, term in terms.items()}

    recipe.generator_loss = generator_loss
    return recipe


def test_a_bad_batch_is_passed_over(photos, tmp_path):
    train(GAN, photos, tmp_path, steps=8, recipe=with_bad_steps(GAN, 2, 3, 5))
    rows = losses_of(tmp_path)
    assert [row["step"] for row in rows if row["l1"] == "nan"] == ["3", "4", "6"]
    saved = Checkpoints(tmp_path / "checkpoints").load()
    assert saved["step"] == 8
    assert all(tensor.isfinite().all() for tensor in saved["average"].values())


def test_three_bad_batches_stop_the_run_and_the_last_good_checkpoint_stays(photos, tmp_path):
    recipe = with_bad_steps(BATCH_NORM, 4, 5, 6, 7)
    with pytest.raises(Diverged):
        train(BATCH_NORM, photos, tmp_path, steps=9, save_seconds=0, recipe=recipe)
    saved = Checkpoints(tmp_path / "checkpoints").load(say=pytest.fail)
    assert saved["step"] == 4
    assert all(tensor.isfinite().all() for tensor in saved["recipe"].values())
    records = [json.loads(line) for line in (tmp_path / "not_finite.jsonl").open()]
    names = open_photos(photos)
    assert [record["step"] for record in records] == [4, 5, 6]
    assert records[0]["photos"] == [names.name(position) for position in range(16, 20)]


@pytest.mark.slow
def test_a_log_file_is_not_flooded(photos, tmp_path, capsys):
    train(BATCH_NORM, photos, tmp_path, steps=40)
    assert capsys.readouterr().err.count("img/s") <= 3


def overrides_for(photos, run_dir, *more):
    data = [f"data.path={photos}", f"data.cache={Path(photos).parent / 'cache'}", "data.size=32"]
    net = ["recipe.generator.width=4", "recipe.generator.depth=3", "recipe.critic_width=4"]
    trainer = ["trainer.steps=2", "trainer.batch=4", "trainer.accelerator=cpu", "trainer.workers=0"]
    rest = ["data.val_fraction=0.2", "trainer.precision=fp32", "trainer.log_every=1"]
    return [*data, *net, *trainer, *rest, f"run_dir={run_dir}", *more]


@pytest.mark.slow
def test_the_header_names_the_recipe_and_no_path_of_this_machine(photos, tmp_path):
    double_conv = ["recipe=unet_l1", "recipe.generator.width=4", "recipe.generator.depth=2"]
    more = ["recipe.perceptual_weights=/home/me/mobilenet.safetensors", "recipe.lr=0.01"]
    keep = [o for o in overrides_for(photos, tmp_path / "run") if not o.startswith("recipe.")]
    assert main([*double_conv, *more, *keep]) == 0
    header = weights.read_header(tmp_path / "run" / "last.safetensors")
    assert header.recipe == "unet_l1" and header.arguments["lr"] == 0.01
    assert "/home/me" not in str(header) and "generator" not in header.arguments


def test_a_header_names_no_larger_area_than_can_be_read(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("pix2pix.train.__main__.MOST_PIXELS", 900)  # the crops have 32 x 32
    assert main(overrides_for(photos, tmp_path / "run", "recipe=pix2pix", "trainer.steps=1")) == 0
    assert weights.read_header(tmp_path / "run" / "last.safetensors").area == 900


def empty(folder, photos):
    folder.mkdir()


def missing(folder, photos):
    pass


def no_pictures(folder, photos):
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")


def not_pictures(folder, photos):
    folder.mkdir()
    (folder / "photo.jpg").write_text("no picture either")


def all_gray(folder, photos):
    make_photos(folder, colorful=False)


def two_broken_of_many(folder, photos):
    make_photos(folder)
    for name in ("a.jpg", "b.png"):
        (folder / name).write_bytes(b"\xff\xd8\xff\xe0 cut")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make, reason",
    [
        (empty, "no pictures in it"),
        (missing, "neither a folder nor a zip"),
        (no_pictures, "no pictures in it"),
        (not_pictures, "cannot be read"),
        (all_gray, "100% of images have colorfulness < 3"),
        (two_broken_of_many, "2 of 26 pictures cannot be read .*a.jpg.*bad_files.jsonl"),
    ],
)
@pytest.mark.parametrize("devices", [1, 2])
def test_data_that_cannot_be_trained_on_is_one_line(
    make, reason, devices, photos, tmp_path, capsys, no_device
):
    folder = tmp_path / "photos"
    make(folder, photos)
    settings = overrides_for(folder, tmp_path / "run", f"trainer.devices={devices}")
    assert main(settings) == 1
    assert_one_line(capsys, reason)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def no_device(monkeypatch):
    """Fail when a device is looked for, or a process started."""
    monkeypatch.setattr(processes, "Fabric", lambda **settings: pytest.fail("a device is touched"))


def assert_one_line(capsys, pattern):
    error = capsys.readouterr().err
    assert re.fullmatch(f"pix2pix train: .*{pattern}.*\n", error), error


def test_validation_photos_that_are_trained_on_are_refused(photos, tmp_path, capsys, no_device):
    assert main(overrides_for(photos, tmp_path / "run", f"data.val={photos}")) == 1
    assert_one_line(capsys, "24 of 24 validation photos are trained on too")


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["ckpt_path", "init_from"])
@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin", ".safetensors"])
@pytest.mark.parametrize("make", [a_pickle, a_torch_file])
def test_a_strangers_file_executes_nothing(setting, suffix, make, photos, tmp_path, capsys):
    path, canary = tmp_path / f"model{suffix}", tmp_path / "canary"
    make(path, canary)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  {path.name}\n")
    assert main(overrides_for(photos, tmp_path / "run", f"trainer.{setting}={path}")) == 1
    last_line = capsys.readouterr().err.splitlines()[-1]
    assert last_line.startswith(f"pix2pix train: {path}: not a ")
    assert not canary.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "error, line",
    [
        (OSError(28, "No space left on device", "x/cache"), "x/cache: No space left on device"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (
            torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"),
            "CUDA out of memory.; a smaller trainer.batch or a larger trainer.accumulate helps",
        ),
    ],
    ids=["a full disk", "a broken disk", "a full GPU"],
)
def test_what_a_disk_or_a_gpu_says_is_one_line(error, line, photos, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(training, "fit_configured", fail)
    assert main(overrides_for(photos, tmp_path / "run", "recipe=pix2pix")) == 1
    assert capsys.readouterr().err == f"pix2pix train: {line}\n"


@pytest.mark.slow
def test_one_broken_photo_among_many_is_passed_over_and_small_ones_are_counted(
    photos, tmp_path, capsys
):
    folder = make_photos(tmp_path / "photos", count=24)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    Image.open(folder / "photo00.png").resize((20, 30)).save(folder / "photo00.png")
    assert main(overrides_for(folder, tmp_path / "run", "data.val_fraction=1e-9")) == 0
    assert "24 photos (0 gray left out, 1 enlarged)" in capsys.readouterr().err
    (bad,) = (tmp_path / "cache").glob("*/bad_files.jsonl")
    assert json.loads(bad.read_text())["path"] == "broken.jpg"


def start(arguments, **settings):
    """`python -m pix2pix.train` as a real process."""
    command = [warm.python(), "-m", "pix2pix.train", *arguments]
    settings = {"stderr": subprocess.PIPE, "text": True} | settings
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, **settings)


def wait_for_steps(folder, process):
    def there():
        return (folder / "metrics.csv").exists() and len(losses_of(folder)) > 2

    wait_for(lambda: there() or process.poll() is not None)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGUSR1])
def test_a_real_process_saves_and_exits_143(kind, photos, tmp_path):
    endless = overrides_for(photos, "run", "trainer.steps=100000", "trainer.log_every=1")
    process = start(endless, cwd=tmp_path)
    wait_for_steps(tmp_path / "run", process)
    process.send_signal(kind)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 143, told
    assert "Traceback" not in told
    step = last_of(tmp_path / "run")["step"]
    assert f"stopped at step {step}; trainer.ckpt_path=last goes on" in told
    assert weights.read_header(tmp_path / "run" / "last.safetensors").steps == step


@pytest.mark.slow
def test_two_real_processes_by_the_installed_command_elsewhere(photos, tmp_path):
    settings = overrides_for(photos, tmp_path / "one", "recipe.generator.dropout=0")
    assert main([*settings, "trainer.steps=3"]) == 0
    settings = [s for s in settings if not s.startswith("run_dir")]
    result = subprocess.run(
        [warm.pix2pix(), "train", *settings] + ["trainer.steps=3", "trainer.devices=2"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    (folder,) = (tmp_path / "runs").glob("*/*")  # one, though the clock of each process is in it
    one, two = last_of(tmp_path / "one")["recipe"], last_of(folder)["recipe"]
    assert max((one[key] - two[key]).abs().max() for key in one) < 1e-5
    assert "24 photos" not in result.stderr and result.stderr.count("photos (") == 1


@pytest.mark.slow
def test_a_signal_to_the_first_of_two_real_processes(photos, tmp_path):
    endless = overrides_for(photos, "run", "trainer.steps=100000", "trainer.devices=2")
    process = start(endless, cwd=tmp_path)
    wait_for_steps(tmp_path / "run", process)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=120)[1]  # returns when the second has closed it too
    assert process.returncode == 143, told
    assert "Traceback" not in told and last_of(tmp_path / "run")["step"] > 2
