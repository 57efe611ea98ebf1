"""In color or not: gray photos as scanners, darkrooms and a hundred years leave them."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from pix2pix.colorize.incolor import IN_COLOR, color_left, in_color

CURVES = {  # black, middle tones, white
    "sepia": [(30, 18, 8), (120, 88, 50), (205, 175, 130), (250, 235, 205)],
    "cyanotype": [(10, 20, 60), (20, 60, 120), (80, 130, 175), (170, 205, 220), (240, 240, 232)],
    "pale cyanotype": [(60, 90, 130), (150, 175, 195), (235, 240, 235)],
    "split tone": [(10, 20, 45), (70, 85, 105), (140, 130, 120), (210, 190, 150), (255, 245, 215)],
    "gold tone": [(25, 15, 15), (130, 95, 70), (215, 185, 130), (250, 240, 215)],
    "red chalk": [(90, 30, 20), (180, 90, 70), (230, 180, 160), (250, 240, 230)],
    "selenium": [(20, 12, 20), (120, 105, 115), (240, 235, 235)],
}
NAMES = ("astronaut", "chelsea", "coffee", "rocket")


def whole(levels: np.ndarray) -> np.ndarray:
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def jpeg(rgb: np.ndarray, quality: int = 85) -> np.ndarray:
    Image.fromarray(rgb).save(file := io.BytesIO(), "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """Color photos (H, W, 3) uint8, of 500 pixels."""
    sources = (getattr(skimage.data, name)() for name in NAMES)
    return [np.asarray(Image.fromarray(rgb).resize((600, 500))) for rgb in sources]


@pytest.fixture(scope="module")
def grays(photos) -> list[np.ndarray]:
    """The same as gray levels (H, W, 3) float."""
    return [
        np.asarray(Image.fromarray(p).convert("L"), float)[..., None] * [1, 1, 1] for p in photos
    ]


def noisy(gray, sigma=3.0):
    return whole(gray + np.random.default_rng(0).normal(0, sigma, gray.shape))


def misregistered(gray):
    red = 0.75 * gray[..., 0] + 0.25 * np.roll(gray[..., 0], 1, 1)
    return whole(np.dstack([red, gray[..., 1], gray[..., 2]]))


def toned(curve):
    def tone(gray):
        at = np.linspace(0, 255, len(curve))
        return jpeg(whole(np.dstack([np.interp(gray[..., 0], at, c) for c in np.transpose(curve)])))

    return tone


def yellowed(gray):
    stain = np.linspace(0.1, 1, gray.shape[1])[None, :, None]
    return jpeg(whole(gray * (1 - stain * (1 - np.array([0.98, 0.90, 0.68])))))


def mounted(gray):
    mount = np.full((740, 760, 3), (98, 32, 40), float)
    mount[80:580, 80:680] = gray
    mount[640:690, 100:260] = 225, 200, 150
    return jpeg(whole(mount))


def with_color_target(gray):
    target = np.zeros((580, 600, 3))
    target[:500] = gray
    for i, patch in enumerate([(0, 80, 180), (0, 150, 60), (240, 220, 0), (200, 30, 40)]):
        target[510:570, 150 * i : 150 * i + 140] = patch
    return jpeg(whole(target))


GRAY = {
    "gray": whole,
    "noise of 2 levels": lambda gray: noisy(gray, 2),
    "noise of 3 levels": noisy,
    "a quarter pixel off": misregistered,
    "yellowed on one side": yellowed,
    "on a red mount": mounted,
    "with a color target": with_color_target,
    "toned and noisy": lambda gray: noisy(toned(CURVES["sepia"])(gray).astype(float)),
    **{name: toned(curve) for name, curve in CURVES.items()},
}


@pytest.mark.parametrize("kind", GRAY)
def test_gray_photos_are_no_color_photos(grays, kind):
    left = [color_left(GRAY[kind](gray)) for gray in grays]
    print(f"{kind}: taken for color {sum(map(in_color, map(GRAY[kind], grays)))} of {len(grays)}")
    assert max(left) < IN_COLOR, dict(zip(NAMES, left, strict=True))


def test_color_photos_are(photos):
    print(f"taken for gray: {sum(not in_color(p) for p in photos)} of {len(photos)}")
    assert all(map(in_color, photos))
    assert all(in_color(jpeg(p)) for p in photos)


def test_pale_color_photos_are(photos, grays):
    """Mist and winter: a third of the color, and light. The rocket's night has none to spare."""
    for photo, gray in zip(photos[:3], grays[:3], strict=True):
        assert in_color(whole(120 + 0.5 * (gray + 0.6 * (photo - gray))))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (2, 3), (500, 1), (5, 4000)])
def test_every_shape_is_judged(shape):
    assert not in_color(np.full((*shape, 3), (200, 100, 50), np.uint8))
    assert not in_color((np.indices(shape).sum(0) % 256).astype(np.uint8)[..., None].repeat(3, 2))
