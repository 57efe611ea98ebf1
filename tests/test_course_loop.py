"""The loop that the notebook writes out in full plays the same game as `pix2pix.train.fit`."""

import nbformat
import numpy as np
import pytest
import torch
from make_colab import NOTEBOOK
from tiny_runs import NO_DROPOUT, losses_of, make_photos, make_recipe, open_photos, train

from pix2pix.data import prepare

STEPS, BATCH = 5, 4


def loop_of_the_notebook():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (source,) = [c.source for c in cells if "def train_by_hand(" in c.source]
    names: dict = {}
    exec(source, names)
    return names["train_by_hand"]


def batches(photos):
    for step in range(STEPS):
        places = np.arange(step * BATCH, (step + 1) * BATCH)
        yield prepare(torch.stack([photos[int(i)][0] for i in places]), places)


@pytest.mark.slow
def test_the_loop_written_by_hand_loses_as_fit_does(tmp_path):
    photos = open_photos(make_photos(tmp_path / "photos"))
    recipe = make_recipe(NO_DROPOUT)
    by_hand = list(loop_of_the_notebook()(recipe.train(), batches(photos)))

    plain = {"clip": 0.0, "warmup": 0, "schedule": "constant", "batch": BATCH}
    train(NO_DROPOUT, photos, tmp_path / "run", steps=STEPS, **plain)
    fitted = losses_of(tmp_path / "run")

    assert len(by_hand) == len(fitted) == STEPS
    for mine, its in zip(by_hand, fitted, strict=True):
        assert set(mine) == {"critic_real", "critic_fake", "l1", "lsgan"}
        for name, value in mine.items():
            assert value == pytest.approx(float(its[name]), rel=1e-4), name
    assert by_hand[-1]["l1"] != pytest.approx(by_hand[0]["l1"], rel=1e-2)  # something was learned
