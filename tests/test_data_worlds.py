"""Drawn worlds: the same for the same seed, their truth known and not to be read off the input."""

import pytest
import torch

from pix2pix.color import AB_SCALE, net_to_rgb, rgb_to_lab
from pix2pix.data import worlds

FIELDS = {
    worlds.marbles: ("L", "ab", "inside", "kinds"),
    worlds.quilt: ("labels", "picture", "kinds"),
}
both = pytest.mark.parametrize("draw", FIELDS, ids=lambda draw: draw.__name__)


def same(one, other):
    """For each field of two worlds whether it is equal."""
    fields = next(names for names in FIELDS.values() if hasattr(one, names[0]))
    return [torch.equal(getattr(one, name), getattr(other, name)) for name in fields]


def part(world, where):
    """The pictures `where` of a world."""
    return type(world)(**{name: value[where] for name, value in vars(world).items()})


@both
def test_a_seed_draws_the_same_pictures_and_another_seed_others(draw):
    assert all(same(draw(4, seed=3), draw(4, seed=3)))
    assert not any(same(draw(4, seed=3), draw(4, seed=4)))


@both
def test_a_picture_is_known_by_its_position_however_it_is_drawn(draw):
    row = draw(6, seed=1, size=48)
    assert all(same(part(row, slice(2, 6)), draw(4, seed=1, size=48, first=2)))


@both
def test_torchs_own_random_numbers_are_left_alone(draw):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draw(2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("size", [16, 48, 96])
def test_sizes_and_ranges_are_those_of_the_nets(size):
    scenes, quilts = worlds.marbles(5, size=size), worlds.quilt(5, size=size)
    assert scenes.L.shape == (5, 1, size, size) and scenes.ab.shape == (5, 2, size, size)
    assert scenes.inside.shape == quilts.kinds.shape == (5, size, size)
    assert scenes.kinds.shape == (5, worlds.MARBLES) and len(scenes) == len(quilts) == 5
    assert quilts.labels.shape == quilts.picture.shape == (5, 3, size, size)
    for plane in (scenes.L, scenes.ab, quilts.labels, quilts.picture):
        assert plane.dtype == torch.float32 and plane.abs().max() <= 1


@both
@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 2, "size": 8}])
def test_no_pictures_and_very_small_ones_are_refused(draw, wrong):
    with pytest.raises(ValueError, match="at least 1 and 16"):
        draw(**wrong)


def test_marbles_have_the_three_colors_equally_often():
    kinds = worlds.marbles(600, size=16).kinds
    shares = kinds.flatten().bincount(minlength=3) / kinds.numel()
    assert (shares - 1 / 3).abs().max() < 0.04  # 3.5 standard deviations


def test_every_color_is_inside_srgb_at_its_lightness():
    scenes = worlds.marbles(32)
    lab = rgb_to_lab(net_to_rgb(scenes.L, scenes.ab))
    assert (lab[:, 1:] - AB_SCALE * scenes.ab).abs().max() < 0.01  # else it would lose chroma


def test_inside_are_marbles_of_the_colors_in_kinds_and_no_others():
    scenes = worlds.marbles(40)
    for k in range(len(scenes)):
        at = (AB_SCALE * scenes.ab[k]).movedim(0, -1)[scenes.inside[k]]
        distance = torch.cdist(at, worlds.COLORS)
        assert distance.amin(1).max() < 1e-3
        seen = set(distance.argmin(1).tolist())
        assert int(scenes.kinds[k, -1]) in seen <= set(scenes.kinds[k].tolist())
        lightness = 50 * scenes.L[k, 0][scenes.inside[k]] + 50
        assert 44 <= lightness.min() and lightness.max() <= 62


def guessed(scenes):
    """How often a regression on the lightness of a marble's pixels tells its color, held out.

    One row for each color of each scene: how many pixels, their mean, spread, least and most, and
    the products of these.
    """
    rows, colors = [], []
    for k in range(len(scenes)):
        nearest = torch.cdist((AB_SCALE * scenes.ab[k]).movedim(0, -1), worlds.COLORS).argmin(-1)
        for color in scenes.kinds[k].unique():
            L = scenes.L[k, 0][scenes.inside[k] & (nearest == color)]
            if len(L) > 20:
                rows.append(torch.stack([L.mean(), L.std(), L.min(), L.max(), L.median()]))
                colors.append(color)
    x, y = torch.stack(rows).double(), torch.stack(colors)
    x = (x - x.mean(0)) / x.std(0)
    products = (x[:, :, None] * x[:, None]).flatten(1)
    x = torch.cat([torch.ones(len(x), 1), x, products], 1)
    half = len(x) // 2
    targets = torch.nn.functional.one_hot(y[:half], 3).double()
    found = torch.linalg.pinv(x[:half]) @ targets
    return ((x[half:] @ found).argmax(1) == y[half:]).float().mean().item()


