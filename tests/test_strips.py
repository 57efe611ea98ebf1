"""Strips cover a picture once; threads compute on one core each."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pix2pix.strips import parallel, strips


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (37, 53), (100, 100)])
@pytest.mark.parametrize("pixels", [1, 64, 100, 10**6])
def test_strips_cover_every_pixel_once(size, pixels):
    seen = np.zeros(size, int)
    for strip in strips(*size, pixels=pixels):
        assert 0 < seen[strip].size <= pixels
        seen[strip] += 1
    assert (seen == 1).all()


@pytest.fixture
def two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


def threads_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


def test_parallel_computes_on_one_core_each_and_leaves_torch_its_threads(two_threads):
    seen, inside = [], []

    def work(item):
        inside.append(torch.get_num_threads())
        seen.append(item)

    parallel(work, range(50))
    assert sorted(seen) == list(range(50)) and set(inside) == {1}
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def test_parallel_passes_errors_on(two_threads):
    def fail(item):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parallel(fail, range(50))
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2
