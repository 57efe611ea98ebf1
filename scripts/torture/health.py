"""/healthz while 50 clients send device paths."""

import threading
import time
from collections.abc import Iterator

from torture.report import Line
from torture.service import Service, running

_CLIENTS = 50
_PATHS = ("/dev/zero", "/dev/urandom", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/kmsg")


def run(quick: bool) -> Iterator[Line]:
    """The 99th percentile of its answers, which are asked for every 20 ms."""
    seconds = 5 if quick else 20
    with running() as service:
        ended, ends = threading.Event(), time.monotonic() + seconds
        clients = [
            threading.Thread(target=_send, args=(service, _PATHS[i % len(_PATHS)], ended))
            for i in range(_CLIENTS)
        ]
        for client in clients:
            client.start()
        took = []
        while time.monotonic() < ends:
            start = time.monotonic()
            answered = service.alive(seconds=seconds)
            took.append(1000 * (time.monotonic() - start) if answered else float("inf"))
            if not answered:
                break
            time.sleep(0.02)
        ended.set()
        for client in clients:
            client.join()
    took.sort()
    p99, most = took[min(len(took) - 1, int(0.99 * len(took)))], took[-1]
    figure = f"p99 {p99:.0f} ms, most {most:.0f} ms, of {len(took)} while {_CLIENTS} clients"
    yield Line(
        "/healthz under device paths", f"{figure} send for {seconds} s", "100 ms", p99 <= 100
    )


def _send(service: Service, path: str, ended: threading.Event) -> None:
    picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
    while not ended.is_set():
        service.ask("POST", "/gradio_api/call/colorize", {"data": [picture, 1]}, timeout=5)
