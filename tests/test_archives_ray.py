"""Real, small runs by Ray, alone and on a cluster: the same files, quiet, nothing left."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from photo_sets import fill, gray
from places import DOCS
from tiny_graphs import write_graph
from torture.fleet import descendants

from pix2pix.archives import manifest
from pix2pix.archives.blocks import PHOTOS
from pix2pix.archives.fleet import _reason

PAGE = (DOCS / "archives.md").read_text()
SECONDS = 300  # starting Ray takes some 20 of them on two idle cores
STARTING = 240  # seconds after which a cluster that has not said that it runs is given up
OF_RAY = ("ActorLocationTracker", "_AutoscalingCoordinatorActor", "_StatsActor")
"""What Ray Data leaves on a cluster, for its next run."""
PORTS = (
    *("port", "ray-client-server-port", "dashboard-agent-grpc-port", "metrics-export-port"),
    *("dashboard-agent-listen-port", "runtime-env-agent-port"),
)
"""Given, as agents that choose theirs have 15 seconds to name them to the node, or it ends."""
JOIN = """
import os, sys
from pix2pix.archives.cluster import running
for address in sys.argv[1:]:
    with running(address) as ray:
        alive = sum(node["Alive"] for node in ray.nodes())
    from ray._raylet import AuthenticationMode, get_authentication_mode
    asked = get_authentication_mode() != AuthenticationMode.DISABLED
    print(address, alive, asked or "RAY_AUTH_MODE" in os.environ)
"""
"""Joins a cluster at each address -> its nodes, and whether what comes next would use a token."""


HELD = """
import sys, time
from pix2pix.archives import actors
class Held(actors.Coloring):  # pickled with its code, so that an actor has it, too
    blocks = 0
    def _copy(self, make, jobs):
        Held.blocks += 1
        for record in super()._copy(make, jobs):
            yield record
            while Held.blocks == 2:
                time.sleep(0.1)
