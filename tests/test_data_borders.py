"""Borders for training: gray truth where they lie, the photo as it was elsewhere."""

import numpy as np
import pytest
import torch

from pix2pix.data import borders
from pix2pix.data.borders import KINDS, border_widths, caption_line, lay_borders, outlines
from pix2pix.data.photos import prepare
from pix2pix.data.written import draw_caption


def pictures(count=60, side=64):
    """L of 0.1 and ab of 0.3 everywhere."""
    return torch.full((count, 1, side, side), 0.1), torch.full((count, 2, side, side), 0.3)


def test_where_a_border_lies_the_truth_is_gray_and_elsewhere_nothing_changes():
    L, ab = pictures()
    before = L.clone(), ab.clone()
    framed, target = lay_borders(L, ab, 0, np.arange(60), 1.0)
    assert torch.equal(L, before[0]) and torch.equal(ab, before[1])
    assert framed.abs().max() <= 1
    photo = (target == 0.3).all(1, keepdim=True)
    assert torch.equal(framed[photo], L[photo])  # also below captions and texture
    gray = (target == 0).all(1, keepdim=True)
    assert (gray | photo).float().mean() > 0.94  # the rest is the soft edge
    assert gray[:, :, 24:40, 24:40].float().mean() < 0.02
    assert gray.flatten(1).any(1).float().mean() > 0.8
    assert 0.1 < gray.float().mean() < 0.35


def test_the_share_that_gets_a_border_is_the_one_asked_for():
    L, ab = pictures(2000, 8)
    framed, target = lay_borders(L, ab, 3, np.arange(2000), 0.3)
    changed = (target != ab).flatten(1).any(1)
    assert 0.24 < changed.float().mean() <= 0.32
    assert torch.equal(framed[~changed], L[~changed])
    same = lay_borders(L, ab, 3, np.arange(2000), 0.0)
    assert same[0] is L and same[1] is ab


def test_a_border_hangs_on_seed_and_position_alone():
    L, ab = pictures(24)
    whole = lay_borders(L, ab, 5, np.arange(100, 124), 0.8)
    order = np.array([20, 3, 7, 11])
    part = lay_borders(L[order], ab[order], 5, 100 + order, 0.8)
    for mine, its in zip(part, whole, strict=True):
        assert torch.equal(mine, its[order])
    assert not torch.equal(lay_borders(L, ab, 6, np.arange(100, 124), 0.8)[0], whole[0])


def test_kinds_of_tone_befall_their_shares():
    L, _ = pictures(3000, 4)
    tone, rim = borders.tones(L, 0, np.arange(3000))
    tone = tone.flatten()
    assert sum(share for _, _, share in KINDS.values()) == pytest.approx(1)
    for low, high, share in KINDS.values():
        inside = (tone >= low) & (tone <= high)
        assert inside.float().mean().item() == pytest.approx(share, abs=0.03)
    assert ((tone > 0) == (rim.flatten() < 0)).all()


def test_an_outline_is_the_rounded_box_between_the_widths(monkeypatch):
    """Straight edges: the distance is that to the box, and 0 on its edge."""
    monkeypatch.setattr(borders, "normal_like", lambda x, *_: torch.zeros_like(x))
    monkeypatch.setattr(borders, "uniform_like", lambda x, *_: torch.zeros(len(x), 1, 1, 1))
    L = torch.zeros(2, 1, 40, 60)
    outside, rim = outlines(L, np.array([[5, 0, 8, 10], [0, 0, 0, 0]]), 0, np.arange(2))
    assert (outside[1] < -1000).all()  # no border at all
    inner = outside[0, 0] < 0
    wanted = torch.zeros(40, 60, dtype=torch.bool)
    wanted[:30, 5:52] = True
    assert torch.equal(inner, wanted)
    assert outside[0, 0, 3, 0].item() == pytest.approx(4.5)  # left, from the edge at 5
    assert outside[0, 0, 39, 0].item() == pytest.approx(np.hypot(4.5, 9.5))  # a corner
    assert outside[0, 0, 0, 30].item() < -20  # no border above
    rimmed = torch.zeros(40, 60, dtype=torch.bool)
    rimmed[39] = rimmed[:, 59] = True  # a tenth of 10 and of 8; of 5 it ends in a pixel's middle
    assert torch.equal(rim[0, 0] > 0, rimmed)


def test_widths_are_a_few_percent_of_the_side():
    widths = border_widths(torch.zeros(1, 1, 100, 120), 0, np.arange(3000))
    there = widths > 0
    assert there.all(1).mean() == pytest.approx(borders.ALL_SIDES + 0.35 / 16, abs=0.03)
    assert 0.5 <= widths[there].min() < 0.6 and 30 < widths.max() < 45
    assert 3 < np.median(widths[there]) < 6


def test_captions_are_written_on_borders_and_nowhere_else(monkeypatch):
    monkeypatch.setattr(borders, "RIM", 0)
    monkeypatch.setattr(borders, "normal_like", lambda x, *_: torch.zeros_like(x))
    L, ab = pictures(200)
    monkeypatch.setattr(borders, "CAPTION", 0)
    plain, target = lay_borders(L, ab, 0, np.arange(200), 1.0)
    monkeypatch.setattr(borders, "CAPTION", 1)
    written, again = lay_borders(L, ab, 0, np.arange(200), 1.0)
    assert torch.equal(again, target)
    differs = written != plain
    assert not differs[(target == 0.3).all(1, keepdim=True)].any()
    assert differs.flatten(1).any(1).float().mean() > 0.5
    assert (written - plain)[differs].abs().max() > 1  # ink stands out


def test_a_caption_is_a_line_of_ink():
    lines = [draw_caption(np.random.default_rng(i)) for i in range(12)]
    for line in lines:
        assert line.dtype == np.uint8 and line.shape[0] == 24 and 72 <= line.shape[1] <= 384
        assert 0.01 < (line < 128).mean() < 0.6
    assert len({line.tobytes() for line in lines}) == 12
    ink = caption_line(0)
    assert ink.shape[:3] == (1, 1, 24) and 0 <= ink.min() < 0.01 and ink.max() == 1


@pytest.mark.parametrize("size", [(2, 3), (8, 8), (33, 50)])
def test_pictures_of_any_size(size):
    L, ab = torch.zeros(40, 1, *size), torch.full((40, 2, *size), 0.2)
    framed, target = lay_borders(L, ab, 0, np.arange(40), 1.0)
    assert framed.shape == L.shape and target.shape == ab.shape
    assert framed.isfinite().all() and target.isfinite().all() and target.max() <= 0.2 + 1e-6


def test_batches_have_borders_and_hints_know_them():
    torch.manual_seed(0)
    rgb = torch.randint(0, 256, (32, 3, 64, 64), dtype=torch.uint8)
    settings = {"film": 0.5, "hints": 1.0, "seed": 2}
    plain = prepare(rgb, np.arange(32), **settings)
    framed = prepare(rgb, np.arange(32), border=0.5, **settings)
    gray = (framed.ab == 0).all(1, keepdim=True)
    assert 4 < gray.flatten(1).any(1).sum() < 24
    untouched = (framed.ab == plain.ab).flatten(1).all(1)
    assert torch.equal(framed.L[untouched], plain.L[untouched])
    told = (framed.hints[:, 2:] == 1) & gray
    assert told.any()
    assert framed.hints[:, :2][told.expand(-1, 2, -1, -1)].abs().max() < 0.2
