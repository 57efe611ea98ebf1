"""What is named before a photo is colored: color, tone, coloring by hand, negatives."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image
from places import SAMPLES
from skimage import data
from test_colorize_incolor import CURVES, GRAY, jpeg, noisy, toned, whole

from pix2pix import Colorizer, images
from pix2pix.colorize import incolor
from pix2pix.colorize.copies import color_photo
from pix2pix.colorize.incolor import REMARKS, kind, remarks
from pix2pix.colorize.model import in_kind

NAMES = ("astronaut", "camera", "chelsea", "rocket")  # the rocket's is a night


def gray(name: str) -> np.ndarray:
    """A photo as gray levels (H, W, 3) float."""
    picture = Image.fromarray(getattr(data, name)()).convert("L").resize((600, 500))
    return np.asarray(picture, float)[..., None] * [1, 1, 1]


def snow() -> np.ndarray:
    """A winter's day (H, W, 3) float: light ground, lighter sky, dark trees and a man."""
    y, x = np.mgrid[:400, :600]
    rng = np.random.default_rng(0)
    levels = np.where(y < 150, 235 - y / 15, 215 + 12 * np.sin(x / 40 + y / 25))
    for at in rng.integers(20, 580, 14):
        height = rng.integers(40, 120)
        levels[(np.abs(x - at) < (y - 150 + height) / 5) & (y > 150 - height) & (y < 160)] = 50
    levels[(np.abs(x - 300) < 18) & (np.abs(y - 260) < 60)] = 40
    return (levels + rng.normal(0, 3, levels.shape))[..., None] * [1, 1, 1]


def hand_colored() -> np.ndarray:
    """A sepia print with cheeks and lips in pink, a coat in blue, thinly laid on."""
    print_ = toned(CURVES["sepia"])(gray("astronaut")).astype(float)
    for (top, left, height, width), color in {
        (60, 200, 120, 130): (1.0, 0.80, 0.78),
        (260, 60, 240, 400): (0.75, 0.85, 1.1),
    }.items():
        print_[top : top + height, left : left + width] *= color
    return jpeg(whole(print_))


def color_film(rgb: np.ndarray) -> np.ndarray:
    """A negative of color film: each layer's density falls with what it saw; an orange mask."""
    linear = (rgb / 255.0) ** 2.2
    film = np.array([0.85, 0.36, 0.18]) * (0.015 / (linear + 0.015)) ** 0.55
    return whole(255 * film ** (1 / 2.2))


@pytest.mark.parametrize("look", GRAY)
def test_gray_and_toned_are_told_apart(look):
    """A yellowed corner and a mount are not what the photo is like."""
    found = kind(GRAY[look](gray("astronaut")))
    edges = ("yellowed on one side", "on a red mount", "with a color target")
    tones = (*CURVES, "toned and noisy")
    assert found == "toned" if look in tones else found in ("gray", "toned") or look in edges


def test_color_and_hand_coloring_are_color():
    assert kind(data.astronaut()) == kind(data.coffee()) == "color"
    assert kind(hand_colored()) == "color"
    assert kind(toned(CURVES["sepia"])(gray("astronaut"))) == "toned"
    assert remarks(hand_colored()) == [REMARKS["color"]]


def test_gray_in_one_plane_is_gray():
    plane = np.asarray(data.camera())
    assert kind(np.broadcast_to(plane[..., None], (*plane.shape, 3))) == "gray"


@pytest.mark.parametrize(
    "look", [whole, noisy, toned(CURVES["sepia"])], ids=["gray", "noisy", "sepia"]
)
def test_photos_are_no_negatives(look):
    for levels in (*map(gray, NAMES), snow()):
        assert kind(look(levels)) != "negative"
        assert REMARKS["negative"] not in remarks(look(levels))


def test_color_photos_are_no_negatives():
    """Also by candlelight: nothing is blue, but the lightest is the palest."""
    for rgb in (data.astronaut(), data.coffee(), data.chelsea(), data.rocket()):
        assert kind(rgb) == "color"
        candlelight = rgb * [1, 0.8, 0.3] + 60 * (rgb / 255.0) ** 2 * [0, 0, 1]
        assert kind(whole(candlelight)) == "color"


def muted(rgb: np.ndarray) -> np.ndarray:
    """A photo of weak colors: what is strong shines through the mask of a negative."""
    return (rgb.mean(2, keepdims=True) * 0.75 + rgb * 0.25).astype(np.uint8)


def test_color_negatives_are_named():
    for rgb in (muted(data.astronaut()), data.rocket()):
        assert kind(color_film(rgb)) == "negative"
        assert remarks(color_film(rgb)) == [REMARKS["negative"]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (63, 500), (64, 64), (64, 5000)])
def test_every_shape_is_judged(shape):
    rgb = np.full((*shape, 3), 90, np.uint8)
    assert kind(rgb) == "gray" and remarks(rgb) == []


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.from_pretrained("default")


@pytest.mark.parametrize("name", ["astronaut", "camera", "chelsea"])
def test_gray_negatives_are_named_and_photos_are_not(colorizer, name):
    photo = whole(gray(name))
    negative = 255 - photo
    assert kind(photo, colorizer.is_negative) == "gray"
    assert kind(negative, colorizer.is_negative) == "negative"
    assert kind(toned(CURVES["sepia"])(negative), colorizer.is_negative) == "negative"
    assert (
        kind(negative) == "gray" and remarks(negative) == []
    )  # by its pixels alone it is not known


def test_only_a_net_that_tells_negatives_is_asked():
    assert not Colorizer.from_pretrained("pix2pix").is_negative(255 - whole(gray("astronaut")))


def test_old_photographs_are_no_negatives(colorizer):
    for path in sorted(SAMPLES.glob("*.jpg")):
        assert kind(images.read(path).rgb, colorizer.is_negative) != "negative", path.name


class Tint:
    """Gives the photo back as it is."""

    name = "tint"

    def color(self, rgb, wish):
        return rgb


def test_what_is_named_is_a_warning_of_the_copy():
    """So the command line, its records, pipes and the service say it."""
    for rgb, said in ((data.astronaut(), [REMARKS["color"]]), (whole(gray("astronaut")), [])):
        Image.fromarray(rgb).save(file := io.BytesIO(), "PNG")
        photo = images.read(file.getvalue())
        assert color_photo(photo, Tint()).encode()[1] == said
        assert photo.warnings == []


def test_what_is_named_is_a_warning_in_python(monkeypatch):
    image = Image.fromarray(data.astronaut())
    with pytest.warns(UserWarning, match="in color already"):
        in_kind(image, lambda rgb: rgb, incolor.remarks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_kind(np.asarray(image), lambda rgb: rgb, incolor.remarks)  # an array says nothing


def test_what_has_no_red_is_no_negative():
    green = np.zeros((120, 200, 3), np.uint8)
    green[..., 1] = np.linspace(60, 220, 200)
    green[40:60] = (10, 40, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kind(green) != "negative"


def test_a_narrow_strip_is_looked_at_in_few_pixels():
    strip = np.zeros((90, 60_000, 3), np.uint8)
    strip[..., 0] = np.linspace(0, 255, 60_000)
    assert np.prod(incolor._small(strip).shape[:2]) <= 96 * 960
    assert kind(strip) == "toned"
