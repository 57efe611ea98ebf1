"""Recoloring by table and by pixel, against the plain way through color.py."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from skimage.color import rgb2lab

from pix2pix import color
from pix2pix.colorize import recolor
from pix2pix.colorize.recolor import Upsampled
from pix2pix.strips import strips


def smooth_ab(chroma: float, h: int = 24, w: int = 32) -> torch.Tensor:
    """Ab (2, h, w) as a net would predict it: blotches within +-chroma."""
    few = torch.rand(1, 2, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return F.interpolate(few, (h, w), mode="bilinear")[0] * chroma


def photo(kind: str) -> np.ndarray:
    gray = np.tile(data.camera(), (2, 2))  # 1024x1024: large enough for a table
    return np.dstack([gray] * 3) if kind == "gray" else np.tile(data.astronaut(), (2, 2, 1))


def plainly(rgb: np.ndarray, ab: torch.Tensor) -> np.ndarray:
    """In float, the whole picture at once."""
    lab = color.rgb_to_lab(torch.from_numpy(rgb).movedim(-1, 0) / 255)
    lab[1:] = F.interpolate(ab[None], rgb.shape[:2], mode="bicubic")[0]
    return (color.lab_to_rgb(lab) * 255).round().to(torch.uint8).movedim(0, -1).numpy()


@pytest.fixture
def used(monkeypatch) -> list[str]:
    """Which of the two ways was taken."""
    ways = []
    for name in ("_by_table", "_by_pixel"):
        way = getattr(recolor, name)
        monkeypatch.setattr(
            recolor, name, lambda *a, name=name, way=way: (ways.append(name), way(*a))
        )
    return ways


@pytest.mark.slow
@pytest.mark.parametrize(("chroma", "off"), [(7, 0.001), (13, 0.02)], ids=["fine", "coarse"])
@pytest.mark.parametrize("kind", ["gray", "color"])
def test_by_table(kind, chroma, off, used):
    rgb, ab = photo(kind), smooth_ab(chroma)
    out = recolor.recolor(rgb, ab)
    difference = np.abs(out.astype(int) - plainly(rgb, ab))
    assert used == ["_by_table"]
    assert (difference > 1).mean() < off and difference.max() <= 8
    assert np.abs(rgb2lab(out)[..., 0] - rgb2lab(rgb)[..., 0]).max() < 0.6


@pytest.mark.parametrize("kind", ["gray", "color"])
def test_by_pixel(kind, used):
    rgb, ab = photo(kind)[:300, :400], smooth_ab(90)
    out = recolor.recolor(rgb, ab)
    difference = np.abs(out.astype(int) - plainly(rgb, ab))
    assert used == ["_by_pixel"]
    assert (difference > 0).mean() < 1e-3 and difference.max() <= 3


def test_table_holds_the_colors():
    table = recolor.color_table(torch.tensor([-4.5, 1.5]), [40, 33], 0.5)
    for gray, a, b in ((0, 0, 0), (255, 39, 32), (128, 7, 30), (77, 39, 0), (3, 20, 20)):
        lab = color.rgb8_to_lab(torch.full((1, 1, 3), gray, dtype=torch.uint8))
        lab[1], lab[2] = (a - 9) / 2, (b + 3) / 2
        packed = int(table[gray, a, b])
        channels = [packed & 255, packed >> 8 & 255, packed >> 16]
        assert channels == color.lab_to_rgb8(lab).flatten().tolist()


def test_no_chroma_leaves_grays_alone():
    gray = np.arange(256, dtype=np.uint8).repeat(16).reshape(64, 64)
    rgb = np.dstack([gray] * 3)
    for side in (1, 8):  # by pixel, by table
        large = np.tile(rgb, (side, side, 1))
        assert np.array_equal(recolor.recolor(large, torch.zeros(2, 8, 8)), large)


def test_gray_levels_have_the_lightness_of_the_color():
    rgb = torch.randint(0, 256, (200, 200, 3), dtype=torch.uint8)
    gray = recolor.gray_levels(rgb)[..., None].expand(-1, -1, 3).to(torch.uint8)
    difference = color.rgb8_to_lab(gray)[0] - color.rgb8_to_lab(rgb)[0]
    assert difference.abs().max() < 0.3  # half a level of gray
    assert torch.equal(recolor.gray_levels(gray), gray[..., 0].int())


@pytest.mark.parametrize("at", [None, (0, 0), (0, 8), (5, 3), (6, 8)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_is_gray_sees_one_level_anywhere(at, channel):
    rgb = np.random.default_rng(0).integers(0, 255, (7, 9, 1), dtype=np.uint8).repeat(3, 2)
    if at:
        rgb[(*at, channel)] += 1
    assert recolor.is_gray(rgb) == (at is None)
    assert recolor.is_gray(np.asfortranarray(rgb)) == (at is None)


@pytest.mark.parametrize("size", [(100, 131), (24, 40), (25, 400)])
def test_upsampling_is_bicubic(size):
    small = torch.randn(2, 24, 40)
    expected = F.interpolate(small[None], size, mode="bicubic")[0]
    torch.testing.assert_close(Upsampled(small, *size)[:, :], expected, atol=5e-5, rtol=0)


def test_a_picture_smaller_than_the_nets_input_gets_the_average():
    small = torch.randn(2, 24, 40)
    expected = F.interpolate(small[None], (2, 5), mode="bilinear", antialias=True)[0]
    torch.testing.assert_close(Upsampled(small, 2, 5)[:, :], expected)


@pytest.mark.parametrize("size", [(100, 100), (37, 1000), (1000, 37), (5, 3), (300, 7)])
def test_strips_of_the_upsampled_are_the_whole(size):
    small = torch.randn(2, 24, 40)
    upsampled = Upsampled(small, *size)
    whole = upsampled[:, :]
    pieces = torch.full_like(whole, torch.nan)
    for strip in strips(*size, pixels=211):
        pieces[(slice(None), *strip)] = upsampled[strip]
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("chroma", [7, 90])
def test_no_seams_between_strips(chroma, monkeypatch):
    rgb, ab = photo("gray")[:601, :799], smooth_ab(chroma)
    whole = recolor.recolor(rgb, ab).astype(int)
    original = recolor.strips
    monkeypatch.setattr(recolor, "strips", lambda *a, **_: original(*a, pixels=1000))
    difference = np.abs(recolor.recolor(rgb, ab) - whole)
    assert difference.max() <= 3 and (difference > 0).mean() < 1e-4
