"""Batching: calls that come while the engine runs share its next run, and get their own answers."""

import threading
import time

import numpy as np

from pix2pix.colorize.engines.base import Engine
from pix2pix.colorize.engines.batching import BatchingEngine

_PATIENCE = 30  # [s]


class Slow(Engine):
    """Answers with twice its input, once it may; remembers the shapes that it was given."""

    kind, device, multiple, chances = "slow", "cpu", 1, ()

    def __init__(self) -> None:
        self.shapes, self.open, self.entered = [], threading.Event(), threading.Event()

    def run(self, source, chances=None):
        self.shapes.append((source.shape, chances is not None))
        self.entered.set()
        assert self.open.wait(_PATIENCE)
        if source.min() < 0:
            raise MemoryError("too dark")
        return {"answer": 2 * source}


def call(engine, value, size=(4, 4), chances=None):
    """Start a call -> a thread, and where its result or error will be."""
    found = []

    def run():
        try:
            found.append(engine.run(np.full((1, 1, *size), value, np.float32), chances))
        except (MemoryError, OSError) as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def together(*calls, engine=None):
    """Make calls while an earlier one runs -> their results, and the shapes of all runs."""
    slow = engine or Slow()
    engine = BatchingEngine(slow)
    started = [call(engine, 0.5)]
    assert slow.entered.wait(_PATIENCE)
    for arguments in calls:
        started.append(call(engine, *arguments))
        time.sleep(0.05)  # so that they wait in this order
    slow.open.set()
    for thread, _ in started:
        thread.join(_PATIENCE)
        assert not thread.is_alive()
    return [found[0] for _, found in started], slow.shapes


def test_calls_of_one_size_share_a_run_and_get_their_own_answers():
    results, shapes = together((1.0,), (2.0,), (3.0,))
    assert [float(result["answer"].mean()) for result in results] == [1, 2, 4, 6]
    assert all(result["answer"].shape == (1, 1, 4, 4) for result in results)
    assert shapes == [((1, 1, 4, 4), False), ((3, 1, 4, 4), False)]


def test_other_sizes_and_variants_run_alone_and_none_is_forgotten():
    results, shapes = together((1.0, (8, 4)), (2.0,), (3.0, (8, 4)), (4.0, (4, 4), []))
    assert [float(result["answer"].mean()) for result in results] == [1, 2, 4, 6, 8]
    assert sorted(shapes[1:]) == [
        ((1, 1, 4, 4), False),
        ((1, 1, 4, 4), True),
        ((2, 1, 8, 4), False),
    ]


def test_an_error_of_memory_is_only_whose_picture_does_not_fit():
    results, _ = together((-1.0,), (2.0,), (3.0, (8, 4)))
    assert [type(result) for result in results] == [dict, MemoryError, dict, dict]


def test_any_other_error_is_everybodys_whose_picture_was_in_the_batch():
    class Broken(Slow):
        def run(self, source, chances=None):
            answer = super().run(source, chances)
            if len(source) > 1:
                raise OSError("gone")
            return answer

    results, _ = together((1.0,), (2.0,), engine=Broken())
    assert [type(result) for result in results] == [dict, OSError, OSError]


def test_a_batch_too_large_for_the_memory_runs_one_by_one():
    class Small(Slow):
        def run(self, source, chances=None):
            if len(source) > 1:
                self.shapes.append((source.shape, False))
                raise MemoryError("two are too many")
            return super().run(source, chances)

    results, shapes = together((1.0,), (2.0,), engine=Small())
    assert [float(result["answer"].mean()) for result in results] == [1, 2, 4]
    assert [shape[0] for shape, _ in shapes] == [1, 2, 1, 1]


def test_it_passes_for_the_engine_itself():
    slow = Slow()
    slow.net = "a net"
    engine = BatchingEngine(slow)
    assert (engine.kind, engine.device, engine.multiple) == ("slow", "cpu", 1)
    assert engine.net == "a net"
