"""Strong colors and the parts of the ab error, on colors made by hand."""

import numpy as np
import pytest
import skimage.data
import torch
from paint import Paint
from PIL import Image
from skimage.color import rgb2lab

from pix2pix.evaluate import evaluate, format_table
from pix2pix.evaluate.colors import color_shares, measure_colors, strong


def flat(*colors, side=16):
    """One photo (1, 2, side, side) of upright stripes, one for each a*, b*."""
    columns = torch.tensor(colors, dtype=torch.float32).repeat_interleave(side // len(colors), 0)
    return columns.T[None, :, None].expand(1, 2, side, side).contiguous()


def shares(ab, true):
    """What color_shares says of photos, pooled as the result's are."""
    found = color_shares(measure_colors(ab, true))
    return {name: float(above.sum() / below.sum()) for name, (above, below) in found.items()}


TRUE = flat((30, 40), (24, 32), (10, 0), (0, 0))  # chroma 50, 40, 10, 0


def test_strong_is_what_has_a_true_chroma_of_forty():
    assert strong(TRUE).float().mean() == 0.5
    assert not strong(0.99 * flat((24, 32))).any()


def test_chroma_of_strong_colors_is_a_share_of_the_truths_whatever_the_hue():
    turned = flat((-4, 3), (0, 13), (90, 90), (50, 0))  # 5 for 50, 13 for 40; the rest counts not
    assert shares(turned, TRUE)["strong_chroma_ratio"] == pytest.approx(18 / 90)


def test_hue_cosine_is_a_mean_over_the_pixels_that_have_a_hue():
    sixty = (20 * np.cos(np.arctan2(4, 3) + np.pi / 3), 20 * np.sin(np.arctan2(4, 3) + np.pi / 3))
    found = shares(flat(sixty, (3, 4), (-50, 0), (-50, 0)), TRUE)  # 60 degrees off, and none
    assert found["strong_hue_cosine"] == pytest.approx((0.5 + 1) / 2, abs=1e-4)
    found = shares(flat(sixty, (-0.6, -0.8), (0, 0), (0, 0)), TRUE)  # chroma 1 is rounding
    assert found["strong_hue_cosine"] == pytest.approx(0.5, abs=1e-4)


def test_shares_are_of_all_pixels_together_and_not_means_of_shares():
    """The second photo has a quarter of the first one's strong pixels, at their full chroma."""
    true = torch.cat([flat((50, 0)), flat((50, 0), (0, 0), (0, 0), (0, 0))])
    ab = torch.cat([flat((10, 0)), flat((50, 0), (0, 0), (0, 0), (0, 0))])
    assert shares(ab, true)["strong_chroma_ratio"] == pytest.approx((10 + 50 / 4) / (50 + 50 / 4))


def test_error_is_that_of_the_mean_of_cells_and_of_pixels():
    """3 everywhere, 2 by cells and 1 by pixels with changing signs: 9 + 4 + 1."""
    row = torch.arange(32)
    checker = 1.0 - 2 * ((row[:, None] + row) % 2)
    cell = row // 4
    cells = 1.0 - 2 * ((cell[:, None] + cell) % 2)
    error = (3 + 2 * cells + checker)[None, None]
    ab = torch.cat([error, torch.zeros_like(error)], 1) + 7
    found = shares(ab, torch.full_like(ab, 7))
    assert found["error_mean"] == pytest.approx(9 / 14)
    assert found["error_cells"] == pytest.approx(13 / 14)


def test_the_mean_color_is_each_photos_own():
    """Opposite shifts of two photos are all mean error, though the set's mean is right."""
    ab = torch.cat([flat((8, 0)), flat((-8, 0))])
    assert shares(ab, torch.zeros_like(ab))["error_mean"] == pytest.approx(1)
    ab = flat((8, 0), (-8, 0))
    assert shares(ab, torch.zeros_like(ab))["error_mean"] == pytest.approx(0)


CROPS = [
    picture[top : top + 64, left : left + 64]
    for picture, left in ((skimage.data.coffee(), 250), (skimage.data.astronaut(), 100))
    for top in (100, 200, 300)
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, crop in enumerate(CROPS):
        Image.fromarray(crop).save(folder / f"{i}.png")
    return evaluate(folder, Paint(0.5), size=64)


def test_every_row_has_them_with_intervals(found):
    rows, halves = found["rows"], found["intervals"]
    assert rows["model"]["strong_chroma_ratio"] == pytest.approx(0.5, abs=0.01)
    assert rows["model"]["strong_hue_cosine"] > 0.99
    assert rows["gray"]["strong_chroma_ratio"] < 0.01
    assert "strong_hue_cosine" not in rows["gray"]
    ab = rgb2lab(np.stack(CROPS))[..., 1:]
    chroma = np.linalg.norm(ab, axis=-1)
    assert rows["truth"]["strong_area"] == pytest.approx((chroma >= 40).mean(), abs=1e-3)
    here = chroma >= 40
    expected = here.sum() * np.hypot(2.4, 11) / chroma[here].sum()
    assert rows["sepia"]["strong_chroma_ratio"] == pytest.approx(expected, rel=0.06)
    of_mean = np.square(ab.mean((1, 2))).sum() / np.square(ab).sum((1, 2, 3)).sum() * 64 * 64
    assert rows["gray"]["error_mean"] == pytest.approx(of_mean, abs=0.01)
    assert rows["model"]["error_mean"] == pytest.approx(of_mean, abs=0.01)  # half of that
    for row in ("gray", "sepia", "model"):
        for key in ("strong_chroma_ratio", "error_mean", "error_cells"):
            low, high = halves[row][key]
            assert low <= rows[row][key] <= high
    assert 0 < rows["sepia"]["error_mean"] < rows["sepia"]["error_cells"] < 1
    assert "strong_true" not in rows["model"]  # sums are of the photos alone
    assert found["photos"][0]["rows"]["model"]["strong_true"] >= 0


def test_the_table_shows_them_beside_gray_and_sepia(found):
    lines = format_table(found).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("strong  "))
    assert lines[head + 5].split()[:3] == ["model", "50.0%", "1.000"]
    assert [lines[head + i].split()[0] for i in (1, 3, 5, 7)] == ["gray", "sepia", "model", "truth"]
    (error,) = [i for i, line in enumerate(lines) if line.startswith("ab error")]
    shown = f"{found['rows']['model']['error_mean']:.1%}"
    assert lines[error + 5].split()[:2] == ["model", shown]
    assert max(map(len, lines)) <= 100
    assert "undefined" not in format_table(found)


def test_photos_without_strong_colors_have_no_such_share(tmp_path):
    for i in range(2):
        photo = Paint(0.2).rgb(skimage.data.astronaut()[100:164, 100 + 64 * i : 164 + 64 * i])
        Image.fromarray(photo).save(tmp_path / f"{i}.png")
    result = evaluate(tmp_path, Paint(0.5), size=64)
    assert result["rows"]["model"]["strong_chroma_ratio"] is None
    assert result["rows"]["truth"]["strong_area"] == 0
    assert "undefined" in format_table(result)
