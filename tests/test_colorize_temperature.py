"""Temperature: warmer and cooler photos, and every place where a wish is taken."""

import inspect
import math
from dataclasses import fields

import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2lab
from torch import nn, tensor

from pix2pix.app.page import handlers
from pix2pix.app.service.forms import LIKE
from pix2pix.app.service.parameters import Parameters
from pix2pix.cli.options import Temperature
from pix2pix.cli.pictures import colorize
from pix2pix.colorize import Colorizer, Wish
from pix2pix.colorize.takes import takes
from pix2pix.colorize.wish import MOST_TEMPERATURE
from pix2pix.nets import build_generator
from pix2pix.weights import Header


class Constant(nn.Module):
    """The same ab everywhere."""

    multiple = 32

    def forward(self, L):
        return tensor([0.1, 0.05]).view(1, 2, 1, 1).expand(1, 2, *L.shape[2:])


COLORIZER = Colorizer(Constant(), Header(generator={}, name="constant"))


def lab_of(level: int, **wish: float) -> np.ndarray:
    """The mean L*a*b* of a plain gray picture, colored."""
    rgb = np.full((40, 60, 3), level, np.uint8)
    return rgb2lab(COLORIZER.rgb(rgb, **wish)).mean((0, 1))


@pytest.mark.parametrize("temperature", [-15, 7.5, 20])
@pytest.mark.parametrize("level", [60, 120, 180])
def test_b_moves_and_nothing_else(level, temperature):
    moved = lab_of(level, temperature=temperature) - lab_of(level)
    np.testing.assert_allclose(moved, [0, 0, temperature], atol=0.7)


@pytest.mark.parametrize("temperature", [-20, 20])
def test_black_and_paper_stay(temperature):
    for level, most in ((0, 0), (8, 6), (250, 2.5), (255, 0)):
        moved = lab_of(level, temperature=temperature) - lab_of(level)
        assert np.abs(moved).max() <= most, level


def test_gray_stays_gray_and_pale_photos_move_less():
    camera = data.camera()[..., None].repeat(3, 2)
    assert np.ptp(COLORIZER.rgb(camera, saturation=0, temperature=20), axis=2).max() == 0
    half = lab_of(120, saturation=0.5, temperature=20) - lab_of(120, saturation=0.5)
    strong = lab_of(120, saturation=2, temperature=20) - lab_of(120, saturation=2)
    np.testing.assert_allclose([half[2], strong[2]], [10, 20], atol=0.7)


@pytest.mark.parametrize("temperature", [-30.1, 31, math.nan, math.inf])
def test_a_wrong_temperature_is_named(temperature):
    with pytest.raises(ValueError, match=f"temperature is {temperature}; it must be -30 to 30"):
        lab_of(120, temperature=temperature)


def test_takes_are_cooler_as_it_is_and_warmer_then_other_colors():
    wish = Wish(1.2, [(1, 2, (3, 4, 5))], temperature=5)
    found = takes(wish)
    assert [name for name, _ in found[:3]] == ["cooler", "as it is", "warmer"]
    assert [take.temperature for _, take in found] == [-5, 5, 15, 5, 5, 5]
    assert [take.seed for _, take in found] == [None, None, None, 1, 2, 3]
    assert found[1][1] is wish
    assert all((take.saturation, take.hints) == (1.2, wish.hints) for _, take in found)
    assert len({name for name, _ in found}) == 6
    assert len(takes(wish, variants=False)) == 3
    assert takes(Wish(temperature=-25))[0][1].temperature == -30


@pytest.mark.parametrize("field", [field.name for field in fields(Wish)])
def test_a_wish_is_taken_everywhere(field):
    """The places that the docstring of `Wish` lists."""
    for call in (Colorizer.__call__, Colorizer.rgb):
        assert field in inspect.signature(call).parameters
    options = inspect.signature(colorize).parameters
    assert {"hints": "hint", "seed": "take"}.get(field, field) in options
    assert {"hints": "hint"}.get(field, field) in {*Parameters.model_fields, LIKE}
    assert (field in handlers.SLIDERS) == isinstance(getattr(Wish(), field), float)


def test_the_command_line_has_the_same_bounds():
    option = Temperature.__metadata__[0]
    assert (option.min, option.max) == (-MOST_TEMPERATURE, MOST_TEMPERATURE)


def test_mounts_stay_gray_at_any_temperature():
    mounted = np.full((160, 200, 3), 60, np.uint8)
    mounted[30:130, 30:170] = data.camera()[:100, 100:240, None]
    warm = COLORIZER.rgb(mounted, temperature=20)
    assert np.ptp(warm[:20], axis=2).max() == 0
    assert np.ptp(warm[60:100, 60:140], axis=2).mean() > 5


def test_no_take_comes_twice():
    assert [name for name, _ in takes(Wish(temperature=30), variants=False)] == [
        "cooler",
        "as it is",
    ]


def test_a_hint_keeps_its_color_at_any_temperature():
    net = build_generator(
        {"net": "BackboneUNet", "encoder": "squeezenet1_1", "frozen": 0, "in_channels": 4}
        | {"decoder": (8, 8, 8, 8), "bottleneck": 8}
    )
    colorizer = Colorizer(net, Header(generator=net.config, name="tiny", area=64 * 64))
    camera = data.camera()[::4, ::4, None].repeat(3, 2)
    hint = (40, 40, (150, 60, 60))
    there = [
        rgb2lab(colorizer.rgb(camera, hints=[hint], temperature=t))[40, 40, 1:] for t in (0, 20)
    ]
    np.testing.assert_allclose(*there, atol=2)
