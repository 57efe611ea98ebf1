"""A run's folder: one run at a time, nothing lost, and a guard against losses gone mad."""

import contextlib
import json
import math
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest
import torch
import yaml
from tiny_runs import GAN, make_photos, make_recipe, open_photos

from pix2pix import weights
from pix2pix.batch import Batch
from pix2pix.errors import CheckpointError, Diverged
from pix2pix.nets import config_of
from pix2pix.train.loop import begin
from pix2pix.train.processes import launch
from pix2pix.train.run import Run, stop_signals
from pix2pix.train.validate import Validation


def new_run(folder, *, fresh=True):
    header = weights.Header(config_of(make_recipe().generator), name="tiny")
    fabric = launch(accelerator="cpu", precision="fp32")
    return Run(fabric, folder, loggers=None, header=header, config={"a": {"b": 1}}, fresh=fresh)


def new_state():
    return begin(launch(accelerator="cpu", precision="fp32"), make_recipe(GAN), {})


def test_two_runs_in_one_folder_the_second_is_refused(tmp_path, monkeypatch):
    with new_run(tmp_path / "run"):
        monkeypatch.setattr(time, "time", lambda: 0.0)  # a clock jump opens no lock
        before = sorted(p.name for p in (tmp_path / "run").rglob("*"))
        with pytest.raises(CheckpointError, match="run: another run is writing here"):
            new_run(tmp_path / "run").__enter__()
        assert sorted(p.name for p in (tmp_path / "run").rglob("*")) == before
    with new_run(tmp_path / "run"):
        pass


def test_a_folder_with_checkpoints_takes_no_new_run(tmp_path):
    with new_run(tmp_path) as run:
        run.checkpoints.save(new_state().state_dict(), 40)
    with pytest.raises(CheckpointError, match="run of 40 steps; go on .* trainer.ckpt_path=last"):
        new_run(tmp_path).__enter__()
    with new_run(tmp_path, fresh=False) as run:  # and the refused one has let go of the lock
        assert run.checkpoints.steps() == [40]


def test_it_writes_down_its_configuration(tmp_path):
    with new_run(tmp_path):
        assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {"a": {"b": 1}}


@pytest.fixture
def anyones_folder():
    """A folder that a user other than root can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("closed", [".", "run", "run/checkpoints"])
def test_a_folder_that_cannot_be_written_fails_at_the_start(anyones_folder, closed):
    if closed != ".":
        (anyones_folder / closed).mkdir(parents=True, mode=0o755)
        if closed == "run/checkpoints":
            (anyones_folder / "run").chmod(0o777)
    (anyones_folder / closed).chmod(0o555)
    with as_nobody(), pytest.raises(CheckpointError, match="cannot be written: Permission denied"):
        new_run(anyones_folder / "run").__enter__()


@contextlib.contextmanager
def as_nobody():
    if os.geteuid():  # not root: the closed folder is closed for us as well
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_signals_are_collected_and_handlers_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as caught:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
        assert caught == [signal.SIGTERM, signal.SIGUSR1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_signals_are_left_alone():
    caught = []

    def run():
        with stop_signals() as found:
            caught.append(found)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught == [[]]


def test_three_bad_losses_in_a_row_are_the_end_and_their_photos_are_named(tmp_path):
    photos = open_photos(make_photos(tmp_path / "photos", count=8))
    places = torch.arange(4).numpy()
    micro = [Batch(torch.zeros(4), torch.zeros(4), places + 4 * i) for i in range(2)]
    with new_run(tmp_path / "run") as run:
        for step, loss in enumerate([math.nan, math.inf, 1.0, math.nan, -math.inf]):
            run.guard({"l1": loss, "lsgan": 1.0}, step, photos, micro)
        with pytest.raises(Diverged, match="step 5: 3 losses in a row"):
            run.guard({"l1": math.nan}, 5, photos, micro)
    lines = (tmp_path / "run" / "not_finite.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == [0, 1, 3, 4, 5]
    assert records[1]["losses"] == {"l1": "inf", "lsgan": "1.0"}
    assert sorted(records[0]["photos"]) == [f"photo{i:02}.png" for i in range(8)]


def test_a_checkpoint_is_due_by_a_clock_that_cannot_jump(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run = new_run(tmp_path)
    now[0] += 51
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert run.due(50) and not run.due(52)
    run.not_finite = 1
    assert not run.due(50)  # weights whose loss is not finite are no good checkpoint


@pytest.mark.parametrize("terminal, seconds", [(True, 0.5), (False, 30)])
def test_the_bar_is_lively_on_a_terminal_alone(tmp_path, monkeypatch, terminal, seconds):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with new_run(tmp_path).bar(5, 100, 4) as bar:
        assert (bar.mininterval, bar.n, bar.total) == (seconds, 20, 400)


def test_best_is_kept_when_the_score_falls(tmp_path):
    watched = Validation(open_photos(make_photos(tmp_path / "photos", count=3)), count=3)
    state = new_state()
    with new_run(tmp_path / "run") as run:
        for step, psnr in ((1, 20.0), (2, 22.0), (3, 21.0)):
            state.step = step
            watched.score = lambda net, device, psnr=psnr: {"val_psnr": psnr}
            run.validate(watched, state)
    net, header = weights.load(tmp_path / "run" / "best.safetensors")
    assert (state.best, header.steps, header.name) == (22.0, 2, "tiny")
    L = torch.rand(1, 1, 32, 32)
    assert torch.allclose(net(L), state.average(L), atol=1e-2)  # fp16 in the file


def test_last_belongs_to_the_newest_checkpoint(tmp_path):
    state = new_state()
    with new_run(tmp_path) as run:
        for state.step in (3, 5):
            run.save(state)
        assert run.checkpoints.load()["step"] == 5
        assert weights.read_header(tmp_path / "last.safetensors").steps == 5
