"""OpenVINO: nets as graphs, on CPUs that compute in bf16 at twice the speed."""

import io
import sys
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np
import openvino

from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.engines.graph import Graph, check_outputs
from pix2pix.errors import WeightsError, one_line
from pix2pix.strips import cores, share


class OpenVinoEngine(Engine):
    """Runs a graph, in bf16 where the CPU has it, compiled for each number of threads asked for.

    Colors are then off by a CIEDE2000 of 0.5 on average; see docs/performance.md. Raises
    WeightsError when OpenVINO cannot read the graph.
    """

    kind = "openvino"
    device = "cpu"

    def __init__(self, graph: Graph):
        self.graph = graph
        self.multiple, self.chances = graph.multiple, graph.chances
        self._making = threading.Lock()
        self._compiled: dict[int, openvino.CompiledModel] = {}
        self._here = threading.local()  # .requests: of this thread, by its number of threads
        try:
            self._model = _core().read_model(io.BytesIO(graph.model))
            self._request(share())
        except Exception as error:  # the library's own kinds
            raise WeightsError(f"OpenVINO cannot read it: {one_line(error)}", graph.path) from error
        check_outputs(graph, (output.any_name for output in self._model.outputs))

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run."""
        found = self._request(share()).infer(self.inputs(source, chances))
        return {output.any_name: np.array(values) for output, values in found.items()}

    def _request(self, threads: int) -> "openvino.InferRequest":
        requests = self._here.__dict__.setdefault("requests", {})
        if threads not in requests:
            with self._making:
                if threads not in self._compiled:
                    self._compiled[threads] = self._compile(threads)
            requests[threads] = self._compiled[threads].create_infer_request()
        return requests[threads]

    def _compile(self, threads: int) -> "openvino.CompiledModel":
        streams = max(1, cores() // threads)  # of calls at a time, by as many of our threads
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16() else "f32",
            "INFERENCE_NUM_THREADS": threads * streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        return _core().compile_model(self._model, "CPU", settings)


def has_bf16() -> bool:
    """Whether this CPU computes in bf16, by AVX-512 or AMX."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> "openvino.Core":
    return openvino.Core()


def _leave_streams_alone() -> None:
    """Keep absl, which OpenVINO imports, from closing what stood for stderr at that moment.

    Its logging handler holds on to that, and closes it when anybody configures logging, unless it
    is the process's own.
    """
    absl = sys.modules.get("absl.logging")
    if absl is not None:
        absl.get_absl_handler().python_handler.stream = sys.__stderr__


_leave_streams_alone()
