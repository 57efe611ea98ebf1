"""Strips of a picture, and threads that compute on one core each.

Torch's own threads meet after every operation: a strip, or a small photo, is too little for that,
and on a busy machine it took up to 100 times as long.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Strip = tuple[slice, slice]
"""Rows and columns of a picture."""


def strips(height: int, width: int, *, pixels: int = 2**16) -> Iterator[Strip]:
    """Cut a picture into strips of at most `pixels` pixels: whole rows, or parts of a long row.

    Yields (rows, columns). Float Lab takes four times the memory of 8-bit RGB, and converting it
    three times that: strip by strip it stays small, and in the processor's cache.
    """
    rows = max(1, pixels // width)
    for top in range(0, height, rows):
        for left in range(0, width, pixels):
            yield slice(top, min(top + rows, height)), slice(left, min(left + pixels, width))


@contextmanager
def thread_pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as torch uses, each of which computes on one core."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # the workers' 1 would be the next new thread's too


def parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call `work` on every item, such as a strip, on a `thread_pool`."""
    with thread_pool() as pool:
        for _ in pool.map(work, items):
            pass
