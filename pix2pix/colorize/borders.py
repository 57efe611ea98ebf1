"""Borders of scans: where mounts, white margins and the rim of film are, which have no color.

A net paints what is around a photo, too. What surely is no picture is left gray: lines of pixels
that are each of nearly one tone, from the side inward, up to a straight step along the whole side.

It is made to miss borders rather than to take a sky, snow or a wall for one: of photos without a
border a few in a thousand lose the color of their edges. The thresholds were chosen by eye.
"""

import numpy as np

DEEPEST = 0.2  # of a side: a border is not looked for beyond
_DEEP = 0.12  # of a side: beyond it the opposite side must have such a border, too
_FLAT = 0.16  # spread of L [-1, 1] along a line of the border, its highest and lowest eighth aside
_STEP = 0.12  # difference of L at the photo's edge
_STRAIGHT = 0.65  # share of the side along which there is that step
_BLACK, _THIN = -0.9, 0.06  # L and share of a side below which one alone may be the rim of film
_REACH = 2  # [px] within which an edge may be askew or blurred
_LEAST = 16  # [px] of a side, to say anything
Border = tuple[int, int, int, int]
"""Widths of the left, top, right and bottom border [px], 0 where there is none."""


def find_border(L: np.ndarray) -> Border:
    """Find the border around a photo L (h, w) in [-1, 1], as small as a net sees it.

    Two sides at least must have one, unless it is black: a calm sky or snow over a straight
    horizon looks like the border of one side.
    """
    lines = (L.T, L, L.T[::-1], L[::-1])  # of each side, the outermost first
    found = [_depth(side) for side in lines]
    depth = [width for width, _ in found]
    for i, side in enumerate(lines):
        if depth[i] > _DEEP * len(side) and 2 * depth[i - 2] < depth[i]:
            found[i] = _depth(side, _DEEP)
    black = [
        width if tone < _BLACK and width <= _THIN * len(side) else 0
        for (width, tone), side in zip(found, lines, strict=True)
    ]
    several = sum(width > 0 for width, _ in found) > 1
    left, top, right, bottom = [width for width, _ in found] if several else black
    return left, top, right, bottom


def _depth(lines: np.ndarray, deepest: float = DEEPEST) -> tuple[int, float]:
    """The width of the border [px] of lines (N, M), the first outermost, and its L at the edge.

    Borders nest, as film in a white margin on a mount: the last edge counts.
    """
    limit = int(deepest * len(lines))
    if min(lines.shape) < _LEAST:
        return 0, 0.0
    margin = lines.shape[1] // 10
    lines = lines[: limit + _REACH + 1, margin : lines.shape[1] - margin]
    eighth, half = lines.shape[1] // 8, lines.shape[1] // 2
    low, tone, high = np.sort(lines[:limit], axis=1)[:, [eighth, half, -1 - eighth]].T
    flat = high - low <= _FLAT
    mostly = flat.cumsum() >= 0.6 * np.arange(1, limit + 1)  # captions and the like in between
    step = np.abs(lines[_REACH + 1 :] - lines[:limit]) > _STEP
    edge = flat & mostly & (step.mean(1) >= _STRAIGHT)
    if not edge.any():
        return 0, 0.0
    last = int(np.flatnonzero(edge)[-1])
    return last + 1, float(tone[last])


def leave_border_gray(ab: np.ndarray, L: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Take the color from the border of ab (2, h, w), found in L (h, w) -> ab (2, h, w).

    Color begins within two pixels of the photo's edge. A side with hints on it, whose rows and
    columns are `places` (N, 2), keeps its color: someone says that it has one.
    """
    border = find_border(L)
    if not any(border):
        return ab
    height, width = L.shape
    rows, columns = places[:, 0], places[:, 1]
    hinted = (columns, rows, width - 1 - columns, height - 1 - rows)
    wanted = (0 if (at < wide).any() else wide for at, wide in zip(hinted, border, strict=True))
    color = np.ones(L.shape, np.float32)
    lines = (color.T, color, color.T[::-1], color[::-1])  # views
    for side, wide in zip(lines, wanted, strict=True):
        if wide:
            side[:wide] = 0
            side[wide : wide + 2] *= [[1 / 3], [2 / 3]]
    return ab * color
