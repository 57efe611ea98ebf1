"""A bucket of scans: `pix2pix colorize` from S3 to S3 beside the same photos in a folder.

The server is moto's, on the same machine and on its cores: its own processor time is a figure.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import Figure, Plan, Process, process

from sections.folder import HERE

sys.path.append(str(HERE.parent / "scripts"))  # where the server is

from torture.bucket import Bucket, serving  # noqa: E402

THROUGHPUT = 0.8
SIZES = ((2304, 1728), (1152, 864))


def color(source: str, out: str, weights: str, bucket: Bucket) -> Process:
    command = [sys.executable, "-m", "pix2pix.cli", "colorize", source, "-o", out]
    return process([*command, "--weights", weights], env=os.environ | bucket.environment)


def run(plan: Plan) -> Iterator[Figure]:
    weights = plan.weights or "default"
    for width, height in SIZES[: 1 if plan.large < 10 else 2]:
        count = max(2, plan.large * 1152 * 864 // (width * height))
        with tempfile.TemporaryDirectory() as name, serving("scans", "copies") as bucket:
            outer = Path(name)
            for folder, n in (("many", count), ("one", 1)):
                shape = [str(width), str(height), "--count", str(n)]
                make = [sys.executable, str(HERE / "pictures.py"), str(outer / folder), *shape]
                subprocess.run(make, check=True)
                upload(outer / folder, bucket)
            name = f"{count} photos of {width * height / 1e6:.0f} MP"
            yield from beside(outer, name, weights, bucket)


def upload(folder: Path, bucket: Bucket) -> None:
    client = bucket.client()
    for path in folder.glob("*.jpg"):
        key = f"{folder.name}/{path.name}"
        client.put_object(Bucket="scans", Key=key, Body=path.read_bytes())


def beside(outer: Path, name: str, weights: str, bucket: Bucket) -> Iterator[Figure]:
    """The figures of both ways, each less a run of one photo, which has the time of the start."""
    count = len(list((outer / "many").glob("*.jpg")))
    rates, seconds = [], []
    for source, out in ((f"{outer}/", f"{outer}/out/"), ("s3://scans/", "s3://copies/")):
        for i in range(2):  # start-up, the second time with its files in memory
            start = color(f"{source}one", f"{out}{i}", weights, bucket)
        before = served(bucket)
        whole = color(f"{source}many", f"{out}many", weights, bucket)
        rates.append((count - 1) / max(whole.wall - start.wall, 1e-3))
        seconds.append(max(whole.cpu - start.cpu, 1e-3) / (count - 1))
    server = (served(bucket) - before) / count
    yield Figure(f"{name}, from folder to folder", rates[0], "photos/s")
    of = "folder to folder"
    yield Figure(
        f"{name}, S3 to S3", rates[1], "photos/s", rates[1] / rates[0], of, THROUGHPUT, True
    )
    cpu = seconds[1] / seconds[0]
    yield Figure(f"{name}, processor time", 1e3 * seconds[1], "ms a photo", cpu, of)
    yield Figure(f"{name}, the server's", 1e3 * server, "ms a photo", server / seconds[0], of)


def served(bucket: Bucket) -> float:
    """Processor seconds of the server until now."""
    fields = Path(f"/proc/{bucket.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
