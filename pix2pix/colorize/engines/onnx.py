"""ONNX Runtime: nets as graphs, on CPUs, without torch."""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.engines.graph import ASIDES, Graph, check_outputs, run_error
from pix2pix.errors import WeightsError, one_line

_ERRORS_ONLY = 3


class OnnxEngine(Engine):
    """Runs a graph: each call on one thread, as many as come at once.

    On two threads a call takes three quarters of the time: the second has better to do, such as
    another photo. Raises WeightsError when ONNX Runtime cannot read the graph.
    """

    kind = "onnx"
    device = "cpu"

    def __init__(self, graph: Graph):
        self.path = graph.path
        self.multiple, self.chances = graph.multiple, graph.chances
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.enable_mem_pattern = False  # else it holds a plan's memory for each size of photo
        try:
            self._session = onnxruntime.InferenceSession(
                graph.model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's own kinds, one for each of its states
            raise WeightsError(f"not an ONNX file: {one_line(error)}", graph.path) from error
        names = [output.name for output in self._session.get_outputs()]
        self._outputs = [name for name in names if name not in ASIDES]
        self.asides = [name for name in names if name in ASIDES]
        check_outputs(graph, names)

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run."""
        return dict(zip(self._outputs, self._run(self._outputs, source, chances), strict=True))

    def _aside(self, name: str, source: np.ndarray) -> np.ndarray:
        return self._run([name], source)[0]

    def _run(
        self, names: list[str], source: np.ndarray, chances: Sequence[np.ndarray] | None = None
    ) -> list[np.ndarray]:
        try:
            return self._session.run(names, self.inputs(source, chances))
        except Exception as error:
            raise run_error(error, self.path) from error
