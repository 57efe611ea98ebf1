"""Gray levels of pictures in color, and how gray ones are known."""

import numpy as np
import pytest

from pix2pix import color
from pix2pix.colorize.lightness import gray_levels, is_gray, lightness


def test_gray_levels_have_the_lightness_of_the_color():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 400, 3), dtype=np.uint8)
    gray = gray_levels(rgb)
    assert gray.shape == (200, 400) and gray.dtype == np.uint8
    difference = color.rgb8_to_lab(gray[..., None].repeat(3, 2))[0] - color.rgb8_to_lab(rgb)[0]
    assert np.abs(difference).max() < 0.3  # half a level of gray


def test_grays_among_colors_are_their_own_levels():
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    among = np.concatenate((ramp, ramp[..., ::-1] // [1, 2, 3]), dtype=np.uint8, casting="unsafe")
    assert not is_gray(among)
    assert np.array_equal(gray_levels(among)[0], np.arange(256))


def test_one_plane_is_its_own_levels():
    plane = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    rgb = np.broadcast_to(plane[..., None], (20, 30, 3))
    assert np.shares_memory(gray_levels(rgb), plane)
    assert np.array_equal(gray_levels(rgb), plane)


def test_the_lightness_of_one_plane_is_that_of_its_colors_to_the_last_bit():
    plane = np.random.default_rng(0).integers(0, 256, (33, 77), dtype=np.uint8)
    rgb = np.broadcast_to(plane[..., None], (33, 77, 3))
    assert np.array_equal(lightness(rgb), color.rgb8_to_lab(plane[..., None].repeat(3, 2))[0])
    rgb = np.random.default_rng(1).integers(0, 256, (33, 77, 3), dtype=np.uint8)
    assert np.array_equal(lightness(rgb), color.rgb8_to_lab(rgb)[0])


@pytest.mark.parametrize("at", [None, (0, 0), (0, 8), (5, 3), (6, 8)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_is_gray_sees_one_level_anywhere(at, channel):
    rgb = np.random.default_rng(0).integers(0, 255, (7, 9, 1), dtype=np.uint8).repeat(3, 2)
    if at:
        rgb[(*at, channel)] += 1
    assert is_gray(rgb) == (at is None)
    assert is_gray(np.asfortranarray(rgb)) == (at is None)
    assert is_gray(np.dstack((rgb, rgb[..., :1]))[..., :3]) == (at is None)
