"""Runs of shards into a bucket and a folder, killed at random: every photo once, whole, the same.

Needs the packages of requirements.txt (moto). In the environment `PHOTOS=2000` says how many
photos, `WEIGHTS=tiny.onnx` by which net, and `ONLY=bucket` or `ONLY=folder` where to.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from fuzz.drawings import saved
from PIL import Image

from torture.bucket import Bucket, serving
from torture.report import Line

ROOT = Path(__file__).parents[2]
_KILLS = 6  # of a run, from the first copy that it adds
SHARDS = ("1/2", "2/2")


def run(quick: bool) -> Iterator[Line]:
    """Each way of killing, into a bucket and into a folder, against one run that nobody killed."""
    count = 24 if quick else int(os.environ.get("PHOTOS", 200))
    ways = (killed_again_and_again, one_of_two_shards, the_same_shard_twice)
    with tempfile.TemporaryDirectory() as name, serving("scans", "copies") as bucket:
        folder = Path(name)
        draw(folder / "in", count)
        environment = os.environ | bucket.environment
        yield from _timed("one run, nobody killed", Place(folder / "true", folder, environment))
        truth = read_folder(folder / "true")
        upload(folder / "in", bucket)
        for way in ways:
            for place in (
                InBucket(way.__name__, bucket),
                Place(folder / "out", folder, environment),
            ):
                if os.environ.get("ONLY", place.name) not in (place.name, way.__name__):
                    continue
                yield from _judged(way, place, truth)


@dataclass
class Place:
    """A folder that receives copies of the photos of a folder."""

    out: Path
    folder: Path
    environment: dict[str, str]
    name: str = "folder"
    kills: int = 0

    def command(self, shard: str) -> list[str]:
        return command(str(self.folder / "in"), str(self.out), shard)

    def count(self) -> int:
        return sum(1 for _ in self.out.rglob("*.color.*"))

    def copies(self) -> dict[str, bytes]:
        return read_folder(self.out)

    def doubled(self) -> dict[str, int]:
        return {}

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)


@dataclass
class InBucket:
    """A prefix that receives copies of the photos of a bucket."""

    prefix: str
    bucket: Bucket
    name: str = "bucket"
    puts: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.bucket.environment

    def command(self, shard: str) -> list[str]:
        return command("s3://scans/in/", f"s3://copies/{self.prefix}/", shard)

    def count(self) -> int:
        self.puts.update(self.bucket.puts())
        return len(self.puts)

    def copies(self) -> dict[str, bytes]:
        client = self.bucket.client()
        found = {}
        for page in client.get_paginator("list_objects_v2").paginate(
            Bucket="copies", Prefix=f"{self.prefix}/"
        ):
            for item in page.get("Contents", []):
                body = client.get_object(Bucket="copies", Key=item["Key"])["Body"].read()
                found[item["Key"].removeprefix(f"{self.prefix}/")] = body
        for upload in client.list_multipart_uploads(Bucket="copies").get("Uploads", []):
            found[f"an upload cut short: {upload['Key']}"] = b""
        return found

    def doubled(self) -> dict[str, int]:
        self.count()
        return {key: count for key, count in self.puts.items() if count > 1}

    def clear(self) -> None:
        self.puts.clear()
        self.bucket.puts()


def killed_again_and_again(place: Place | InBucket, rng: random.Random) -> None:
    """One run, killed and started again."""
    for _ in range(_KILLS):
        kill_after([start(place, "1/1")], place, rng)
    finish([start(place, "1/1")])


def one_of_two_shards(place: Place | InBucket, rng: random.Random) -> None:
    """Two shards at once; one is killed, goes on alone, and is killed and started again."""
    for _ in range(_KILLS // 2):
        both = [start(place, shard) for shard in SHARDS]
        kill_after(both[:1], place, rng)
        kill_after(both[1:], place, rng)
    finish([start(place, shard) for shard in SHARDS])


def the_same_shard_twice(place: Place | InBucket, rng: random.Random) -> None:
    """Two runs of all photos at once, as a scheduler starts a task again that it lost sight of."""
    first, second = start(place, "1/1"), start(place, "1/1")
    kill_after([first], place, rng)
    third = start(place, "1/1")
    finish([second, third])


class Run(NamedTuple):
    """A run and the file that has its stderr."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]


def start(place: Place | InBucket, shard: str) -> Run:
    said = tempfile.TemporaryFile()
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": said}
    return Run(subprocess.Popen(place.command(shard), env=place.environment, **quiet), said)


def kill_after(runs: list[Run], place: Place | InBucket, rng: random.Random) -> None:
    """Kill runs a moment after something new came, or let them end."""
    before = place.count()
    while place.count() == before and any(run.process.poll() is None for run in runs):
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 1))
    for process, said in runs:
        process.send_signal(signal.SIGKILL)
        place.kills += process.wait() == -signal.SIGKILL
        said.close()


def finish(runs: list[Run]) -> None:
    statuses = [run.process.wait() for run in runs]
    said = [_end_of(run.said) for run in runs]
    assert not any(statuses), f"{statuses}: {said}"


def _end_of(said: IO[bytes]) -> bytes:
    """The end of a file, which is closed."""
    with said:
        said.seek(0)
        return said.read()[-2000:]


def command(source: str, out: str, shard: str) -> list[str]:
    program = [sys.executable, "-m", "pix2pix.cli", "colorize", source, "-o", out]
    return [*program, "--shard", shard, "--weights", os.environ.get("WEIGHTS", "default")]


def _timed(name: str, place: Place) -> Iterator[Line]:
    begin = time.monotonic()
    finish([start(place, "1/1")])
    seconds = time.monotonic() - begin
    yield Line(name, f"{place.count()} photos in {seconds:.0f} s")


def _judged(
    way: Callable[[Place | InBucket, random.Random], None],
    place: Place | InBucket,
    truth: dict[str, bytes],
) -> Iterator[Line]:
    place.clear()
    begin = time.monotonic()
    way(place, random.Random(way.__name__))
    seconds = time.monotonic() - begin
    found, doubled = place.copies(), place.doubled()
    lost = sorted(truth.keys() - found.keys())
    more = sorted(found.keys() - truth.keys())
    differ = sorted(key for key in truth.keys() & found.keys() if truth[key] != found[key])
    title = f"{way.__name__.replace('_', ' ')}, {place.name}"
    number = f"{len(lost)} lost, {len(doubled)} doubled, {len(differ)} differing, {len(more)} more"
    met = not (lost or doubled or differ or more)
    number += f" of {len(truth)}; {place.kills} kills, in {seconds:.0f} s"
    yield Line(title, number, "0", met, (lost + list(doubled) + differ + more)[:5])


def draw(folder: Path, count: int, side: int = 64) -> None:
    """Gray photos in 7 folders, each another one."""
    y, x = np.mgrid[:side, :side]
    for i in range(count):
        noise = np.random.default_rng(i).normal(0, 4, (side, side))
        gray = 128 + 60 * np.sin(x / (4 + i % 5)) * np.cos(y / (5 + i % 7)) + noise
        path = folder / f"box {i % 7}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(Image.fromarray(gray.clip(0, 255).astype(np.uint8)), "JPEG"))


def upload(folder: Path, bucket: Bucket) -> None:
    """Put the files of a folder into the bucket `scans`, below `in/`."""
    client = bucket.client()
    for path in sorted(folder.rglob("*.jpg")):
        key = f"in/{path.relative_to(folder).as_posix()}"
        client.put_object(Bucket="scans", Key=key, Body=path.read_bytes())


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
