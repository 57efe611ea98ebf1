"""Smoothing of the net's colors: even within things, sharp at their edges, and nothing lost."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from pix2pix import strips
from pix2pix.color import rgb_to_net
from pix2pix.colorize import Colorizer, smoothing
from pix2pix.colorize.hints import place
from pix2pix.colorize.smoothing import smooth
from pix2pix.colorize.wish import Wish
from pix2pix.weights import Header

SKIN, WALL = np.float32([[0.2, 0.2], [-0.05, 0.05]])[..., None, None]


def blurred(ab: np.ndarray, reach: int) -> np.ndarray:
    """ab (2, h, w), as a coarse net would answer: means of squares."""
    for axis in (1, 2):
        shifts = [np.roll(ab, i, axis) for i in range(-reach, reach + 1)]
        ab = np.mean(shifts, 0, dtype=np.float32)
    return ab


@pytest.fixture
def portrait() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A light head before a dark wall: L (h, w), ab (2, h, w) that leaks, and the head's mask."""
    rows, columns = np.mgrid[:96, :96]
    away = np.hypot(rows - 48, columns - 48)
    head = away < 24
    L = np.where(head, 0.5, -0.3).astype(np.float32)
    ab = blurred(np.where(head, SKIN, WALL), 3)
    return L, ab, head


def test_a_rim_of_color_around_a_head_goes(portrait):
    L, ab, head = portrait
    smoothed = smooth(ab, L)
    rim = ~head & np.roll(head, 2, 1)  # right of the head
    assert np.abs(ab - WALL)[:, rim].mean() > 0.05
    assert np.abs(smoothed - WALL)[:, rim].mean() < 0.01
    inner = head & ~np.roll(head, 2, 1)  # the head's own left edge, into which the wall leaks
    assert np.abs(smoothed - SKIN)[:, inner].mean() < 0.02 < np.abs(ab - SKIN)[:, inner].mean()


def test_clouds_of_color_in_a_plain_wall_go():
    L = np.zeros((96, 96), np.float32)
    cloud = np.hypot(*(np.mgrid[:96, :96] - 48)) < 6
    ab = np.where(cloud, SKIN, WALL)
    ab[:, :, 0] = -SKIN[..., 0]  # something else that varies, far away
    smoothed = smooth(ab, L)
    assert np.abs(smoothed - WALL)[:, cloud].mean() < np.abs(ab - WALL)[:, cloud].mean() / 3


def test_color_does_not_cross_a_strong_edge():
    L = np.where(np.arange(96) < 48, 0.6, -0.6) * np.ones((96, 1))
    ab = np.where(np.arange(96) < 48, SKIN, WALL) * np.ones((96, 1), np.float32)
    np.testing.assert_allclose(smooth(ab, L.astype(np.float32)), ab, atol=2e-3)


def test_fine_texture_keeps_its_colors():
    rng = np.random.default_rng(0)
    L = rng.uniform(-0.8, 0.8, (96, 96)).astype(np.float32)
    ab = rng.uniform(-0.2, 0.2, (2, 96, 96)).astype(np.float32)
    assert np.abs(smooth(ab, L) - ab).mean() < 0.15 * np.abs(ab).mean()
    assert np.abs(smooth(ab, L / 100) - ab).mean() > 0.05  # where L is even, they are no texture


def test_mean_and_deviation_stay(portrait):
    L, ab, _ = portrait
    for given in (ab, ab + np.random.default_rng(0).normal(0, 0.02, ab.shape).astype(np.float32)):
        smoothed = smooth(given, L)
        np.testing.assert_allclose(smoothed.mean((1, 2)), given.mean((1, 2)), atol=1e-5)
        around = [x - x.mean((1, 2), keepdims=True) for x in (smoothed, given)]
        rms = [math.sqrt(np.square(x).mean()) for x in around]
        assert rms[0] == pytest.approx(rms[1], rel=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3)])
def test_the_smallest_maps(size):
    ab = np.random.default_rng(0).uniform(-0.2, 0.2, (2, *size)).astype(np.float32)
    smoothed = smooth(ab, np.zeros(size, np.float32))
    assert smoothed.shape == ab.shape and smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed.mean((1, 2)), ab.mean((1, 2)), atol=1e-6)


