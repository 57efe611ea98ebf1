"""Strips of a picture, threads that compute on one core each, and how many a caller may use.

A library's own threads meet after every operation: a strip, or a small photo, is too little for
that, and on a busy machine it took up to 100 times as long.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Strip = tuple[slice, slice]
"""Rows and columns of a picture."""

_here = threading.local()  # .share: of the cores, where it is set


def strips(height: int, width: int, *, pixels: int = 2**16) -> Iterator[Strip]:
    """Cut a picture into strips of at most `pixels` pixels: whole rows, or parts of a long row.

    Yields (rows, columns). Float Lab takes four times the memory of 8-bit RGB, and converting it
    three times that: strip by strip it stays small, and in the processor's cache.
    """
    rows = max(1, pixels // width)
    for top in range(0, height, rows):
        for left in range(0, width, pixels):
            yield slice(top, min(top + rows, height)), slice(left, min(left + pixels, width))


def cores() -> int:
    """How many cores this process may use; OMP_NUM_THREADS, where it is set, limits them."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(found, int(limit))) if limit.isdecimal() else found


def share() -> int:
    """How many threads the calling thread may use: its share of the cores, all by default."""
    return own_share() or cores()


def own_share() -> int | None:
    """The calling thread's share, where it was given one."""
    return getattr(_here, "share", None)


def set_share(threads: int | None) -> None:
    """Give the calling thread a share of the cores, or None for all of them."""
    _here.share = threads


@contextmanager
def sharing(threads: int) -> Iterator[None]:
    """Within, the calling thread has this share of the cores."""
    before = own_share()
    set_share(threads)
    try:
        yield
    finally:
        set_share(before)


@contextmanager
def thread_pool() -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as the caller may use, each of which computes on one core."""
    with ThreadPoolExecutor(share(), initializer=set_share, initargs=(1,)) as pool:
        yield pool


def parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call `work` on every item, such as a strip, on as many threads as the caller may use."""
    if share() == 1:
        for item in items:
            work(item)
        return
    with thread_pool() as pool:
        for _ in pool.map(work, items):
            pass
