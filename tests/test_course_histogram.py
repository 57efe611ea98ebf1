"""The course's histogram: counts and medians of known pictures, and the committed files."""

import json
from pathlib import Path

import make_histogram
import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix import color


def save(path: Path, *colors: tuple[float, float]) -> None:
    """A picture of upright stripes, one for each (a*, b*), all of L* = 60."""
    lab = torch.tensor([[60.0, a, b] for a, b in colors]).repeat_interleave(16, 0)
    rgb = color.lab_to_rgb(lab.T[:, None].expand(3, 16, -1))
    Image.fromarray((rgb.permute(1, 2, 0) * 255).round().byte().numpy()).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    save(tmp_path / "a.png", (20, 30), (20, 30), (-40, 30))
    save(tmp_path / "b.png", (20, 30), (20, -10), (10, -10))
    save(tmp_path / "gray.png", (0, 0))  # is left out
    return tmp_path


def test_the_median_of_each_axis_is_that_of_all_pixels(folder) -> None:
    counts, photos = make_histogram.count(folder)
    assert photos == 2
    assert counts.sum() == pytest.approx(2)  # a photo counts one, whatever its size
    assert make_histogram.median(counts.sum(1)) == pytest.approx(20, abs=0.5)
    assert make_histogram.median(counts.sum(0)) == pytest.approx(30, abs=0.5)


def test_baselines_are_measured_as_metrics_does(folder) -> None:
    found = make_histogram.baselines(folder, [20, 30])
    assert found["photos"] == 2
    assert found["gray"]["color"] == 0
    assert found["gray"]["psnr"] > found["hues turned"]["psnr"]
    assert found["hues turned"]["color"] > 0.5


def test_gray_scores_what_the_formula_gives_and_the_truth_nearly_all(tmp_path) -> None:
    save(tmp_path / "a.png", (20, 30), (20, 30))
    found = make_histogram.baselines(tmp_path, [20, 30])
    L, ab = color.rgb_to_net(next(make_histogram.photographs(tmp_path)))
    error = (color.net_to_rgb(L, 0 * ab) - color.net_to_rgb(L, ab)).square().mean()
    assert found["gray"]["psnr"] == pytest.approx(-10 * np.log10(error.item()), abs=0.02)
    assert found["hues turned"]["psnr"] < found["gray"]["psnr"]  # 90 degrees off
    assert found["sepia"]["psnr"] > 40  # the truth but for the bytes of the file
    assert found["sepia"]["color"] == pytest.approx(1, abs=0.02)


def test_the_drawing_is_bright_where_pixels_are_in_their_color(tmp_path) -> None:
    centers = make_histogram.BINS[:-1] + 0.25
    a, b = np.exp(-(((centers - 40) / 9) ** 2)), np.exp(-(((centers - 30) / 9) ** 2))
    make_histogram.draw(np.outer(a, b), [40, 30], tmp_path / "drawn.jpg")
    drawn = np.asarray(Image.open(tmp_path / "drawn.jpg").convert("RGB"), int)
    bright = drawn.max(-1) - drawn.min(-1) > 60
    red, green, blue = drawn[bright].mean(0)
    assert red > green > blue  # orange: 40 to the red, 30 to the yellow
    rows, columns = bright.nonzero()
    down, right = rows.mean() / bright.shape[0], columns.mean() / bright.shape[1]
    assert down < 0.45 and right > 0.6  # above and to the right of the middle


def test_what_is_committed_is_small_and_agrees() -> None:
    picture = make_histogram.OUT / "histogram.jpg"
    assert picture.stat().st_size <= 25_000
    numbers = json.loads((make_histogram.OUT / "histogram.json").read_text())
    assert numbers["photos"] > 12_000 and numbers["held out"]["photos"] == 499
    held = {name: row["psnr"] for name, row in numbers["held out"].items() if name != "photos"}
    assert held["sepia"] > held["gray"] > held["hues turned"]
