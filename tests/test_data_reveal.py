"""What is revealed in training: how many points, where, how large, and of what color."""

import numpy as np
import pytest
import torch

from pix2pix.data import reveal

POSITIONS = np.arange(400)


def colors(count: int = len(POSITIONS), side: int = 32) -> torch.Tensor:
    return torch.rand(count, 2, side, side, generator=torch.Generator().manual_seed(0)) - 0.5


def test_hints_are_the_mean_color_of_their_patches():
    ab = colors(1)
    told = torch.zeros(3, 32, 32)
    reveal.paint(told, ab[0], np.array([[0.5, 0.25]]), np.array([5]))
    mean = ab[0, :, 14:19, 6:11].mean((1, 2))
    assert told[2, 14:19, 6:11].all() and told[2].sum() == 25
    torch.testing.assert_close(told[:2, 14:19, 6:11], mean.view(2, 1, 1).expand(2, 5, 5))
    assert not told[:2, told[2] == 0].any()


def test_patches_are_cut_at_the_border():
    told = torch.zeros(3, 32, 32)
    reveal.paint(told, colors(1)[0], np.array([[0.0, 0.999]]), np.array([9]))
    assert told[2].sum() == 5 * 5 and told[2, :5, 27:].all()


def test_how_many_photos_and_points_are_told():
    told = reveal.reveal(colors(), 3, POSITIONS, 0.5)
    hinted = told[:, 2].sum((1, 2))
    assert told.shape == (400, 3, 32, 32)
    assert 0.42 < (hinted > 0).float().mean() < 0.58
    few = (hinted[hinted > 0] <= 81).float().mean()  # one patch at most, or two small ones
    assert 0.34 < few < 0.5 and hinted.max() > 500


def test_points_are_placed_and_sized_as_in_the_paper(monkeypatch):
    """Half of the photos around the center, half anywhere; 1 to 9 pixels; not too many."""
    drawn = []
    monkeypatch.setattr(reveal, "MOST_POINTS", 200)
    monkeypatch.setattr(reveal, "paint", lambda told, ab, *points: drawn.append(points))
    reveal.reveal(colors(side=4), 3, POSITIONS, 1.0)
    places, sides = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    assert len(drawn) == 400 and max(len(sides) for _, sides in drawn) == 200
    assert (places.min(), places.max()) == (0, 0.999) and set(sides) == set(range(1, 10))
    many = [places for places, _ in drawn if len(places) > 50]
    central = [places for places in many if places.min() == 0]  # what lay outside was moved in
    assert 0.35 < len(central) / len(many) < 0.65
    assert np.concatenate(central).mean() == pytest.approx(0.5, abs=0.02)
    assert np.concatenate(central).std() == pytest.approx(0.24, abs=0.01)  # anywhere: 0.29


@pytest.mark.slow
def test_what_is_told_depends_on_seed_and_position_alone():
    ab = colors()
    told = reveal.reveal(ab, 3, POSITIONS, 0.5)
    torch.testing.assert_close(reveal.reveal(ab[7:9], 3, POSITIONS[7:9], 0.5), told[7:9])
    assert not torch.equal(reveal.reveal(ab, 4, POSITIONS, 0.5), told)
    assert not reveal.reveal(ab, 3, POSITIONS, 0.0).any()


def test_fewer_points_are_the_first_of_more():
    many = reveal.uniform_points(100, 0)
    assert many.shape == (100, 2) and (many >= 0).all() and (many < 1).all()
    assert (reveal.uniform_points(10, 0) == many[:10]).all()
    assert (reveal.uniform_points(10, 1) != many[:10]).any()
