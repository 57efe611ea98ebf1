"""Wish: the options of coloring a photo, as one value all the way to the net."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pix2pix.colorize.hints import Hint
from pix2pix.colorize.reference import Reference

MOST_TEMPERATURE = 30  # of b*, either way


@dataclass(frozen=True)
class Wish:
    """How a photo is to be colored; by default, as the net predicts it.

    Raises ValueError for a saturation below 0, and for a temperature beyond MOST_TEMPERATURE.
    Hints are checked against the photo that they are for (`hints.check`).

    A new field is used in predictor.py or colorizer.py, and offered by cli/options.py and
    cli/pictures.py (`colorize`), app/service/parameters.py, or bodies.py where it is a file, and,
    as a slider, app/page/handlers.py (`SLIDERS`) and app/page/build.py (`_for_programs`). It comes
    last, as a Wish is made by position.
    """

    saturation: float = 1.0  # factor of the chroma: 0 is gray, 1 as predicted
    hints: Sequence[Hint] = ()  # points whose color is known, in pixels of the upright photo
    seed: int | None = None  # draws a variant, with other colors where the net is unsure
    temperature: float = 0.0  # shift of b* [CIELAB units]: above 0 warmer, below 0 cooler
    like: Reference | None = None  # a photo in color whose colors are taken where both look alike

    def __post_init__(self) -> None:
        if not 0 <= self.saturation < math.inf:
            raise ValueError(f"saturation is {self.saturation}; it must be 0 or more")
        if not -MOST_TEMPERATURE <= self.temperature <= MOST_TEMPERATURE:
            raise ValueError(
                f"temperature is {self.temperature}; it must be "
                f"{-MOST_TEMPERATURE} to {MOST_TEMPERATURE}"
            )

    def at(self, height: int, width: int) -> "Wish":
        """The same wish in pixels of a picture of this size, if its x and y are fractions."""
        hints = tuple((x * width, y * height, color) for x, y, color in self.hints)
        return replace(self, hints=hints)


AS_PREDICTED = Wish()
