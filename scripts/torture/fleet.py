"""Fleets: runs by Ray whose actor, node or driver is killed, into a folder and a bucket.

Afterwards the same command is given again: every photo must have one copy, whole, the very bytes
of a run in one process, and one row in the manifest that tells the truth about it. Needs the
packages of requirements.txt (ray, moto). `PHOTOS=2000` says how many, `WEIGHTS` by what, `KINDS`
and `PLACES` do a part: actor, node, driver; folder, bucket.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torture.bucket import serving
from torture.buckets import InBucket, Place, draw, read_folder, upload
from torture.report import Line

WEIGHTS = os.environ.get("WEIGHTS", "default")
_PATIENCE = 600  # seconds after which a run counts as hanging
_LEAVING = 90  # seconds in which Ray's agents must have noticed that what they serve is gone


def run(quick: bool) -> Iterator[Line]:
    """Each kind of kill, into a folder and into a bucket, against one run in one process."""
    count = 200 if quick else int(os.environ.get("PHOTOS", 400))
    kinds = [actor_killed, node_killed, driver_killed][: 1 if quick else 3]
    named = os.environ.get("KINDS", "actor node driver")
    kinds = [kind for kind in kinds if kind.__name__.partition("_")[0] in named.split()]
    with tempfile.TemporaryDirectory() as name, serving("scans", "copies") as bucket:
        folder = Path(name)
        environment = os.environ | bucket.environment
        draw(folder / "in", count)
        true = Place(folder / "true", folder, environment)
        begin = time.monotonic()
        assert not subprocess.run(command(true)[:-4], env=environment, **QUIET).returncode
        yield Line("in one process", f"{count} photos in {time.monotonic() - begin:.0f} s")
        truth = read_folder(folder / "true")
        upload(folder / "in", bucket)
        for kind in kinds:
            places = {
                "folder": Place(folder / "out", folder, environment),
                "bucket": InBucket(kind.__name__, bucket),
            }
            for name in os.environ.get("PLACES", "folder bucket").split():
                yield _judged(kind, places[name], truth, folder)


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def command(place: Place | InBucket, manifest: str = "") -> list[str]:
    """The command of `place`, its photos colored by a fleet."""
    return [*place.command("1/1"), "--weights", WEIGHTS, "--engine", "ray", "--manifest", manifest]


def actor_killed(processes: dict[int, str]) -> int:
    """The process of an actor, which colors."""
    return next(pid for pid, name in processes.items() if name.startswith("ray::MapWorker"))


def node_killed(processes: dict[int, str]) -> int:
    """The process that runs a node, and its workers with it."""
    return next(pid for pid, name in processes.items() if "/raylet/raylet" in name.split(" ")[0])


def driver_killed(processes: dict[int, str]) -> int:
    """The command itself."""
    return next(iter(processes))


def _judged(
    kind: Callable[[dict[int, str]], int],
    place: Place | InBucket,
    truth: dict[str, bytes],
    folder: Path,
) -> Line:
    place.clear()
    where = str(folder / f"manifest {kind.__name__} {place.name}")
    begin = time.monotonic()
    with tempfile.TemporaryFile() as said:
        heard: Any = {"stdout": subprocess.DEVNULL, "stderr": said}
        killed, ended, left = _interrupted(kind, place, where, len(truth), heard)
        there = place.count()
        again = subprocess.run(
            command(place, where), env=place.environment, timeout=_PATIENCE, **heard
        ).returncode
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    seconds = time.monotonic() - begin
    found, doubled = place.copies(), place.doubled()
    wrong = (
        [f"lost: {key}" for key in truth.keys() - found.keys()]
        + [f"more: {key}" for key in found.keys() - truth.keys()]
        + [f"doubled: {key}" for key in doubled]
        + [f"differs: {key}" for key in truth.keys() & found.keys() if truth[key] != found[key]]
        + _untrue_rows(where, folder / "in", truth)
    )
    if again:
        wrong.append(f"the second run ended with {again}")
    wrong += [f"a process is left: {name}" for name in left]
    shutil.rmtree(where, ignore_errors=True)
    kinds = Counter(line.partition(":")[0] for line in wrong)
    found_wrong = ", ".join(f"{number} {what}" for what, number in kinds.items()) or "nothing"
    number = f"{found_wrong} wrong of {len(truth)}; killed at {killed}, {there} there when it ended"
    number += f" with {ended}, in {seconds:.0f} s"
    title = f"{kind.__name__.replace('_', ' ')}, {place.name}"
    if wrong:
        wrong = wrong[:5] + [f"stderr: {line}" for line in lines[-9:]]
    return Line(title, number, "nothing", not wrong, wrong)


def _interrupted(
    kind: Callable[[dict[int, str]], int],
    place: Place | InBucket,
    manifest: str,
    count: int,
    heard: Any,
) -> tuple[int, int, list[str]]:
    """Kill a part of a run in its middle -> the copies by then, the exit status, what is left."""
    rng = random.Random(f"{kind.__name__} {place.name}")
    driver = subprocess.Popen(command(place, manifest), env=place.environment, **heard)
    enough = rng.uniform(0.1, 0.7) * count
    due = time.monotonic() + _PATIENCE
    while (copies := place.count()) < enough and driver.poll() is None:
        assert time.monotonic() < due, "the run hangs"
        time.sleep(0.1)
    processes = descendants(driver.pid)
    if driver.poll() is None:
        os.kill(kind(processes), signal.SIGKILL)
    ended = driver.wait(_PATIENCE)
    due = time.monotonic() + _LEAVING
    while (left := _living(processes)) and time.monotonic() < due:
        time.sleep(0.1)  # an actor may finish its photo
    return copies, ended, left


def _living(processes: dict[int, str]) -> list[str]:
    """Those of the processes that nobody ended."""
    return [name[:60] for pid, name in processes.items() if _command_line(pid)]


def descendants(process: int) -> dict[int, str]:
    """A process and all below it: their command lines by id."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    found = [process]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return {pid: _command_line(pid) for pid in found}


def _command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def _untrue_rows(manifest: str, photos: Path, truth: dict[str, bytes]) -> list[str]:
    """What the manifest tells wrongly, or not at all, or twice."""
    from pix2pix.archives.manifest import read

    rows = read(manifest).to_pylist()
    outputs = Counter(row["output"] for row in rows)
    wrong = [f"no row: {key}" for key in truth.keys() - outputs.keys()]
    wrong += [f"rows: {key} {number}" for key, number in outputs.items() if number > 1]
    for row in rows:
        source, output = (photos / row["key"]).read_bytes(), truth.get(row["output"], b"")
        told = (row["bytes_in"], row["sha256_in"], row["bytes_out"], row["sha256_out"])
        if told != (*_digest(source), *_digest(output)) or row["status"] not in _GOOD:
            wrong.append(f"untrue row: {row}")
    return wrong


_GOOD = {"colored", "skipped"}  # a copy of the killed run that it could not note any more


def _digest(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()