actors.Coloring = Held
from pix2pix.cli import main
sys.exit(main())
"""
"""The command, whose actor stops at a photo of its second block: such a run is never done."""


def colorize(folder, *options, source="in", env=None):
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", source, *options]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def read(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@dataclass
class Cluster:
    """A cluster of this machine, which asks for the token in a home of its own."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def work(self) -> list[str]:
        """The processes that runs have on it, and Ray keeps none of for itself."""
        names = [name for name in descendants(self.process.pid).values() if "ray::" in name]
        own = (*OF_RAY, "IDLE", "DashboardAgent", "RuntimeEnvAgent")
        return [name for name in names if not any(f"ray::{kind}" in name for kind in own)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # as paths of sockets are short
    (folder / ".ray").mkdir()
    (folder / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for _ in range(3):  # a busy machine may miss the 30 seconds that Ray gives a node
            found = _started(folder)
            stack.callback(_end, found.process)
            if found.process.poll() is None:
                yield found
                return
        pytest.fail((folder / "said").read_text())


def _started(folder: Path) -> Cluster:
    """A cluster that works, or whose process has ended."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in PORTS]
        for port in held:
            port.bind(("127.0.0.1", 0))
        ports = [port.getsockname()[1] for port in held]
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=2"]
    command += [f"--{name}={port}" for name, port in zip(PORTS, ports, strict=True)]
    command += ["--include-dashboard=false", "--object-store-memory=100000000"]
    command += [f"--temp-dir={folder}"]
    environment = _without_token(os.environ)
    environment |= {"HOME": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
    quick = environment | {"RAY_worker_niceness": "0"}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, env=quick, stdout=said, stderr=said, start_new_session=True
        )
    due = time.monotonic() + STARTING
    while process.poll() is None and "Ray runtime started" not in (folder / "said").read_text():
        if time.monotonic() > due:
            _end(process)
        time.sleep(0.2)
    return Cluster(process, ports[0], environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a cluster with all that it has started."""
    for pid in [*descendants(process.pid)] if process.poll() is None else []:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what one that failed has left
    process.wait()


@pytest.mark.slow
def test_ray_makes_the_very_files_of_a_folder_run(tmp_path):
    fill(tmp_path / "in" / "box 1", 5, gray, ".jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no photo")
    weights = ["--weights", str(write_graph(tmp_path / "tiny.onnx"))]
    here = colorize(tmp_path, "-o", "here", *weights)
    (tmp_path / "home").mkdir()
    ray = colorize(
        *(tmp_path, "-o", "ray", *weights, "--engine", "ray", "--json", "--manifest", "notes"),
        env=_without_token(os.environ) | {"HOME": str(tmp_path / "home")},
    )
    assert (here.returncode, ray.returncode) == (2, 2)
    assert read(tmp_path / "here") == read(tmp_path / "ray") and len(read(tmp_path / "ray")) == 5
    assert ray.stderr == here.stderr  # nothing of Ray's own
    records = {record["path"]: record for record in map(json.loads, ray.stdout.splitlines())}
    rows = {f"in/{row['key']}": row for row in manifest.read(str(tmp_path / "notes")).to_pylist()}
    assert len(records) == 6 and records.keys() == rows.keys()
    for path, record in records.items():
        for name in ("status", "code", "sha256_in", "sha256_out"):
            assert record.get(name) == rows[path][name]
    assert not [p for p in Path("/tmp").glob("pix2pix-ray-*") if not _runs(p)]
    assert not (tmp_path / "home" / ".ray").exists()


@pytest.mark.slow
def test_a_cluster_is_joined_at_every_address_it_has_each_time_with_its_token(cluster):
    addresses = [f"{host}:{cluster.port}" for host in ("127.0.0.1", "localhost", _own_address())]
    addresses += ["auto"]
    joined = subprocess.run(
        [sys.executable, "-c", JOIN, *addresses],
        env=cluster.environment | {"RAY_ADDRESS": cluster.address},  # which "auto" means then
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert joined.stdout.splitlines() == [f"{address} 1 False" for address in addresses]


@pytest.mark.slow
def test_a_run_on_a_cluster_makes_the_very_files_and_leaves_it_as_it_was(tmp_path, cluster):
    fill(tmp_path / "scans", 5, gray, ".jpg")
    (line,) = re.findall(r"^pix2pix colorize (.* --address .*)$", PAGE, re.MULTILINE)
    source, *options = line.replace("127.0.0.1:6379", cluster.address).split()
    weights = ["--weights", str(write_graph(tmp_path / "tiny.onnx"))]
    there = colorize(tmp_path, *options, *weights, source=source, env=cluster.environment)
    here = colorize(tmp_path, "-o", "here", *weights, source=source)
    assert there.returncode == here.returncode == 0, there.stderr
    assert there.stderr == here.stderr
    colored = read(tmp_path / "color")
    assert colored == read(tmp_path / "here") and len(colored) == 5
    _wait_until(lambda: not cluster.work())
    assert cluster.process.poll() is None


@pytest.mark.slow
def test_a_run_whose_driver_is_killed_ends_on_the_cluster_and_goes_on_when_repeated(
    tmp_path, cluster
):
    fill(tmp_path / "in", 100, gray, ".jpg")
    weights = ["--weights", str(write_graph(tmp_path / "tiny.onnx"))]
    by_ray = ["--engine", "ray", "--address", cluster.address, "--manifest", "notes"]
    with (tmp_path / "said").open("wb") as said:
        driver = subprocess.Popen(
            [sys.executable, "-c", HELD, "colorize", "in", "-o", "out", *weights, *by_ray],
            cwd=tmp_path,
            env=cluster.environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    out = tmp_path / "out"
    _wait_until(lambda: len([*out.glob("*.color.jpg")]) > PHOTOS or driver.poll() is not None)
    works = any("MapWorker" in name for name in cluster.work())
    assert works and driver.poll() is None, (tmp_path / "said").read_text()
    driver.kill()
    driver.wait()
    _wait_until(lambda: not cluster.work())
    assert PHOTOS < len(read(out)) < 100
    again = colorize(tmp_path, "-o", "out", *weights, *by_ray, env=cluster.environment)
    assert again.returncode == 0, again.stderr
    assert colorize(tmp_path, "-o", "here", *weights).returncode == 0
    assert read(out) == read(tmp_path / "here") and len(read(out)) == 100
    rows = manifest.read(str(tmp_path / "notes")).to_pylist()
    assert {row["output"] for row in rows} == {str(name) for name in read(out)}
    assert len(rows) == 100 and {row["status"] for row in rows} <= {"colored", "skipped"}


def _without_token(environment):
    return {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")}


def _own_address() -> str:
    """This machine's in the network, or 127.0.0.1 where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # which sends nothing
        except OSError:
            return "127.0.0.1"
        return asked.getsockname()[0]


def _wait_until(condition, seconds=SECONDS):
    due = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < due
        time.sleep(0.1)


def _runs(folder):
    return os.path.exists(f"/proc/{folder.name.split('-')[2]}")


def test_why_an_actor_did_not_start_is_one_line():
    outer = RuntimeError(
        "The actor died.\nTraceback ...\n  raise x\npix2pix.errors.WeightsError: w.onnx: none"
    )
    outer.__cause__ = Exception()
    assert _reason(outer) == "w.onnx: none"
    inner = Exception()
    inner.__cause__ = OSError("the disk: full")
    assert _reason(inner) == "the disk: full"
