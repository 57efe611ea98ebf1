"""Strips of a picture, and threads that compute on one core each.

Libraries' own threads meet after every operation: a strip, or a small photo, is too little for
that, and on a busy machine it took up to 100 times as long.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Strip = tuple[slice, slice]
"""Rows and columns of a picture."""

_mine = threading.local()


def share() -> int:
    """How many threads the calling thread may use, itself included.

    What it was given by `set_share`; else OMP_NUM_THREADS, as for other libraries; else all cores.
    """
    return own_share() or cores()


def own_share() -> int | None:
    """The threads that the calling thread was given by `set_share`, or None."""
    return getattr(_mine, "share", None)


def cores() -> int:
    """How many threads all of this process may use: OMP_NUM_THREADS, or as many as its cores."""
    return _by_environment() or _cores()


def set_share(threads: int) -> None:
    """Give the calling thread, one of several workers, so many threads. Raises ValueError below 1.

    Threads that it starts begin with the whole machine again, but for those of `thread_pool`.
    """
    if threads < 1:
        raise ValueError(f"a share of {threads} threads: at least 1 is needed")
    _mine.share = threads


@contextmanager
def sharing(threads: int) -> Iterator[None]:
    """Within, the calling thread may use so many threads."""
    before = own_share()
    set_share(threads)
    try:
        yield
    finally:
        _mine.share = before


def _by_environment() -> int:
    """OMP_NUM_THREADS, whose first number is that of the outermost level; 0 where it has none."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() else 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: those that the process may run on
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
def thread_pool(begin: Callable[[], Any] | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool of `share` threads, each of which has a share of one; each calls `begin` first."""

    def start() -> None:
        set_share(1)
        if begin:
            begin()

    with ThreadPoolExecutor(share(), initializer=start) as pool:
        yield pool


def parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Call `work` on every item, such as a strip, on a `thread_pool`; or here, if it is of one."""
    if share() == 1:
        for item in items:
            work(item)
        return
    with thread_pool() as pool:
        for _ in pool.map(work, items):
            pass
