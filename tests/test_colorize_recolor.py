"""Recoloring by table and by pixel, against the plain way through color.py."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from skimage.color import rgb2lab

from pix2pix import color
from pix2pix.colorize import chroma, lightness, recolor
from pix2pix.colorize.chroma import Upsampled
from pix2pix.strips import set_share, share, strips

SLOPE = 1.5
"""The steepest that the bicubic kernel of `Upsampled` can be between values that differ by 1."""


def smooth_ab(most: float, h: int = 24, w: int = 32) -> np.ndarray:
    """Ab (2, h, w) as a net would predict it: blotches within +-most."""
    few = torch.rand(1, 2, 4, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return (F.interpolate(few, (h, w), mode="bilinear")[0] * most).numpy()


def photo(kind: str) -> np.ndarray:
    gray = np.tile(data.camera(), (2, 2))  # 1024x1024: large enough for a table
    return np.dstack([gray] * 3) if kind == "gray" else np.tile(data.astronaut(), (2, 2, 1))


def laid_out(rgb: np.ndarray) -> dict[str, np.ndarray]:
    """The same picture as it may lie in memory."""
    four = np.random.default_rng(0).integers(0, 256, (*rgb.shape[:2], 4), dtype=np.uint8)
    four[..., :3] = rgb
    ways = {
        "RGBX": four[..., :3],
        "planes": np.asfortranarray(rgb),
        "flipped": rgb[::-1].copy()[::-1],
    }
    if (rgb == rgb[..., :1]).all():
        ways["one plane"] = np.broadcast_to(rgb[..., :1].copy(), rgb.shape)
    return ways


def plainly(rgb: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """In float, the whole picture at once."""
    lab = color.rgb_to_lab(torch.from_numpy(rgb).movedim(-1, 0) / 255)
    lab[1:] = F.interpolate(torch.from_numpy(ab)[None], rgb.shape[:2], mode="bicubic")[0]
    return (color.lab_to_rgb(lab) * 255).round().to(torch.uint8).movedim(0, -1).numpy()


@pytest.fixture
def used(monkeypatch) -> list[str]:
    """Which of the two ways was taken."""
    ways = []
    for name in ("_by_table", "by_pixel"):
        way = getattr(recolor, name)
        monkeypatch.setattr(
            recolor, name, lambda *a, name=name, way=way: (ways.append(name), way(*a))
        )
    return ways


@pytest.fixture
def threads():
    """A way to give this thread so many; it gets back what it had."""
    before = share()
    yield set_share
    set_share(before)


@pytest.mark.slow
@pytest.mark.parametrize(("most", "off"), [(11, 0.001), (18, 0.02)], ids=["fine", "coarse"])
@pytest.mark.parametrize("kind", ["gray", "color"])
def test_by_table(kind, most, off, used):
    rgb, ab = photo(kind), smooth_ab(most)
    out = recolor.recolor(rgb, ab)
    difference = np.abs(out.astype(int) - plainly(rgb, ab))
    assert used == ["_by_table"] and out.shape == rgb.shape and out.dtype == np.uint8
    assert (difference > 1).mean() < off and difference.max() <= 8
    assert np.abs(rgb2lab(out)[..., 0] - rgb2lab(rgb)[..., 0]).max() < 0.6


@pytest.mark.parametrize("kind", ["gray", "color"])
def test_by_pixel(kind, used):
    rgb, ab = photo(kind)[:300, :400], smooth_ab(90)
    out = recolor.recolor(rgb, ab)
    difference = np.abs(out.astype(int) - plainly(rgb, ab))
    assert used == ["by_pixel"]
    assert (difference > 0).mean() < 1e-3 and difference.max() <= 4  # a bisection more or less


@pytest.mark.parametrize("most", [7, 90], ids=["by table", "by pixel"])
@pytest.mark.parametrize("kind", ["gray", "color"])
def test_however_it_lies_in_memory_it_becomes_the_same(kind, most):
    rgb, ab = photo(kind)[:301, :455], smooth_ab(most)
    expected = recolor.recolor(rgb, ab)
    assert expected.strides == (4 * 455, 4, 1) and (expected.base[..., 3] == 255).all()
    for name, view in laid_out(rgb).items():
        before = view.copy()
        assert np.array_equal(recolor.recolor(view, ab), expected), name
        assert np.array_equal(recolor.recolor(view, ab, recolor.gray_levels(view)), expected), name
        assert np.array_equal(view, before)


@pytest.mark.parametrize(("kind", "most"), [("gray", 7), ("color", 9), ("color", 90)])
def test_neither_strips_nor_threads_change_a_bit(kind, most, monkeypatch, threads):
    rgb, ab = photo(kind)[:301, :399], smooth_ab(most)
    threads(1)
    whole = recolor.recolor(rgb, ab)
    threads(3)
    assert np.array_equal(recolor.recolor(rgb, ab), whole)
    original = strips
    for module in (recolor, chroma, lightness):
        monkeypatch.setattr(module, "strips", lambda *a, **_: original(*a, pixels=512))
    assert np.array_equal(recolor.recolor(rgb, ab), whole)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (1, 90_000), (90_000, 1), (3, 70_001)])
def test_every_size_is_colored(size):
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for ab in (smooth_ab(4), np.zeros((2, 8, 8), np.float32)):
        out = recolor.recolor(rgb, ab)
        assert out.shape == rgb.shape
        off = np.abs(out.astype(int) - plainly_small(rgb, ab))
        assert (off > 1).mean() <= 0.002 and off.max() <= 4


def plainly_small(rgb: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lab = color.rgb8_to_lab(rgb)
    lab[1:] = Upsampled(ab, *rgb.shape[:2])[:, :]
    return color.lab_to_rgb8(lab)


def table_of(ab: np.ndarray, grays: np.ndarray, step: float):
    """A table's colors at the pixels of small pictures ab (2, H, W) and grays (H, W)."""
    found = chroma.quantized(ab, grays, 1, step)
    table, starts = recolor.color_table(found)
    return table[starts[found.cells] + grays], found.colors[:, found.cells]


