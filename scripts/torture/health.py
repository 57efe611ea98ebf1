"""/healthz while 50 clients send device paths."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from torture.report import Line
from torture.service import Service, running

_CLIENTS = 50
_PATHS = ("/dev/zero", "/dev/urandom", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/kmsg")


def run(quick: bool) -> Iterator[Line]:
    """The 99th percentile of its answers, which are asked for every 20 ms."""
    seconds = 5 if quick else 20
    fork = multiprocessing.get_context("fork")
    with running() as service:
        service.alive(seconds=60)
        ended, sent = fork.Event(), fork.Value("i", 0)
        # A process of their own, so that they do not slow down the one that measures.
        clients = fork.Process(target=_clients, args=(service, ended, sent))
        clients.start()
        took, ends = [], time.monotonic() + seconds
        while time.monotonic() < ends:
            start = time.monotonic()
            answered = service.alive(seconds=seconds)
            took.append(1000 * (time.monotonic() - start) if answered else float("inf"))
            if not answered:
                break
            time.sleep(0.02)
        ended.set()
        clients.join()
    took.sort()
    p99, most = took[min(len(took) - 1, int(0.99 * len(took)))], took[-1]
    figure = f"p99 {p99:.0f} ms, most {most:.0f} ms of {len(took)}; {sent.value:,} device paths"
    name = f"/healthz while {_CLIENTS} clients send device paths"
    yield Line(name, f"{figure} in {seconds} s", "p99 100 ms", p99 <= 100)


def _clients(service: Service, ended: Event, sent: "Synchronized[int]") -> None:
    threads = [
        threading.Thread(target=_send, args=(service, _PATHS[i % len(_PATHS)], ended, sent))
        for i in range(_CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send(service: Service, path: str, ended: Event, sent: "Synchronized[int]") -> None:
    """One client: the next request as soon as the last is answered."""
    picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
    while not ended.is_set():
        service.ask("POST", "/gradio_api/call/colorize", {"data": [picture, 1]}, timeout=5)
        with sent.get_lock():
            sent.value += 1
