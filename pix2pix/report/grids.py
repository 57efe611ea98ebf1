"""Grids: the validation pictures of a run at several steps, one below the other."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix.report.sheet import INK, PAPER

_LABELS, _GAP, _FONT = 150, 4, 21  # [px] width of the labels, between rows, of the letters
_LEAST = 112  # [px] height of a row that holds four lines
_MOST_PIXELS = 64 * 1024 * 1024  # of a picture that a run drew


def choose_steps(steps: list[int], best: int | None) -> dict[int, list[str]]:
    """Choose the steps to show, each with its names among first, middle, best and last."""
    if not steps:
        return {}
    named = [("first", steps[0]), ("best", best), ("last", steps[-1])]
    if len(steps) > 2:
        named.insert(1, ("middle", steps[len(steps) // 2]))
    found: dict[int, list[str]] = {}
    for name, step in named:
        if step in steps:
            found.setdefault(step, []).append(name)
    return dict(sorted(found.items()))


def read_grids(grids: Mapping[int, Path]) -> dict[int, np.ndarray]:
    """Read the pictures (3 * S, W, 3) uint8 by step; skip one that a run is still writing."""
    found = {}
    for step, path in grids.items():
        try:
            with Image.open(path) as image:
                if image.width * image.height > _MOST_PIXELS or image.height % 3:
                    continue
                found[step] = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
    return found


def whole(grids: Mapping[int, Path], last: int | None) -> dict[int, Path]:
    """Keep the grids up to the last logged step: later ones are from before a resume.

    A picture that cannot be read, such as one still being written, counts only at the end.
    """
    kept = {step: path for step, path in grids.items() if last is None or step <= last}
    while kept and not read_grids({(step := max(kept)): kept[step]}):
        del kept[step]
    return kept


def sheet(grids: Mapping[int, Path], *, best: int | None, last: int | None) -> np.ndarray | None:
    """Draw photos in gray, as colored at the chosen steps, and as they are: (H, W, 3) uint8.

    Gray and truth stand once for all steps that share their photos. None without a picture.
    """
    kept = whole(grids, last)
    chosen = choose_steps(list(kept), best)
    pictures = read_grids({step: kept[step] for step in chosen})
    rows: list[tuple[str, np.ndarray]] = []
    gray = truth = None
    for step, picture in pictures.items():
        top, colored, true = np.split(picture, 3)
        if gray is None or not np.array_equal(gray, top):
            if truth is not None:
                rows.append(("truth", truth))
            rows.append(("gray", top))
        gray, truth = top, true
        rows.append((",\n".join(chosen[step]) + f"\nstep {step}", colored))
    if truth is None:
        return None
    return _draw([*rows, ("truth", truth)])


def _draw(rows: list[tuple[str, np.ndarray]]) -> np.ndarray:
    pictures = [_enlarged(Image.fromarray(rgb)) for _, rgb in rows]
    width = _LABELS + max(picture.width for picture in pictures) + _GAP
    height = sum(picture.height + _GAP for picture in pictures)
    drawn = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(drawn), ImageFont.load_default(size=_FONT)
    top = _GAP
    for (label, _), picture in zip(rows, pictures, strict=True):
        drawn.paste(picture, (_LABELS, top))
        draw.multiline_text((10, top + 6), label, INK, font)
        top += picture.height + _GAP
    return np.asarray(drawn)


def _enlarged(picture: Image.Image) -> Image.Image:
    """Small pictures by a whole number, so that their labels fit beside them."""
    times = max(1, -(-_LEAST // picture.height))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
