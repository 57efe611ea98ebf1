"""A film: `pix2pix colorize` of worn 480p with sound, and how still its colors stand.

This process stays small (see harness.process): films are made and looked at by others.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

from harness import Figure, Plan, Process, cores, memory, process

HERE = Path(__file__).parents[1]
RATE = 10  # frames a second, on two cores
FLAT = 1.1  # memory of the last third to that of the first
CHANGE = 1 / 3  # of colors where nothing moves, to frame by frame
LEFT = 0.1  # of the color that was there before something moved
FRAME = 1000 / 24  # [ms]
MOVED = 1  # [ms]
_SLEEP = 0.02  # [s] between looks at a process


def color(path: Path, weights: str) -> tuple[Process, list[int]]:
    """Color a film -> what that took, and its memory [bytes], looked at again and again."""
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", str(path), "--overwrite"]
    held: list[int] = []

    def look(pid: int) -> None:
        while now := memory("VmRSS", pid):
            held.append(now)
            time.sleep(_SLEEP)

    def watch(pid: int) -> None:
        Thread(target=look, args=(pid,), daemon=True).start()

    return process([*command, "--weights", weights], started=watch), held


def run(plan: Plan) -> Iterator[Figure]:
    weights = plan.weights or "default"
    with tempfile.TemporaryDirectory() as outer:
        one, many = Path(outer, "one.mp4"), Path(outer, "many.mp4")
        for path, seconds in ((one, 0), (many, plan.film)):
            subprocess.run(
                [sys.executable, HERE / "reel.py", path, "--make", str(seconds)], check=True
            )
        for _ in range(2):  # start-up, the second time with its files in memory
            start, _ = color(one, weights)
        whole, held = color(many, weights)
        source, copy = (asked("reel.py", path) for path in (many, many.with_suffix(".color.mp4")))
    alone = asked("still.py", weights, plan.still)
    name = f"{plan.film:g} s of 640x480"
    yield from of_frames(name, source["frames"], start, whole, alone["seconds"])
    yield from of_memory(held)
    yield from of_sound(source["apart"], copy["apart"])
    yield from of_colors(alone)


def asked(script: str, *words: object) -> dict[str, Any]:
    """What a script of the benchmarks prints."""
    command = [sys.executable, str(HERE / script), *map(str, words)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def of_frames(
    name: str, frames: int, start: Process, whole: Process, alone: float
) -> Iterator[Figure]:
    """How fast, less the start; `alone`: processor seconds of a pass of the net."""
    wall, cpu = max(whole.wall - start.wall, 1e-3), max(whole.cpu - start.cpu, 1e-3)
    rate, each = (frames - 1) / wall, cpu / (frames - 1)
    yield Figure(f"{name}, after start-up", rate, "frames/s", bar=RATE, least=True)
    of = f"the net alone on {cores()} cores"
    yield Figure(f"{name}, beside the net", rate, "frames/s", rate * alone / cores(), of)
    yield Figure(f"{name}, processor time", 1e3 * each, "ms a frame", each / alone, "the net's")
    busy = cpu / wall / cores()
    yield Figure(f"{name}, share of the cores", 100 * busy, "%", busy, "all")


def of_memory(held: list[int]) -> Iterator[Figure]:
    """The most at the beginning and at the end: a film's length takes none."""
    third = -(-len(held) // 3)
    first, last = max(held[:third]) / 1e6, max(held[-third:]) / 1e6
    yield Figure("peak of the first third", first, "MB")
    yield Figure("peak of the last third", last, "MB", last / first, "the first", FLAT)


def of_sound(source: list[float], copy: list[float]) -> Iterator[Figure]:
    """By how much a copy's flashes are further from their beeps than the source's [ms]."""
    moved = [abs(a - b) for a, b in zip(source, copy, strict=True)]
    yield Figure(
        f"sound beside picture, moved at {len(moved)} flashes", max(moved), "ms", bar=MOVED
    )


def of_colors(found: dict[str, float]) -> Iterator[Figure]:
    """How much a*, b* change from frame to frame where nothing moves, and what is left behind."""
    by_frame, kept = found["by_frame"], found["kept"]
    yield Figure("change of still color, frame by frame", by_frame, "a*, b*")
    of = "frame by frame"
    yield Figure(
        "change of still color, as films have it", kept, "a*, b*", kept / by_frame, of, CHANGE
    )
    yield Figure("color left behind what moves", 100 * found["left"], "%", bar=100 * LEFT)
