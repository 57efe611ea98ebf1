"""A photograph before and after its coloring, and the dots of hints, pixel by pixel."""

import numpy as np
import pytest

from pix2pix import show

GRAY, RED = np.full((50, 100, 3), 90, np.uint8), np.full((50, 100, 3), (200, 0, 0), np.uint8)


@pytest.mark.parametrize(("at", "red"), [(0, 0), (0.25, 25), (0.5, 50), (1, 100), (7, 100)])
def test_the_left_share_is_the_second_picture(at: float, red: int) -> None:
    sheet = show.before_after(GRAY, RED, at, side=50).rgb.astype(int)
    assert sheet.shape == (50, 100, 3)
    line = (sheet == 255).all(-1).any(0)
    assert line.sum() == (2 if 0 < red < 100 else 0)
    is_red = sheet[..., 0] > sheet[..., 1] + 100
    assert is_red[:, : max(0, red - 2)].all() and not is_red[:, red + 2 :].any()


def test_the_height_is_asked_for() -> None:
    assert show.before_after(GRAY, RED, side=200).image.size == (400, 200)
    assert show.dots(GRAY, [], side=200).image.size == (400, 200)


def test_a_dot_lies_where_its_hint_does_in_its_color() -> None:
    dotted = show.dots(GRAY, [(25, 10, (0, 200, 0)), (75, 40, (0, 0, 200))], side=100).rgb
    assert tuple(dotted[20, 50]) == (0, 200, 0)
    assert tuple(dotted[80, 150]) == (0, 0, 200)
    changed = (dotted != 90).any(-1)
    assert changed.sum() == pytest.approx(2 * np.pi * 9.5**2, rel=0.1)
    assert not changed[:, 70:130].any()
