"""The named values that a run's settings travel in."""

import pytest

from pix2pix.train.loop import fit
from pix2pix.train.processes import SettingError
from pix2pix.train.settings import Intervals, Optimization, Start, grouped


def test_keywords_find_the_values_that_hold_them():
    optimization, intervals, start = grouped({"steps": 3, "val_every": 2, "ckpt_path": "last"})
    assert optimization == Optimization(steps=3) and optimization.batch == 32
    assert intervals == Intervals(val_every=2) and start == Start(ckpt_path="last")


def test_a_keyword_that_is_none_of_them_is_named(tmp_path):
    with pytest.raises(TypeError, match="'stepz' is no setting of a run; there are steps, batch"):
        fit(None, photos=None, run_dir=tmp_path / "run", stepz=3)
    assert not (tmp_path / "run").exists()


def test_a_batch_is_shared_out_whole():
    assert Optimization(batch=24, accumulate=3).micro_batch(2) == 4
    with pytest.raises(SettingError, match="batch=24: not a multiple of 5 processes x 3 micro"):
        Optimization(batch=24, accumulate=3).micro_batch(5)
