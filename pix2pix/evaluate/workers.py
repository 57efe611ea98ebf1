"""Workers: photos, or sets of them, measured side by side, each on one core."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

import torch

from pix2pix.strips import thread_pool

Item = TypeVar("Item")
Found = TypeVar("Found")


def in_order(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Call `work` on every item, on a thread for each core -> what it gives, in the items' order.

    A net's layers are too little work for two cores: sharing each out cost 1.6 times the processor
    time. Items are taken as they are needed, a few ahead. The first error of `work` is raised.
    """
    threads = torch.get_num_threads()

    def alone(item: Item) -> Found:
        torch.set_num_threads(1)  # of this thread
        return work(item)

    _keep_freed_memory()
    waiting: deque[Future[Found]] = deque()
    try:
        with thread_pool() as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(alone, item))
                    if len(waiting) > 2 * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:  # what nobody waits for any more
                    future.cancel()
    finally:
        torch.set_num_threads(threads)  # the workers' 1 would be the next new thread's too


def _keep_freed_memory() -> None:
    """Make glibc keep memory that is freed, up to 64 MB a thread, for the next photo.

    It takes the largest block freed, of at most 32 MB, for the size of what a program needs again,
    and keeps twice that. Fetching memory page by page was a sixth of the time. Source: mallopt(3).
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)