def test_table_holds_the_colors():
    draw = np.random.default_rng(0)
    ab = draw.uniform([[[-4]], [[2]]], [[[15]], [[17]]], (2, 33, 50)).astype(np.float32)
    grays = draw.integers(0, 256, (33, 50), dtype=np.uint8)
    packed, near = table_of(ab, grays, 0.5)
    assert np.abs(near - ab).max() <= 0.2501
    lab = color.rgb8_to_lab(grays[..., None].repeat(3, 2))
    lab[1:] = near
    channels = packed[..., None].view(np.uint8)
    assert np.array_equal(channels[..., :3], color.lab_to_rgb8(lab))
    assert (channels[..., 3] == 255).all()


def test_table_lacks_what_does_not_occur():
    grays = np.full((64, 64), 7, np.uint8)
    grays[48:, 48:] = 200
    ab = np.zeros((2, 64, 64), np.float32)
    ab[0, :16, :16] = 30
    found = chroma.quantized(ab, grays, 1, 0.5)
    assert sorted(map(tuple, np.argwhere(found.units))) == [(0, 0), (0, 12), (60, 0)]


def test_boxes_cover_what_lies_in_them_and_no_more():
    draw = np.random.default_rng(0)
    shape = 7, 9, 5
    ends = np.sort([[draw.integers(0, n, 12) for n in shape] for _ in range(2)], axis=0)
    expected = np.zeros(shape, bool)
    for low, high in ends.transpose(2, 0, 1):
        expected[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] = True
    assert np.array_equal(chroma._union(ends, shape), expected) and not expected.all()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (48, 5), (3, 100)])
