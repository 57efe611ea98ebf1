"""Sign: the words "color simulated" in a corner of a colored photo."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix.images import Photo

_LINE, _TWO_LINES = "color simulated", "color\nsimulated"
# and what share of the photo's width it may take
_TRIES = (_LINE, 0.6), (_TWO_LINES, 0.6), (_LINE, 1.0), (_TWO_LINES, 1.0)
_SHARE = 1 / 40  # of the shorter side, for the letters' size
_LEAST, _PAD, _MARGIN = 11, 0.4, 0.5  # [pixels]; the others are shares of that size
_SHADE = 0.6  # how black the plate is: on white paper, white letters keep a contrast above 4.5


def put(photo: Photo) -> Photo:
    """Sign a photo, whose rgb is overwritten, at the bottom right -> the same, opaque there.

    A photo too small for legible letters stays as it is, with a warning.
    """
    height, width = photo.rgb.shape[:2]
    letters = _letters(height, width)
    if letters is None:
        small = "too small for the sign that its color is simulated"
        return replace(photo, warnings=[*photo.warnings, small])
    margin = round(_MARGIN * _size(height, width))
    rows, columns = letters.shape
    top, left = max(0, height - margin - rows), max(0, width - margin - columns)
    plate = slice(top, top + rows), slice(left, left + columns)
    rgb = photo.rgb if photo.rgb.flags.writeable else photo.rgb.copy()
    white = np.iinfo(rgb.dtype).max
    shaded = rgb[plate] * np.float32(1 - _SHADE)
    shaded += (white - shaded) * letters[..., None]
    rgb[plate] = np.rint(shaded)
    alpha, deep = _opaque(photo.alpha, plate), photo.deep
    if deep is not None:
        deep = replace(deep, alpha=_opaque(deep.alpha, plate))
    return replace(photo, rgb=rgb, alpha=alpha, deep=deep)


def _opaque(alpha: np.ndarray | None, plate: tuple[slice, slice]) -> np.ndarray | None:
    if alpha is not None:
        alpha = alpha.copy()
        alpha[plate] = np.iinfo(alpha.dtype).max
    return alpha


def _size(height: int, width: int) -> int:
    """Of the letters [pixels]."""
    return max(_LEAST, round(min(height, width) * _SHARE))


def _letters(height: int, width: int) -> np.ndarray | None:
    """How white each pixel of a plate that fits the photo is, (h, w) float32 in [0, 1]."""
    size = _size(height, width)
    font, pad = ImageFont.load_default(size), round(_PAD * size)
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    for text, widest in _TRIES:
        left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font)
        box = round(right - left) + 2 * pad, round(bottom - top) + 2 * pad
        if box[0] <= widest * width and box[1] <= height / 2:
            plate = Image.new("L", box)
            at = pad - left, pad - top
            ImageDraw.Draw(plate).multiline_text(at, text, fill=255, font=font)
            return np.asarray(plate, np.float32) / 255
    return None
