"""Export to ONNX: a weights file becomes one file that ONNX Runtime and others run without torch.

The file is kept only when ONNX Runtime computes from it what torch computes.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import safe_open

from pix2pix.colorize.engines.chance import draw, neutral, to_json
from pix2pix.colorize.engines.choose import digest
from pix2pix.colorize.engines.torch import Graph, TorchEngine
from pix2pix.errors import ExportError, one_line
from pix2pix.files import replacing
from pix2pix.nets.blocks import HINT_CHANNELS
from pix2pix.weights.file import load
from pix2pix.weights.header import Header, find

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TOLERANCE = 1e-4  # of ab or rgb in [-1, 1], and of the probability of a color
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_PASSES = 5  # timed, of which the fastest counts


@dataclass
class Exported:
    """A file that was written, and what was measured before it was kept."""

    path: Path
    size: int
    """Bytes."""
    difference: float
    """The largest between ONNX Runtime and torch, as `TOLERANCE` has it."""
    torch_ms: float
    """One pass at about the net's own size, as one photo is colored, on the CPU; and in ONNX."""
    onnx_ms: float
    threads: int


def export_onnx(source: str | Path, dest: str | Path, *, overwrite: bool = False) -> Exported:
    """Write weights (see `weights.find`), for colors or for translating, as the ONNX file `dest`.

    The graph is one pass of the net: input `source`, float32 (B, C, H, W), which is L (and a, b,
    mask of hints) or RGB, and `chance0` ... where it has dropout or noise (see `Chance`); outputs
    `answer` (B, 2 or 3, H, W), of a net with color bins `ab` (B, 2, H, W) and `logits`
    (B, bins, H/4, W/4), of one on a classifier `features` (B, F, H/8, W/8), for what looks alike,
    and of one that tells photos from negatives `polarity` (B, 1, 1, 1). B, H and W are free.
    Metadata: `pix2pix`, the weights' header, `chances`, `multiple`, of which height and width are,
    and `weights_sha256`, of the weights file.
    Raises ExportError for a `dest` that exists without `overwrite`, a net that cannot be exported,
    or a file that computes something else than torch, which is not kept; WeightsError for weights
    that cannot be used, OSError, and ModuleNotFoundError where a package is missing.
    """
    _check_packages()
    from pix2pix.colorize.engines.export_graph import annotate, build_onnx

    dest, path = Path(dest), find(source)
    if dest.is_dir():
        raise ExportError("it is a folder; give a file")
    if dest.exists() and not overwrite:
        raise ExportError("this file exists; give another name, or --overwrite")
    net, header = load(path)
    if header.head not in ("ab", "rgb"):
        raise ExportError(f"these weights predict {header.head!r}; ab and rgb can be exported")
    try:
        engine = TorchEngine(net)
        model = build_onnx(
            Graph(engine.lively.net, asides=True).eval(),
            engine.chances,
            in_channels=header.in_channels,
            multiple=engine.multiple,
        )
    except (RuntimeError, ValueError) as error:  # torch's own errors are RuntimeErrors
        raise ExportError(f"not exported: {one_line(error.__cause__ or error)}") from error
    said = {"chances": to_json(engine.chances), "multiple": str(engine.multiple)}
    annotate(model, _notes(path) | said)
    data = model.SerializeToString()
    session = _session(data)
    difference = _compare(engine, session, header)
    times = _time(engine, session, next(_inputs(engine, header)))
    with replacing(dest, size=len(data)) as write:
        write(data)
    return Exported(dest, len(data), difference, *times, torch.get_num_threads())


def _check_packages() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f"export to ONNX needs: pip install {' '.join(missing)}")


def _notes(path: Path) -> dict[str, str]:
    with safe_open(path, "np") as file:
        header = file.metadata()["pix2pix"]
    return {"pix2pix": header, "weights_sha256": digest(path)}


def _session(data: bytes) -> "InferenceSession":
    """ONNX Runtime on the model, on the CPU, with as many threads as torch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


Values = dict[str, np.ndarray]
"""Arrays by the name of input or output."""


def _inputs(engine: TorchEngine, header: Header) -> Iterator[Values]:
    """Inputs to compare at: two sizes, one picture and two, without hints, with, with a seed."""
    multiple = engine.multiple
    side = max(1, round(header.area**0.5 / multiple))
    rng = np.random.default_rng(0)
    for batch, rows, columns in ((1, side, side), (2, 2, 3)):
        height, width = rows * multiple, columns * multiple
        x = rng.uniform(-1, 1, (batch, header.in_channels, height, width)).astype(np.float32)
        hinted = header.task == "color" and header.in_channels == 1 + HINT_CHANNELS
        if hinted:
            x[:, 1:] = 0
        still = neutral(engine.chances, height, width, batch=batch)
        yield _named(x, still)
        if hinted:
            x = x.copy()
            x[:, 1:, -4:, -4:] = np.array([-0.2, 0.4, 1]).reshape(3, 1, 1)
            # and one pixel, which pooling must not dilute
            x[:, 1:, height // 3, width // 3] = 0.5, -0.3, 1
            yield _named(x, still)
        if engine.chances:
            yield _named(x, draw(engine.chances, height, width, 1, batch=batch))


def _named(source: np.ndarray, chances: list[np.ndarray]) -> Values:
    return {"source": source} | {f"chance{i}": values for i, values in enumerate(chances)}


def _compare(engine: TorchEngine, session: "InferenceSession", header: Header) -> float:
    """The largest difference between both on all `_inputs`. Raises ExportError above TOLERANCE."""
    largest = 0.0
    for values in _inputs(engine, header):
        source, *chances = values.values()
        ours = dict(engine.run(source, chances))
        ours |= {name: engine.aside(name, source) for name in engine.asides}
        theirs = dict(zip(ours, session.run(list(ours), values), strict=True))
        for name in ours:
            pair = (_shares(x[name]) if name == "logits" else x[name] for x in (ours, theirs))
            apart = np.abs(np.subtract(*pair)).max()
            if not apart <= TOLERANCE:  # NaN, too
                size = "x".join(map(str, source.shape))
                raise ExportError(
                    f"ONNX Runtime's {name} is {apart:.2g} beside torch's at {size}, more than "
                    f"{TOLERANCE:g}: not kept"
                )
            largest = max(largest, float(apart))
    return largest


def _shares(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def _time(engine: TorchEngine, session: "InferenceSession", values: Values) -> tuple[float, float]:
    """Milliseconds of a pass in torch and in ONNX Runtime, the fastest of some, in turns."""
    source, *chances = values.values()
    runs: tuple[Callable[[], object], ...] = (
        lambda: engine.run(source, chances),
        lambda: session.run(list(engine.graph.outputs), values),
    )
    fastest = [float("inf")] * len(runs)
    for _ in range(_PASSES):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            fastest[i] = min(fastest[i], 1000 * (time.perf_counter() - start))
    return fastest[0], fastest[1]
