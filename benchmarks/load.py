"""The service under load: `pix2pix serve` as a process of its own, clients from here.

    python benchmarks/load.py [--short] [--weights default] [--page]

Printed, each beside its bar: clients with mixed photos (statuses, answers that differ from those
of the same photos one by one, memory of the second half to the first), a crowd (statuses, how fast
/healthz answers meanwhile), half-open sockets (when each is closed, honest clients meanwhile),
endless uploads (bytes that the service read, bytes in its temporary folder), and throughput of
256-px photos relative to Colorizer in a loop. Client and service share the machine. `--short` takes
seconds, for the tests. Exit status 1 when a bar is missed. Linux.
"""

import argparse
import asyncio
import collections
import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pix2pix import Colorizer

SIZES = [0.3, 1, 2, 4, 8, 12]  # megapixels
LIMIT = 50_000_000
MIB = 2**20
AT_ONCE = 8  # clients when throughput is measured


@dataclass
class Plan:
    """How much of everything."""

    clients: int = 50
    seconds: float = 60
    crowd: int = 200
    crowd_seconds: float = 20
    half_open: int = 500
    gigabytes: float = 10
    rounds: int = 200
    largest: float = 12


SHORT = Plan(
    clients=8,
    seconds=4,
    crowd=40,
    crowd_seconds=3,
    half_open=40,
    gigabytes=0.3,
    rounds=24,
    largest=1,
)


