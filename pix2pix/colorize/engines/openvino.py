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
from pix2pix.strips import cores


class OpenVinoEngine(Engine):
    """Runs a graph, in bf16 where the CPU has it: each call on one thread, as many as come at once.

    Compiling takes longer than many photos, so there is one form for all. Colors are off by a
    CIEDE2000 of about 0.5 on average; see docs/performance.md. Raises WeightsError when OpenVINO
    cannot read the graph.
    """

    kind = "openvino"
    device = "cpu"

    def __init__(self, graph: Graph):
        self.graph = graph
        self.multiple, self.chances = graph.multiple, graph.chances
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16() else "f32",
            "INFERENCE_NUM_THREADS": cores(),
            "NUM_STREAMS": cores(),  # of one thread each
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = _core().read_model(io.BytesIO(graph.model))
            self._compiled = _core().compile_model(model, "CPU", settings)
        except Exception as error:  # the library's own kinds
            raise WeightsError(f"OpenVINO cannot read it: {one_line(error)}", graph.path) from error
        check_outputs(graph, (output.any_name for output in self._compiled.outputs))
        self._here = threading.local()  # .request: of this thread

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run."""
        if not hasattr(self._here, "request"):
            self._here.request = self._compiled.create_infer_request()
        found = self._here.request.infer(self.inputs(source, chances))
        return {output.any_name: np.array(values) for output, values in found.items()}


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
