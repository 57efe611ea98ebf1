"""Torture the package and print one line a count: `name: number (bar)`.

    python scripts/torture.py [SECTION ...] [--quick]

Sections: small, strangers, kills, folders, buckets, fleet, metadata. All by default; --quick takes
a sample of each. Exit status 1 if a bar is not met. What each does: docs/reliability.md.
"""

import argparse
import importlib
import time

SECTIONS = ("small", "strangers", "kills", "folders", "buckets", "fleet", "metadata")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("section", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a sample of each, 2 minutes in all")
    given = parser.parse_args()
    if unknown := set(given.section) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    met = True
    for name in given.section or SECTIONS:
        start = time.monotonic()
        for line in importlib.import_module(f"torture.{name}").run(given.quick):
            print(line, flush=True)
            met &= line.met is not False
        print(f"[{name}: {time.monotonic() - start:.0f} s]", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
