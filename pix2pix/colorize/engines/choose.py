"""Which engine runs which weights: the one with least to load that is as good.

On a CPU the exported graph, by OpenVINO where it is installed and the CPU computes in bf16, else by
ONNX Runtime; on a GPU, and for weights without a graph, torch.
"""

import hashlib
import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix.colorize.engines.base import Engine
from pix2pix.errors import WeightsError
from pix2pix.weights.header import EXPORTED, Header, check_task, find, find_exported

if TYPE_CHECKING:
    from pix2pix.colorize.engines.graph import Graph

ENGINES = ("auto", "onnx", "openvino", "torch")
_NEEDS_TORCH = (
    "these weights need torch, pip install 'pix2pix-color[torch]', or an .onnx file made of them "
    "by `pix2pix export`"
)
_ASKS_FOR_TORCH = "this engine, or device, needs torch: pip install 'pix2pix-color[torch]'"
# of graphics cards, as drivers show them: to ask torch itself takes two seconds to import it
_DRIVERS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def open_engine(
    source: str | Path, *, device: str = "auto", engine: str = "auto", task: str | None = None
) -> tuple[Engine, Header]:
    """Load weights (see `weights.find`) into an engine -> the engine, and the weights' header.

    Raises WeightsError as `weights.load`, ModuleNotFoundError with advice when what they need is
    not installed, and ValueError for an engine that there is not, or not on this device.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r}: one of {', '.join(ENGINES)}")
    graph = None
    if engine in ("onnx", "openvino") and device not in ("auto", "cpu"):
        raise ValueError(f"{engine} runs on the CPU: leave the device out, or take torch")
    alone = device == "auto" and Path(source).suffix == EXPORTED  # nothing else runs it
    if engine in ("onnx", "openvino") or (engine == "auto" and (alone or not on_gpu(device))):
        graph = _graph(source, engine)
    if graph is None:
        return _torch(source, device, task)
    made, header = graph
    if task is not None:
        check_task(header, task, source)
    return made, header


def on_gpu(device: str = "auto") -> bool:
    """Whether a net goes to a GPU: the device says so, or torch finds one here."""
    if device != "auto":
        return device != "cpu"
    if find_spec("torch") is None or not may_have_gpu():
        return False
    from pix2pix.colorize.engines.torch import find_device

    return find_device() != "cpu"


def may_have_gpu() -> bool:
    """Whether it is worth asking torch for a GPU: there is a driver, or a chip of Apple's."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        from ctypes.util import find_library

        return find_library("nvcuda") is not None
    lent = os.environ.get("SPACES_ZERO_GPU")  # a Space's, with each call
    return bool(lent) or any(Path(driver).exists() for driver in _DRIVERS)


def _graph(source: str | Path, engine: str) -> tuple[Engine, Header] | None:
    """Open the exported graph, or None where there is none that fits and torch may take its place.

    Raises WeightsError where there is none and the engine is asked for by its name.
    """
    path = find_exported(source)
    own = path is not None and Path(source).suffix == EXPORTED
    stale = False
    if path is not None:
        from pix2pix.colorize.engines.graph import read_graph

        try:
            graph = read_graph(path)
            stale = Path(source).suffix == ".safetensors" and graph.made_of != digest(source)
            if not stale:
                return _engine_of(graph, engine), graph.header
        except (WeightsError, ModuleNotFoundError):
            if engine != "auto" or own or find_spec("torch") is None:
                raise  # else the weights themselves may be good
    if engine == "auto":
        return None
    why = "the .onnx file beside them was made of others" if stale else "they have no .onnx file"
    raise WeightsError(f"{why}; `pix2pix export` makes one", source)


def _engine_of(graph: "Graph", engine: str) -> Engine:
    if engine == "openvino" or (engine == "auto" and has_fast_openvino()):
        from pix2pix.colorize.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(graph)
    from pix2pix.colorize.engines.onnx import OnnxEngine

    return OnnxEngine(graph)


def has_fast_openvino() -> bool:
    """Whether OpenVINO is installed and this CPU computes in bf16, which makes it the faster."""
    if find_spec("openvino") is None:
        return False
    try:
        from pix2pix.colorize.engines.openvino import has_bf16

        return has_bf16()
    except Exception:  # one that does not load here
        return False


def _torch(source: str | Path, device: str, task: str | None) -> tuple[Engine, Header]:
    if Path(source).suffix == EXPORTED:
        raise WeightsError("an .onnx file runs on the CPU, by ONNX Runtime or OpenVINO", source)
    if find_spec("torch") is None:
        find(source)  # whether it is there comes first
        asked = device not in ("auto", "cpu") or find_exported(source) is not None
        raise ModuleNotFoundError(f"{source}: {_ASKS_FOR_TORCH if asked else _NEEDS_TORCH}")
    from pix2pix.colorize.engines.batching import BatchingEngine
    from pix2pix.colorize.engines.torch import TorchEngine
    from pix2pix.weights.file import load

    generator, header = load(source, task=task)
    made = TorchEngine(generator, device)
    return (made if made.device == "cpu" else BatchingEngine(made)), header


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, by which a graph says what weights it was made of."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
