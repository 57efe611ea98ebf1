"""Result: what `evaluate` returns, and `pix2pix evaluate --json` writes."""

from typing import Any, Literal, TypedDict

Means = dict[str, dict[str, float | None]]
"""By row and metric; None where a metric is not defined, such as a share of no color."""
Intervals = dict[str, dict[str, list[float] | None]]
"""95 % intervals [low, high]; None where fewer than two photos have a value."""
CurveName = Literal["hints", "film", "sizes", "takes", "saturations", "frontier"]


OfPhoto = dict[str, Any]
"""`path`, and by section, row and metric the photo's own value, or the list of its hints'."""


class Section(TypedDict):
    """The means of some rows and the intervals of these."""

    rows: Means
    intervals: Intervals


class Gain(TypedDict):
    """The PSNR gain [dB] of one model over another on one photo."""

    path: str
    psnr: float


class Comparison(Section):
    """Two models photo by photo; `gains` and `losses` are the photos that differ most."""

    gains: list[Gain]
    losses: list[Gain]


class Skipped(TypedDict):
    """A file that could not be read or found, and why."""

    path: str
    code: str
    reason: str


class Against(TypedDict):
    """Another tool's results: where they are, and how many of the photos they have."""

    folder: str
    pictures: int


class Result(TypedDict, total=False):
    """Metrics of the rows gray, sepia, model, other, against and truth; the last keys as asked."""

    folder: str
    model: str
    size: int
    sepia: list[float]
    pictures: int
    skipped: list[Skipped]
    rows: Means
    intervals: Intervals
    over_sepia: Section
    photos: list[OfPhoto]
    other: str
    compare: Comparison
    against: Against
    missing: list[Skipped]
    hints: Section
    film: Section
    sizes: Section
    takes: Section
    saturations: Section
    frontier: Section
