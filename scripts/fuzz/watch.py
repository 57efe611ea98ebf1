"""Runs in child processes that may crash, hang or grow: that ends the child, not the fuzzer.

A child says a line after every run, so the parent knows which run was on when it fell silent.
"""

import contextlib
import json
import os
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.judge import FAULT, Verdict

_LARGE = 77  # a child's exit status: all is well, but it holds much memory
_RUNAWAY = 4  # times the bound: a child is killed there, before the machine suffers


@dataclass
class Result:
    """A run, how it ended, how long it took, and the most memory of its process until then."""

    index: int
    verdict: Verdict
    seconds: float = 0.0
    megabytes: float = 0.0


@dataclass
class Watch:
    """The bounds of one run."""

    seconds: float = 10.0
    megabytes: float = 600.0


class Child:
    """A process that does those of `runs`, one after the other; a new one where it fails."""

    def __init__(self, work: Callable[[int], Verdict], runs: range, watch: Watch):
        self.work, self.runs, self.watch = work, runs, watch
        self.done = False
        self._start()

    def _start(self) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            code = 1
            try:
                os.close(reading)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                code = _loop(self.work, self.runs, self.watch, writing)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writing)
        self.pipe, self.buffer, self.heard = reading, b"", time.monotonic()

    def end(self, *, kill: bool = True) -> int:
        """Its exit status, negative for a signal."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.pipe)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def results(self) -> Iterator[Result]:
        """What it said since; a crash, a hang or too much memory counts as a run's result."""
        piece = os.read(self.pipe, 65536)
        if piece:
            self.heard = time.monotonic()
            *lines, self.buffer = (self.buffer + piece).split(b"\n")
            for line in lines:
                index, verdict, seconds, megabytes = json.loads(line)
                self.runs = self.runs[1:]
                yield Result(index, Verdict(*verdict), seconds, megabytes)
            return
        yield from self._restarted("")

    def check(self) -> Iterator[Result]:
        """A result when the run that is on takes too long or far too much memory."""
        silent = time.monotonic() - self.heard
        if silent > self.watch.seconds:
            yield from self._restarted(f"hang: more than {self.watch.seconds:g} s")
        elif silent > 0.5 and _megabytes(self.pid) > _RUNAWAY * self.watch.megabytes:
            yield from self._restarted(f"memory: more than {_RUNAWAY} times the bound")

    def _restarted(self, reason: str) -> Iterator[Result]:
        silent = time.monotonic() - self.heard
        code = self.end(kill=bool(reason))
        if reason or code not in (0, _LARGE):
            crash = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            verdict = Verdict("", FAULT + (reason or f"crash: {crash}"))
            yield Result(self.runs[0], verdict, silent)
            self.runs = self.runs[1:]
        if self.runs:
            self._start()
        else:
            self.done = True


def watched(
    work: Callable[[int], Verdict], runs: int, watch: Watch, *, jobs: int = 1, until: float = 0.0
) -> Iterator[Result]:
    """Results of `work` for 0 ... `runs` - 1, in order if `jobs` is 1; `until`: time.monotonic."""
    children = [Child(work, range(first, runs, jobs), watch) for first in range(min(jobs, runs))]
    try:
        while children and not 0 < until < time.monotonic():
            by_pipe = {child.pipe: child for child in children}
            for pipe in select.select(list(by_pipe), [], [], 0.2)[0]:
                yield from by_pipe[pipe].results()
            children = [child for child in children if not child.done]
            for child in children:
                yield from child.check()
    finally:
        for child in children:
            if not child.done:
                child.end()


def _loop(work: Callable[[int], Verdict], runs: range, watch: Watch, writing: int) -> int:
    """In the child: its exit status. It ends after a run that took it above the memory bound."""
    printed = _catch_stderr()
    for index in runs:
        start = time.perf_counter()
        verdict = work(index)
        seconds = time.perf_counter() - start
        peak = _peak()
        above = peak > watch.megabytes
        if above and not verdict.fault:
            verdict.read = f"{FAULT}memory: more than {watch.megabytes:g} MB"
        if (text := printed()) and not verdict.fault:
            verdict.read = f"{FAULT}printed: {text}"
        fields = verdict.format, verdict.read, verdict.write, verdict.megapixels
        line = json.dumps((index, fields, round(seconds, 4), round(peak, 1)))
        os.write(writing, line.encode() + b"\n")
        if above:
            return _LARGE
    return 0


def _catch_stderr() -> Callable[[], str]:
    """From now on the process's stderr, C libraries' too, is caught: the first line since asked.

    Digits become 0, so that kinds of lines stay few. Python's own traceback of a fault in the
    fuzzer itself still comes out.
    """
    sys.stderr = os.fdopen(os.dup(2), "w")
    file = tempfile.TemporaryFile()
    os.dup2(file.fileno(), 2)

    def printed() -> str:
        if not os.fstat(2).st_size:
            return ""
        os.lseek(2, 0, os.SEEK_SET)
        first, _, _ = os.read(2, 2000).partition(b"\n")
        os.lseek(2, 0, os.SEEK_SET)
        os.ftruncate(2, 0)
        return re.sub(r"\d+", "0", first.decode(errors="replace"))[:100]

    return printed


def _peak() -> float:
    """The most memory that this process ever held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _megabytes(pid: int) -> float:
    """What a process holds now, 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    return 0.0
