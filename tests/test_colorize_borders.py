"""Borders of scans: found where they are, none where there is a picture, gray but for hints."""

import numpy as np
import pytest
from serving import tiny_colorizer

from pix2pix.colorize.borders import find_border, leave_border_gray

NONE = np.zeros((0, 2), np.int64)


def photo(height=150, width=200, seed=0):
    """L (h, w) of something with detail everywhere."""
    coarse = np.random.default_rng(seed).uniform(-0.8, 0.8, (height // 10 + 1, width // 10 + 1))
    return np.kron(coarse, np.ones((10, 10)))[:height, :width].astype(np.float32)


def framed(*bands, seed=0):
    """A photo with bands around it, the first outermost: (L, left, top, right, bottom)."""
    L = photo(seed=seed)
    rng = np.random.default_rng(1)
    left = top = right = bottom = 0
    for tone, *widths in bands:
        box = L[top : 150 - bottom, left : 200 - right]
        paper = tone + rng.normal(0, 0.01, box.shape)
        inside = (
            slice(widths[1], box.shape[0] - widths[3]),
            slice(widths[0], len(box[0]) - widths[2]),
        )
        paper[inside] = box[inside]
        L[top : 150 - bottom, left : 200 - right] = paper
        left, top, right, bottom = (
            a + b for a, b in zip((left, top, right, bottom), widths, strict=True)
        )
    return L


@pytest.mark.parametrize(
    ("bands", "border"),
    [
        ([(-0.95, 6, 8, 5, 9)], (6, 8, 5, 9)),  # the rim of film
        ([(0.9, 4, 4, 4, 16)], (4, 4, 4, 16)),  # a white margin, wider below
        ([(1.0, 2, 2, 2, 2), (-0.95, 5, 5, 5, 5)], (7, 7, 7, 7)),  # film in a white margin
        ([(0.1, 30, 0, 28, 0)], (30, 0, 28, 0)),  # bars of gray card
        ([(-1.0, 0, 7, 0, 0)], (0, 7, 0, 0)),  # black on one side
    ],
)
def test_borders_are_found_to_the_pixel(bands, border):
    for seed in range(5):
        found = find_border(framed(*bands, seed=seed))
        assert np.abs(np.subtract(found, border)).max() <= 1, found


def test_a_caption_on_the_border_is_no_end_of_it():
    L = framed((-0.95, 8, 12, 8, 8))
    L[3:9, 150:175] = np.random.default_rng(2).choice([-0.9, 0.8], (6, 25))
    assert find_border(L)[1] == 12


def test_an_edge_may_be_a_little_askew():
    L = framed((0.9, 8, 8, 8, 8))
    plain = photo()
    for column in range(200):  # two pixels over the width
        L[8 + column // 100 : 9, column] = plain[8 + column // 100 : 9, column]
    assert find_border(L)[1] in (8, 9)


def sky(tone, horizon, height=150, width=200):
    """An even sky over a straight horizon."""
    L = photo(height, width)
    L[:horizon] = np.linspace(tone, tone - 0.2, horizon)[:, None]
    return L


@pytest.mark.parametrize("tone", [0.95, 0.6, 0.1, -0.6, -0.95])
@pytest.mark.parametrize("horizon", [10, 20, 28, 75])
def test_a_sky_is_no_border(tone, horizon):
    assert find_border(sky(tone, horizon)) == (0, 0, 0, 0)
    snow = sky(tone, horizon)[::-1]
    assert find_border(snow) == (0, 0, 0, 0)


def test_other_pictures_have_no_border():
    assert find_border(photo()) == (0, 0, 0, 0)
    assert find_border(np.full((150, 200), 0.9, np.float32)) == (0, 0, 0, 0)
    y, x = np.mgrid[-1:1:150j, -1:1:200j]
    for background in (-0.95, 0.95):  # a round thing in an even room: no straight edge
        thing = np.where(x**2 + y**2 < 0.95, photo(), background).astype(np.float32)
        assert find_border(thing) == (0, 0, 0, 0)
    vignette = (0.9 - (x**2 + y**2)).clip(-1, 1).astype(np.float32)
    assert find_border(vignette) == (0, 0, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 200), (200, 3), (32, 32)])
def test_pictures_of_any_size(size):
    for L in (np.zeros(size, np.float32), photo(*size), np.ones(size, np.float32)):
        assert find_border(L) == (0, 0, 0, 0)


def test_the_border_is_gray_and_the_picture_as_it_was():
    L, ab = framed((-0.95, 6, 8, 5, 9)), np.full((2, 150, 200), 0.3, np.float32)
    gray = leave_border_gray(ab, L, NONE)
    assert gray.dtype == np.float32 and (ab == 0.3).all()
    left, top, right, bottom = find_border(L)
    inside = slice(top + 2, 148 - bottom), slice(left + 2, 198 - right)
    assert (gray[:, *inside] == np.float32(0.3)).all()
    assert (gray[:, : top - 1] == 0).all() and (gray[:, :, -(right - 1) :] == 0).all()
    assert ((gray >= 0) & (gray <= 0.3)).all() and np.allclose(
        gray[:, top : top + 2, 100], [0.1, 0.2]
    )
    assert leave_border_gray(ab, photo(), NONE) is ab


def test_hints_on_a_border_win():
    L, ab = framed((0.3, 12, 12, 12, 12)), np.full((2, 150, 200), 0.3, np.float32)
    gray = leave_border_gray(ab, L, np.array([[75, 4]]))  # on the left
    assert (gray[:, 50:100, :12] == np.float32(0.3)).all()
    assert (gray[:, :11] == 0).all() and (gray[:, 50:100, -11:] == 0).all()
    within = leave_border_gray(ab, L, np.array([[75, 100]]))
    assert (within[:, 50:100, :11] == 0).all()


def test_a_colorizer_leaves_a_mount_gray():
    """In place of the net's colors there are none, at any size of the photo."""
    colorizer = tiny_colorizer()
    L = framed((-0.9, 12, 12, 12, 12))
    rgb = np.kron(((L + 1) * 127.5).astype(np.uint8), np.ones((4, 4), np.uint8))[..., None].repeat(
        3, 2
    )
    ab = colorizer.predict(rgb)
    assert np.abs(ab).max() > 0
    assert (ab[:, :1] == 0).all() and (ab[:, :, -1:] == 0).all()
    plain = colorizer.predict(np.ascontiguousarray(rgb[48:-48, 48:-48]))
    assert np.abs(plain[:, 0]).max() > 0
