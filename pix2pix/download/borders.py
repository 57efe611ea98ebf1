"""Find the print in a scan: where the mount that it lies on ends."""

import numpy as np
from numpy.typing import NDArray

LIMIT = 0.12  # of a side: more than that is never cut
DEFAULT = 0.03  # of a side: cut where no mount is to be seen
_SLACK = 0.01  # of a side: cut beyond the mount, for prints that lie askew
_SPREAD = 24  # gray levels between the 10th and the 90th hundredth of a line of the mount
_STEP = 16  # gray levels between the outermost line of the mount and any other


def find_print(gray: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Gray (H, W) uint8 -> the box (left, top, right, bottom) [px] of the print in it.

    From each side inwards, lines of pixels that are nearly of one tone, and of the outermost one's,
    are the mount, light or dark. It must end within 12 % of the side: otherwise it may be sky, and
    3 % are cut, as where there is none.
    """
    height, width = gray.shape
    left, right = _depth(gray.T), _depth(gray.T[::-1])
    top, bottom = _depth(gray), _depth(gray[::-1])
    return left, top, width - right, height - bottom


def _depth(lines: NDArray[np.uint8]) -> int:
    """How many of the lines (N, M), the first of which is outermost, to cut."""
    limit = int(LIMIT * len(lines))
    low, middle, high = np.percentile(lines[: limit + 1], (10, 50, 90), axis=1)
    mount = (high - low <= _SPREAD) & (np.abs(middle - middle[0]) <= _STEP)
    if mount.all() or not mount[0]:
        return int(DEFAULT * len(lines))
    return min(int(mount.argmin()) + round(_SLACK * len(lines)), limit)
