"""The ONNX graph of a net: exported, its weights stored small, its inputs and outputs named."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch
from onnx import helper, numpy_helper
from onnx_ir.passes import common as passes
from onnxscript.optimizer import fold_constants

from pix2pix.colorize.engines.chance import Chance
from pix2pix.colorize.engines.torch import Graph

OPSET = 18
_SMALL = 256  # values of a tensor that is not worth a node of its own


def build_onnx(
    graph: Graph, chances: Sequence[Chance], *, in_channels: int, multiple: int
) -> onnx.ModelProto:
    """Export one pass of a net as an ONNX model of opset 18, weights in it.

    Input `source`, float32 (batch, in_channels, height, width), and `chance0`, `chance1` ... of the
    layers of chance; outputs those of `graph`. Batch, height and width are free; height and width
    have to be multiples of `multiple`. Raises torch's OnnxExporterError for a net that depends on
    its data.
    """
    height, width = 2 * multiple, 3 * multiple  # none of them 1: that would be taken for constant
    source = torch.zeros(2, in_channels, height, width)
    values = [torch.zeros(chance.shape(height, width, 2)) for chance in chances]
    # multiples say so: else the sizes of an odd pooling and of its skip would not be known as equal
    batch, *units = (torch.export.Dim(name) for name in ("batch", "rows", "columns"))

    def free(divisor: int) -> dict[int, Any]:
        factor = multiple // divisor
        return {0: batch} | {i: factor * n if factor > 1 else n for i, n in enumerate(units, 2)}

    sizes: dict[str, Any] = {"source": free(1)}
    if chances:
        sizes["chances"] = tuple(
            free(chance.divisor) if chance.kind == "dropout" else {0: batch} for chance in chances
        )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of libraries about each other
        program = torch.onnx.export(
            graph.cpu(),
            (source, *values),
            input_names=["source", *(f"chance{i}" for i in range(len(chances)))],
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=sizes,
            optimize=False,  # it would melt BatchNorm into weights, whatever float16 holds of them
            verbose=False,
        )
    assert program is not None
    _simplify(program.model)
    model = program.model_proto
    _clean(model)
    _name_sizes(model, chances)
    store_small(model)
    return model


def annotate(model: onnx.ModelProto, notes: Mapping[str, str]) -> None:
    """Write metadata into the model, by key."""
    helper.set_model_props(model, dict(notes))


def _simplify(model: ir.Model) -> None:
    """Compute what is constant in the graph's sizes and shapes; weights stay as they are."""
    passes.InlinePass()(model)
    fold_constants(model, input_size_limit=64, output_size_limit=64)
    for tidy in (
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    ):
        tidy(model)


def _clean(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes: paths and lines of source, and sizes that any reader infers."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    for parts in (graph.node, graph.initializer, graph.input, graph.output):
        for part in parts:
            part.doc_string = ""
            del part.metadata_props[:]
    for holder in (model, graph):
        del holder.metadata_props[:]
    del graph.value_info[:]


def _name_sizes(model: onnx.ModelProto, chances: Sequence[Chance]) -> None:
    """Name the free sizes of inputs and outputs: batch, height, width, or a part of these."""
    divisors = {"logits": 4, "features": 8} | {
        f"chance{i}": chance.divisor for i, chance in enumerate(chances)
    }
    for value in (*model.graph.input, *model.graph.output):
        divisor = divisors.get(value.name, 1)
        part = f"/{divisor}" if divisor > 1 else ""
        sizes = value.type.tensor_type.shape.dim
        for size, name in zip(sizes, ("batch", "", f"height{part}", f"width{part}"), strict=True):
            if name and not size.dim_value:
                size.dim_param = name


def store_small(model: onnx.ModelProto) -> None:
    """Store weights that float16 holds exactly as float16, each with a Cast to float32."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            small = values.astype(np.float16)
        if values.size < _SMALL or not np.array_equal(small, values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(small, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
