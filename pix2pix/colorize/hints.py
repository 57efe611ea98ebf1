"""Hints: points of a photo whose color is known, and is kept in the result.

`parse` and `check` take them from people, `place` makes the hint map (B, 3, H, W) of the net's
input: a, b and a mask; `hold` corrects the result. For training, data/reveal.py takes hints from
the true colors.
"""

import re
from collections.abc import Sequence

import numpy as np

from pix2pix.color import AB_SCALE, rgb8_to_lab
from pix2pix.errors import BadHint

Hint = tuple[float, float, tuple[int, int, int]]
"""x and y in pixels from the top left, and the sRGB color there; its lightness does not count."""

SIDE = 5  # [px of the net's input] of the square around a point that its color fills
MOST_HINTS = 2000  # of one photo
_REACH = 2.5  # [px of the net's input] of what `hold` mends
_TONE = 0.2  # difference of L at which it mends less


def parse(text: str) -> Hint:
    """ "120,80,#c03020" -> (120, 80, (192, 48, 32)). Raises BadHint."""
    found = re.fullmatch(
        r"\s*(\d+(?:\.\d*)?)\s*,\s*(\d+(?:\.\d*)?)\s*,\s*#?([\da-fA-F]{6})\s*", text
    )
    if not found:
        raise BadHint(f"hint {text!r}: it must be X,Y,#RRGGBB such as 120,80,#c03020")
    red, green, blue = bytes.fromhex(found[3])
    return float(found[1]), float(found[2]), (red, green, blue)


def check(hints: Sequence[Hint], height: int, width: int) -> None:
    """Raise BadHint, naming it, unless every hint is a point of the picture and a color."""
    if len(hints) > MOST_HINTS:
        raise BadHint(f"{len(hints)} hints; at most {MOST_HINTS}")
    for hint in hints:
        try:
            x, y, (red, green, blue) = hint
            inside = 0 <= x < width and 0 <= y < height
            color = all(0 <= level <= 255 for level in (red, green, blue))
        except (TypeError, ValueError) as error:
            raise BadHint(f"hint {hint!r}: it must be (x, y, (red, green, blue))") from error
        if not inside:
            raise BadHint(f"hint {hint!r}: x and y must be inside of {width}x{height} pixels")
        if not color:
            raise BadHint(f"hint {hint!r}: red, green and blue are 0 to 255")


def place(
    hints: Sequence[Hint], picture: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hints of a picture (H, W) -> the hint map (1, 3, h, w) of a net of input `size` (h, w).

    Each point is a square in it, where a later one covers an earlier. Returns the points, too, that
    the result must keep: their rows and columns (N, 2) int64 and ab (N, 2).
    """
    check(hints, *picture)
    hint_map = np.zeros((1, 3, *size), np.float32)
    kept: dict[tuple[int, int], np.ndarray] = {}
    colors = np.array([color for _, _, color in hints], np.uint8).reshape(-1, 1, 3)
    for (x, y, _), ab in zip(hints, rgb8_to_lab(colors)[1:, :, 0].T / AB_SCALE, strict=True):
        row, column = int(y / picture[0] * size[0]), int(x / picture[1] * size[1])
        fill_square(hint_map[0], ab, row, column)
        kept[row, column] = ab
    return hint_map, np.array(list(kept)).reshape(-1, 2), np.stack(list(kept.values()))


def fill_square(hints: np.ndarray, ab: np.ndarray, row: int, column: int) -> None:
    """Fill the square around a place of hints (3, h, w) with the color ab (2,), in place."""
    rows = slice(max(row - SIDE // 2, 0), row + SIDE // 2 + 1)
    columns = slice(max(column - SIDE // 2, 0), column + SIDE // 2 + 1)
    hints[:2, rows, columns] = ab.reshape(2, 1, 1)
    hints[2, rows, columns] = 1


def hold(ab: np.ndarray, L: np.ndarray, places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Correct ab (2, h, w) so that it is `wanted` (N, 2) at `places` (N, 2) -> (2, h, w).

    A net comes close to its hints; what is missing there is added, and fades over a few pixels and
    over edges of L (h, w). Gaussian kernels through all points at once (kriging), so
    that neighbors do not add up.
    """

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Points (N, 3) and (M, 3) -> (N, M) in [0, 1]."""
        apart = np.zeros((len(one), len(other)), np.float32)
        for a, b in zip(one.T, other.T, strict=True):
            apart += np.square(a[:, None] - b)
        return np.exp(-apart / 2)

    rows, columns = places.T
    grid = np.mgrid[: ab.shape[1], : ab.shape[2]].astype(np.float32)
    scaled = np.stack([*(axis / _REACH for axis in grid), L / _TONE], -1)  # (h, w, 3)
    points = scaled[rows, columns]
    missing = wanted - ab[:, rows, columns].T
    # the small ridge lets two points in one spot with two colors agree on their mean
    ridge = 1e-3 * np.eye(len(points), dtype=np.float32)
    shares = np.linalg.solve(kernel(points, points) + ridge, missing)
    flat = scaled.reshape(-1, 3)
    parts = np.array_split(flat, max(1, len(flat) // 4096))
    mended = np.concatenate([kernel(part, points) @ shares for part in parts])
    return ab + mended.T.reshape(ab.shape).astype(np.float32)
