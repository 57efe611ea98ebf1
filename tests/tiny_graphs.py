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
    free = ["batch", 1, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["source", "weights"], ["answer"])],
        "tiny",
        [helper.make_tensor_value_info("source", TensorProto.FLOAT, free)],
        [
            helper.make_tensor_value_info(
                "answer", TensorProto.FLOAT, ["batch", 2, "height", "width"]
            )
        ],
        [weights],
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
    return path
