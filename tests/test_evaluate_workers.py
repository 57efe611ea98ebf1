"""Work on threads of one core each, in order."""

import itertools
import threading
import time

import pytest
import torch

from pix2pix.evaluate.workers import in_order
from pix2pix.strips import sharing


@pytest.fixture(autouse=True)
def two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    with sharing(2):
        yield
    torch.set_num_threads(threads)


def test_results_are_in_order_and_each_is_made_by_one_core():
    meeting = threading.Barrier(2, timeout=10)  # broken unless two work at once

    def work(i):
        meeting.wait()
        time.sleep(0.02 * (i % 2 == 0))
        return i, torch.get_num_threads()

    assert list(in_order(work, range(6))) == [(i, 1) for i in range(6)]
    assert torch.get_num_threads() == 2


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for i in itertools.count():
            taken.append(i)
            yield i

    found = in_order(lambda i: -i, items())
    assert [next(found) for _ in range(3)] == [0, -1, -2]
    found.close()
    assert len(taken) < 10


def test_an_error_is_raised_and_the_threads_are_given_back():
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda i: 1 / i, [1, 0, 2]))
    assert torch.get_num_threads() == 2
