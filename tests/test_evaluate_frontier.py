"""The frontier: where interpolated curves cross, and what scaled colors give."""

import numpy as np
import pytest
import torch
from paint import Paint, crops
from skimage.color import lab2rgb, rgb2lab

from pix2pix import metrics
from pix2pix.evaluate import evaluate, format_table
from pix2pix.evaluate.frontier import FrontierCurve, crossing
from pix2pix.evaluate.photos import SEPIA, read_crops, to_tensor


def test_crossings_are_the_last_and_lie_between_points():
    curves = np.array(
        [
            [0.0, 1.0, 3.0, 4.0],  # 2 is half way from the second point to the third
            [3.0, 1.0, 5.0, 6.0],  # comes from above first
            [0.0, 2.0, 2.0, 3.0],  # touches: up to there it is no higher
            [5.0, 6.0, 7.0, 8.0],  # never so low
            [0.0, 0.5, 1.0, 2.0],  # never above
        ]
    )
    np.testing.assert_allclose(crossing(curves, 2.0), [1.5, 1.25, 2.0, np.nan, np.nan])


def known(photos=6):
    """A table whose curves are known: share of color = factor / 2, PSNR over gray 2 x - x^2."""
    curve = FrontierCurve(Paint(1))
    ones = torch.ones(photos)
    table = {"truth": {"colorfulness": 40 * ones}}
    table["gray"] = {"psnr": 20 * ones, "colorfulness": 0 * ones}
    table["sepia"] = {"psnr": 21 * ones, "colorfulness": 8 * ones}
    for factor in curve.FACTORS:
        psnr = 20 + 2 * factor - factor**2
        table[f"model x {factor:g}"] = {"psnr": psnr * ones, "colorfulness": 20 * factor * ones}
        table[f"sepia x {factor:g}"] = {"psnr": 20 * ones, "colorfulness": 8 * factor * ones}
    return curve, table


def test_color_and_psnr_are_interpolated():
    curve, table = known()
    rows = curve.summarize(table)["rows"]
    row = rows["model at 62% color"]
    assert row["saturation"] == pytest.approx(1.24)
    expected = 1 + 0.24 / 0.25 * (2 * 1.25 - 1.25**2 - 1)
    assert row["over_gray"] == pytest.approx(expected)
    assert row["over_sepia"] == pytest.approx(expected - 1)
    row = rows["model at gray + 0.9 dB"]
    drop = (0.9375 - 0.9) / (0.9375 - 0.75)  # on the way from 1.25 to 1.5
    assert row["saturation"] == pytest.approx(1.25 + 0.25 * drop)
    assert row["colorfulness_ratio"] == pytest.approx((1.25 + 0.25 * drop) / 2)
    assert row["psnr"] == pytest.approx(20.9)
    assert rows["sepia at 62% color"]["psnr"] is None  # three times sepia is 60 %
    assert rows["sepia at gray + 0.9 dB"]["colorfulness_ratio"] is None


def test_intervals_are_there_where_all_draws_reach_so_far():
    curve, table = known()
    table["model x 1.5"]["psnr"] += torch.linspace(-0.2, 0.2, 6)
    section = curve.summarize(table)
    low, high = section["intervals"]["model at 62% color"]["over_gray"]
    assert low == pytest.approx(high)  # that photo's spread lies elsewhere on the curve
    low, high = section["intervals"]["model at gray + 0.9 dB"]["colorfulness_ratio"]
    value = section["rows"]["model at gray + 0.9 dB"]["colorfulness_ratio"]
    assert low < value < high
    assert "psnr" not in section["intervals"]["sepia at 62% color"]
    table["sepia x 3"]["colorfulness"] = 40 * torch.linspace(0.5, 0.76, 6)  # 63 % of the set
    section = curve.summarize(table)
    assert section["rows"]["sepia at 62% color"]["psnr"] is not None
    assert "psnr" not in section["intervals"]["sepia at 62% color"]
    curve, table = known(1)
    assert curve.summarize(table)["intervals"]["model at 62% color"] == {}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return crops(tmp_path_factory.mktemp("photos") / "in")


class Sepia(Paint):
    def rgb(self, rgb, hints=()):
        lab = rgb2lab(rgb)
        lab[..., 1:] = SEPIA
        return (lab2rgb(lab) * 255).round().astype(np.uint8)


def test_a_model_that_makes_sepia_is_no_better_than_sepia(photos):
    model = Sepia(1)
    result = evaluate(photos, model, size=64, curves=[FrontierCurve(model)])
    rows = result["frontier"]["rows"]
    for name in ("at 62% color", "at 65% color", "at gray + 0.9 dB"):
        for key, value in rows[f"sepia {name}"].items():
            ours = rows[f"model {name}"][key]
            assert (ours is None) == (value is None)
            assert value is None or ours == pytest.approx(value, abs=0.05)


def test_the_row_is_what_that_saturation_gives(photos):
    """Half the true colors: the factor that was found is applied to them and measured."""
    model = Paint(0.5)
    result = evaluate(photos, model, size=64, curves=[FrontierCurve(model)])
    row = result["frontier"]["rows"]["model at 65% color"]
    (batch,) = read_crops(photos, 64, [], batch=8)
    colored = []
    for photo in batch.rgb8:
        lab = rgb2lab(model.rgb(photo))
        lab[..., 0] = rgb2lab(photo)[..., 0]
        lab[..., 1:] *= row["saturation"]
        colored.append((lab2rgb(lab) * 255).round().astype(np.uint8))
    scaled = to_tensor(np.stack(colored))
    true = metrics.colorfulness(batch.truth).mean()
    assert float(metrics.colorfulness(scaled).mean() / true) == pytest.approx(0.65, abs=0.01)
    assert row["psnr"] == pytest.approx(float(metrics.psnr(scaled, batch.truth).mean()), abs=0.3)
    assert row["over_gray"] == pytest.approx(row["psnr"] - result["rows"]["gray"]["psnr"], abs=1e-3)
    assert row["over_sepia"] == pytest.approx(
        row["psnr"] - result["rows"]["sepia"]["psnr"], abs=1e-3
    )
    text = format_table(result)
    assert "model at 65% color" in text and max(map(len, text.splitlines())) <= 100
