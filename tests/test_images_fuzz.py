"""A short run of the fuzzer: typed errors only, and the fuzzer sees what is none.

The long one: python scripts/fuzz_images.py --runs 100000
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import SCRIPTS

# Runs that do what a decoder could, each on its own file.
BROKEN = """
import ctypes, os, time, warnings
import fuzz_images
from fuzz.judge import run
from fuzz.watch import Watch
from pix2pix import images

RUNS = {run(0, index).data: index for index in range(20)}
plain = images.read

def read(data, **options):
    index = RUNS.get(data)
    if index == 3:
        raise KeyError("untyped")
    if index == 5:
        ctypes.string_at(0)
    if index == 7:
        time.sleep(60)
    if index == 9:
        bytearray(b"x") * 400_000_000
    if index == 11:
        warnings.warn("out of a library")
    if index == 13:
        os.write(2, b"out of libtiff: strip 12\\n")
    return plain(data, **options)

images.read = read
tally = fuzz_images.fuzz(runs=20, seed=0, seconds=60, watch=Watch(seconds=4, megabytes=300))
print(tally.runs, *sorted(tally.faults), sep="\\n")
"""


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=SCRIPTS, timeout=300
    )


@pytest.mark.slow
def test_two_thousand_mutated_pictures_end_in_typed_errors() -> None:
    done = python("fuzz_images.py", "--runs", "2000")
    print(done.stdout)
    assert "outside the typed errors: 0\n" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.slow
def test_every_kind_of_fault_is_seen() -> None:
    done = python("-c", BROKEN)
    assert done.returncode == 0, done.stderr
    runs, *faults = done.stdout.splitlines()
    assert runs == "20"
    assert [re.sub(r"\d+", "0", fault) for fault in faults] == [
        "UserWarning at <string>:0",
        "crash: SIGSEGV",
        "hang: more than 0 s",
        "memory: more than 0 MB",
        "printed: out of libtiff: strip 0",
        "read: KeyError at <string>:0",
    ]


@pytest.mark.slow
def test_a_run_is_the_same_file_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        python("fuzz_images.py", "--seed", "3", "--show", "14", "--out", tmp_path / name)
    first, second = (next((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert first.name == second.name and first.read_bytes() == second.read_bytes()
