"""Hints: what people give, and that the result keeps it."""

import numpy as np
import pytest

from pix2pix.color import rgb_to_net
from pix2pix.colorize import hints
from pix2pix.errors import BadHint, PhotoError


@pytest.mark.parametrize(
    "text, hint",
    [
        ("120,80,#c03020", (120, 80, (192, 48, 32))),
        (" 1.5 , 0 , FFFFFF ", (1.5, 0, (255, 255, 255))),
    ],
)
def test_hints_on_the_command_line(text, hint):
    assert hints.parse(text) == hint


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,red", "-1,2,#000000", "1,2,#12345", "nan,0,#000000"]
)
def test_no_hint_is_named(text):
    with pytest.raises(BadHint, match=f"hint {text!r}"):
        hints.parse(text)


@pytest.mark.parametrize(
    "given, words",
    [
        ((20, 3, (0, 0, 0)), "inside of 20x10"),
        ((19, 10, (0, 0, 0)), "inside"),
        ((3, -1, (0, 0, 0)), "inside"),
        ((float("nan"), 1, (0, 0, 0)), "inside"),
        ((3, 1, (0, 0, 256)), "0 to 255"),
        ((3, 1, (0, 0)), r"must be \(x, y"),
        ((3, 1), r"must be \(x, y"),
        ("abc", r"must be \(x, y"),
        (None, r"must be \(x, y"),
    ],
)
def test_hints_that_do_not_fit_are_named(given, words):
    with pytest.raises(BadHint, match=words):
        hints.check([given], 10, 20)


def test_a_bad_hint_is_an_error_of_a_photo_and_of_a_value():
    hints.check([(0, 0, (0, 0, 0))] * hints.MOST_HINTS, 10, 20)
    with pytest.raises(PhotoError) as caught:
        hints.check([(0, 0, (0, 0, 0))] * (hints.MOST_HINTS + 1), 10, 20)
    assert isinstance(caught.value, ValueError) and caught.value.code == "hint"
    assert "2001 hints" in caught.value.reason


def test_a_hint_lands_where_the_photo_has_it():
    hint_map, places, wanted = hints.place([(390, 100, (200, 30, 40))], (200, 400), (64, 96))
    assert hint_map.shape == (1, 3, 64, 96)
    assert places.tolist() == [[32, 93]]
    red = rgb_to_net(np.array([200, 30, 40]).reshape(1, 3, 1, 1) / 255)[1].flatten()
    np.testing.assert_allclose(wanted, red[None], atol=1e-3)
    assert hint_map[0, 2, 30:35, 91:96].all() and hint_map[0, 2].sum() == 25
    np.testing.assert_array_equal(hint_map[0, :2, 32, 93], wanted[0])


def test_squares_are_cut_at_the_border():
    corners = [(0, 99, (200, 30, 40)), (99, 0, (200, 30, 40))]
    hint_map, places, _ = hints.place(corners, (100, 100), (32, 32))
    assert places.tolist() == [[31, 0], [0, 31]]
    assert hint_map[0, 2, 29:, :3].all() and hint_map[0, 2, :3, 29:].all()
    assert hint_map[0, 2].sum() == 18


def test_the_later_of_two_hints_in_one_place_counts():
    red, blue = (200, 30, 40), (30, 40, 200)
    hint_map, places, wanted = hints.place([(5, 5, red), (5.2, 5, blue)], (100, 100), (32, 32))
    assert len(places) == 1
    np.testing.assert_array_equal(wanted, hints.place([(5, 5, blue)], (100, 100), (32, 32))[2])
    np.testing.assert_array_equal(hint_map, hints.place([(5, 5, blue)], (100, 100), (32, 32))[0])


def test_the_result_keeps_its_hints_and_little_else_changes():
    ab, L = np.zeros((2, 64, 64), np.float32), np.zeros((64, 64), np.float32)
    places = np.array([[10, 10], [10, 12], [40, 50]])
    wanted = np.array([[0.5, 0.1], [-0.5, 0.2], [0.3, 0.3]])
    held = hints.hold(ab, L, places, wanted)
    np.testing.assert_allclose(held[:, places[:, 0], places[:, 1]].T, wanted, atol=3e-3)
    assert np.abs(held[:, 20:30]).max() < 1e-3  # far from all


def test_two_colors_in_one_spot_agree_on_their_mean():
    spot = np.array([[16, 15], [16, 15]])
    wanted = np.array([[0.4, 0.0], [0.0, 0.2]])
    held = hints.hold(np.zeros((2, 32, 32)), np.zeros((32, 32)), spot, wanted)
    np.testing.assert_allclose(held[:, 16, 15], np.array([0.2, 0.1]), atol=1e-3)


def test_mending_ends_at_edges():
    ab, L = np.zeros((2, 32, 32)), np.full((32, 32), -0.8)
    L[:, 16:] = 0.8
    held = hints.hold(ab, L, np.array([[16, 15]]), np.array([[0.5, 0.5]]))
    assert held[0, 16, 14] > 0.4 and abs(held[0, 16, 16]) < 1e-3


def test_what_is_right_already_stays():
    ab = np.random.default_rng(0).random((2, 32, 32)) - 0.5
    places = np.array([[3, 4], [20, 9]])
    held = hints.hold(ab, np.zeros((32, 32)), places, ab[:, places[:, 0], places[:, 1]].T)
    np.testing.assert_allclose(held, ab, atol=1e-6)
