"""Strangers at the door: how fast /healthz answers while they send the paths of devices.

    python benchmarks/strangers.py [--clients 50] [--seconds 20] [--weights default]

`pix2pix serve` runs as a process of its own with the page; clients from here send calls of the page
that name /dev/zero, /dev/random and the like as uploaded files, by every way in, as fast as they
are answered. Printed: the calls by status, how many were let in, and the time that /healthz takes
meanwhile, asked 50 times a second from a further process (bar: p99 <= 100 ms). Clients and service
share the machine. Exit status 1 when a bar is missed. Linux.
"""

import argparse
import asyncio
import collections
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from load import probe, service

DEVICES = ["/dev/zero", "/dev/random", "/dev/urandom", "/dev/stdin", "/proc/kmsg", "/dev/full"]
WAYS = [
    ("/gradio_api/call/colorize", lambda data, i: {"data": [data, 1]}),
    ("/gradio_api/queue/join", lambda data, i: _event(data, i)),
    ("/gradio_api/run/predict", lambda data, i: _event(data, i)),
    ("/gradio_api/api/colorize", lambda data, i: {"data": [data, 1]}),
]
BAR = 100  # [ms]


def _event(data: dict, i: int) -> dict:
    return {"data": [data, 1, None], "fn_index": i % 12, "session_hash": f"stranger{i}"}


async def stranger(port: int, number: int, end: float, statuses: collections.Counter[int]) -> None:
    """One client on one connection, until `end`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    i = number
    while time.monotonic() < end:
        path, body = WAYS[i % len(WAYS)]
        file = {"path": DEVICES[i % len(DEVICES)], "meta": {"_type": "gradio.FileData"}}
        sent = json.dumps(body(file, i)).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
        try:
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
            await reader.readexactly(length)
            statuses[int(answer.split()[1])] += 1
            closed = "connection: close" in answer
        except (ConnectionError, asyncio.IncompleteReadError):
            statuses[0] += 1
            closed = True
        if closed:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        i += 1
    writer.close()


async def attack(
    port: int, clients: int, seconds: float
) -> tuple[list[float], collections.Counter]:
    """All clients -> the times of /healthz meanwhile in ms, sorted, and the calls by status."""
    stop = multiprocessing.Event()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=probe, args=(port, stop, theirs))
    process.start()
    statuses: collections.Counter[int] = collections.Counter()
    end = time.monotonic() + seconds
    await asyncio.gather(*(stranger(port, i, end, statuses) for i in range(clients)))
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    stop.set()
    taken = await asyncio.to_thread(ours.recv)
    process.join()
    return sorted(1000 * each for each in taken), statuses


async def measure(port: int, clients: int, seconds: float) -> bool:
    """Print the figures -> whether the bars are kept."""
    rest, _ = await attack(port, 0, min(seconds, 5))
    taken, statuses = await attack(port, clients, seconds)
    inside, p99 = statuses[200], taken[int(0.99 * len(taken))]
    print(f"calls of {clients} clients, by status   {dict(statuses)}")
    print(f"strangers in                       {inside} of {statuses.total()} (0)")
    for name, times in (("at rest", rest), ("meanwhile", taken)):
        print(
            f"/healthz {name:10}  median {times[len(times) // 2]:.0f} ms, "
            f"p99 {times[int(0.99 * len(times))]:.0f} ms of {len(times)}, longest {times[-1]:.0f}"
        )
    print(f"p99 meanwhile {p99:.0f} ms ({BAR} ms){'' if p99 <= BAR else '   MISSED'}")
    return p99 <= BAR and not inside


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--weights", default="default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer, "tmp")
        folder.mkdir()
        with service(given.weights, page=True, folder=folder) as (port, _):
            fine = asyncio.run(measure(port, given.clients, given.seconds))
    sys.exit(not fine)
