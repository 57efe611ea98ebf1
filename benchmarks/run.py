"""How near to the machine's floor it is: one table, each figure a ratio within its run, and JSON.

    python benchmarks/run.py [--plan quick] [--only SECTION ...] [--json build/bench.json]

Sections, each in a process of its own: floor, nets, file, cold, folder, bucket, film, service,
training, peers; what each measures: docs/performance.md. `--plan quick` is a sample of each in two
minutes.
Exit status 1 when a section fails; a missed bar is marked, as only a quiet machine can say. Linux.
"""

import argparse
import importlib
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from harness import PLANS, Figure, as_json, machine, table

SECTIONS = (
    "floor",
    "nets",
    "file",
    "cold",
    "folder",
    "bucket",
    "film",
    "service",
    "training",
    "peers",
)


def measure(section: str, plan: str) -> list[Figure]:
    """Run a section in a process of its own. Raises CalledProcessError, after its own words."""
    command = [sys.executable, __file__, "--plan", plan, "--section", section]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    return [Figure(**figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--plan", choices=PLANS, default="full")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.section:
        figures = importlib.import_module(f"sections.{given.section}").run(PLANS[given.plan])
        print(json.dumps([asdict(replace(f, section=given.section)) for f in figures]))
        return 0
    facts, seconds, figures, failed = machine(), {}, [], []
    print(*(f"{name}: {fact}" for name, fact in facts.items()), sep="\n", flush=True)
    for section in given.only:
        start = time.perf_counter()
        try:
            found = measure(section, given.plan)
        except subprocess.CalledProcessError:
            failed.append(section)
            continue
        print(table(found), flush=True)
        seconds[section] = round(time.perf_counter() - start, 1)
        figures += found
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(
        as_json(figures, plan=given.plan, machine=facts, seconds=seconds, failed=failed)
    )
    missed = sum(figure.met is False for figure in figures)
    took = sum(seconds.values())
    print(f"\n{len(figures)} figures in {took:.0f} s, {missed} bars missed: {given.json}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
