"""Photos of 256 px over HTTP beside a Colorizer in a loop, in turns."""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import load
from harness import Figure, Plan

from pix2pix import Colorizer

BAR = 0.85  # of the loop


def run(plan: Plan) -> Iterator[Figure]:
    weights = plan.weights or "default"
    photos = [load.photo(256 * 256 / 1e6, seed=i) for i in range(8)]
    model = Colorizer.from_pretrained(weights, device="cpu")
    looped, served, times = [], [], []
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer, "tmp")
        folder.mkdir()
        with load.service(weights, page=False, folder=folder) as (port, _):
            load.loop(model, photos, 4)
            asyncio.run(load.clients(port, photos, 4))
            for _ in range(3):  # in turns, so that a busy machine is busy for both
                looped.append(load.loop(model, photos, plan.requests // 3))
                rate, taken = asyncio.run(load.clients(port, photos, plan.requests // 3))
                served.append(rate)
                times += taken
    ratio = statistics.median(a / b for a, b in zip(served, looped, strict=True))
    yield Figure("Colorizer in a loop", statistics.median(looped), "photos/s")
    rate = statistics.median(served)
    yield Figure(f"{load.AT_ONCE} clients", rate, "photos/s", ratio, "the loop", BAR, True)
    one = 1 / statistics.median(looped)
    times.sort()
    middle, last = statistics.median(times), times[int(0.99 * len(times))]
    yield Figure("an answer, median", middle * 1e3, "ms", middle / one, "one in the loop")
    yield Figure("an answer, 99th percentile", last * 1e3, "ms", last / one, "one in the loop")
