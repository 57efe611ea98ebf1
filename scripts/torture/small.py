"""Pictures below a kilobyte: the memory and the time that reading them takes."""

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.judge import FAULT, Verdict
from fuzz.seeds import seeds
from fuzz.watch import Watch, watched

from pix2pix import images
from pix2pix.errors import PhotoError
from torture.hostile import LIMIT, by_field, by_hand
from torture.report import Line

_MEGABYTES, _SECONDS = 200.0, 1.0
_PATIENCE, _RUNAWAY = 30.0, 2000.0  # [s], [MB above what the idle process holds]


@dataclass
class Cost:
    """What one picture took, above what the idle process holds."""

    name: str
    size: int
    megabytes: float
    seconds: float
    outcome: str

    @property
    def over(self) -> float:
        """How many times the bar it took."""
        return max(self.megabytes / _MEGABYTES, self.seconds / _SECONDS)

    def __str__(self) -> str:
        """For people."""
        took = f"{self.megabytes:5.0f} MB {self.seconds:5.2f} s"
        return f"{took}  {self.name} ({self.size} bytes): {self.outcome}"


def run(quick: bool) -> Iterator[Line]:
    """Bombs made by hand, then every number in the header of every small seed."""
    for _, data in seeds().values():
        _outcome(data)  # what is loaded once
    bombs = [(name, make()) for name, make in by_hand().items()]
    yield _line("small pictures, bombs", bombs)
    fields = [each for i, each in enumerate(by_field()) if not quick or i % 20 == 0]
    yield _line("small pictures, header fields", fields)


def _line(name: str, pictures: list[tuple[str, bytes]]) -> Line:
    pictures = [(name, data) for name, data in pictures if len(data) <= LIMIT]
    costs = measured(pictures)
    for _ in range(2):  # the machine may have been busy with other things
        late = [i for i, cost in enumerate(costs) if _SECONDS < cost.seconds < _PATIENCE]
        for i, again in zip(late, measured([pictures[i] for i in late]), strict=True):
            costs[i] = min(costs[i], again, key=lambda cost: cost.over)
    over = sorted((cost for cost in costs if cost.over > 1), key=lambda cost: -cost.over)
    most, longest = max(c.megabytes for c in costs), max(c.seconds for c in costs)
    number = f"{len(over)} of {len(costs):,} over; most {most:.0f} MB, {longest:.2f} s"
    lines = [str(cost) for cost in over[:30]]
    return Line(name, number, f"{_MEGABYTES:.0f} MB, {_SECONDS:.0f} s", not over, lines)


def measured(pictures: list[tuple[str, bytes]]) -> list[Cost]:
    """Read each, in a child process that may crash, hang or grow."""

    def work(index: int) -> Verdict:
        before = _anew()
        outcome = _outcome(pictures[index][1])
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Verdict("picture", outcome, megapixels=(most - before) / 1e6)

    watch = Watch(seconds=_PATIENCE, megabytes=_held() / 1e6 + _RUNAWAY)
    costs = []
    for result in watched(work, len(pictures), watch):
        name, data = pictures[result.index]
        outcome, most = result.verdict.read, result.verdict.megapixels
        if outcome.startswith(FAULT):  # it ended the child, before or after it told
            most = max(most, _RUNAWAY if "memory" in outcome else 0)
        costs.append(Cost(name, len(data), most, result.seconds, outcome))
    return costs


def _anew() -> int:
    """Bytes that this process holds; its high-water mark starts anew where the system lets it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _held()


def _held() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _outcome(data: bytes) -> str:
    """ "ok" or the code of the error."""
    try:
        images.read(data)
    except PhotoError as error:
        return error.code
    except Exception as error:
        return f"untyped: {type(error).__name__}: {error}"
    return "ok"
