"""Batching: calls that wait for a GPU at the same time run as one.

A GPU takes little longer for eight small pictures than for one. Nobody waits for company: what has
come while the last batch ran is the next one.
"""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from pix2pix.colorize.engines.base import Engine, Outputs

_MOST = 16  # pictures of a batch


class BatchingEngine(Engine):
    """Runs another engine; calls of several threads with inputs of one size share a batch.

    Batches of another size may round differently, so that bits depend on what runs beside.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.kind, self.device = engine.kind, engine.device  # type: ignore[misc]
        self.multiple, self.chances = engine.multiple, engine.chances
        self.asides = engine.asides
        self._waiting: deque[tuple[np.ndarray, Future[Outputs]]] = deque()
        self._change = threading.Lock()  # of what waits
        self._turn = threading.Lock()  # of who runs the engine

    @property
    def net(self) -> Any:
        """The other engine's net, where it has one."""
        return self.engine.net  # type: ignore[attr-defined]

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """As Engine.run; variants, with chances of their own, run alone."""
        if chances is not None:
            with self._turn:
                return self.engine.run(source, chances)
        mine: Future[Outputs] = Future()
        with self._change:
            self._waiting.append((source, mine))
        with self._turn:  # whoever has the turn runs what waits longest, until its own is done
            while not mine.done():
                self._run_next()
        return mine.result()

    def _aside(self, name: str, source: np.ndarray) -> np.ndarray:
        """Alone."""
        with self._turn:
            return self.engine.aside(name, source)

    def _run_next(self) -> None:
        """Run the longest waiting call, and with it those of its size."""
        with self._change:
            size = self._waiting[0][0].shape[1:]
            batch = [call for call in self._waiting if call[0].shape[1:] == size][:_MOST]
            chosen = {id(call) for call in batch}
            self._waiting = deque(call for call in self._waiting if id(call) not in chosen)
        try:
            outputs = self.engine.run(np.concatenate([source for source, _ in batch]))
        except MemoryError as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            for source, future in batch if len(batch) > 1 else []:  # each may fit alone
                try:
                    future.set_result(self.engine.run(source))
                except Exception as alone:
                    future.set_exception(alone)
            return
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        start = 0
        for source, future in batch:
            stop = start + len(source)
            future.set_result({name: values[start:stop] for name, values in outputs.items()})
            start = stop
