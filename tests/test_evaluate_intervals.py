"""Bootstrap intervals against numpy and against what is known of means."""

import numpy as np
import pytest
import scipy.stats
import torch

from pix2pix.evaluate import intervals
from pix2pix.evaluate.intervals import jackknife, resample, summarize


def test_intervals_are_those_of_a_loop_over_numpy():
    values = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means, spans = summarize({"row": {"metric": values}}, draws=300, seed=5)
    rng = np.random.default_rng(5)
    drawn = [values.numpy()[rng.integers(40, size=40)].mean() for _ in range(300)]
    assert means["row"]["metric"] == pytest.approx(values.mean().item())
    assert spans["row"]["metric"] == pytest.approx(np.percentile(drawn, [2.5, 97.5]))


def test_a_mean_of_normal_values_has_the_interval_of_the_books():
    values = torch.randn(400, generator=torch.Generator().manual_seed(1))
    _, spans = summarize({"row": {"metric": values}})
    low, high = spans["row"]["metric"]
    assert (high - low) / 2 == pytest.approx(1.96 * values.std().item() / 20, rel=0.1)
    assert summarize({"row": {"metric": values}})[1] == spans  # the seed is fixed


def test_rows_are_resampled_together():
    values = torch.randn(60, generator=torch.Generator().manual_seed(2))
    table = {"a": {"x": values}, "b": {"x": values + 3}}
    _, spans = summarize(table)
    shifted = [end + 3 for end in spans["a"]["x"]]
    assert spans["b"]["x"] == pytest.approx(shifted, abs=1e-6)


def test_a_ratio_is_that_of_the_sums():
    above, below = torch.tensor([1.0, 2, 3, 10]), torch.tensor([2.0, 4, 6, 20])
    means, spans = summarize({"row": {"ratio": (above, below)}})
    assert means["row"]["ratio"] == pytest.approx(0.5)
    assert spans["row"]["ratio"] == pytest.approx([0.5, 0.5])


def test_photos_without_a_value_do_not_count():
    some = torch.tensor([1.0, torch.nan, 3.0, torch.nan])
    means, spans = summarize({"row": {"x": some, "r": (some, torch.tensor([2.0, 5, 6, 5]))}})
    assert means["row"] == {"x": pytest.approx(2), "r": pytest.approx(0.5)}
    assert 1 <= spans["row"]["x"][0] <= spans["row"]["x"][1] <= 3
    ratio = (torch.tensor([2.0, 5, 6, 5]), torch.tensor([1.0, torch.nan, 3.0, torch.nan]))
    assert summarize({"row": {"r": ratio}})[0]["row"]["r"] == pytest.approx(2)
    with np.errstate(invalid="raise"):  # a sample with none of them is no error
        assert summarize({"row": {"x": some}})[1]["row"]["x"] == spans["row"]["x"]


def test_many_photos_are_drawn_in_parts(monkeypatch):
    values = np.random.default_rng(3).random((50, 2))
    whole = resample(values, np.ones((50, 2)), draws=30, seed=0)
    monkeypatch.setattr(intervals, "_AT_ONCE", 50 * 7)
    np.testing.assert_allclose(resample(values, np.ones((50, 2)), draws=30, seed=0), whole)
    assert whole.shape == (30, 2)
    monkeypatch.setattr(intervals, "_AT_ONCE", 49)  # fewer than there are photos
    np.testing.assert_allclose(resample(values, np.ones((50, 2)), draws=30, seed=0), whole)


def test_nothing_to_summarize_is_nothing():
    assert summarize({"row": {}}) == ({"row": {}}, {"row": {}})


def test_the_jackknife_of_a_mean_is_the_interval_of_the_books():
    values = torch.randn(400, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def mean(places):
        return {"mean": float(values[places].mean())}

    whole = mean(torch.arange(400))
    low, high = jackknife(mean, whole, 400)["mean"]
    assert (low + high) / 2 == pytest.approx(values.mean().item())
    assert (high - low) / 2 == pytest.approx(2.09 * values.std().item() / 20, rel=0.35)
    assert jackknife(mean, whole, 400) == {"mean": [low, high]}
    few = jackknife(mean, mean(torch.arange(7)), 7)["mean"]
    error = values[:7].std().item() / 7**0.5  # one photo left out at a time: exactly this
    assert (few[1] - few[0]) / 2 == pytest.approx(2.4469 * error, rel=1e-4)


def test_quantiles_of_the_t_distribution_are_those_of_scipy():
    degrees = range(3, intervals.GROUPS)
    assert list(intervals.T_975) == list(degrees)
    expected = scipy.stats.t.ppf(0.975, degrees)
    np.testing.assert_allclose(list(intervals.T_975.values()), expected, rtol=1e-12)


def test_the_jackknife_leaves_every_photo_out_once_and_needs_four():
    seen = []

    def note(places):
        seen.append(sorted(set(range(50)) - set(places.tolist())))
        return {"n": float(len(places))}

    jackknife(note, {"n": 50.0}, 50)
    assert len(seen) == 20
    assert sorted(i for group in seen for i in group) == list(range(50))
    assert jackknife(note, {"n": 3.0}, 3) == {}


@pytest.mark.slow
def test_the_jackknife_covers_the_true_value_as_often_as_it_says():
    rng = np.random.default_rng(0)
    met = 0
    for _ in range(300):
        above, below = torch.from_numpy(rng.normal((2.0, 4.0), 1, (80, 2))).T

        def ratio(places, above=above, below=below):
            return {"ratio": float(above[places].mean() / below[places].mean())}

        low, high = jackknife(ratio, ratio(torch.arange(80)), 80)["ratio"]
        met += low <= 0.5 <= high
    assert 0.90 <= met / 300 <= 0.99