def photo(megapixels: float, *, seed: int = 0) -> bytes:
    """A gray JPEG of soft noise with grain, 3 : 2."""
    rng = np.random.default_rng(seed)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    small = Image.fromarray(rng.integers(0, 256, (24, 36), np.uint8))
    image = np.asarray(small.resize((round(height * 1.5), height), Image.Resampling.BICUBIC))
    grain = rng.integers(-6, 7, image.shape)
    buffer = io.BytesIO()
    Image.fromarray((image + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@contextlib.contextmanager
def service(weights: str, *, page: bool, folder: Path) -> Iterator[tuple[int, int]]:
    """`pix2pix serve` -> its port and process id."""
    command = [sys.executable, "-m", "pix2pix.cli", "serve", "--port", "0", "--weights", weights]
    command += ["--metrics", "--device", "cpu", "--page" if page else "--no-page"]
    with (folder.parent / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | {"TMPDIR": str(folder), "GRADIO_TEMP_DIR": str(folder / "gradio")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        port = re.search(r":(\d+)/", process.stdout.readline())
        assert port is not None, (folder.parent / "log").read_text()
        yield int(port.group(1)), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


# --- a client -----------------------------------------------------------------------------------


async def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, dict, bytes]:
    """One request on a connection of its own -> status, header fields, body; 0 for no answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return 0, {}, b""
    try:
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        writer.write(f"{head}{length}\r\n".encode())
        writer.write(body)
        got = await reader.read()
    except ConnectionError:
        return 0, {}, b""
    finally:
        writer.close()
    head, _, content = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]) if got else 0, fields, content


async def metric(port: int, name: str) -> float:
    text = (await ask(port, "GET", "/metrics"))[2].decode()
    return sum(float(x) for x in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


def resident(pid: int) -> float:
    """Memory of a process, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1000


# --- what is measured ---------------------------------------------------------------------------


async def mixed(port: int, pid: int, plan: Plan) -> list[tuple[str, str, bool]]:
    photos = [photo(m, seed=i) for i, m in enumerate(SIZES) if m <= plan.largest]
    alone = []
    for sent in photos:
        status, _, content = await ask(port, "POST", "/api/colorize", sent)
        assert status == 200, (status, content)
        alone.append(hashlib.sha256(content).digest())
    statuses: collections.Counter[int] = collections.Counter()
    memory: list[tuple[float, float]] = []
    different, start = 0, time.monotonic()
    end = start + plan.seconds

    async def client(i: int) -> None:
        nonlocal different
        rng = np.random.default_rng(i)
        while time.monotonic() < end:
            k = int(rng.integers(len(photos)))
            status, fields, content = await ask(port, "POST", "/api/colorize", photos[k])
            statuses[status] += 1
            if status == 200:
                different += hashlib.sha256(content).digest() != alone[k]
            else:
                await asyncio.sleep(min(2.0, float(fields.get("retry-after", 1))))

    async def watch() -> None:
        while time.monotonic() < end:
            memory.append((time.monotonic() - start, resident(pid)))
            await asyncio.sleep(0.1)

    await asyncio.gather(watch(), *(client(i) for i in range(plan.clients)))
    halves = [
        [m for t, m in memory if t < plan.seconds / 2],
        [m for t, m in memory if t >= plan.seconds / 2],
    ]
    ratio = statistics.mean(halves[1]) / statistics.mean(halves[0])
    good = not different and set(statuses) <= {200, 429} and statuses[200] > 0
    name = f"{plan.clients} clients, {plan.seconds:g} s, 0.3 to {plan.largest:g} MP"
    return [
        (name, f"{dict(statuses)}, {different} differ (no 5xx, none)", good),
        (
            "memory, second half to first",
            f"{ratio:.3f} (1.05); peaks {max(halves[0]):.0f} and {max(halves[1]):.0f} MB",
            ratio <= 1.05,
        ),
    ]


def probe(port: int, stop: "multiprocessing.Event", pipe: "multiprocessing.Pipe") -> None:
    """Ask /healthz again and again, from a process of its own."""

    async def run() -> list[float]:
        taken = []
        while not stop.is_set():
            start = time.perf_counter()
            status, _, _ = await ask(port, "GET", "/healthz")
            taken.append(time.perf_counter() - start if status == 200 else float("inf"))
            await asyncio.sleep(0.02)
        return taken

    pipe.send(asyncio.run(run()))


async def crowd(port: int, plan: Plan) -> list[tuple[str, str, bool]]:
    """All at once, and again after the time that each is told, until `crowd_seconds` are over."""
    sent = photo(1)
    stop = multiprocessing.Event()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=probe, args=(port, stop, theirs))
    process.start()
    end = time.monotonic() + plan.crowd_seconds
    statuses: collections.Counter[int] = collections.Counter()
    told = True

    async def one(i: int) -> None:
        nonlocal told
        while True:
            status, fields, _ = await ask(port, "POST", "/api/colorize", sent)
            statuses[status] += 1
            told &= status not in (429, 503) or "retry-after" in fields
            wait = float(fields.get("retry-after", 0)) * (1 + i / plan.crowd)
            if time.monotonic() + wait > end:
                return
            await asyncio.sleep(wait)

    await asyncio.gather(*(one(i) for i in range(plan.crowd)))
    stop.set()
    taken = await asyncio.to_thread(ours.recv)
    process.join()
    good = set(statuses) <= {200, 429, 503} and told
    p99 = 1000 * sorted(taken)[int(0.99 * len(taken))]
    worst = f"{p99:.0f} ms of {len(taken)}, longest {1000 * max(taken):.0f} (100 ms)"
    return [
        (f"{plan.crowd} clients at once", f"{dict(statuses)} (only 200, 429, 503)", good),
        ("/healthz meanwhile, p99", worst, p99 < 100),
    ]


async def half_open(port: int, plan: Plan) -> list[tuple[str, str, bool]]:
    sent = photo(0.3)
    starts = [
        b"",
        b"GET / HT",
        b"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    ]

    async def one(i: int) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.monotonic()
        writer.write(starts[i % len(starts)])
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return time.monotonic() - start

    sockets = asyncio.gather(*(one(i) for i in range(plan.half_open)))
    served: collections.Counter[int] = collections.Counter()
    while not sockets.done():
        served[(await ask(port, "POST", "/api/colorize", sent))[0]] += 1
        await asyncio.sleep(0.2)
    longest = max(await sockets)
    return [
        (f"{plan.half_open} half-open sockets", f"closed by {longest:.1f} s (15)", longest <= 15),
        ("honest clients meanwhile", f"{dict(served)} (200)", set(served) == {200}),
    ]


async def endless(port: int, plan: Plan, folder: Path) -> list[tuple[str, str, bool]]:
    results = []
    total = int(plan.gigabytes * 1e9)
    piece = bytes(65536)
    for name, field, before, after in (
        ("declared", f"Content-Length: {total}", b"", b""),
        ("chunked", "Transfer-Encoding: chunked", b"10000\r\n", b"\r\n"),
    ):
        had = await metric(port, "pix2pix_received_bytes_total")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST /api/colorize HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n".encode())
        answer = asyncio.ensure_future(reader.read(12))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < total and not writer.is_closing():
                writer.write(before + piece + after)
                await writer.drain()
                sent += len(piece)
        with contextlib.suppress(ConnectionError):
            await answer
        writer.close()
        status = b"" if answer.exception() else answer.result()[-3:]
        read = await metric(port, "pix2pix_received_bytes_total") - had
        left = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        results.append(
            (
                f"{plan.gigabytes:g} GB upload, {name}",
                f"{status.decode()}, {read / 1e6:.1f} MB read (51.0), {left} bytes left (0)",
                status == b"413" and read <= LIMIT + MIB and left == 0,
            )
        )
    return results


def loop(colorizer: "Colorizer", photos: list[bytes], count: int) -> float:
    """Color photos one after another -> photos a second."""
    from pix2pix import images

    start = time.perf_counter()
    for i in range(count):
        read = images.read(photos[i % len(photos)])
        rgb = colorizer.rgb(read.rgb)
        images.encode(rgb, like=read, model=colorizer.name)
    return count / (time.perf_counter() - start)


async def clients(port: int, photos: list[bytes], count: int) -> tuple[float, list[float]]:
    """Ask for photos, AT_ONCE at a time -> photos a second, and the seconds that each took."""
    left, taken = iter(range(count)), []

    async def client() -> None:
        for i in left:
            start = time.perf_counter()
            while (await ask(port, "POST", "/api/colorize", photos[i % len(photos)]))[0] != 200:
                await asyncio.sleep(0.05)
            taken.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - start), taken


async def throughput(port: int, weights: str, plan: Plan) -> list[tuple[str, str, bool]]:
    from pix2pix import Colorizer

    photos = [photo(256 * 256 / 1e6, seed=i) for i in range(8)]
    colorizer = Colorizer.from_pretrained(weights, device="cpu")
    loop(colorizer, photos, 4)
    await clients(port, photos, 4)
    rates = []
    for _ in range(3):  # in turn, so that a busy machine is busy for both
        looped = loop(colorizer, photos, plan.rounds // 3)
        rates.append((looped, (await clients(port, photos, plan.rounds // 3))[0]))
    ratio = statistics.median(served / looped for looped, served in rates)
    return [
        (
            "256-px photos to Colorizer in a loop",
            f"{ratio:.2f} (0.85); {max(s for _, s in rates):.1f} a second",
            ratio >= 0.85,
        )
    ]


async def measure(arguments: argparse.Namespace) -> bool:
    plan = SHORT if arguments.short else Plan()
    fine = True
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer, "tmp")
        folder.mkdir()
        with service(arguments.weights, page=arguments.page, folder=folder) as (port, pid):
            parts = {
                "throughput": lambda: throughput(port, arguments.weights, plan),
                "endless": lambda: endless(port, plan, folder),
                "half-open": lambda: half_open(port, plan),
                "crowd": lambda: crowd(port, plan),
                "mixed": lambda: mixed(port, pid, plan),
            }
            for name, part in parts.items():
                if arguments.only in (None, name):
                    for what, figure, good in await part():
                        print(f"{what:44} {figure}{'' if good else '   MISSED'}", flush=True)
                        fine = fine and good
        events = [json.loads(line) for line in Path(outer, "log").read_text().splitlines()]
        failed = [e for e in events if e["level"] == "error"]
        print(f"{'errors in the log':44} {len(failed)} (0)", *failed[:3])
    return fine and not failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--page", action="store_true", help="with the page mounted")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--only", help="throughput, endless, half-open, crowd or mixed")
    sys.exit(not asyncio.run(measure(parser.parse_args())))
