"""The colors of a distribution over colors: the points of a grid in a*, b* that sRGB reaches.

Without torch, so that what is likely can be said wherever a net runs.
"""

from functools import cache

import numpy as np

from pix2pix.color import AB_SCALE, rgb_to_lab


@cache
def gamut_cells(step: int) -> np.ndarray:
    """(G, G) bool: which points of a grid in a*, b* are bins; [G // 2, G // 2] is gray, G is odd.

    They are the corners of all grid cells that hold a color of sRGB.
    Raises ValueError unless 5 <= step <= 50.
    """
    if not 5 <= step <= 50:
        raise ValueError(f"bins={step}: a step of 5 to 50 in a* and b*, or 0 for none")
    levels = np.linspace(0, 1, 52, dtype=np.float32)  # every fifth of 0..255
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"))
    half = int(AB_SCALE // step) + 1
    ab = rgb_to_lab(rgb.reshape(3, -1, 1))[1:, :, 0]
    a, b = np.floor(ab / step).astype(int) + half  # (N,)
    cells = np.zeros((2 * half + 1, 2 * half + 1), bool)
    for right, up in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cells[a + right, b + up] = True
    return cells


@cache
def gamut_grid(step: int) -> np.ndarray:
    """(bins, 2) float32: a*, b* of the bins, in the order of `gamut_cells`."""
    cells = gamut_cells(step)
    return np.float32(step) * (np.argwhere(cells) - len(cells) // 2).astype(np.float32)


def gamut_index(step: int) -> np.ndarray:
    """(G, G) int64: the index of the bin at each point of the grid of `gamut_cells`, or 0."""
    cells = gamut_cells(step)
    return np.where(cells, cells.cumsum().reshape(cells.shape) - 1, 0)
