"""Reach: a hint colors the thing that it is on, along even surfaces and not across edges.

A net answers one hint all over the picture, and the hint's own thing by half. `localize` takes that
answer near the hints only, and draws it toward their colors, by the cost of the way to them: a
geodesic distance, in which the two sides of an edge of L are far apart. A change that is just
noticeable is left everywhere, as a hint says something of the whole photo's balance: 2.3 units of
a*, b*, by Mahy et al. 1994, https://doi.org/10.1111/j.1520-6378.1994.tb00070.x.
"""

import numpy as np

from pix2pix.color import AB_SCALE

MANY = 16  # colors of hints, from which on the net's answer counts all over the picture
_FEW = 4  # colors up to which it counts near them only
_CAST = 2.3 / AB_SCALE  # change of ab that is left far from them: it mends the mean
_PULL = 0.7  # share of the nearest hint's own color in the answer beside it,
_HOLD = 1.0  # and the cost at which exp(-1) of that is left: a badge dyes no coat
_FREE = 1.3  # cost up to which a place is near
_WAY = 1.0  # cost of a way as long as the picture's side, along an even surface
_EDGE = 0.85  # difference of L across two pixels that costs 1 a pixel, with power 1.25
_TONE = 0.15  # difference of L from the hint's that costs nothing
_OFF_TONE = 3.0  # cost of a difference larger by 1
_BLUR = 2  # [px] around each one of the net's input, of whose mean L edges are taken: not of grain
_PLACES = 2**12  # a cost is counted in steps of this, so that the number of a place fits below
_UNIT = 2**20  # such steps of a cost of 1
_FAR = 2**58
_ROUNDS = 8  # of scans; a way of more turns comes out longer than it is


def localize(
    ab: np.ndarray, hinted: np.ndarray, L: np.ndarray, places: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Take `hinted`, a net's ab with hints, near them and `ab`, without, elsewhere -> (2, h, w).

    Beside a hint the result is drawn toward its color; far away a change of up to 2.3 units is
    left. Of more and more colors of hints, the net's answer counts farther and farther away.
    L (h, w) in [-1, 1], `places` (N, 2) are the hints' rows and columns, `wanted` (N, 2) their ab.
    """
    cost, nearest = costs(L, places)
    near = np.exp(-(np.maximum(cost - _FREE, 0) ** 2))
    pull = _PULL * np.exp(-((cost / _HOLD) ** 2))
    known = wanted[nearest].transpose(2, 0, 1)
    colors = len(np.unique(wanted, axis=0))
    alone = min(max((MANY - colors) / (MANY - _FEW), 0), 1)
    change = hinted - ab
    cast = np.minimum(1, _CAST / np.hypot(*change).clip(min=_CAST))
    answer = hinted - change * ((1 - cast) * alone * (1 - near))
    return (answer + (known - answer) * pull).astype(np.float32)


def costs(L: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cost (h, w) of the way from each pixel of L (h, w) to the nearest of the places (N, 2).

    And which place that is. An edge on the way costs, and so does another tone than the place's.
    """
    L = _mean(L, _BLUR)
    side = np.sqrt(L.size)
    padded = np.pad(L, 1, mode="edge")
    steep = np.hypot(padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2])
    steep /= _EDGE
    steps = [np.maximum(steep[:, 1:], steep[:, :-1]), np.maximum(steep[1:], steep[:-1])]
    right, down = (step * np.sqrt(np.sqrt(step)) + _WAY / side for step in steps)
    cost, nearest = geodesic(right, down, places)
    tone = np.abs(L - L[tuple(places.T)][nearest])
    cost += _OFF_TONE * np.maximum(tone - _TONE, 0)
    return cost, nearest


def _mean(image: np.ndarray, around: int) -> np.ndarray:
    """Mean of squares of an image (h, w), `around` pixels to each side."""
    side = 2 * around + 1
    height, width = image.shape
    padded = np.pad(image, around, mode="edge")
    rows = np.sum([padded[i : i + height] for i in range(side)], 0)
    total: np.ndarray = np.sum([rows[:, i : i + width] for i in range(side)], 0)
    return total / np.float32(side**2)


def geodesic(
    right: np.ndarray, down: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the cheapest ways over a grid to N places -> their costs (h, w), and which is nearest.

    `right` (h, w - 1) and `down` (h - 1, w) are the costs of a step between neighbors, 0 or more,
    `places` (N, 2) rows and columns, at most 4096. Rows and columns are scanned forth and back in
    turn, each whole: where the cost of a line up to a pixel is c, the least of d - c before
    it, plus c, is the cost at the pixel. Source: raster scans as in Toivanen 1996, New geodesic
    distance transforms for gray-scale images; Criminisi et al. 2008, GeoS.
    """
    height, width = down.shape[0] + 1, right.shape[1] + 1
    scale = _UNIT * _PLACES
    across, along = np.zeros((2, height, width), np.int64)
    np.cumsum((right * _UNIT).astype(np.int64) * _PLACES, 1, out=across[:, 1:])
    np.cumsum((down * _UNIT).astype(np.int64) * _PLACES, 0, out=along[1:])
    cost = np.full((height, width), _FAR, np.int64)
    cost[tuple(places.T)] = np.arange(len(places))
    for _ in range(_ROUNDS):
        before = cost
        for axis, total in ((1, across), (0, along)):
            forth = np.minimum.accumulate(cost - total, axis) + total
            back = np.minimum.accumulate(np.flip(cost + total, axis), axis)
            cost = np.minimum(forth, np.flip(back, axis) - total)
        if np.array_equal(cost, before):
            break
    return cost / scale, cost % _PLACES
