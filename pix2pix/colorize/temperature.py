"""Color temperature: the whole photo's color moved along b*, the axis of daylight.

Beside D65, the white of sRGB, a middle gray in daylight of 5000 K is (a*, b*) = (1, 10), of 8000 K
(0, -6) (CIE 15:2004, 3.1): all but b*. The most frequent large error of a colored photo is of that
kind, too cold or too warm as a whole.
"""

import numpy as np

DARK, LIGHT = 10.0, 20.0  # L* beside black, and beside white, over which the shift falls to nothing


def shift(ab: np.ndarray, L: np.ndarray, temperature: float) -> np.ndarray:
    """Shift the b* of ab (2, h, w) by `temperature`, in its own scale, above 0 towards yellow.

    It fades towards black and white, L (h, w) in [0, 100]: light yellow is in reach of sRGB, and
    paper, borders and linen would take it on.
    """
    shifted = ab.astype(np.float32)
    shifted[1] += np.float32(temperature) * np.clip(np.minimum(L / DARK, (100 - L) / LIGHT), 0, 1)
    return shifted
