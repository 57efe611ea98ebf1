"""CSV, TensorBoard, W&B and pictures of a run, resumed and cut short."""

import csv
import re
import time

import numpy as np
import pytest
from PIL import Image
from test_train_loop import overrides_for
from tiny_runs import losses_of, make_photos
from wandb_files import OfflineRun

from pix2pix.train import loggers as sinks
from pix2pix.train.__main__ import main
from pix2pix.train.loggers import Loggers


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def logs(tmp_path):
    loggers = Loggers(tmp_path, tensorboard=False)
    loggers.open(0)
    for step in (10, 20, 30):
        loggers.scalars({"l1": step / 100}, step)
    loggers.close()
    return loggers


def test_a_row_a_step(logs, tmp_path):
    assert rows(tmp_path) == [
        {"step": "10", "l1": "0.1"},
        {"step": "20", "l1": "0.2"},
        {"step": "30", "l1": "0.3"},
    ]


def test_float32_survives_the_text(logs, tmp_path):
    value = np.float32(1) / np.float32(3)
    logs.scalars({"l1": float(value)}, 40)
    assert np.float32(rows(tmp_path)[-1]["l1"]) == value


def test_more_columns_of_the_same_step_and_of_a_later_one(logs, tmp_path):
    logs.scalars({"val_psnr": 21.5}, 30)
    logs.scalars({"l1": 0.4, "lsgan": 1.0}, 40)
    logs.scalars({"l1": 0.5}, 50)
    assert rows(tmp_path)[-3:] == [
        {"step": "30", "l1": "0.3", "val_psnr": "21.5", "lsgan": ""},
        {"step": "40", "l1": "0.4", "val_psnr": "", "lsgan": "1"},
        {"step": "50", "l1": "0.5", "val_psnr": "", "lsgan": ""},
    ]


@pytest.mark.parametrize("tail", ["", "4", "40,0.", "40"], ids=repr)
def test_resumed_at_20_there_is_one_row_a_step(logs, tmp_path, tail):
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write(tail)  # a kill in the middle of a row
    resumed = Loggers(tmp_path, tensorboard=False)
    resumed.open(20)
    assert [row["step"] for row in rows(tmp_path)] == ["10", "20"]
    resumed.scalars({"l1": 0.9}, 30)
    assert [(row["step"], row["l1"]) for row in rows(tmp_path)[1:]] == [
        ("20", "0.2"),
        ("30", "0.9"),
    ]


def test_pictures_are_files(logs, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    logs.picture("val", rgb, 30)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "grids" / "val-0000030.png")), rgb)


def test_tensorboard_reads_back_what_a_resumed_run_wrote(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rgb = np.full((6, 8, 3), 200, np.uint8)
    for resumed_at, values in ((0, {10: 0.5, 20: 0.25, 30: 9.0}), (20, {30: 0.125})):
        loggers = Loggers(tmp_path)
        loggers.open(resumed_at)
        for step, value in values.items():
            loggers.scalars({"l1": value}, step)
        loggers.picture("val", rgb, max(values))
        loggers.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    read = [(event.step, event.value) for event in events.Scalars("l1")]
    assert read == [(10, 0.5), (20, 0.25), (30, 0.125)]
    picture = events.Images("val")[-1]
    assert (picture.step, picture.width, picture.height) == (30, 8, 6)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("loggers") / "photos")


@pytest.mark.slow
@pytest.mark.parametrize("logger, board", [("csv", False), ("tensorboard", True)])
def test_the_csv_file_is_always_there(logger, board, photos, tmp_path):
    folder = tmp_path / "run"
    assert main(overrides_for(photos, folder, f"logger={logger}")) == 0
    assert [row["step"] for row in losses_of(folder)] == ["1", "2"]
    assert (folder / "grids" / "val-0000002.png").exists()
    assert (folder / "tensorboard").exists() == board and not (folder / "wandb").exists()


@pytest.fixture
def offline(monkeypatch):
    """The real client without network, and nothing of this machine's settings."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.mark.slow
def test_wandb_has_losses_scores_pictures_and_settings_of_a_resumed_run(photos, tmp_path, offline):
    folder = tmp_path / "run"
    settings = overrides_for(photos, folder, "logger=wandb", "trainer.val_every=2", "recipe.l1=7")
    assert main([*settings, "trainer.steps=4"]) == 0
    assert main([*settings, "trainer.steps=6", "trainer.ckpt_path=last"]) == 0

    for _ in range(300):  # the client's own process may still be writing when `finish` returns
        runs = [OfflineRun(path) for path in (folder / "wandb").glob("offline-run-*")]
        if sum(len(run.history) for run in runs) == 6:
            break
        time.sleep(0.1)
    runs = sorted(runs, key=first_step)
    assert [list(run.history) for run in runs] == [[1, 2, 3, 4], [5, 6]]
    assert runs[0].id == runs[1].id == (folder / "wandb" / "id").read_text()
    assert all(run.config["recipe"]["l1"] == 7.0 for run in runs)

    logged = {step: (run, row) for run in runs for step, row in run.history.items()}
    for row in rows(folder):
        seen = logged[int(row["step"])][1]
        for name in (name for name in row if row[name] and name != "step"):
            assert seen[name] == pytest.approx(float(row[name]), rel=1e-6), name
    for step in (2, 4, 6):
        run, row = logged[step]
        there = np.asarray(Image.open(run.folder / "files" / row["val"]["path"]))
        mine = np.asarray(Image.open(folder / "grids" / f"val-{step:07d}.png"))
        assert np.array_equal(there, mine) and row["val_psnr"] > 0
    assert "val" not in logged[3][1]


def first_step(run):
    return min(run.history, default=0)


def test_a_new_run_in_the_folder_of_one_that_saved_nothing_is_a_new_one_of_wandb(tmp_path, offline):
    idents = []
    for step in (0, 0, 3):
        tracker = sinks.Wandb(tmp_path, {}, mode="disabled")
        tracker.open(step)
        tracker.close()
        idents.append((tmp_path / "wandb" / "id").read_text())
    assert idents[0] != idents[1] == idents[2]


@pytest.mark.parametrize(
    "more, reason",
    [
        ("", r"logger=wandb: the client is missing: pip install 'pix2pix-color\[wandb\]'"),
        ("logger.mode=sideways", "logger.mode=sideways: offline, online, disabled"),
        ("logger.tracker=neptune", "logger.tracker=neptune: wandb"),
    ],
)
def test_a_tracker_that_cannot_be_is_one_line(
    more, reason, photos, tmp_path, monkeypatch, capsys, offline
):
    monkeypatch.setattr(sinks, "find_spec", lambda name: None)
    more = [more] if more else []
    assert main(overrides_for(photos, tmp_path / "run", "logger=wandb", *more)) == 1
    assert re.fullmatch(f"pix2pix train: {reason}\n", capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_service_that_refuses_is_one_line(photos, tmp_path, monkeypatch, capsys, offline):
    import wandb

    def refuse(**settings):
        raise wandb.errors.CommError("no such host\nat all")

    monkeypatch.setattr(wandb, "init", refuse)
    assert main(overrides_for(photos, tmp_path / "run", "logger=wandb", "logger.mode=online")) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "pix2pix train: logger.mode=online: W&B: no such host at all"


def test_metrics_that_cannot_be_opened_are_not_called_broken(tmp_path):
    (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        Loggers(tmp_path, tensorboard=False).open(20)
