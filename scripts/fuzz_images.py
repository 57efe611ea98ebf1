"""Fuzz `images.read`, `write` and `encode` with mutated pictures of every readable format.

    python scripts/fuzz_images.py [--runs N] [--seed S] [--minutes M] [--memory MB] [--jobs J]
                                  [--out DIR] [--show INDEX]

Prints how the runs ended and every kind of fault: an untyped error, a crash, a hang (10 s), memory
above the bound, a written file that does not open. Exit status 1 if there is any. Run I of seed S
is always the same file; the smallest of each kind of fault is saved under --out, `--show I` saves
that of one run.
"""

import argparse
import gc
import hashlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.judge import FAULT, Verdict, judge, run
from fuzz.seeds import seeds
from fuzz.watch import Result, Watch, watched

_CODES = ("ok", "truncated", "corrupt", "unsupported_format", "unsupported_mode", "invalid_pixels")


@dataclass
class Tally:
    """Counts over runs, and the smallest input of each kind of fault."""

    seed: int
    read: Counter[tuple[str, str]] = field(default_factory=Counter)
    written: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    most: Result | None = None
    slowest: Result | None = None
    runs: int = 0

    def add(self, result: Result) -> None:
        """Count one run."""
        self.runs += 1
        verdict = result.verdict
        format = verdict.format or run(self.seed, result.index).format
        self.read[format, "fault" if verdict.read.startswith(FAULT) else verdict.read] += 1
        if verdict.write:
            short = "fault" if verdict.write.startswith(FAULT) else verdict.write
            self.written[format, short] += 1
        if self.most is None or result.megabytes > self.most.megabytes:
            self.most = result
        if self.slowest is None or result.seconds > self.slowest.seconds:
            self.slowest = result
        if kind := verdict.fault.removeprefix(FAULT):
            self.faults[kind] += 1
            size = len(run(self.seed, result.index).data)
            self.smallest[kind] = min(self.smallest.get(kind, (size, result.index, format)),
                                      (size, result.index, format))  # fmt: skip

    def table(self, seconds: float) -> str:
        """What the runs came to, for people."""
        codes = [c for c in _CODES if any(c == code for _, code in self.read)]
        codes += sorted({code for _, code in self.read} - set(codes))
        lines = [f"{'format':10}" + "".join(f"{c[:12]:>13}" for c in [*codes, "written", "not"])]
        for name in sorted({name for name, _ in self.read}):
            counts = [self.read[name, code] for code in codes]
            counts.append(self.written[name, "ok"])
            refused = sum(n for (of, code), n in self.written.items() if of == name) - counts[-1]
            lines.append(f"{name:10}" + "".join(f"{count:13,}" for count in [*counts, refused]))
        assert self.most is not None and self.slowest is not None
        lines.append(
            f"{self.runs:,} runs of {len(seeds())} seeds, {self.runs / seconds:.0f} a second; "
            f"most memory {self.most.megabytes:.0f} MB (run {self.most.index}), "
            f"slowest {self.slowest.seconds:.2f} s (run {self.slowest.index})"
        )
        lines.append(f"outside the typed errors: {self.faults.total():,}")
        for kind, count in self.faults.most_common():
            size, index, format = self.smallest[kind]
            lines.append(f"  {count:6,}  {kind}  [{format}, {size} bytes, run {index}]")
        return "\n".join(lines)

    def save(self, folder: Path) -> None:
        """The smallest input of each kind of fault."""
        for kind, (_, index, _) in self.smallest.items():
            data = run(self.seed, index).data
            name = re.sub(r"\W+", "_", kind)[:80]
            folder.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256(data).hexdigest()[:8]
            (folder / f"{name}_{digest}.bin").write_bytes(data)


def fuzz(*, runs: int, seed: int, seconds: float, watch: Watch, jobs: int = 1) -> Tally:
    """Do runs 0 ... `runs` - 1 of `seed`, at most for `seconds`."""

    def work(index: int) -> Verdict:
        each = run(seed, index)
        return judge(each.data, each.format, each.rng)

    tally = Tally(seed)
    work(0)  # what is loaded once, and the seeds
    gc.collect()
    gc.freeze()
    for result in watched(work, runs, watch, jobs=jobs, until=time.monotonic() + seconds):
        tally.add(result)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop by then")
    parser.add_argument("--memory", type=float, default=600.0, metavar="MB", help="of a process")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="inputs of faults")
    parser.add_argument("--show", type=int, metavar="INDEX", help="judge one run, save its input")
    given = parser.parse_args()
    if given.show is not None:
        each = run(given.seed, given.show)
        path = (given.out or Path()) / f"run-{given.seed}-{given.show}.bin"
        path.write_bytes(each.data)
        print(f"{path}: {each.name}, {len(each.data):,} bytes", flush=True)
        print(judge(each.data, each.format, each.rng))
        return 0
    start = time.monotonic()
    tally = fuzz(
        runs=given.runs,
        seed=given.seed,
        seconds=60 * given.minutes,
        watch=Watch(megabytes=given.memory),
        jobs=given.jobs,
    )
    print(tally.table(time.monotonic() - start))
    if given.out is not None:
        tally.save(given.out)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
