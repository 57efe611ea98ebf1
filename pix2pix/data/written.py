"""Synthetic gray pages for training: print and handwriting, as a camera sees them.

Photographs teach a net to give everything some color; what has none is rare among them. A page
is drawn from (seed, position) alone, as a crop is.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_LETTERS = "etaoinsrhldcumfpgwybvkxjqz"  # by their frequency in English, most often first
_MARGIN = 1.6  # side of the sheet over the side of what the camera sees of it


def draw_page(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a part of a page, (size, size) uint8 gray.

    Print or handwriting, seldom white on black; now and then ruled; seen at an angle, unevenly
    lit, more or less sharp, with some grain.
    """
    side = round(_MARGIN * size)
    sheet = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(sheet)
    line = rng.uniform(0.06, 0.3) * size  # from one line to the next [px]
    if rng.random() < 0.4:
        _rule(pen, rng, side, line)
    fill = _write if rng.random() < 0.5 else _print
    fill(pen, rng, side, line)
    seen = _from_an_angle(sheet, rng, size)
    seen = seen.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.008) * size))
    paper, ink = rng.uniform(0.45, 1), rng.uniform(0, 0.3)
    tone = ink + (paper - ink) * np.asarray(seen, np.float32) / 255
    if rng.random() < 0.15:
        tone = 1 - tone  # chalk, negatives
    tone = tone * _light(rng, size) + rng.uniform(0, 0.03) * rng.standard_normal((size, size))
    return (255 * tone.clip(0, 1)).round().astype(np.uint8)


def draw_caption(rng: np.random.Generator, height: int = 24) -> np.ndarray:
    """Draw a line of print or handwriting, black on white: (height, W) uint8, W 3 to 16 heights.

    Raises ValueError where matplotlib's typefaces are missing.
    """
    width = int(rng.uniform(3, 16) * height)
    sheet = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(sheet)
    if rng.random() < 0.5:
        _write(pen, rng, width, height)
    else:
        face = ImageFont.truetype(str(rng.choice(typefaces())), 0.8 * height)
        pen.text((0, 0), _words(rng, width // (height // 2)), fill=0, font=face)
    return np.array(sheet)


@functools.cache
def typefaces() -> list[str]:
    """Paths of the text faces that matplotlib brings. Raises ValueError where it is missing."""
    try:
        import matplotlib  # only those who train on pages wait for it
    except ModuleNotFoundError as error:
        needs = "pages need matplotlib's typefaces: pip install 'pix2pix-color[train]'"
        raise ValueError(needs) from error

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [str(p) for p in sorted(folder.glob("DejaVu*.ttf")) if "Display" not in p.name]


def _words(rng: np.random.Generator, letters: int) -> str:
    """Some words, together at least `letters` long."""
    text = ""
    while len(text) < letters:
        places = (rng.random(rng.integers(1, 11)) ** 2 * len(_LETTERS)).astype(int)
        word = "".join(_LETTERS[i] for i in places)
        text += (word.capitalize() if rng.random() < 0.15 else word) + " "
    return text


def _print(pen: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, line: float) -> None:
    """Set lines of one typeface, their ends ragged."""
    height = max(4.0, line / rng.uniform(1.2, 1.8))
    face = ImageFont.truetype(str(rng.choice(typefaces())), height)
    left = rng.uniform(0, 0.25) * side
    for top in np.arange(rng.uniform(0, 1) * line, side, line):
        if rng.random() < 0.9:  # else a paragraph ends
            words = _words(rng, int(rng.uniform(0.5, 1.2) * 2 * side / height))
            pen.text((left, top), words, fill=0, font=face)


def _write(pen: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, line: float) -> None:
    """Write lines of joined strokes: a wave with loops whose height and width change by letter."""
    width = max(1, round(rng.uniform(0.03, 0.12) * line))
    height, slant = rng.uniform(0.15, 0.35) * line, rng.uniform(-0.2, 0.6)
    for base in np.arange(rng.uniform(0.3, 1) * line, side + line, line):
        x = rng.uniform(-0.2, 0.3) * side
        while x < side:
            letters = int(rng.integers(1, 9))
            t = np.linspace(0, letters, 12 * letters + 1)
            each = np.minimum(t.astype(int), letters - 1)
            tall = rng.choice([0.8, 1.0, 1.2, 2.2, -1.6], letters, p=[0.25, 0.25, 0.25, 0.15, 0.1])
            wide = rng.uniform(0.5, 1.3, letters)
            turn = 2 * np.pi * t
            up = height * tall[each] * (1 - np.cos(turn)) / 2
            along = x + height * (np.interp(t, np.arange(letters + 1), np.r_[0, wide.cumsum()]))
            along = along + slant * up + 0.35 * height * np.sin(turn) * rng.uniform(-0.5, 1)
            pen.line(list(zip(along, base - up, strict=True)), fill=0, width=width, joint="curve")
            x += height * (wide.sum() + rng.uniform(0.6, 1.5))


def _rule(pen: ImageDraw.ImageDraw, rng: np.random.Generator, side: int, line: float) -> None:
    """Rule the sheet in lines or squares."""
    fill, width = int(rng.integers(90, 220)), max(1, round(0.02 * line))
    for at in np.arange(rng.uniform(0, 1) * line, side, line):
        pen.line([(0, at), (side, at)], fill=fill, width=width)
    if rng.random() < 0.3:
        for at in np.arange(rng.uniform(0, 1) * line, side, line):
            pen.line([(at, 0), (at, side)], fill=fill, width=width)


def _from_an_angle(sheet: Image.Image, rng: np.random.Generator, size: int) -> Image.Image:
    """What a camera over the sheet sees, (size, size): turned, and narrower at one end."""
    turn = rng.normal(0, 0.25) + rng.integers(4) * np.pi / 2 * (rng.random() < 0.2)
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]], np.float64)  # PIL's order
    corners *= 1 + rng.uniform(-0.35, 0.1, 2) * corners[:, ::-1]  # trapezoid: far is more
    corners[:, 1] *= rng.uniform(0.6, 1)
    cos, sin = np.cos(turn), np.sin(turn)
    corners = corners @ np.array([[cos, sin], [-sin, cos]]) * 0.5 * size / np.abs(corners).max()
    center = sheet.width / 2
    data = tuple((corners + center).ravel())
    return sheet.transform(
        (size, size), Image.Transform.QUAD, data, Image.Resampling.BICUBIC, fillcolor=255
    )


def _light(rng: np.random.Generator, size: int) -> np.ndarray:
    """Brightness over the page, (size, size) in (0.53, 1]: one side in more or less shade."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    away = (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2) + 0.5  # in [0, 1]
    return 1 - rng.uniform(0, 0.6) ** 1.5 * away ** rng.uniform(1, 2)