@pytest.mark.slow
def test_lightness_does_not_tell_the_color():
    scenes = worlds.marbles(500, size=32)
    assert guessed(scenes) < 0.40  # chance is 1/3, and 0.40 three standard deviations above
    red = (AB_SCALE * scenes.ab - worlds.COLORS[0].view(1, 2, 1, 1)).abs().amax(1) < 1
    scenes.L[red[:, None]] += 0.12  # red marbles lighter by 6 of 100: such a hint would be found
    assert guessed(scenes) > 0.45


def test_near_counts_marble_pixels_of_any_marble_color():
    scenes = worlds.marbles(12)
    assert worlds.near(scenes.ab, scenes) == 1
    swapped = scenes.ab.clone()
    swapped[:] = worlds.COLORS[2].view(1, 2, 1, 1) / AB_SCALE
    assert worlds.near(swapped, scenes) == 1
    assert worlds.shares(swapped, scenes).tolist() == [0, 0, 1]
    inside = scenes.inside[:, None]
    assert worlds.near(torch.where(inside, scenes.ab, 0), scenes) == 1  # the rest does not count


@pytest.mark.parametrize(
    "color", [(0, 0), worlds.SKY, worlds.GRASS, tuple(worlds.COLORS.median(0).values.tolist())]
)
def test_gray_sky_grass_and_the_median_of_the_colors_are_near_none(color):
    scenes = worlds.marbles(4)
    ab = torch.tensor(color).view(1, 2, 1, 1).expand_as(scenes.ab) / AB_SCALE
    assert worlds.near(ab, scenes) == 0


def test_near_is_told_by_the_distance():
    scenes = worlds.marbles(4)
    off = torch.tensor([0.0, 24.0]).view(1, 2, 1, 1) / AB_SCALE
    assert worlds.near(scenes.ab + off, scenes) == 1
    assert worlds.near(scenes.ab + off, scenes, within=23) == 0
    half = scenes.ab.clone()
    half[:2] = 0
    left = scenes.inside[2:].sum() / scenes.inside.sum()
    assert worlds.near(half, scenes) == pytest.approx(float(left))


def test_labels_decide_the_texture_and_nothing_but_the_texture():
    quilts = worlds.quilt(24)
    labels = quilts.labels.movedim(1, -1) / 2 + 0.5
    assert torch.allclose(labels, worlds.LABELS[quilts.kinds])
    means = []
    for kind in range(len(worlds.TEXTURES)):
        colors = quilts.picture.movedim(1, -1)[quilts.kinds == kind]
        assert colors.std(0).max() > 0.2  # a texture, not one color
        means.append(colors.mean(0))
    assert torch.pdist(torch.stack(means)).min() > 0.25


def test_the_grain_is_drawn_anew_so_that_a_label_does_not_tell_it():
    quilts = worlds.quilt(64)
    pixel = quilts.picture[:, :, 20, 30]
    for kind in range(len(worlds.TEXTURES)):
        assert len(pixel[quilts.kinds[:, 20, 30] == kind].unique(dim=0)) > 1


def test_detail_of_known_pictures():
    flat = torch.full((2, 3, 32, 32), 0.3)
    assert worlds.detail(flat).tolist() == pytest.approx([0, 0], abs=1e-9)
    checks = (torch.arange(32).view(-1, 1) + torch.arange(32)) % 2 * 2.0 - 1  # -1 and 1 in turn
    # 5x5 pixels hold 13 of one and 12 of the other: the blur leaves 1/25 of the board
    board = worlds.detail(checks.expand(1, 1, 32, 32))
    assert board.item() == pytest.approx((24 / 25) ** 2, rel=0.05)
    grain = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert worlds.detail(grain).item() == pytest.approx(24 / 25, rel=0.02)
    assert worlds.detail(2 * grain).item() == pytest.approx(4 * worlds.detail(grain).item())


def test_flat_labels_have_a_small_part_of_the_detail_of_textures():
    quilts = worlds.quilt(16)
    assert worlds.detail(quilts.labels).mean() < 0.2 * worlds.detail(quilts.picture).mean()
