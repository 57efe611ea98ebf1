"""Nets in 8 bits: an .onnx file whose convolutions compute with bytes.

Plain quantization dulls colors, by 3 to 10 % for the default net: what the first convolutions lose
is lost for all others, and the two sides of a skip connection do not fit into one range of 256
steps. So the first ones stay in float32, no more than it takes, both sides are evened out before,
and the chroma that is still lost or gained goes into the header's saturation.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.compress import int8_graph
from pix2pix.colorize.compress.gates import Gates, compare, pass_times
from pix2pix.colorize.compress.photos import inputs_of
from pix2pix.colorize.engines.export_graph import store_small
from pix2pix.colorize.engines.graph import Graph, metadata, read_graph
from pix2pix.colorize.engines.onnx import OnnxEngine
from pix2pix.errors import ExportError
from pix2pix.files import replacing

_EIGHTHS = range(0, 7)  # of the convolutions, from the first on, that stay in float32
_CALIBRATED = 32  # photos on which ranges are measured
_MOST = 2.0  # times the chroma: what needs more is broken
_TRIED = 16  # of these, photos on which it is settled how many stay


@dataclass(frozen=True)
class Quantized:
    """What became of a graph, and how it compares with the original."""

    gates: Gates
    kept: bool
    """Whether the file was written."""
    convolutions: tuple[int, int]
    """How many compute in 8 bits, and how many there are in all."""
    saturation: float
    """The factor that the header's got."""
    sizes: tuple[int, int]
    """Bytes of both files, the original's first."""
    times: tuple[float, float]
    """Milliseconds of CPU time a pass at the net's own size, on one thread of this machine."""


def quantize(
    source: str | Path,
    dest: str | Path,
    photos: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    *,
    force: bool = False,
) -> Quantized:
    """Write the .onnx file `source` of a color net as `dest`, with convolutions in 8 bits.

    Inputs, outputs and metadata are the same, but for the header's saturation. Ranges are those on
    `photos`, the gates are measured on `held_out`, all rgb (H, W, 3) uint8. The file is kept if it
    passes them, or with `force`. Raises ExportError for a net without convolutions that could
    compute in 8 bits, WeightsError, DataError, and OSError.
    """
    graph = read_graph(source)
    original = Colorizer(OnnxEngine(graph), graph.header)
    model = int8_graph.fold(onnx.load_from_string(graph.model))
    names = int8_graph.convolutions(model)
    if not names:
        raise ExportError("none of its convolutions can compute in 8 bits")
    photos = photos[:: math.ceil(len(photos) / _CALIBRATED)]
    inputs = inputs_of(original, photos)
    int8_graph.equalize(model, names, inputs)
    some = photos[:: math.ceil(len(photos) / _TRIED)]
    for eighths in _EIGHTHS:
        chosen = names[len(names) * eighths // 8 :]
        data = int8_graph.to_int8(model, set(chosen), inputs).SerializeToString()
        found = _with(graph, data, 1.0)
        saturation = min(_MOST, _chroma(original, some) / max(_chroma(found, some), 1e-6))
        found = _with(graph, data, saturation)
        if compare(original, found, some).passed:
            break
    gates = compare(original, found, held_out)
    data = _annotated(data, graph.model, saturation)
    if gates.passed or force:
        with replacing(dest, size=len(data)) as write:
            write(data)
    return Quantized(
        gates,
        gates.passed or force,
        (len(chosen), sum(node.op_type in int8_graph.CONVS for node in model.graph.node)),
        saturation,
        (len(graph.model), len(data)),
        tuple(pass_times([original.engine, found.engine], inputs[0]["source"])),  # type: ignore[arg-type]
    )


def _with(graph: Graph, model: bytes, saturation: float) -> Colorizer:
    """A colorizer of another model in the place of the graph's, with so many times its chroma."""
    header = dataclasses.replace(graph.header, saturation=graph.header.saturation * saturation)
    return Colorizer(OnnxEngine(dataclasses.replace(graph, model=model, header=header)), header)


def _chroma(model: Colorizer, photos: Sequence[np.ndarray]) -> float:
    """Mean chroma that the net predicts for photos, before it is fitted into sRGB."""
    return float(np.mean([np.hypot(*model.predict(rgb)).mean() for rgb in photos]))


def _annotated(data: bytes, original: bytes, saturation: float) -> bytes:
    """A model with the metadata of the original, but for the header's saturation."""
    said = metadata(original)
    header = json.loads(said["pix2pix"])
    header["saturation"] = round(header.get("saturation", 1.0) * saturation, 4)
    model = onnx.load_from_string(data)
    store_small(model)
    helper.set_model_props(model, {**said, "pix2pix": json.dumps(header, sort_keys=True)})
    return model.SerializeToString()
