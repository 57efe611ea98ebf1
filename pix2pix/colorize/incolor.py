"""Name what is no gray photo: those in color already, toned ones, negatives.

In color is where any color is left when toning is subtracted.

Gray photos seldom are gray: scanners add noise and shift a channel, prints are sepia, cyanotypes or
yellowed on one side, and lie on a mount beside a color target. So it is judged inside the margins,
on means over many pixels, and beside the colors that follow from lightness and place.

Measured on 1,033 color photos of eleven sources, and on 104 of them made gray and then toned,
yellowed, mounted or noisy in 23 ways (2,392 pictures): 5 of the color photos are taken for gray,
6 of the gray ones for color. Threshold and margins were chosen on these same pictures.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.color import rgb8_to_lab
from pix2pix.colorize.lightness import in_one_plane

Kind = Literal["gray", "toned", "color", "negative"]

REMARKS: dict[Kind, str] = {
    "color": "in color already: its own colors are replaced",
    "toned": "toned, as sepia prints are: the tone is replaced",
    "negative": "looks like a negative: it is colored as it is; invert it first",
}

IN_COLOR = 1.2  # of `color_left`: the least that is color
TONED = 3.0  # mean chroma, from which on a photo without color is toned
_SIDE = 96  # [px] the short side that is looked at: each pixel the mean of many
_LONG = 10 * _SIDE  # [px] the long side: of a narrow strip the pixels are long ones
_SAMPLES = 8  # a side, at least, of the pixels whose mean each is
_MARGIN = 0.25  # of every side: mounts, stamps, color targets, edges turned yellow
_KNOTS = 16  # of the tone curve, over L* in [0, 100]
_STIFF = 1e-3  # weight of the curve's second differences: bridges lightnesses that do not occur
MOST_BLUE = 0.75  # blue over red, sRGB, of nearly all pixels of color negative film,
MOST_GREEN = 0.95  # and green over red
_FILM_EDGE = 0.125  # of every side of film: its border
_BLACK = 30  # of 255: what is darker has no hue to go by
_FEW = 100  # pixels, too few to judge
_BLOCK = 3  # [px] of the small photo whose remaining color is averaged


def in_color(rgb: np.ndarray) -> bool:
    """Whether a photo (H, W, 3) uint8 is in color; gray and toned ones are not."""
    return color_left(rgb) >= IN_COLOR


def kind(rgb: np.ndarray, is_negative: Callable[[np.ndarray], bool] | None = None) -> Kind:
    """Tell a photo (H, W, 3) uint8 in gray from one in one tone, one in color, and a negative.

    A hand-colored print is in color, as soon as its colors are more than IN_COLOR.

    A negative of color film is known by the orange of its base. That lets most light through where
    nothing was exposed: all of the photo is orange, and its lightest parts are no whiter than the
    others, as they are by candlelight and in the evening. One without color is asked of
    `is_negative`, which gets some of the photo's pixels (h, w, 3) uint8: `Colorizer.is_negative`,
    which takes as long as coloring and finds 72 % of them. Without it they are not known.
    Negatives go unnoticed rather than photos be taken for one.
    """
    found: Kind = "gray"
    if not in_one_plane(rgb):
        small = _small(rgb)
        lab = _lab(small)
        if _color_left(lab) >= IN_COLOR:
            return "negative" if _is_orange(small) else "color"
        ab = _inside(lab)[..., 1:]
        if float(np.hypot(ab[..., 0], ab[..., 1]).mean()) >= TONED:
            found = "toned"
    if is_negative is not None:
        down, across = skips(*rgb.shape[:2])
        if is_negative(rgb[::down, ::across]):
            return "negative"
    return found


def remarks(rgb: np.ndarray) -> list[str]:
    """What one should know of a photo (H, W, 3) uint8 that is to be colored: a line, or none."""
    found = kind(rgb)
    return [REMARKS[found]] if found in REMARKS else []


def _is_orange(small: np.ndarray) -> bool:
    """Whether all of a small photo (h, w, 3) uint8 is orange, its lightest parts no less."""
    top, left = int(_FILM_EDGE * small.shape[0]), int(_FILM_EDGE * small.shape[1])
    inner = small[top : small.shape[0] - top, left : small.shape[1] - left]
    pixels = inner.reshape(-1, 3).astype(np.float32)
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels, luma = pixels[luma > _BLACK], luma[luma > _BLACK]
    if len(pixels) < _FEW:
        return False
    red, green, blue = pixels.T
    blueness, greenness = blue / np.maximum(red, 1), green / np.maximum(red, 1)
    if np.quantile(blueness, 0.99) >= MOST_BLUE or np.quantile(greenness, 0.99) >= MOST_GREEN:
        return False
    lightest = blueness[luma >= np.quantile(luma, 0.9)]
    return bool(lightest.mean() < np.median(blueness) + 0.05)


def color_left(rgb: np.ndarray) -> float:
    """RMS chroma [a*b*] of a photo (H, W, 3) uint8 that toning does not explain.

    0 for a gray photo, below 1 for most toned ones, 10 for an ordinary color photo. Toning is a
    color that depends on lightness alone, any smooth curve (sepia, cyanotype, split tone), plus a
    cast that grows evenly across the photo (yellowed on one side). Only the middle half of each
    side counts.
    """
    return _color_left(_lab(_small(rgb)))


def _color_left(lab: np.ndarray) -> float:
    lab = _inside(lab)
    height, width = lab.shape[:2]
    L, ab = lab[..., 0].reshape(-1), lab[..., 1:].reshape(-1, 2)  # (N,), (N, 2)
    tones = _tones(L, height, width)  # (N, knots + 2)
    bends = np.zeros((_KNOTS - 2, tones.shape[1]))
    bends[:, :_KNOTS] = np.diff(np.eye(_KNOTS), 2, axis=0)
    normal = tones.T @ tones + len(L) * (_STIFF * bends.T @ bends + 1e-6 * np.eye(tones.shape[1]))
    # Taken away pixel by pixel, and averaged after: a mean of dark and light lies beside the curve.
    left = (ab - tones @ np.linalg.solve(normal, tones.T @ ab)).reshape(height, width, 2)
    return float(np.sqrt(np.square(_block_means(left)).sum(-1).mean()))


def skips(height: int, width: int) -> tuple[int, int]:
    """Every how manieth row and column of a picture does to judge its colors by."""
    skip = max(1, min(height, width) // (_SIDE * _SAMPLES))
    return max(skip, height // (_LONG * _SAMPLES)), max(skip, width // (_LONG * _SAMPLES))


def _small(rgb: np.ndarray) -> np.ndarray:
    """sRGB (H, W, 3) uint8 -> its area means (h, w, 3) uint8, at most 96 by 960."""
    down, across = skips(*rgb.shape[:2])
    if max(down, across) > 1:
        rgb = np.ascontiguousarray(rgb[::down, ::across])
    scale = min(1, _SIDE / min(rgb.shape[:2]))
    height, width = (min(round(side * scale), _LONG) for side in rgb.shape[:2])
    if (height, width) != rgb.shape[:2]:
        rgb = np.asarray(images.to_image(rgb).resize((width, height), Image.Resampling.BOX))
    return rgb


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (h, w, 3) uint8 -> L*a*b* (h, w, 3)."""
    return np.moveaxis(rgb8_to_lab(rgb), 0, -1)


