"""Layers: where a net's parameters are, and histograms of its weights; nothing is run."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from torch import Tensor, nn

from pix2pix.report.paper import csv_text

_BINS = 80  # of a histogram
_MOST_GROUPS = 16  # histograms that can still be looked at


@dataclass(frozen=True)
class Layer:
    """One module with parameters of its own; statistics are those of its largest tensor."""

    name: str
    kind: str  # its class
    shape: str  # of its largest tensor, such as 64x32x3x3
    parameters: int
    share: float  # of the net's parameters
    cumulative_share: float  # of this layer and all larger ones
    mean: float
    std: float
    min: float
    max: float
    zeros: float  # share that is exactly 0
    place: int  # in the net, from 1


@dataclass(frozen=True)
class Histogram:
    """A histogram of the weights of a group of layers (B + 1 edges, B counts)."""

    name: str
    edges: np.ndarray
    counts: np.ndarray


def measure_layers(net: nn.Module) -> list[Layer]:
    """List the layers of a net, the largest first; those of one size in the net's order.

    Buffers, such as the running means of a batch norm, are no parameters.
    """
    modules = dict(net.named_modules())
    tensors: dict[str, list[Tensor]] = {}
    for name, tensor in net.named_parameters():
        tensors.setdefault(name.rpartition(".")[0], []).append(tensor.detach())
    sizes = {name: sum(t.numel() for t in own) for name, own in tensors.items()}
    places = {name: place for place, name in enumerate(tensors, start=1)}
    names = sorted(tensors, key=lambda name: -sizes[name])
    total = max(1, sum(sizes.values()))
    together = np.cumsum([sizes[name] for name in names])
    return [
        Layer(
            name or "(net)",
            type(modules[name]).__name__,
            "x".join(map(str, _largest(tensors[name]).shape)) or "1",
            sizes[name],
            sizes[name] / total,
            int(up_to) / total,
            *_statistics(_largest(tensors[name])),
            places[name],
        )
        for name, up_to in zip(names, together, strict=True)
    ]


def _largest(tensors: Sequence[Tensor]) -> Tensor:
    return max(tensors, key=lambda tensor: tensor.numel())


def _statistics(tensor: Tensor) -> tuple[float, float, float, float, float]:
    values = tensor.double().numpy()
    if not values.size:
        return (0.0,) * 5
    moments = (values.mean(), values.std(), values.min(), values.max(), (values == 0).mean())
    mean, std, least, most, zeros = map(float, moments)
    return mean, std, least, most, zeros


def concentration(layers: Sequence[Layer], share: float) -> int:
    """Count the largest layers that make up a `share` in (0, 1] of the parameters."""
    total = sum(layer.parameters for layer in layers)
    together = np.cumsum([layer.parameters for layer in layers])
    return 1 + int(sum(int(up_to) < share * total for up_to in together[:-1]))


def to_csv(layers: Sequence[Layer]) -> str:
    """Write CSV, a line a layer, floats with nine digits."""
    return csv_text([[field.name for field in fields(Layer)], *map(astuple, layers)])


def histograms(net: nn.Module) -> list[Histogram]:
    """Compute histograms of the weights of convolutions and linear layers, in the net's order.

    Biases and the scales of normalizations, tensors of one dimension, are left out. One a layer,
    or, where these are more than 16, one a group of layers whose names begin alike.
    """
    found = [
        (name.rpartition(".")[0] or name, p) for name, p in net.named_parameters() if p.ndim > 1
    ]
    groups = _groups([name for name, _ in found])
    values: dict[str, list[np.ndarray]] = {}
    for name, tensor in found:
        values.setdefault(groups[name], []).append(tensor.detach().double().numpy().ravel())
    together = {name: np.concatenate(parts) for name, parts in values.items()}
    return [_count(name, all_of_it) for name, all_of_it in together.items() if all_of_it.size]


def _groups(names: Sequence[str]) -> dict[str, str]:
    """By layer its group: as many leading parts of the names as leave few enough groups."""
    groups: dict[str, str] = {}
    for depth in range(max((name.count(".") + 1 for name in names), default=1), 0, -1):
        groups = {name: ".".join(name.split(".")[:depth]) for name in names}
        if len(set(groups.values())) <= _MOST_GROUPS:
            return groups
    return dict.fromkeys(names, "all") if groups else {}


def _count(name: str, values: np.ndarray) -> Histogram:
    counts, edges = np.histogram(values, _BINS)
    return Histogram(name, edges, counts)
