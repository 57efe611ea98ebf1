"""Takes: distributions over colors -> how unsure, which colors, and other colorings."""

import math

import numpy as np
import pytest

from pix2pix.color import AB_SCALE
from pix2pix.colorize import sampling
from pix2pix.nets.gamut import gamut_grid

GRID = gamut_grid(10) / AB_SCALE


def bin_at(a: float, b: float) -> int:
    return int(np.hypot(*(GRID * AB_SCALE - [a, b]).T).argmin())


def distribution(*peaks: tuple[float, float, float], size: tuple[int, int] = (8, 8)):
    """Logits (1, bins, h, w) of the same shares everywhere: (a, b, share)."""
    p = np.full(len(GRID), 1e-9)
    for a, b, share in peaks:
        p[bin_at(a, b)] = share
    return np.tile(np.log(p).reshape(1, -1, 1, 1), (1, 1, *size))


def test_how_unsure():
    assert sampling.spread(distribution((50, 20, 1.0)), GRID).max() < 0.1
    unsure = sampling.spread(distribution((60, 0, 0.5), (-60, 0, 0.5)), GRID)
    np.testing.assert_allclose(unsure, np.full((8, 8), 60.0), atol=0.01)
    sure = sampling.spread(18 * np.eye(len(GRID))[None, :, None], GRID)  # all but, of each bin
    assert np.isfinite(sure).all() and sure.max() < 1


def test_the_padding_makes_nothing_unsure():
    logits = distribution((60, 0, 0.5), (-60, 0, 0.5))  # as they come out along the borders
    logits[..., 1:-1, 1:-1] = distribution((50, 20, 1.0), size=(6, 6))
    logits[..., 1, 1:-1] = distribution((0, 0, 0.5), (40, 0, 0.5), size=(1, 6))[..., 0, :]
    unsure = sampling.spread(logits, GRID)
    np.testing.assert_allclose(unsure[:2], np.full((2, 8), 20.0), atol=0.1)
    assert unsure[2:].max() < 0.1
    narrow = sampling.spread(logits[..., :2], GRID)  # all border
    assert narrow.shape == (8, 2) and narrow[0, 0] > 59


def test_likely_colors_come_by_their_share():
    logits = distribution(
        (60, 40, 0.5), (60, 50, 0.1), (-40, 30, 0.3), (0, 0, 0.09), (20, -80, 0.01)
    )
    elsewhere = distribution((0, 0, 1.0))
    elsewhere[..., 3, 4] = logits[..., 3, 4]
    found = sampling.suggest(elsewhere, GRID, 3, 4, count=5)
    assert [round(share, 2) for _, share in found] == [0.6, 0.3, 0.09]  # 1 % is nothing to offer
    np.testing.assert_allclose(found[0][0] * AB_SCALE, [60, (40 * 5 + 50) / 6], atol=0.1)
    assert len(sampling.suggest(logits, GRID, 3, 4, count=2)) == 2


class Net:
    """Red or blue everywhere, until a hint is near: then that."""

    def __init__(self):
        self.asked = []

    def __call__(self, hints):
        self.asked.append(hints.copy())
        logits = distribution((70, 30, 0.5), (20, -70, 0.5), size=(16, 16))
        for row, column in np.argwhere(hints[0, 2, 2::4, 2::4]).tolist():
            color = hints[0, :2, 4 * row + 2, 4 * column + 2] * AB_SCALE
            rows = slice(max(row - 2, 0), row + 3)
            logits[:, :, rows, max(column - 2, 0) : column + 3] = distribution(
                (*color.tolist(), 1.0), size=(1, 1)
            )
        return logits


NONE = np.zeros((1, 3, 64, 64), np.float32)


def test_a_variant_draws_where_the_net_is_unsure_and_asks_again():
    net = Net()
    hint_map = sampling.draw(net, NONE, GRID, seed=1)
    assert len(net.asked) == sampling.ROUNDS and not NONE.any()
    masks = [int(hints[0, 2].sum()) for hints in net.asked]
    assert masks == sorted(masks) and masks[0] == 0 and masks[1] == 25
    for color in np.unique(hint_map[0, :2, hint_map[0, 2] == 1] * AB_SCALE, axis=0):
        assert min(np.hypot(*(color - c)) for c in ([70, 30], [20, -70])) < 1


