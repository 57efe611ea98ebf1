"""Strips cover a picture once; threads have the share of the machine that they were given."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pix2pix.strips import parallel, set_share, share, strips, thread_pool


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (37, 53), (100, 100)])
@pytest.mark.parametrize("pixels", [1, 64, 100, 10**6])
def test_strips_cover_every_pixel_once(size, pixels):
    seen = np.zeros(size, int)
    for strip in strips(*size, pixels=pixels):
        assert 0 < seen[strip].size <= pixels
        seen[strip] += 1
    assert (seen == 1).all()


def elsewhere(work, *arguments):
    """Call in a thread of its own, whose share is nobody else's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *arguments).result()


@pytest.mark.parametrize(("variable", "threads"), [("3", 3), ("5,2", 5), (" 4 ", 4)])
def test_the_environment_says_how_many_threads(variable, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert elsewhere(share) == threads


@pytest.mark.parametrize("variable", ["", "0", "-2", "many", "²"])
def test_without_a_number_it_is_all_cores(variable, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert elsewhere(share) == cores


def test_a_share_is_its_threads_own(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")

    def worker(threads):
        set_share(threads)
        return share(), elsewhere(share)

    assert [elsewhere(worker, threads) for threads in (1, 2, 9)] == [(1, 7), (2, 7), (9, 7)]
    with pytest.raises(ValueError, match="at least 1"):
        set_share(0)


@pytest.mark.parametrize("threads", [1, 2])
def test_parallel_takes_its_share_and_gives_its_workers_one(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen, inside, workers = [], set(), set()
    together = threading.Barrier(threads)

    def work(item):
        if item < threads:
            together.wait(10)  # none could pass it alone
        inside.add(share())
        workers.add(threading.get_ident())
        seen.append(item)

    def run():
        set_share(threads)
        parallel(work, range(50))
        return share()

    assert elsewhere(run) == threads
    assert sorted(seen) == list(range(50)) and inside == {1} and len(workers) == threads


def test_threads_of_a_pool_begin_as_told():
    begun = []

    def pool():
        set_share(2)
        with thread_pool(lambda: begun.append(share())) as pool:
            return list(pool.map(abs, range(-20, 0)))

    assert elsewhere(pool) == list(range(20, 0, -1))
    assert begun and set(begun) == {1}


@pytest.mark.parametrize("threads", [1, 2])
def test_parallel_passes_errors_on(threads):
    def fail(item):
        raise ZeroDivisionError

    def run():
        set_share(threads)
        parallel(fail, range(50))

    with pytest.raises(ZeroDivisionError):
        elsewhere(run)
