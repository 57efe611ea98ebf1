"""Small .onnx files of our kind, made by hand: a gain for L, that says what it is."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pix2pix.weights import Header


def write_graph(path: Path, gain: float = 0.5, *, metadata: dict | None = None, **header) -> Path:
    """Write a net whose a is L times `gain`, and whose b is minus that."""
    weights = numpy_helper.from_array(
        np.array([gain, -gain], np.float32).reshape(1, 2, 1, 1), "weights"
    )
    _write(
        path,
        [helper.make_node("Mul", ["source", "weights"], ["answer"])],
        [weights],
        metadata,
        header,
    )
    return path


def write_convolutions(path: Path, count: int = 10, **header) -> Path:
    """Write a net of 3x3 convolutions whose tensors are called aaa0, aaa1 ..."""
    rng = np.random.default_rng(0)
    nodes, tensors, name = [], [], "source"
    for i in range(count):
        channels = 1 if i == 0 else 4, 2 if i == count - 1 else 4
        values = rng.normal(0, 0.3, (channels[1], channels[0], 3, 3)).astype(np.float32)
        tensors.append(numpy_helper.from_array(values, f"w{i}"))
        after = "answer" if i == count - 1 else f"aaa{i}"
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [after], pads=[1, 1, 1, 1]))
        name = after
    _write(path, nodes, tensors, None, header)
    return path


def _write(path: Path, nodes: list, tensors: list, metadata: dict | None, header: dict) -> None:
    free = ["batch", 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("source", TensorProto.FLOAT, free)],
        [
            helper.make_tensor_value_info(
                "answer", TensorProto.FLOAT, ["batch", 2, "height", "width"]
            )
        ],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    whole = Header(generator={}, **({"name": "tiny", "area": 64 * 64} | header))
    said = {
        "pix2pix": json.dumps(dataclasses.asdict(whole)),
        "chances": "[]",
        "multiple": "16",
        "weights_sha256": "",
    }
    helper.set_model_props(model, said | (metadata or {}))
    onnx.save(model, path)
