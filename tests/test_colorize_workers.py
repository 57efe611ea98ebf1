"""Workers: how many run and wait, who is refused, and what cancel, deadline and close do."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch
from serving import tiny_colorizer

from pix2pix.colorize import workers
from pix2pix.colorize.workers import Busy, Canceled, Late, Workers
from pix2pix.errors import Corrupt, PhotoError

_PATIENCE = 30  # [s]


class Gate:
    """A job that says when it runs, and then waits to be let through."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, colorizer: object) -> str:
        self.entered.set()
        assert self.open.wait(_PATIENCE)
        workers.check()
        return "through"


@pytest.fixture
def one() -> Iterator[Workers]:
    """One worker, two places to wait."""
    with Workers(tiny_colorizer(), count=1, waiting=2) as found:
        yield found


@pytest.fixture
def gate(one: Workers) -> Iterator[Gate]:
    """What the worker is at."""
    gate = Gate()
    one.submit(gate)
    assert gate.entered.wait(_PATIENCE)
    yield gate
    gate.open.set()


def test_a_job_gets_a_colorizer_and_its_result_comes_back(one: Workers) -> None:
    rgb = np.full((20, 30, 3), 90, np.uint8)
    colored = one.submit(lambda colorizer: colorizer.rgb(rgb)).result(_PATIENCE)
    assert (colored == tiny_colorizer().rgb(rgb)).all()


def test_an_error_is_the_futures_and_the_worker_goes_on(one: Workers) -> None:
    def fail(colorizer: object) -> None:
        raise Corrupt("broken")

    with pytest.raises(Corrupt, match="broken"):
        one.submit(fail).result(_PATIENCE)
    with pytest.raises(SystemExit):
        one.submit(lambda colorizer: exit()).result(_PATIENCE)
    assert one.submit(lambda colorizer: 5).result(_PATIENCE) == 5


def test_beyond_the_queue_it_is_busy(one: Workers, gate: Gate) -> None:
    assert not one.full
    waiting = [one.submit(lambda colorizer: "done") for _ in range(2)]
    assert one.full and (one.running, one.queued) == (1, 2)
    with pytest.raises(Busy) as refused:
        one.submit(lambda colorizer: "done")
    assert refused.value.retry_after >= 1
    gate.open.set()
    assert [future.result(_PATIENCE) for future in waiting] == ["done", "done"]
    assert one.submit(lambda colorizer: "again").result(_PATIENCE) == "again"


def test_as_many_run_at_once_as_there_are_workers() -> None:
    with Workers(tiny_colorizer(), count=3, waiting=0) as three:
        together = threading.Barrier(4)  # with this thread
        futures = [three.submit(lambda colorizer: together.wait(_PATIENCE)) for _ in range(3)]
        with pytest.raises(Busy):
            three.submit(lambda colorizer: None)
        together.wait(_PATIENCE)
        assert sorted([*(f.result(_PATIENCE) for f in futures)])[0] >= 0


def test_workers_are_in_the_net_at_the_same_time_and_agree() -> None:
    colorizer, together = tiny_colorizer(), threading.Barrier(2)
    rgb = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    expected = colorizer.rgb(rgb)

    def meet(net: object, inputs: object) -> None:
        together.wait(_PATIENCE)

    colorizer.generator.register_forward_pre_hook(meet)

    def color(colorizer):
        return colorizer, colorizer.rgb(rgb), torch.get_num_threads()

    with Workers(colorizer, count=2) as two:
        (a, x, m), (b, y, n) = (f.result(_PATIENCE) for f in [two.submit(color), two.submit(color)])
    assert a is b is colorizer
    pairs = zip(a.generator.parameters(), a.engine.lively.parameters(), strict=True)
    assert all(p.data_ptr() == q.data_ptr() for p, q in pairs)
    assert (x == y).all() and (x == expected).all() and m == n == two.threads


def test_a_variant_is_that_of_its_seed_whatever_runs_beside_it() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    expected = [tiny_colorizer().rgb(rgb, seed=seed) for seed in range(4)]
    assert len({variant.tobytes() for variant in expected}) == 4
    colorizer = tiny_colorizer()
    colorizer.engine.lively.register_forward_pre_hook(lambda *_: time.sleep(0.05))
    with Workers(colorizer, count=4) as four:
        futures = [four.submit(lambda c, seed=seed: c.rgb(rgb, seed=seed)) for seed in range(4)]
        variants = [future.result(_PATIENCE) for future in futures]
    assert all((x == y).all() for x, y in zip(variants, expected, strict=True))


def test_a_canceled_job_leaves_the_queue_at_once(one: Workers, gate: Gate) -> None:
    ran = []
    future = one.submit(ran.append)
    assert one.queued == 1
    assert future.cancel()
    assert one.queued == 0
    gate.open.set()
    one.close()
    assert not ran
    with pytest.raises(CancelledError):
        future.result(0)


def test_a_running_job_that_is_canceled_stops_at_its_next_check(one: Workers) -> None:
    gate = Gate()
    future = one.submit(gate)
    assert gate.entered.wait(_PATIENCE)
    assert not future.cancel()
    gate.open.set()
    with pytest.raises(Canceled):
        future.result(_PATIENCE)


def test_a_job_that_waited_past_its_deadline_never_runs(one: Workers, gate: Gate) -> None:
    ran = []
    future = one.submit(ran.append, deadline=0.01)
    time.sleep(0.02)
    gate.open.set()
    with pytest.raises(Late) as late:
        future.result(_PATIENCE)
    assert not late.value.started and not ran
    assert isinstance(late.value, PhotoError) and late.value.code == "timeout"


@pytest.mark.slow
def test_a_running_job_stops_past_its_deadline(one: Workers) -> None:
    gate = Gate()
    future = one.submit(gate, deadline=1)
    assert gate.entered.wait(_PATIENCE)
    time.sleep(1.05)
    gate.open.set()
    with pytest.raises(Late) as late:
        future.result(_PATIENCE)
    assert late.value.started


def test_a_queue_too_slow_for_the_deadline_is_full() -> None:
    with Workers(tiny_colorizer(), count=1, waiting=30) as slow:
        slow.submit(lambda colorizer: time.sleep(0.1)).result(_PATIENCE)  # what a job takes
        gate = Gate()
        slow.submit(gate)
        assert gate.entered.wait(_PATIENCE)
        waiting = [slow.submit(lambda colorizer: None) for _ in range(6)]
        with pytest.raises(Busy):
            slow.submit(lambda colorizer: None, deadline=1)
        waiting.append(slow.submit(lambda colorizer: None, deadline=600))
        gate.open.set()
        assert [future.result(_PATIENCE) for future in waiting] == [None] * 7


def test_close_finishes_what_runs_and_waits_and_takes_no_more(one: Workers, gate: Gate) -> None:
    future = one.submit(lambda colorizer: "done")
    closing = threading.Thread(target=one.close)
    closing.start()
    while True:
        try:
            one.submit(lambda colorizer: None).cancel()
        except RuntimeError:
            break
    assert not future.done()
    gate.open.set()
    closing.join(_PATIENCE)
    assert future.result(0) == "done"


def test_check_means_nothing_elsewhere() -> None:
    with Workers(tiny_colorizer(), count=1) as pool:
        future = pool.submit(lambda _: time.sleep(0.01) or workers.check(), deadline=0.001)
        workers.check()  # this thread is at no job, however late the worker's is
        with pytest.raises(Late):
            future.result(5)


@pytest.mark.parametrize("wrong", [{"count": -1}, {"waiting": -1}])
def test_wrong_numbers_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="-1"):
        Workers(tiny_colorizer(), **wrong)
