"""CSV, TensorBoard and pictures of a run, resumed and cut short."""

import csv

import numpy as np
import pytest
from PIL import Image

from pix2pix.loggers import Loggers


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
