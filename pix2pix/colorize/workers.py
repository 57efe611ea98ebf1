"""Workers: a fixed number of threads that share a model, behind a queue that says no when full.

Folders are colored by them, and the service and its page share one `Workers`. Every worker has its
own share of the cores, so that none waits for another worker's threads.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from pix2pix.errors import PhotoError, TookTooLong
from pix2pix.strips import set_share, share

MOST_WORKERS = 4  # by default: at 16 bytes a pixel, one takes up to 0.8 GB for a photo of 50 MP
QUEUE_PATIENCE = 0.5  # of a job's deadline; a queue that would take more of it is as good as full
M = TypeVar("M")
T = TypeVar("T")
_here = threading.local()  # .job: what the thread is at


class Busy(Exception):
    """The queue is full. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: int):
        super().__init__(f"too many photos are waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class Late(TookTooLong):
    """The deadline passed: while the job waited, or while it ran (`started`)."""

    def __init__(self, reason: str, *, started: bool):
        super().__init__(reason)
        self.started = started


class Canceled(Exception):
    """Nobody waits for the job any more. Raised inside of it, by `check`."""


class _Job(Future[T], Generic[M, T]):
    """A future whose `cancel` also tells a running job to stop at its next `check`."""

    def __init__(self, work: Callable[[M], T], deadline: float | None):
        super().__init__()
        self.work = work
        self.due = None if deadline is None else time.monotonic() + deadline
        self.unwanted = False

    def cancel(self) -> bool:
        self.unwanted = True
        return super().cancel()

    def check(self, *, started: bool) -> None:
        if self.unwanted:
            raise Canceled
        if self.due is not None and time.monotonic() > self.due:
            raise Late("it took too long" if started else "it waited too long", started=started)


def check() -> None:
    """Stop here, if the job that this thread is at is canceled or late; elsewhere do nothing.

    Jobs call it between their steps. Raises Canceled and Late.
    """
    job: _Job[Any, Any] | None = getattr(_here, "job", None)
    if job is not None:
        job.check(started=True)


class Workers(Generic[M]):
    """Runs jobs with the model, `count` at a time, and lets `waiting` more wait.

    Close it, or use it as a context manager: it then finishes what runs or waits.
    """

    def __init__(self, model: M, *, count: int | None = None, waiting: int = 32):
        """`count` defaults to the number of cores, at most 4; each works on its share of them."""
        cores = share()
        self.count = count or min(cores, MOST_WORKERS)
        if self.count < 1 or waiting < 0:
            raise ValueError(f"count {count} must be 1 or more, waiting {waiting} 0 or more")
        self.model, self.waiting = model, waiting
        self.threads = max(1, cores // self.count)
        self._queue: deque[_Job[Any, Any]] = deque()
        self._running = 0
        self._seconds: float | None = None  # that a job takes, on average of late
        self._closed = False
        self._change = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{i}", daemon=True)
            for i in range(self.count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[M], T], *, deadline: float | None = None) -> "Future[T]":
        """Have `job` called with the model, when a worker is free -> a future of its result.

        `deadline`: seconds from now, in which it must be done. Past it the future raises Late, a
        PhotoError, as soon as a worker comes to the job or the job to its next `check`. Cancel the
        future and the job leaves the queue, or stops at its next `check`.

        Raises Busy when too many wait, or so long that the deadline is in danger, and RuntimeError
        after `close`.
        """
        ticket = _Job(job, deadline)
        with self._change:
            if self._closed:
                raise RuntimeError("the workers are closed")
            expected = (self._seconds or 0) * len(self._queue) / self.count
            if self.full or (deadline is not None and expected > deadline * QUEUE_PATIENCE):
                raise Busy(max(1, min(60, round(expected))))
            self._queue.append(ticket)
            self._change.notify()
        ticket.add_done_callback(self._forget)
        return ticket

    @property
    def full(self) -> bool:
        """Whether `submit` would raise Busy now, for the number of those that wait."""
        with self._change:
            return len(self._queue) - (self.count - self._running) >= self.waiting

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How many jobs are being worked at."""
        return self._running

    def close(self) -> None:
        """Take no more jobs, and return when those that run or wait are done."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _forget(self, ticket: "Future[Any]") -> None:
        """A canceled job gives its place in the queue free at once."""
        if ticket.cancelled():
            with self._change:
                if ticket in self._queue:
                    self._queue.remove(ticket)  # type: ignore[arg-type]

    def _work(self) -> None:
        set_share(self.threads)
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                ticket = self._queue.popleft()
                self._running += 1
            start = time.monotonic()
            try:
                done = ticket.set_running_or_notify_cancel() and _run(ticket, self.model)
            finally:
                with self._change:
                    self._running -= 1
                    if done:
                        taken = time.monotonic() - start
                        mean = taken if self._seconds is None else self._seconds
                        self._seconds = 0.8 * mean + 0.2 * taken
            del ticket  # else the last photo stays in memory until the next comes


def _run(ticket: _Job[Any, Any], model: object) -> bool:
    """Settle the future; whether the job ran to its end."""
    try:
        ticket.check(started=False)
        _here.job = ticket
        result = ticket.work(model)
    except (PhotoError, Canceled) as error:
        ticket.set_exception(error.with_traceback(None))  # which holds on to the photo
        return False
    except BaseException as error:  # whatever it is, the worker goes on
        ticket.set_exception(error)
        return False
    else:
        ticket.set_result(result)
        return True
    finally:
        _here.job = None
