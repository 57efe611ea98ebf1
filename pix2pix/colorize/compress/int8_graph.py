"""The graph of a net in 8 bits: what it needs before ONNX Runtime quantizes it."""

import tempfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

CONVS = ("Conv", "ConvTranspose")
_ACTIVATIONS = ("Relu", "Clip")  # that become part of the convolution before them
_FEW = 4  # channels: those of L or hints

Inputs = Mapping[str, np.ndarray]
"""Arrays of a pass by the names of the graph's inputs."""


def open_session(
    model: onnx.ModelProto, written: str | None = None
) -> onnxruntime.InferenceSession:
    """Open a graph on one thread; the graph with what is constant computed goes to a file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3  # errors alone
    if written is not None:
        options.optimized_model_filepath = written
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put weights into float32 and BatchNorm into the convolutions before it, sums included."""
    model = _norms_before_sums(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        open_session(model, str(path))
        return onnx.shape_inference.infer_shapes(onnx.load(path))


def _norms_before_sums(model: onnx.ModelProto) -> onnx.ModelProto:
    """BatchNorm(a + b) = BatchNorm(a) + scale * b, which folds into the convolutions a and b."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers = [name for node in graph.node for name in node.input]
    nodes: list[NodeProto] = []
    for node in graph.node:
        added = makers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        terms = [makers.get(name) for name in added.input] if added is not None else []
        if (
            added is None
            or added.op_type != "Add"
            or readers.count(added.output[0]) > 1
            or not all(term is not None and term.op_type in CONVS for term in terms)
        ):
            nodes.append(node)
            continue
        nodes.remove(added)
        nodes += _norms_of(node, added, zero=_zero(graph, node))
    _set_nodes(model, nodes)
    return model


def _set_nodes(model: onnx.ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Replace the nodes, and drop the weights that none of them reads."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    read = {name for node in copies for name in node.input}
    unread = [tensor for tensor in model.graph.initializer if tensor.name not in read]
    for tensor in unread:
        model.graph.initializer.remove(tensor)


def _norms_of(norm: NodeProto, added: NodeProto, *, zero: str) -> list[NodeProto]:
    """A norm of each term, the second without shift and mean, and their sum."""
    _, scale, shift, mean, variance = norm.input
    parts = [f"{norm.output[0]}.{i}" for i in range(2)]
    nodes = []
    for part, term, rest in zip(parts, added.input, ((shift, mean), (zero, zero)), strict=True):
        one = NodeProto.FromString(norm.SerializeToString())
        one.name = one.output[0] = part
        one.input[:] = [term, scale, *rest, variance]
        nodes.append(one)
    return [*nodes, helper.make_node("Add", parts, [norm.output[0]], f"{norm.name}.sum")]


def _zero(graph: onnx.GraphProto, norm: NodeProto) -> str:
    """Add zeros of the shape of a norm's mean -> their name."""
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    mean = casts.get(norm.input[3], norm.input[3])
    like = next(tensor for tensor in graph.initializer if tensor.name == mean)
    zeros = numpy_helper.from_array(np.zeros(like.dims, np.float32), f"{norm.output[0]}.zero")
    graph.initializer.append(zeros)
    return zeros.name


def convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that may compute in 8 bits, in their order.

    The first and the last ones may not, which see L and hints or give colors: a step of theirs is
    one of the answer's. For transposed ones ONNX Runtime has no such code.
    """
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    followed: set[str] = set()  # tensors from which a convolution follows
    found = []
    for node in reversed(model.graph.node):
        inner = bool(followed.intersection(node.output))
        if inner and node.op_type == "Conv":
            channels = shapes[node.input[1]][1] * _groups(node)
            found += [node.name] if channels > _FEW else []
        if inner or node.op_type in CONVS:
            followed.update(node.input)
    return found[::-1]


def _groups(node: NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def equalize(model: onnx.ModelProto, names: Container[str], inputs: Sequence[Inputs]) -> None:
    """Even out the channels of skip connections, in place; the graph computes the same.

    All channels of a map share 8 bits: where the two sides that a skip connection joins differ in
    size, the small one would be lost. So before a convolution of both, each channel is divided by a
    factor by which its weights are multiplied, so that both become as large. Source: SmoothQuant,
    Xiao et al. 2022, https://arxiv.org/abs/2211.10438, equation 4 with alpha = 0.5.
    """
    joined = {n.output[0] for n in model.graph.node if n.op_type == "Concat"}
    chosen = [
        node
        for node in model.graph.node
        if node.name in names and node.input[0] in joined and _groups(node) == 1
    ]
    largest = _largest(model, {node.input[0] for node in chosen}, inputs)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    divisions: dict[str, NodeProto] = {}  # by the name of the convolution after it
    for node in chosen:
        weights, heights = numpy_helper.to_array(stored[node.input[1]]), largest[node.input[0]]
        of_weights = np.abs(weights).max((0, 2, 3))
        alive = (heights > 0) & (of_weights > 0)
        factor = np.ones(len(alive), np.float32)
        factor[alive] = np.sqrt(heights[alive] / of_weights[alive])
        name, shaped = f"{node.name}.equal", factor.reshape(1, -1, 1, 1)
        for values, tensor in ((1 / shaped, name), (weights * shaped, f"{name}.weight")):
            model.graph.initializer.append(numpy_helper.from_array(values, tensor))
        divisions[node.name] = helper.make_node("Mul", [node.input[0], name], [f"{name}.x"], name)
        node.input[0], node.input[1] = f"{name}.x", f"{name}.weight"
    parts = [part for node in model.graph.node for part in (divisions.get(node.name), node)]
    _set_nodes(model, [part for part in parts if part is not None])


def _largest(
    model: onnx.ModelProto, names: Iterable[str], inputs: Sequence[Inputs]
) -> dict[str, np.ndarray]:
    """The largest absolute value of each channel of some maps (B, C, h, w): (C,) by name."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    names = sorted(names)
    if not names:
        return {}
    for name in names:
        watched.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = open_session(watched)
    largest: dict[str, np.ndarray] = {}
    for values in inputs:
        for name, found in zip(names, session.run(names, values), strict=True):
            height = np.abs(found).max((0, 2, 3))
            largest[name] = np.maximum(height, largest.get(name, 0))
    return largest


class _Reader(CalibrationDataReader):
    def __init__(self, inputs: Iterable[Inputs]):
        self._left = iter(inputs)

    def get_next(self) -> Inputs | None:
        return next(self._left, None)


def to_int8(
    model: onnx.ModelProto, names: Container[str], inputs: Sequence[Inputs]
) -> onnx.ModelProto:
    """Quantize the convolutions `names`: weights per channel, maps by their range on `inputs`."""
    makers = {name: node for node in model.graph.node for name in node.output}
    chosen = [node.name for node in model.graph.node if node.name in names]
    for node in model.graph.node:
        before = makers.get(node.input[0]) if node.op_type in _ACTIVATIONS else None
        if before is not None and before.name in names:
            chosen.append(node.name)
    model = onnx.shape_inference.infer_shapes(model)
    add_pre_process_metadata(model)  # else it advises to fold, which is done
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Reader(inputs),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv", *_ACTIVATIONS],
            nodes_to_quantize=chosen,
        )
        return onnx.load(path)
