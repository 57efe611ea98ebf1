"""The engine of PyTorch: any net of ours, on CPU or GPU, and its chance layers taken in hand."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.engines.chance import Chance
from pix2pix.colorize.engines.graph import ASIDES
from pix2pix.errors import one_line
from pix2pix.nets.blocks import Noise, chance_layers
from pix2pix.strips import own_share

_VALUES: ContextVar[Sequence[Tensor]] = ContextVar("values of chance layers")  # a thread's own


class TorchEngine(Engine):
    """Runs a net with PyTorch, in eval mode, on a CPU or GPU, to which it moves.

    Raises ValueError for a net whose layers of chance are unknown here.
    """

    kind = "torch"

    def __init__(self, net: nn.Module, device: str = "cpu"):
        """`device`: "cpu", "cuda", "mps", or "auto" for a GPU where there is one."""
        self.device = find_device() if device == "auto" else device
        # channels_last: half the time of the default for a BackboneUNet at 512x512 on CPU
        self.net = net.eval().to(self.device).to(memory_format=torch.channels_last)
        self.multiple = int(net.multiple)  # type: ignore[arg-type]
        self.chances, self.asides = describe(self.net), _asides(net)
        self.graph, self.lively = Graph(self.net), Graph(with_values(self.net)).eval()

    @torch.inference_mode()
    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run. Raises MemoryError when the device has too little memory."""
        threads = own_share()
        if threads is not None and threads != torch.get_num_threads():
            torch.set_num_threads(threads)  # of this thread
        x = self._tensor(source).contiguous(memory_format=torch.channels_last)
        try:
            if chances is None:
                found = self.graph(x)
            else:
                found = self.lively(x, *map(self._tensor, self.values(source, chances)))
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(f"{self.device}: {one_line(error)}") from error
        arrays = (x.float().contiguous().cpu().numpy() for x in found)
        return dict(zip(self.graph.outputs, arrays, strict=True))

    @torch.inference_mode()
    def _aside(self, name: str, source: np.ndarray) -> np.ndarray:
        found: Tensor = getattr(self.net, name)(self._tensor(source))
        return found.float().contiguous().cpu().numpy()

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.require(array, np.float32, ["C", "W"])).to(self.device)


def find_device() -> str:
    """The fastest device here: "cuda", Apple's "mps", or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class Graph(nn.Module):
    """One pass of a net as engines run it: source and values of chance -> the tensors `outputs`.

    With `asides`, for a file, those that the net has are the last (see `Engine.asides`).
    """

    def __init__(self, net: nn.Module, *, asides: bool = False):
        """`net` is one of `with_values`."""
        super().__init__()
        self.net = net
        self.in_parts = getattr(net, "bins", None) is not None
        self.outputs: tuple[str, ...] = ("answer",)
        if self.in_parts:
            self.outputs += ("ab", "logits")
        self.asides = _asides(net) if asides else ()
        self.outputs += self.asides

    def forward(self, source: Tensor, *chances: Tensor) -> tuple[Tensor, ...]:
        """Source (B, C, H, W) -> `outputs`, in their order."""
        with _given(chances):
            more = [getattr(self.net, name)(source) for name in self.asides]
            if not self.in_parts:
                return self.net(source), *more
            ab, answer, logits = self.net.parts(source)  # type: ignore[operator]
            return answer, ab, logits, *more


def _asides(net: nn.Module) -> tuple[str, ...]:
    """Those of `graph.ASIDES` that a net computes: as it says, by a method of that name."""
    return tuple(name for name in getattr(net, "asides", ()) if name in ASIDES)


class _Value(nn.Module):
    """A dropout or noise layer that takes its values from the thread's `_given` instead."""

    def __init__(self, place: int, planes: int):
        super().__init__()
        self.place, self.planes = place, planes

    def forward(self, x: Tensor) -> Tensor:
        value = _VALUES.get()[self.place].to(x.dtype)
        if not self.planes:
            return x * value
        return torch.cat([x, value.expand(-1, -1, *x.shape[2:])], 1)


@contextmanager
def _given(values: Sequence[Tensor]) -> Iterator[None]:
    token = _VALUES.set(values)
    try:
        yield
    finally:
        _VALUES.reset(token)


def with_values(net: nn.Module) -> nn.Module:
    """A copy of the net around the same tensors, whose layers of chance take given values."""
    twin = _twin(net)
    for place, layer in enumerate(chance_layers(twin)):
        value = _Value(place, layer.planes if isinstance(layer, Noise) else 0)
        if layer is twin:
            return value
        _replace(twin, layer, value)
    return twin


def _twin(net: nn.Module) -> nn.Module:
    """Other modules around the same tensors, so that threads may share the net."""
    tensors = [*net.parameters(), *net.buffers()]
    return copy.deepcopy(net, {id(tensor): tensor for tensor in tensors})


def _replace(net: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def describe(net: nn.Module) -> list[Chance]:
    """The layers of chance of a net, in the order of its modules.

    Raises ValueError for one of another kind, or on something else than a map of the picture.
    """
    net = _twin(net).eval()
    layers = chance_layers(net)
    if not layers:
        return []
    side = 2 * int(net.multiple)  # type: ignore[arg-type]
    shapes: dict[nn.Module, torch.Size] = {}
    for layer in layers:
        layer.register_forward_pre_hook(lambda m, x: shapes.update({m: x[0].shape}))
    channels, tensor = getattr(net, "in_channels", 1), next(net.parameters())
    with torch.inference_mode():
        net(tensor.new_zeros(1, channels, side, side))
    return [_chance(layer, shapes.get(layer), side) for layer in layers]


def _chance(layer: nn.Module, shape: torch.Size | None, side: int) -> Chance:
    name = type(layer).__name__
    if isinstance(layer, Noise):
        return Chance("noise", 0.0, layer.planes, 1, layer.value)
    if shape is None or len(shape) != 4 or shape[2] != shape[3] or side % shape[2]:
        raise ValueError(f"a {name} on {shape}, not on a map of the picture")
    if not isinstance(layer, nn.Dropout | nn.Dropout2d):
        raise ValueError(f"a layer of chance that is not known here: {name}")
    kind = "dropout2d" if isinstance(layer, nn.Dropout2d) else "dropout"
    return Chance(kind, layer.p, shape[1], side // shape[2], 1.0)  # type: ignore[arg-type]
