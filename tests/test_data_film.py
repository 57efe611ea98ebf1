"""Film augmentation: what each emulsion sees, what age does, how often, and to whom."""

import numpy as np
import pytest
import torch

from pix2pix.color import rgb_to_net
from pix2pix.data import film
from pix2pix.data.film import (
    CHANCES,
    RESPONSES,
    age,
    blur,
    fade,
    halate,
    respond,
    scratch,
    unevenness,
)


def patch(rgb, count=1, side=4):
    """(count, 3, side, side) of one sRGB color in [0, 1]."""
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(count, 3, side, side).contiguous()


def lightness(rgb, response):
    """L* in [0, 100] of one color on a film."""
    return 50 * (respond(patch(rgb), RESPONSES[response])[0, 0, 0, 0].item() + 1)


def panchromatic(rgb):
    return 50 * (rgb_to_net(patch(rgb))[0][0, 0, 0, 0].item() + 1)


RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


# ---- response


def test_the_response_of_the_eye_is_the_lightness_of_color():
    """The same sRGB curve and the same L*, with the weights of luminance."""
    torch.manual_seed(0)
    rgb = torch.cat([torch.rand(2, 3, 40, 40), torch.rand(2, 3, 40, 40) * 0.06])
    seen = respond(rgb, (0.212671, 0.715160, 0.072169))
    torch.testing.assert_close(seen, rgb_to_net(rgb)[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("response", RESPONSES)
def test_white_stays_white_and_black_black(response):
    assert sum(RESPONSES[response]) == pytest.approx(1)
    assert lightness((1.0, 1.0, 1.0), response) == pytest.approx(100, abs=1e-3)
    assert lightness((0.0, 0.0, 0.0), response) == pytest.approx(0, abs=1e-3)
    for level in (0.02, 0.2, 0.5, 0.8):
        gray = (level, level, level)
        assert lightness(gray, response) == pytest.approx(panchromatic(gray), abs=0.02)


@pytest.mark.parametrize("response", RESPONSES)
def test_red_turns_dark_and_blue_light(response):
    assert lightness(RED, response) < 21 < 50 < panchromatic(RED)
    assert lightness(BLUE, response) > 60 > 35 > panchromatic(BLUE)
    skin, sky = (0.85, 0.60, 0.50), (0.45, 0.65, 0.95)
    assert lightness(skin, response) < panchromatic(skin) - 4
    assert lightness(sky, response) > panchromatic(sky) + 4


def test_blue_plates_are_blind_to_red_and_nearly_to_green():
    assert lightness(RED, "blue") == pytest.approx(0, abs=1e-3)
    assert lightness(GREEN, "blue") < 45 < 75 < lightness(GREEN, "orthochromatic")
    assert lightness(BLUE, "blue") > 90


# ---- effects


def column(*values):
    return torch.tensor(values).view(-1, 1, 1, 1)


def test_fade_lifts_black_and_loses_contrast():
    L = torch.linspace(-1, 1, 11).view(1, 1, 1, 11).expand(2, 1, 1, 11)
    out = fade(L, lift=column(0.0, 0.15), contrast=column(1.0, 0.5))
    torch.testing.assert_close(out[0], L[0])
    black, white = out[1, 0, 0, 0], out[1, 0, 0, -1]
    assert (black.item(), white.item()) == pytest.approx((2 * 0.15 - 1, 2 * 0.65 - 1))
    assert (out[1, 0, 0].diff() > 0).all()
    assert fade(L, lift=column(1.0), contrast=column(1.0)).max() == 1


def test_blur_keeps_size_mean_and_flat_areas():
    torch.manual_seed(0)
    L = torch.rand(3, 1, 16, 12) * 2 - 1
    out = blur(L)
    assert out.shape == L.shape and out.std() < 0.6 * L.std()
    torch.testing.assert_close(out[1, 0, 5, 5], L[1, 0, 4:7, 4:7].mean())
    torch.testing.assert_close(out[1, 0, 0, 0], L[1, 0, [0, 0, 1]][:, [0, 0, 1]].mean())
    flat = torch.full((1, 1, 8, 8), 0.3)
    torch.testing.assert_close(blur(flat), flat)


def test_highlights_glow_into_what_is_dark_around_them():
    L = torch.full((2, 1, 64, 64), -0.8)
    L[:, :, 24:40, 24:40] = 1.0
    out = halate(L, strength=column(1.0, 0.5))
    near, far = out[:, 0, 32, 42] + 0.8, out[:, 0, 4, 4] + 0.8
    assert near[0] > 0.2 and near[0].item() == pytest.approx(2 * near[1].item())
    torch.testing.assert_close(far, torch.zeros(2))
    torch.testing.assert_close(out[:, :, 24:40, 24:40], L[:, :, 24:40, 24:40])
    dull = torch.full((1, 1, 64, 64), 0.25)
    assert torch.equal(halate(dull, strength=column(1.0)), dull)  # nothing is bright


def test_development_is_uneven_but_smooth():
    field = unevenness(torch.zeros(200, 1, 64, 64), 0, np.arange(200))
    assert field.shape == (200, 1, 64, 64) and field.isfinite().all()
    steps = torch.cat([field.diff(dim=2).flatten(1), field.diff(dim=3).flatten(1)], 1).abs()
    assert steps.max() < 0.08  # of a range of 2, from one pixel to the next
    assert 0.05 < field.flatten(1).std(1).mean() < 0.2
    corners = torch.stack([field[..., i, j] for i in (0, -1) for j in (0, -1)]).mean()
    assert corners < field[..., 28:36, 28:36].mean() - 0.05  # darker
    assert torch.equal(unevenness(torch.zeros(1, 1, 64, 64), 0, np.array([7])), field[7:8])


def test_scratches_are_thin_near_vertical_and_bright_or_dark():
    L = torch.zeros(40, 1, 96, 96)
    out = scratch(L, 0, np.arange(40))
    touched = out != 0
    assert {round(tone, 3) for tone in out[touched].unique().tolist()} == {-0.8, 0.8, 0.9}
    lines = touched & (out < 0.85)
    assert 0.005 < lines.float().mean() < 0.05  # about three columns of 96
    per_row = lines.float().sum(-1)
    assert per_row.max() <= 6
    dust = (out > 0.85).float().mean()
    assert 0.0001 < dust < 0.001
    assert torch.equal(scratch(L[:1], 0, np.array([7])), out[7:8])
    assert not torch.equal(out[0], out[1])


# ---- age


def gray_ramp(count, side=12):
    row = torch.linspace(0, 1, side).view(1, 1, 1, side)
    return row.expand(count, 3, side, side).contiguous()


def only(monkeypatch, *names):
    monkeypatch.setattr(film, "CHANCES", {k: float(k in names) for k in CHANCES})


def test_nobody_ages_at_zero_and_everybody_may_at_one(monkeypatch):
    rgb = gray_ramp(50)
    L = rgb_to_net(rgb)[0]
    assert torch.equal(age(rgb, L, 0, np.arange(50), 0.0), L)
    only(monkeypatch, "fade")
    aged = age(rgb, L, 0, np.arange(50), 1.0)
    assert (aged != L).flatten(1).any(1).all()


def test_the_input_is_not_changed_in_place():
    rgb = gray_ramp(20)
    L = rgb_to_net(rgb)[0]
    before = rgb.clone(), L.clone()
    age(rgb, L, 0, np.arange(20), 1.0)
    assert torch.equal(rgb, before[0]) and torch.equal(L, before[1])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_share_that_ages_is_the_one_asked_for(share, monkeypatch):
    only(monkeypatch, "fade")
    rgb = gray_ramp(3000, 2)
    L = rgb_to_net(rgb)[0]
    aged = (age(rgb, L, 1, np.arange(3000), share) != L).flatten(1).any(1)
    assert aged.float().mean().item() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(("name", "color"), [("orthochromatic", RED), ("blue", RED)])
def test_responses_befall_the_documented_share(name, color, monkeypatch):
    monkeypatch.setattr(
        film, "CHANCES", {**dict.fromkeys(CHANCES, 0.0), **{k: CHANCES[k] for k in RESPONSES}}
    )
    rgb = patch(color, 4000, 2)
    L = rgb_to_net(rgb)[0]
    aged = age(rgb, L, 2, np.arange(4000), 1.0)[:, 0, 0, 0]
    wanted = respond(rgb[:1], RESPONSES[name])[0, 0, 0, 0]
    assert (aged == wanted).float().mean().item() == pytest.approx(CHANCES[name], abs=0.03)
    assert (aged == L[0, 0, 0, 0]).float().mean().item() == pytest.approx(0.40, abs=0.03)


@pytest.mark.parametrize("name", ["halation", "blur", "uneven", "fade", "grain", "scratch"])
def test_effects_befall_the_documented_share(name, monkeypatch):
    monkeypatch.setattr(film, "CHANCES", {**dict.fromkeys(CHANCES, 0.0), name: CHANCES[name]})
    rgb = gray_ramp(1500)
    L = rgb_to_net(rgb)[0]
    aged = (age(rgb, L, 3, np.arange(1500), 1.0) != L).flatten(1).any(1)
    assert aged.float().mean().item() == pytest.approx(CHANCES[name], abs=0.04)


def test_fading_stays_within_its_range(monkeypatch):
    only(monkeypatch, "fade")
    rgb = gray_ramp(800)
    aged = age(rgb, rgb_to_net(rgb)[0], 4, np.arange(800), 1.0)
    black, white = (aged[:, 0, 0, 0] + 1) / 2, (aged[:, 0, 0, -1] + 1) / 2
    assert 0 <= black.min() < 0.01 and 0.14 < black.max() <= 0.15
    assert 0.6 <= white.min() < 0.62 and 0.98 < white.max() <= 1
    contrast = white - black
    assert 0.45 <= contrast.min() < 0.55 and (contrast > 0).all()


def test_grain_is_noise_of_the_documented_strength_around_the_photo(monkeypatch):
    only(monkeypatch, "grain")
    rgb = patch((0.5, 0.5, 0.5), 300, 24)
    L = rgb_to_net(rgb)[0]
    grain = age(rgb, L, 5, np.arange(300), 1.0) - L
    strength = grain.flatten(1).std(1)
    assert 0.018 < strength.min() < 0.03 and 0.09 < strength.max() < 0.107
    assert grain.flatten(1).mean(1).abs().max() < 0.02
    assert abs(torch.corrcoef(torch.stack([grain[0].flatten(), grain[1].flatten()]))[0, 1]) < 0.15


def test_fate_depends_on_seed_and_position_not_on_the_batch():
    torch.manual_seed(0)
    rgb, positions = torch.rand(12, 3, 16, 16), np.arange(1000, 1012)
    L = rgb_to_net(rgb)[0]
    whole = age(rgb, L, 6, positions, 0.8)
    order = np.array([11, 3, 4])
    assert torch.equal(age(rgb[order], L[order], 6, positions[order], 0.8), whole[order])
    assert torch.equal(age(rgb, L, 6, positions, 0.8), whole)
    assert not torch.equal(age(rgb, L, 7, positions, 0.8), whole)
    assert not torch.equal(age(rgb, L, 6, positions + 1, 0.8), whole)


@pytest.mark.parametrize(
    "make", [gray_ramp, lambda n: torch.zeros(n, 3, 12, 12), lambda n: torch.ones(n, 3, 12, 12)]
)  # noqa: E501
def test_what_comes_out_is_a_lightness(make):
    rgb = make(300)
    L = rgb_to_net(rgb)[0]
    aged = age(rgb, L, 8, np.arange(300), 1.0)
    assert aged.shape == L.shape and aged.dtype == L.dtype
    assert aged.isfinite().all() and aged.abs().max() <= 1


def test_a_drawing_is_white_with_dark_edges():
    L = torch.full((1, 1, 40, 40), 0.4)
    L[..., 20:] = -0.4
    faint, dark = (film.sketch(L, torch.full((1, 1, 1, 1), a)) for a in (-1.0, 1.0))
    assert dark.shape == L.shape and dark.max() <= 1 and dark.min() >= -1
    assert dark[0, 0, 20, 2] > 0.6 and faint[0, 0, 20, 2] > 0.8  # flat: paper
    assert dark[0, 0, 20, 20] < 0 and dark[0, 0, 20, 20] < faint[0, 0, 20, 20]  # the dark side


def test_a_drawing_of_nothing_is_even_up_to_the_border():
    black, gray = (film.sketch(torch.full((1, 1, 40, 40), L), torch.zeros(1)) for L in (-1.0, 0.4))
    assert (black == -1).all()
    assert 0.8 < gray.min() and gray.max() - gray.min() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (64, 64)])
def test_drawings_of_any_size(size):
    assert film.sketch(torch.rand(1, 1, *size), torch.zeros(1, 1, 1, 1)).isfinite().all()
