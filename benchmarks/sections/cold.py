"""Whole processes from start to end: nothing, the help, one photo with each engine.

This process stays small (see harness.process): the photo is made by another.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from harness import Figure, Plan, Process, process

HERE = Path(__file__).parents[1]
PIX2PIX = [sys.executable, "-m", "pix2pix.cli"]
PACKAGES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
EMPTY = "python -c pass"
CPU_BARS = {"pix2pix --help": 0.15, "onnx": 0.45}  # [s]
MEMORY_BAR = 200  # [MB]
LESS = 6  # times less processor time than with torch


def commands(photo: Path, out: Path, weights: str) -> dict[str, list[str]]:
    """What is started, by name; engines that this version knows."""
    color = [*PIX2PIX, "colorize", str(photo), "-o", str(out), "--overwrite", "--weights", weights]
    found = {EMPTY: [sys.executable, "-c", "pass"]}
    found["pix2pix --help"] = [*PIX2PIX, "--help"]
    for engine in installed():
        found[engine] = [*color, "--engine", engine]
    return found if installed() else found | {"torch": color}


@cache
def installed() -> list[str]:
    """The engines that are here; none of a version whose command knows only torch."""
    told = subprocess.run([*PIX2PIX, "colorize", "--help"], capture_output=True, check=True)
    if b"--engine" not in told.stdout:
        return []
    return [engine for engine, package in PACKAGES.items() if find_spec(package)]


def run(plan: Plan) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "pictures.py"), folder, "256", "256"]
        subprocess.run(command, check=True)
        works = commands(Path(folder, "0000.jpg"), Path(folder, "out"), "default")
        took: dict[str, list[Process]] = {name: [] for name in works}
        for i in range(plan.rounds + (plan.rounds > 1)):
            for name, work in works.items():
                done = process(work)
                if i or plan.rounds == 1:  # the first brings files into memory
                    took[name].append(done)
    yield from figures(took)


def figures(took: dict[str, list[Process]]) -> Iterator[Figure]:
    """Medians, and ratios to an empty Python, and of torch to the others."""
    median = {
        (what, name): statistics.median(getattr(run, what) for run in runs)
        for name, runs in took.items()
        for what in ("wall", "cpu", "peak")
    }
    for name in dict.fromkeys((*took, *PACKAGES)):
        label = name if " " in name else f"pix2pix colorize one.jpg, {name}"
        if name not in took:
            yield Figure(label)
            continue
        cpu, wall = median["cpu", name], median["wall", name]
        yield Figure(f"{label}, wall time", wall, "s")
        if name in ("onnx", "openvino") and "torch" in took:
            torch = median["cpu", "torch"]
            label_of = f"pix2pix colorize one.jpg, torch, to {name}"
            bar = LESS if name == "onnx" else None
            yield Figure(label_of, torch, "s", torch / cpu, name, bar, True)
        yield Figure(f"{label}, processor time", cpu, "s", bar=CPU_BARS.get(name))
        if name != EMPTY:
            ratio = cpu / median["cpu", EMPTY]
            yield Figure(f"{label}, to an empty Python", cpu, "s", ratio, EMPTY)
        bar = MEMORY_BAR if name == "onnx" else None
        yield Figure(f"{label}, peak", median["peak", name], "MB", bar=bar)
