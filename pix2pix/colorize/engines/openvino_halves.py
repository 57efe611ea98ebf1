"""A graph in two: its first convolutions, to be computed in float32, and the rest, in bf16.

Rounding at the start of a net shifts the colors of whole photos: with the first eighth of the
convolutions in float32, two thirds of the error are gone, for a sixth more time.
"""

import sys

import openvino
from openvino import opset13

_SHARE = 8  # one of so many convolutions is among the first
_CONVOLUTIONS = ("Convolution", "GroupConvolution")


def halves(model: "openvino.Model") -> "list[openvino.Model]":
    """Split a model behind its first convolutions -> two models; the given one is used up.

    A model without convolutions comes back alone.

    The inputs of the second are those of the whole, by their names, and `cut0`, `cut1` ...: what
    the first gives under these names.
    """
    nodes = model.get_ordered_ops()
    convolutions = [node for node in nodes if node.get_type_name() in _CONVOLUTIONS]
    if not convolutions:
        return [model]
    first = behind(convolutions[len(convolutions) // _SHARE])
    cuts = []
    for node in nodes:
        if _name(node) in first and not _is_constant(node) and node.get_type_name() != "Parameter":
            for output in node.outputs():
                targets = [
                    t for t in output.get_target_inputs() if _name(t.get_node()) not in first
                ]
                if targets:
                    cuts.append((output, targets))
    for i, (output, _) in enumerate(cuts):
        output.get_tensor().add_names({f"cut{i}"})
    results = [opset13.result(output) for output, _ in cuts]
    start = openvino.Model(results, model.get_parameters(), "start").clone()
    inputs = model.get_parameters()
    for i, (output, targets) in enumerate(cuts):
        given = opset13.parameter(output.get_partial_shape(), output.get_element_type())
        given.output(0).get_tensor().set_names({f"cut{i}"})
        inputs.append(given)
        for target in targets:
            target.replace_source_output(given.output(0))
    return [start, openvino.Model(model.get_results(), inputs, "rest")]


def behind(node: "openvino.Node") -> set[str]:
    """The names of a node and of all that it depends on."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if _name(here) not in found:
            found.add(_name(here))
            waiting += [i.get_source_output().get_node() for i in here.inputs()]
    return found


def _is_constant(node: "openvino.Node") -> bool:
    """Whether a node is a constant, or one of another type."""
    inputs = [i.get_source_output().get_node() for i in node.inputs()]
    return node.get_type_name() != "Parameter" and all(map(_is_constant, inputs))


def _name(node: "openvino.Node") -> str:
    return node.get_friendly_name()


def _leave_streams_alone() -> None:
    """Keep absl, which OpenVINO imports, from closing what stood for stderr at that moment.

    Its logging handler holds on to that, and closes it when anybody configures logging, unless it
    is the process's own.
    """
    absl = sys.modules.get("absl.logging")
    if absl is not None:
        absl.get_absl_handler().python_handler.stream = sys.__stderr__


_leave_streams_alone()
