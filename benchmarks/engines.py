"""The engines that this installation has, and nets that run on them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pix2pix import Colorizer, strips
from pix2pix.nets import UNet
from pix2pix.weights import Header, bundled, load

try:
    from pix2pix.colorize.engines.choose import open_engine
    from pix2pix.colorize.engines.graph import read_graph
    from pix2pix.weights.header import find_exported
except ImportError:  # a version that has torch alone
    open_engine = None

ENGINES = ("torch", "onnx", "openvino")
PRECISIONS = {"fp32": "f32", "bf16": "bf16"}  # as OpenVINO calls them
COURSE = "the course's U-Net"  # of its second chapter: scenes of 64x64
Run = Callable[[np.ndarray], object]
"""The net's input (B, C, H, W) float32 -> whatever it answers."""


def use_threads(count: int) -> None:
    """Let torch and every engine compute on so many threads, when this thread asks them."""
    torch.set_num_threads(count)
    if set_share := getattr(strips, "set_share", None):
        set_share(count)


def colorizer(weights: str | Path, engine: str = "auto") -> Colorizer | None:
    """Load weights onto the CPU with an engine; None where that is not there."""
    options: dict[str, Any] = {} if engine == "auto" else {"engine": engine}
    try:
        return Colorizer.from_pretrained(weights, device="cpu", **options)
    except TypeError:  # this version knows torch alone
        return Colorizer.from_pretrained(weights, device="cpu") if engine == "torch" else None
    except (ImportError, ValueError):  # not installed, or these weights have no form for it
        return None


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


def side(header: Header, net: torch.nn.Module) -> int:
    """Height and width of a square input of about the area that a net colors best at."""
    multiple = int(net.multiple)  # type: ignore[arg-type]
    return round(header.area**0.5 / multiple) * multiple


def one_pass(weights: str) -> Callable[[], object]:
    """A pass of a net on one square input, by the engine that `Colorizer` chooses here."""
    net, header = load(weights)
    x = np.zeros((1, header.in_channels, side(header, net), side(header, net)), np.float32)
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

    OpenVINO at either precision, which are equal where the processor knows no bf16. As many
    threads as torch has now. Nets that are in no file have torch alone.
    """
    found: dict[str, Run | None] = {"torch": by_torch(net)}
    if name in bundled():
        found["onnx"] = by_onnx(name)
        for precision, hint in PRECISIONS.items():
            found[f"openvino {precision}"] = by_openvino(name, hint)
    return found


def by_onnx(name: str) -> Run | None:
    """Bundled weights in ONNX Runtime."""
    if open_engine is None:
        return None
    try:
        engine, _ = open_engine(name, engine="onnx")
    except (ImportError, ValueError):
        return None
    return engine.run


def by_openvino(name: str, precision: str) -> Run | None:
    """Bundled weights in OpenVINO, at a precision that we choose in the engine's place."""
    path = find_exported(name) if open_engine else None
    if path is None:
        return None
    try:
        import openvino
    except ImportError:
        return None
    graph = read_graph(path)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda source: request.infer(graph.inputs(source, None))
