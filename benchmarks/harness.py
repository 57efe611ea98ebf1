"""What the benchmarks share: works in turns, whole processes, facts of the machine, figures.

A figure is a measured value and, since machines differ and others use them, its ratio to
something else of the same run. Nothing here loads more than the standard library: the process that
starts others has to be small, as the system counts its memory as theirs until they begin.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

Name = TypeVar("Name")
SHORT = 0.2  # [s]
PACKAGES = ("numpy", "pillow", "torch", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    rounds: int = 7  # of works that take turns
    sizes: tuple[int, ...] = (1, 4, 12, 24, 48, 100)  # [MP] of a file
    gemm: int = 2048  # side of the matrices
    large: int = 200  # photos of 1 MP in a folder
    small: int = 1000  # of 256 px
    requests: int = 240
    blocks: int = 3  # of training
    steps: int = 10  # of a block
    batch: int = 32
    peers: tuple[int, ...] = (256, 512)  # [px]
    film: float = 30  # [s]
    still: int = 60  # frames whose colors are followed
    weights: str | None = None  # None: every bundled net, and `default` to color with


FULL = Plan()
QUICK = Plan(
    rounds=3,
    sizes=(1, 12),
    large=16,
    small=60,
    requests=60,
    blocks=2,
    steps=4,
    peers=(256,),
    film=5,
    still=24,
)
SMALLEST = Plan(
    rounds=1,
    sizes=(1,),
    gemm=256,
    large=2,
    small=3,
    requests=6,
    blocks=1,
    steps=2,
    batch=4,
    peers=(64,),
    film=0.75,
    still=12,
    weights="pix2pix",
)
PLANS = {"full": FULL, "quick": QUICK, "smallest": SMALLEST}


@dataclass(frozen=True)
class Figure:
    """One line of the table. `value` is None where what it needs is not there."""

    name: str
    value: float | None = None
    unit: str = ""
    ratio: float | None = None
    of: str = ""  # what `ratio` is to, in the same run
    bar: float | None = None  # on the ratio, or on the value where there is none
    least: bool = False  # whether the bar is the least that will do, or the most
    section: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar or a value."""
        figure = self.value if self.ratio is None else self.ratio
        if self.bar is None or figure is None:
            return None
        return figure >= self.bar if self.least else figure <= self.bar

    def cells(self) -> tuple[str, str, str, str]:
        """The columns of the table: what, value, ratio, bar."""
        value = "-" if self.value is None else f"{short(self.value)} {self.unit}".rstrip()
        ratio = "" if self.ratio is None else f"{short(self.ratio)} x {self.of}"
        bar = ""
        if self.bar is not None:
            bar = f"{'>=' if self.least else '<='} {short(self.bar)}"
            bar += "   MISSED" if self.met is False else ""
        return self.name, value, ratio, bar


def short(number: float) -> str:
    """Three significant digits, all of them before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:#.3g}".rstrip(".")


@dataclass
class Times:
    """Wall and processor seconds of a work, round by round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def median(self, clock: str = "wall") -> float:
        """Seconds by "wall" or "cpu"."""
        return statistics.median(getattr(self, clock))

    def ratio(self, other: "Times", clock: str = "wall") -> float:
        """The median over rounds of this time to `other`'s: both met the same weather."""
        pairs = zip(getattr(self, clock), getattr(other, clock), strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def turns(works: Mapping[Name, Callable[[], object]], rounds: int) -> dict[Name, Times]:
    """Time works in turns, so that a busy machine is busy for all; a round before warms up.

    A short one is done once more before it is timed: the caches hold its data then, not those of
    the one before, which may be a hundred times as large.
    """
    times = {name: Times() for name in works}
    short = set()
    for i in range(rounds + 1):
        for name, work in works.items():
            if name in short:
                work()
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if i:
                times[name].cpu.append(cpu)
                times[name].wall.append(wall)
            elif wall < SHORT:
                short.add(name)
    return times


@dataclass(frozen=True)
class Process:
    """What a process took, its children's share included."""

    wall: float  # [s]
    cpu: float  # [s]
    peak: float  # [MB] of resident memory


def process(
    command: Sequence[str | Path],
    *,
    started: Callable[[int], object] = lambda pid: None,
    **popen: object,
) -> Process:
    """Run a command to its end; `started` is given its number. Raises RuntimeError when it fails.

    The peak is never below what the calling process holds at the start.
    """
    popen = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | popen
    start = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], **popen) as child:  # type: ignore[call-overload]
        started(child.pid)
        said = child.stderr.read() if child.stderr else b""
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command} ended with {child.returncode}: {said.decode()[-2000:]}")
    kilobytes = used.ru_maxrss * 1024 / 1e6 if sys.platform != "darwin" else used.ru_maxrss / 1e6
    return Process(wall, used.ru_utime + used.ru_stime, kilobytes)


def memory(name: str, pid: int | str = "self") -> int:
    """VmRSS (now) or VmHWM (peak) of a process, in bytes; 0 of one that has ended. Linux."""
    try:
        with open(f"/proc/{pid}/status") as status:
            line = next((line for line in status if line.startswith(name)), "x 0")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(line.split()[1]) * 1024


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on(threads: int) -> str:
    """ "1 thread", "2 threads" ..."""
    return f"{threads} thread{'s' if threads > 1 else ''}"


def machine() -> dict[str, object]:
    """The processor, its cores and vector instructions, and the versions of what computes."""
    facts: dict[str, object] = {"system": platform.platform(), "python": platform.python_version()}
    facts |= {"cores": cores(), "load": round(os.getloadavg()[0], 1)}
    if (info := Path("/proc/cpuinfo")).exists():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines.items()}
        facts["processor"] = fields.get("model name", platform.machine())
        known = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
        facts["instructions"] = [x for x in known if x in fields.get("flags", "").split()]
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = None
    return facts


def table(figures: Iterable[Figure]) -> str:
    """Lines of four columns, a heading a section."""
    lines, section = [], ""
    for figure in figures:
        if figure.section != section:
            section = figure.section
            lines.append(f"\n{section}")
        name, value, ratio, bar = figure.cells()
        lines.append(f"  {name:46} {value:>16}  {ratio:34} {bar}".rstrip())
    return "\n".join(lines)


def as_json(figures: Iterable[Figure], **facts: object) -> str:
    """{..., "figures": [{"section", "name", "value", "unit", "ratio", "of", "bar", "met"}]}."""
    listed = [asdict(figure) | {"met": figure.met} for figure in figures]
    return json.dumps({**facts, "figures": listed}, indent=1) + "\n"
