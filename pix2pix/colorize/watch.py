"""Watch folders: photos that appear while a run goes on, each once it is complete."""

import os
import time
from collections.abc import Callable, Iterable, Iterator

from pix2pix.colorize.jobs import Job, Record


def watch(
    scan: Callable[[], Iterable[Job | Record]], *, seconds: float = 1.0
) -> Iterator[Job | Record | None]:
    """Repeat `scan` for ever, every `seconds`: jobs whose file kept size and date since the last.

    Each comes once, and again when its file changes. `None` stands for a pause (see
    `folders.make_copies`).
    """
    last: dict[str, tuple[int, int]] = {}
    given: dict[str, tuple[int, int] | None] = {}
    while True:
        for item in scan():
            if isinstance(item, Record):
                if item.path not in given:
                    given[item.path] = None
                    yield item
                continue
            try:
                status = os.stat(item.source)
            except OSError:
                continue
            stamp = status.st_size, status.st_mtime_ns
            if last.get(item.source) == stamp != given.get(item.source):
                given[item.source] = stamp
                yield item
            last[item.source] = stamp
        yield None
        time.sleep(seconds)
