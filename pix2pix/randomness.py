"""Counter-based randomness: a draw depends on (seed, position, stream) and on nothing before it.

So resuming is exact, and neither workers nor the number of processes change a crop.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SIGNED = 0x7FFFFFFFFFFFFFFF  # the seeds that torch takes are no larger


def _mix(x: np.ndarray) -> np.ndarray:
    """One step of splitmix64 from the state x (uint64): equal inputs agree, others look unrelated.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 17.
    """
    with np.errstate(over="ignore"):  # wrapping around is the point
        x = x + _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def random_bits(seed: int, position: int | np.ndarray, stream: int | np.ndarray) -> np.ndarray:
    """uint64 noise of the shape of `position` or `stream`, whichever is an array (at least 1-d).

    `stream` tells apart the uses of one position: 0 to 4 crop, 5 the size of a step's crops,
    6 and 7 pages, 10 to 14 `data.prepare`, 20 to 50 film, 60 dropout, 70 and 71 hints, 72 variants,
    73 the seed of drawn scenes for validation, 74 the chance layers of a take, 80 to 110 drawn
    worlds, 120 to 146 borders.
    """
    key = _mix(np.asarray([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    key = _mix(key ^ np.asarray(stream, np.uint64))
    return _mix(key ^ np.asarray(position, np.uint64))


def uniform(seed: int, position: int | np.ndarray, stream: int | np.ndarray) -> np.ndarray:
    """float64 in [0, 1) of the shape of `position` or `stream` (at least 1-d)."""
    return (random_bits(seed, position, stream) >> np.uint64(11)) * 2.0**-53


def uniform_like(x: "Tensor", seed: int, positions: np.ndarray, stream: int) -> "Tensor":
    """(B, 1, 1, 1) in [0, 1) for x (B, ...): sample b is that of (seed, positions[b], stream)."""
    import torch

    u = torch.as_tensor(uniform(seed, positions, stream), dtype=x.dtype)
    return u.to(x.device).view(-1, 1, 1, 1)


def torch_seed(seed: int, position: int, stream: int) -> int:
    """A seed for torch's generators, in [0, 2**63)."""
    return int(random_bits(seed, position, stream)[0]) & _SIGNED


def normal_like(x: "Tensor", seed: int, positions: np.ndarray, stream: int) -> "Tensor":
    """N(0, 1) of the shape of x (B, ...): sample b is drawn from (seed, positions[b], stream).

    Drawn on the CPU, so that it is the same on every device.
    """
    import torch

    noise = torch.empty(x.shape)
    for row, key in zip(noise, random_bits(seed, positions, stream), strict=True):
        row.normal_(generator=torch.Generator().manual_seed(int(key) & _SIGNED))
    return noise.to(x.device)


def permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order (n,) in which epoch `epoch` visits n photos."""
    return np.random.Generator(np.random.Philox(key=[seed & 0xFFFFFFFF, epoch])).permutation(n)
