"""Chance layers: the dropout and the noise of a net, and the values that a seed gives them.

Here a seed's take is made of counter-based random numbers, not of an engine's own, so that it is
the same on every engine, machine and number of threads.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pix2pix.randomness import uniform

_STREAM = 74
_MOST_LAYERS = 64  # of a file, which may be a stranger's
_LAYER = 2**40  # positions of a layer's draws


@dataclass(frozen=True)
class Chance:
    """A layer of a net that draws, and takes what it draws as a further input.

    Dropout multiplies its map (B, C, H/d, W/d) by values of that shape, dropout2d by (B, C, 1, 1):
    0, or 1 / (1 - rate) for what is kept. Noise adds `channels` planes to its map, each the one
    value that (B, C, 1, 1) holds for it. `channels` is C, `divisor` d; `value` is what all values
    are where nothing is drawn.
    """

    kind: Literal["dropout", "dropout2d", "noise"]
    rate: float
    channels: int
    divisor: int
    value: float

    def shape(self, height: int, width: int, batch: int = 1) -> tuple[int, int, int, int]:
        """(B, C, h, w) of its values, for a net's input of height x width."""
        if self.kind == "dropout":
            return batch, self.channels, height // self.divisor, width // self.divisor
        return batch, self.channels, 1, 1


def to_json(chances: Sequence[Chance]) -> str:
    """The chance layers of a net as a JSON list of their fields, in the order of its modules."""
    return json.dumps([dataclasses.asdict(chance) for chance in chances])


def from_json(text: str) -> list[Chance]:
    """Read what `to_json` wrote. Raises ValueError for anything else."""
    try:
        chances = [Chance(**fields) for fields in json.loads(text)]
    except TypeError as error:
        raise ValueError(f"no list of chance layers: {error}") from error
    if len(chances) > _MOST_LAYERS:
        raise ValueError(f"{len(chances)} chance layers, at most {_MOST_LAYERS}")
    for chance in chances:
        if not _valid(chance):
            raise ValueError(f"no chance layer: {chance}")
    return chances


def _valid(chance: Chance) -> bool:
    counts = (chance.channels, chance.divisor)
    numbers = (chance.rate, chance.value)
    return (
        chance.kind in ("dropout", "dropout2d", "noise")
        and all(type(n) is int and 1 <= n <= 2**13 for n in counts)
        and all(type(x) in (int, float) and math.isfinite(x) for x in numbers)
        and 0 <= chance.rate <= 1
    )


def neutral(
    chances: Sequence[Chance], height: int, width: int, *, batch: int = 1
) -> list[np.ndarray]:
    """The values without a seed, float32 (B, C, h, w) a layer: nothing drops, noise is its mean."""
    return [np.full(c.shape(height, width, batch), c.value, np.float32) for c in chances]


def draw(
    chances: Sequence[Chance], height: int, width: int, seed: int, *, batch: int = 1
) -> list[np.ndarray]:
    """The values of a seed's take, float32 (B, C, h, w) a layer; the same ones for all of a batch.

    A value depends on seed, layer and its place in that layer's values alone.
    """
    drawn = []
    for i, chance in enumerate(chances):
        shape = chance.shape(height, width)
        places = np.arange(math.prod(shape)) + i * _LAYER
        if chance.kind == "noise":
            values = _normal(seed, places)
        elif chance.rate == 1:
            values = np.zeros(places.shape)
        else:
            values = (uniform(seed, places, _STREAM) >= chance.rate) / (1 - chance.rate)
        one = values.astype(np.float32).reshape(shape)
        drawn.append(np.repeat(one, batch, axis=0))
    return drawn


def _normal(seed: int, places: np.ndarray) -> np.ndarray:
    """N(0, 1) by Box and Muller 1958, https://doi.org/10.1214/aoms/1177706645."""
    radius = 1 - uniform(seed, 2 * places, _STREAM)  # in (0, 1]
    angle = uniform(seed, 2 * places + 1, _STREAM)
    return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
