"""The engines that this installation has, and nets that run on them."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from unittest.mock import patch

import numpy as np
import torch

from pix2pix import strips
from pix2pix.nets import UNet
from pix2pix.weights import Header, bundled, load

try:
    from pix2pix.colorize.engines.choose import open_engine
    from pix2pix.weights.header import find_exported
except ImportError:  # a version that has torch alone
    open_engine = None

COURSE = "the course's U-Net"  # of its second chapter: scenes of 64x64
Run = Callable[[np.ndarray], object]
"""The net's input (B, C, H, W) float32 -> whatever it answers."""


def use_threads(count: int) -> None:
    """Let torch and every engine compute on so many threads, when this thread asks them."""
    torch.set_num_threads(count)
    if set_share := getattr(strips, "set_share", None):
        set_share(count)


def nets(only: str | None = None) -> dict[str, tuple[torch.nn.Module, tuple[int, int, int]]]:
    """The bundled nets that differ, and the course's, by name, with their input (C, H, W)."""
    found: dict[str, tuple[torch.nn.Module, tuple[int, int, int]]] = {}
    seen = []
    for name in [only] if only else bundled():
        net, header = load(name)
        if header.generator not in seen:
            seen.append(header.generator)
            found[name] = net, (header.in_channels, side(header, net), side(header, net))
    found[COURSE] = UNet(width=16, depth=5, dropout=0.0).requires_grad_(False), (1, 64, 64)
    return found


def side(header: Header, net: torch.nn.Module, photo: int = 256) -> int:
    """Height and width of what a net sees of a square photo, whose side is `photo` [px]."""
    multiple = int(net.multiple)  # type: ignore[arg-type]
    area_for = getattr(header, "area_for", lambda *_: header.area)  # older versions have one
    return round(area_for(photo, photo) ** 0.5 / multiple) * multiple


def one_pass(weights: str, photo: int) -> Callable[[], object]:
    """A pass of a net on what it sees of a square photo, by the engine that `Colorizer` chooses."""
    net, header = load(weights)
    seen = side(header, net, photo)
    x = np.zeros((1, header.in_channels, seen, seen), np.float32)
    if open_engine is None:
        run = by_torch(net)
    else:
        run = open_engine(weights, device="cpu")[0].run
    return partial(run, x)


def by_torch(net: torch.nn.Module) -> Run:
    """A net in eager mode, channels last, as torch's engine has it."""
    net = net.eval().to(memory_format=torch.channels_last)

    @torch.no_grad()
    def run(source: np.ndarray) -> object:
        return net(torch.from_numpy(source).contiguous(memory_format=torch.channels_last))

    return run


def runs(name: str, net: torch.nn.Module) -> dict[str, Run | None]:
    """A net on every engine that may run it; None where one is not there.

    OpenVINO at either precision. Nets that are in no file have torch alone.
    """
    found: dict[str, Run | None] = {"torch": by_torch(net)}
    if name in bundled():
        found["onnx"] = by_onnx(name)
        for precision in ("fp32", "bf16"):
            found[f"openvino {precision}"] = by_openvino(name, precision)
    return found


def by_onnx(name: str) -> Run | None:
    """Bundled weights in ONNX Runtime; None without their graph or the library."""
    if not has_graph(name, "onnxruntime"):
        return None
    return open_engine(name, engine="onnx")[0].run


def by_openvino(name: str, precision: str) -> Run | None:
    """Bundled weights in OpenVINO, as its engine has them, but at a precision that we choose.

    None without their graph or the library, and for bf16 where the processor has none.
    """
    if not has_graph(name, "openvino"):
        return None
    from pix2pix.colorize.engines import openvino

    if precision == "bf16" and not openvino.has_bf16():
        return None
    with patch.object(openvino, "has_bf16", lambda: precision == "bf16"):
        return open_engine(name, engine="openvino")[0].run  # compiled for the threads of now


def has_graph(name: str, library: str) -> bool:
    """Whether weights have been exported, and what runs them is installed."""
    known = open_engine is not None and find_spec(library) is not None
    return known and find_exported(name) is not None
