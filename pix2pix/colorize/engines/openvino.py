"""OpenVINO: nets as graphs, most of them in bf16 on CPUs that compute in it."""

import io
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np
import openvino

from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.engines.graph import ASIDES, Graph, check_outputs, run_error
from pix2pix.colorize.engines.openvino_halves import behind, halves
from pix2pix.errors import WeightsError, one_line
from pix2pix.strips import cores


class OpenVinoEngine(Engine):
    """Runs a graph: each call on one thread, as many as come at once.

    Where the CPU has bf16, all but the first convolutions are in it, and colors are off by a
    CIEDE2000 of about 0.13 on average (docs/performance.md). Raises WeightsError when OpenVINO
    cannot read the graph.
    """

    kind = "openvino"
    device = "cpu"

    def __init__(self, graph: Graph):
        self.graph = graph
        self.multiple, self.chances = graph.multiple, graph.chances
        try:
            model = _core().read_model(io.BytesIO(graph.model))
            names = [output.any_name for output in model.outputs]
            model = _with_outputs(model, {name for name in names if name not in ASIDES})
            exact, *rest = halves(model) if has_bf16() else [model]
            self._parts = [_compile(exact, "f32"), *(_compile(part, "bf16") for part in rest)]
        except Exception as error:  # the library's own kinds
            raise WeightsError(f"OpenVINO cannot read it: {one_line(error)}", graph.path) from error
        self.asides = [name for name in names if name in ASIDES]
        self._encoders: dict[str, openvino.CompiledModel] = {}
        self._first = threading.Lock()  # of those that ask for one
        check_outputs(graph, names)
        # of each thread: .requests, one for each part, and .asides, by their names
        self._here = threading.local()

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run."""
        if not hasattr(self._here, "requests"):
            self._here.requests = [part.create_infer_request() for part in self._parts]
        values = self.inputs(source, chances)
        for part, request in zip(self._parts, self._here.requests, strict=True):
            names = {name for given in part.inputs for name in given.names}
            try:
                found = request.infer({k: v for k, v in values.items() if k in names})
            except Exception as error:
                raise run_error(error, self.graph.path) from error
            values |= {name: array for output, array in found.items() for name in output.names}
        return {output.any_name: values[output.any_name] for output in self._parts[-1].outputs}

    def _aside(self, name: str, source: np.ndarray) -> np.ndarray:
        """In float32, by a model of what it takes alone: made when first asked.

        As one more output of the whole it would be computed, and in bf16, for every photo.
        """
        requests = self._here.__dict__.setdefault("asides", {})
        if name not in requests:
            requests[name] = self._encoder(name).create_infer_request()
        try:
            found = requests[name].infer({"source": self.inputs(source, None)["source"]})
        except Exception as error:
            raise run_error(error, self.graph.path) from error
        values: np.ndarray = found[name]
        return values.copy()  # else it is the request's own memory

    def _encoder(self, name: str) -> "openvino.CompiledModel":
        with self._first:
            if name not in self._encoders:
                model = _core().read_model(io.BytesIO(self.graph.model))
                self._encoders[name] = _compile(_with_outputs(model, {name}), "f32")
            return self._encoders[name]


def _with_outputs(model: "openvino.Model", names: set[str]) -> "openvino.Model":
    """The part of a model that some of its outputs need, by their names."""
    results = [result for result in model.get_results() if _names(result) & names]
    if len(results) == len(model.get_results()):
        return model
    used = set[str]().union(*map(behind, results))
    inputs = [p for p in model.get_parameters() if p.get_friendly_name() in used]
    return openvino.Model(results, inputs, "part")


def _names(result: "openvino.Node") -> set[str]:
    names: set[str] = result.output(0).get_tensor().get_names()
    return names


def _compile(model: "openvino.Model", precision: str) -> "openvino.CompiledModel":
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": cores(),
        "NUM_STREAMS": cores(),  # of one thread each
        "ENABLE_CPU_PINNING": False,
    }
    return _core().compile_model(model, "CPU", settings)


def has_bf16() -> bool:
    """Whether this CPU computes in bf16, by AVX-512 or AMX."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> "openvino.Core":
    return openvino.Core()