def test_one_color_stays_one_color():
    L = np.random.default_rng(0).uniform(-1, 1, (32, 48)).astype(np.float32)
    for value in (0, 0.3):
        ab = np.full((2, 32, 48), value, np.float32)
        np.testing.assert_allclose(smooth(ab, L), ab, atol=1e-6)


def test_the_filter_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    parts, L = rng.random((3, 5, 7), np.float32), rng.uniform(-1, 1, (5, 7)).astype(np.float32)
    reach = smoothing._REACH * math.sqrt(35)
    expected = parts.astype(float)
    for k in range(1, smoothing._PASSES + 1):
        n = smoothing._PASSES
        sigma = reach * math.sqrt(3) * 2 ** (n - k) / math.sqrt(4**n - 1)
        feedback = math.exp(-math.sqrt(2) / sigma)
        for axis in (2, 1):
            rows = np.moveaxis(expected, axis, 0)
            guide = L.T if axis == 2 else L
            share = feedback ** (1 + reach / smoothing._EDGE * np.abs(np.diff(guide, axis=0)))
            for i in range(1, len(rows)):
                rows[i] += share[i - 1] * (rows[i - 1] - rows[i])
            for i in range(len(rows) - 2, -1, -1):
                rows[i] += share[i] * (rows[i + 1] - rows[i])
    np.testing.assert_allclose(smoothing._domain_transform(parts, L), expected, rtol=1e-4)


def test_the_same_on_any_number_of_threads(portrait):
    L, ab, _ = portrait
    with strips.sharing(1):
        alone = smooth(ab, L)
    with strips.sharing(4):
        np.testing.assert_array_equal(smooth(ab, L), alone)


class Stripes(nn.Module):
    """Stripes of color, whatever the picture; with hints, also where there are some."""

    multiple = 32

    def __init__(self, channels: int = 2, value: float = 0.2):
        super().__init__()
        self.channels, self.value = channels, value

    def forward(self, x):
        columns = torch.arange(x.shape[3], device=x.device) % 8 < 4
        return self.value * columns.expand(len(x), self.channels, *x.shape[2:]).to(x)


def colorizer(
    net: nn.Module, in_channels: int = 1, kind: str = "BackboneUNet", **header
) -> Colorizer:
    generator = {"net": kind, "in_channels": in_channels}
    return Colorizer(net, Header(generator, "stripes", area=64 * 64, **header))


GRAY = np.full((90, 130, 3), 128, np.uint8)


def test_a_net_of_ab_is_smoothed_and_may_be_seen_as_it_is():
    striped = colorizer(Stripes())
    even = striped.predict(GRAY)
    striped.smooths = False
    answer = striped.predict(GRAY)
    assert set(np.unique(answer)) == {0, np.float32(0.2)}
    assert np.abs(np.diff(even)).max() < 0.5 * np.abs(np.diff(answer)).max()


def test_a_plain_unet_is_left_alone():
    assert set(np.unique(colorizer(Stripes(), kind="UNet").predict(GRAY))) == {0, np.float32(0.2)}


def test_a_net_of_rgb_is_left_alone():
    striped = colorizer(Stripes(3), head="rgb")
    answer = 0.2 * (np.arange(striped.predict(GRAY).shape[2]) % 8 < 4)
    expected = rgb_to_net((np.broadcast_to(answer, (3, 1, len(answer))) + 1) / 2)[1]
    np.testing.assert_allclose(striped.predict(GRAY)[:, :1], expected, atol=1e-5)


def test_hints_hold_after_smoothing():
    hinted = colorizer(Stripes(), in_channels=4)
    hints = [(31, 40, (170, 110, 90)), (90, 20, (60, 110, 170))]
    ab = hinted.predict(GRAY, Wish(hints=hints))
    _, places, wanted = place(hints, GRAY.shape[:2], ab.shape[1:])
    np.testing.assert_allclose(ab[:, *places.T].T, wanted, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (300, 1), (20, 2000)])
def test_pictures_of_any_shape(size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert colorizer(Stripes()).rgb(rgb).shape == rgb.shape


def test_broken_weights_say_so():
    with pytest.raises(ValueError, match="NaN or infinity"):
        colorizer(Stripes(value=math.inf)).predict(GRAY)
