"""ONNX Runtime: nets as graphs, on CPUs, without torch."""

import threading
from collections.abc import Sequence

import numpy as np
import onnxruntime

from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.engines.graph import Graph, check_outputs
from pix2pix.errors import WeightsError, one_line
from pix2pix.strips import share

_ERRORS_ONLY = 3


class OnnxEngine(Engine):
    """Runs a graph, in a session for every number of threads that is asked for.

    Raises WeightsError when ONNX Runtime cannot read it.
    """

    kind = "onnx"
    device = "cpu"

    def __init__(self, graph: Graph):
        self.graph = graph
        self.multiple, self.chances = graph.multiple, graph.chances
        self._making = threading.Lock()
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}
        try:
            session = self._session(share())
        except Exception as error:  # the library's own kinds, one for each of its states
            raise WeightsError(f"not an ONNX file: {one_line(error)}", graph.path) from error
        check_outputs(graph, (output.name for output in session.get_outputs()))

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run."""
        session = self._session(share())
        names = [output.name for output in session.get_outputs()]
        answers = session.run(names, self.inputs(source, chances))
        return dict(zip(names, answers, strict=True))

    def _session(self, threads: int) -> "onnxruntime.InferenceSession":
        with self._making:
            if threads not in self._sessions:
                self._sessions[threads] = _open(self.graph.model, threads)
            return self._sessions[threads]


def _open(model: bytes, threads: int) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _ERRORS_ONLY
    # threads that wait in a loop would take the cores of those that decode and encode
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
