"""How far hints reach: geodesic distances, and colors that stay on their thing."""

import heapq

import numpy as np
import pytest

from pix2pix.colorize.reach import MANY, costs, geodesic, localize

RED, BLUE = np.array([0.5, 0.3]), np.array([-0.1, -0.5])


def by_dijkstra(right: np.ndarray, down: np.ndarray, places: np.ndarray) -> np.ndarray:
    height, width = down.shape[0] + 1, right.shape[1] + 1
    cost = np.full((height, width), np.inf)
    queue = [(0.0, int(row), int(column)) for row, column in places]
    while queue:
        here, row, column = heapq.heappop(queue)
        if here >= cost[row, column]:
            continue
        cost[row, column] = here
        if column:
            heapq.heappush(queue, (here + right[row, column - 1], row, column - 1))
        if column < width - 1:
            heapq.heappush(queue, (here + right[row, column], row, column + 1))
        if row:
            heapq.heappush(queue, (here + down[row - 1, column], row - 1, column))
        if row < height - 1:
            heapq.heappush(queue, (here + down[row, column], row + 1, column))
    return cost


@pytest.mark.parametrize("seed", range(20))
def test_the_cost_is_that_of_the_cheapest_way_and_the_nearest_place_is_named(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 12, 2)
    right, down = rng.random((height, width - 1)) ** 4, rng.random((height - 1, width)) ** 4
    right[rng.random(right.shape) < 0.2] = 0
    cells = rng.choice(height * width, min(3, height * width), replace=False)
    places = np.stack(np.divmod(cells, width), 1)
    cost, nearest = geodesic(right, down, places)
    each = np.stack([by_dijkstra(right, down, place[None]) for place in places])
    np.testing.assert_allclose(cost, each.min(0), atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(each, nearest[None], 0)[0], cost, atol=1e-3)


def halves(height: int = 160, width: int = 224) -> np.ndarray:
    """L (h, w): dark to the left, light to the right."""
    L = np.full((height, width), -0.5, np.float32)
    L[:, width // 2 :] = 0.4
    return L


def everywhere(color: np.ndarray, L: np.ndarray) -> np.ndarray:
    """A net's answer that paints all in one color."""
    return np.broadcast_to(color.reshape(2, 1, 1), (2, *L.shape)).astype(np.float32)


def test_a_hint_in_one_half_leaves_the_other():
    L = halves()
    ab = np.random.default_rng(0).uniform(-0.2, 0.2, (2, *L.shape)).astype(np.float32)
    told = localize(ab, everywhere(RED, L), L, np.array([[20, 30]]), RED[None])
    moved = np.hypot(*(told - ab)) * 110
    edge = L.shape[1] // 2
    assert moved[:, edge + 3 :].max() < 2.4
    np.testing.assert_allclose(
        told[:, :, : edge - 8], everywhere(RED, L)[:, :, : edge - 8], atol=0.03
    )


def test_an_even_surface_takes_the_color_whole():
    L = np.zeros((192, 256), np.float32)
    hinted = everywhere(RED, L)
    told = localize(0 * hinted, hinted, L, np.array([[96, 128]]), RED[None])
    np.testing.assert_allclose(told, hinted, atol=0.01)
    halfway = localize(0 * hinted, hinted / 2, L, np.array([[96, 128]]), RED[None])
    assert np.hypot(*halfway).min() > 0.55 * np.hypot(*RED)  # where the net follows by half


def test_two_colors_on_two_things_do_not_mix():
    L = halves()
    places = np.array([[20, 30], [140, 200]])
    mixed = everywhere((RED + BLUE) / 2, L)  # a net that confuses them
    told = localize(0 * mixed, mixed, L, places, np.stack([RED, BLUE]))
    left, right = told[:, 20:140, :90], told[:, 20:140, -90:]
    toward = lambda part, color: np.hypot(*(part - color.reshape(2, 1, 1))).mean()  # noqa: E731
    assert toward(left, RED) < toward(left, BLUE) / 2
    assert toward(right, BLUE) < toward(right, RED) / 2


def test_of_many_hints_the_nets_answer_counts_everywhere():
    rng = np.random.default_rng(1)
    L = rng.uniform(-1, 1, (96, 128)).astype(np.float32)
    places, wanted = rng.integers(0, 96, (MANY, 2)), rng.uniform(-0.5, 0.5, (MANY, 2))
    hinted, other = rng.uniform(-0.5, 0.5, (2, 2, *L.shape)).astype(np.float32)
    told = localize(0 * hinted, hinted, L, places, wanted)
    np.testing.assert_allclose(localize(other, hinted, L, places, wanted), told, atol=1e-6)
    cost, nearest = costs(L, places)
    far = cost > 2
    assert far.any() and np.abs(told - hinted)[:, far].max() < 0.02
    pulled = np.abs(told - wanted[nearest].transpose(2, 0, 1))[:, cost < 0.1]
    assert pulled.mean() < 0.4 * np.abs(hinted - wanted[nearest].transpose(2, 0, 1)).mean()


def test_with_a_hint_at_every_pixel_the_result_is_the_hints():
    rng = np.random.default_rng(3)
    L, ab = rng.uniform(-1, 1, (32, 32)), rng.uniform(-0.5, 0.5, (2, 32, 32))
    places = np.stack(np.divmod(np.arange(32 * 32), 32), 1)
    told = localize(0 * ab, ab, L.astype(np.float32), places, ab.reshape(2, -1).T)
    np.testing.assert_allclose(told, ab, atol=1e-6)


def test_a_stroke_of_one_color_stays_local():
    L = halves()
    places = np.stack([np.full(80, 50), np.arange(10, 90)], 1)
    hinted = everywhere(RED, L)
    told = localize(0 * hinted, hinted, L, places, np.tile(RED, (80, 1)))
    assert np.abs(told[:, :, 120:]).max() * 110 < 2.4


def test_a_textured_thing_is_reached_across_its_texture():
    """Fine grain is no edge."""
    L = halves()
    L[:, : L.shape[1] // 2] += np.random.default_rng(2).normal(0, 0.04, (160, 112))
    hinted = everywhere(RED, L)
    told = localize(0 * hinted, hinted, L, np.array([[80, 30]]), RED[None])
    assert np.hypot(*told[:, :, :100]).mean() > 0.7 * np.hypot(*RED)
    assert np.abs(told[:, :, 120:]).max() * 110 < 2.4