def test_extremes_of_tiles(size):
    planes = np.random.default_rng(0).integers(0, 999, (2, *size), dtype=np.uint16)
    for extreme in (np.minimum, np.maximum):
        tiles = chroma._tile_extremes(extreme, planes, 16)
        for row, column in np.ndindex(*tiles.shape[1:]):
            tile = planes[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            assert np.array_equal(tiles[:, row, column], extreme.reduce(tile, (1, 2)))


def test_no_chroma_leaves_grays_alone():
    gray = np.arange(256, dtype=np.uint8).repeat(16).reshape(64, 64)
    rgb = np.dstack([gray] * 3)
    for side in (1, 8):
        large = np.tile(rgb, (side, side, 1))
        assert np.array_equal(recolor.recolor(large, np.zeros((2, 8, 8), np.float32)), large)


@pytest.mark.parametrize("size", [(100, 131), (24, 40), (25, 400)])
def test_upsampling_is_bicubic(size):
    small = torch.randn(2, 24, 40)
    expected = F.interpolate(small[None], size, mode="bicubic")[0].numpy()
    actual = Upsampled(small.numpy(), *size)[:, :]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("size", [(200, 320), (199, 321), (385, 1001)])
def test_one_chroma_for_2x2_pixels_is_that_of_their_middle(size):
    """A bound: half a pixel's way down and right, at the steepest slope that the differences allow.

    The weights of the other axis add up to at most 1.375, those below zero taken as above it.
    """
    small = np.random.default_rng(0).normal(0, 5, (2, 24, 40)).astype(np.float32)
    pixels = Upsampled(small, *size)[:, :]
    blocks = Upsampled(small, *size, 2)[:, :].repeat(2, 1).repeat(2, 2)
    most = [
        np.abs(np.diff(small, axis=axis)).max() * n / side / 2
        for axis, n, side in zip((1, 2), small.shape[1:], size, strict=True)
    ]
    off = np.abs(blocks[:, : size[0], : size[1]] - pixels)
    assert 0 < off.max() <= 1.375 * SLOPE * sum(most)
    if size == (200, 320):
        assert np.array_equal(Upsampled(small, *size, 2)[:, :], Upsampled(small, 100, 160)[:, :])


@pytest.mark.parametrize(("most", "smooth"), [(11, True), (400, False)])
def test_one_chroma_for_2x2_pixels_only_where_it_changes_slowly(most, smooth):
    ab = smooth_ab(most)
    assert recolor.is_smooth(ab, 768, 1024) == smooth
    assert not recolor.is_smooth(ab, 768, 63) and not recolor.is_smooth(ab, 47, 1024)
    ab[:, 5, 5] += 100  # an edge around one place of 768
    assert recolor.is_smooth(ab, 768, 1024) == smooth
    ab[:, 5, 9:20:5] += 100  # and around three more
    assert not recolor.is_smooth(ab, 768, 1024)


def test_a_picture_smaller_than_the_nets_input_gets_the_average():
    small = torch.randn(2, 24, 40)
    expected = F.interpolate(small[None], (2, 5), mode="bilinear", antialias=True)[0].numpy()
    np.testing.assert_allclose(Upsampled(small.numpy(), 2, 5)[:, :], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(100, 100), (37, 1000), (1000, 37), (5, 3), (300, 7)])
@pytest.mark.parametrize("block", [1, 2])
def test_strips_of_the_upsampled_are_the_whole(size, block):
    upsampled = Upsampled(np.random.default_rng(0).normal(size=(2, 24, 40)), *size, block)
    whole = upsampled[:, :]
    pieces = np.full_like(whole, np.nan)
    for strip in strips(*upsampled.shape, pixels=211):
        pieces[(slice(None), *strip)] = upsampled[strip]
    assert np.array_equal(pieces, whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gray", "color"])
def test_memory_is_8_bytes_a_pixel(kind):
    rgb = np.tile(photo(kind), (2, 2, 1))
    rgb = laid_out(rgb)["one plane" if kind == "gray" else "RGBX"]
    recolor.recolor(rgb[:512, :512], smooth_ab(10))
    tracemalloc.start()
    recolor.recolor(rgb, smooth_ab(10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 < peak / rgb[..., 0].size < 8


def test_recoloring_loads_no_torch():
    code = (
        "import sys, numpy as np; from pix2pix.colorize import incolor, recolor;"
        "rgb = np.zeros((99, 99, 3), np.uint8); incolor.in_color(rgb);"
        "recolor.recolor(rgb, np.zeros((2, 8, 8), np.float32)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