def _inside(lab: np.ndarray) -> np.ndarray:
    height, width = lab.shape[:2]
    top, left = int(_MARGIN * height), int(_MARGIN * width)
    return lab[top : height - top, left : width - left]


def _tones(L: np.ndarray, height: int, width: int) -> np.ndarray:
    """Basis functions of toning (H*W, knots + 2) at L* (H*W,): a tent a knot, two slopes."""
    tones = np.zeros((len(L), _KNOTS + 2))
    at = np.clip(L / 100 * (_KNOTS - 1), 0, _KNOTS - 1 - 1e-6)
    knot, pixels = at.astype(int), np.arange(len(L))
    tones[pixels, knot] = 1 - (at - knot)
    tones[pixels, knot + 1] = at - knot
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    tones[:, _KNOTS] = (y / height - 0.5) * L / 100  # stains are seen on what is light
    tones[:, _KNOTS + 1] = (x / width - 0.5) * L / 100
    return tones


def _block_means(left: np.ndarray) -> np.ndarray:
    """(H, W, 2) -> means of blocks of 3x3 (h, w, 2); a rest at the edges is left out."""
    height, width = left.shape[:2]
    tall, wide = min(_BLOCK, height), min(_BLOCK, width)
    rows, columns = height // tall, width // wide
    blocks = left[: rows * tall, : columns * wide].reshape(rows, tall, columns, wide, 2)
    return blocks.mean((1, 3))