def test_variants_differ_by_seed_and_are_repeatable():
    maps = [sampling.draw(Net(), NONE, GRID, seed=seed) for seed in (1, 2, 3, 1)]
    assert np.array_equal(maps[0], maps[3])
    assert not np.array_equal(maps[0], maps[1]) or not np.array_equal(maps[0], maps[2])


FLAT = np.zeros((1, len(GRID), 16, 16), np.float32)  # every color is as likely


def first(logits: np.ndarray, seed: int) -> np.ndarray:
    """One of the colors (2,) that a variant draws of the same logits everywhere."""
    hint_map = sampling.draw(lambda hints: logits, NONE, GRID, seed=seed)
    row, column = np.argwhere(hint_map[0, 2])[0].tolist()
    return hint_map[0, :2, row, column]


def test_hues_of_neighboring_seeds_are_far_apart():
    a, b = np.stack([first(FLAT, seed) for seed in range(8)], 1)
    hues = np.arctan2(b, a).tolist()
    for i in range(3):
        apart = abs(hues[i] - hues[i - 1])
        assert min(apart, 2 * math.pi - apart) > 0.7
    # what is drawn along the circle of hues turns once while the quantile does
    turn = sorted(range(8), key=lambda seed: seed * (math.sqrt(5) - 1) / 2 % 1)
    assert sum(hues[turn[i]] < hues[turn[i - 1]] for i in range(8)) == 1


def test_likely_colors_are_drawn_more_often_and_those_of_unusual_chroma_hardly_ever():
    logits = distribution((60, 0, 0.6), (-60, 0, 0.3), (0, 0, 0.1), size=(16, 16))
    drawn = [round(float(first(logits, seed)[0] * AB_SCALE)) for seed in range(100)]
    assert set(drawn) <= {60, -60, 0} and drawn.count(0) <= 2
    likelier = 0.6**1.25 / (0.6**1.25 + 0.3**1.25)
    assert drawn.count(60) == pytest.approx(100 * likelier, abs=2)


def test_the_places_of_a_variant_are_drawn_apart(monkeypatch):
    monkeypatch.setattr(sampling, "unsure_places", lambda *_: [(3, 11), (9, 2)])
    hint_map = sampling.draw(lambda hints: FLAT, NONE, GRID, seed=1)
    assert hint_map[0, 2, 12:17, 44:49].all() and hint_map[0, 2, 36:41, 8:13].all()
    assert hint_map[0, 2].sum() == 50
    assert not np.array_equal(hint_map[0, :2, 14, 46], hint_map[0, :2, 38, 10])


def test_unsure_places_are_the_most_unsure_and_apart():
    unsure = np.full((12, 30), 0.1)
    unsure[2:7, 4:9], unsure[2:7, 20:25] = 3.0, 1.0
    assert sampling.unsure_places(unsure, 2) == [(4, 6), (4, 22)]
    corner = np.ones((12, 30))
    corner[0, 0] = 1.5
    assert sampling.unsure_places(corner, 1) == [(0, 0)]
    assert sampling.unsure_places(np.zeros((12, 30)), 3) == []


def test_a_visitors_hints_stay_in_a_variant():
    mine = NONE.copy()
    mine[0, :, 30:35, 30:35] = np.array([0.1, 0.2, 1.0]).reshape(3, 1, 1)
    hint_map = sampling.draw(Net(), mine, GRID, seed=2)
    assert np.array_equal(hint_map[0, :, 32, 32], mine[0, :, 32, 32])


@pytest.mark.parametrize("size", [(1, 1), (2, 30), (40, 8)])
def test_variants_of_any_size(size):
    h, w = 4 * size[0], 4 * size[1]
    logits = np.zeros((1, len(GRID), *size), np.float32)
    hint_map = sampling.draw(lambda hints: logits, np.zeros((1, 3, h, w), np.float32), GRID, 5)
    assert hint_map.shape == (1, 3, h, w) and hint_map[0, 2].any()
