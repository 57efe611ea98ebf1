"""What docs/archives.md says runs: on folders and on a server that speaks S3."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
import warm
from PIL import Image
from places import DOCS
from shell import BIN
from torture.bucket import Bucket, serving

from pix2pix.colorize.jobs import in_shard

PAGE = (DOCS / "archives.md").read_text()
LINES = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.split("\n")
]
COLORING = [line for line in LINES if " colorize " in line and "--address" not in line]
PART = (1, 32)  # of the two lines of a job array
OF_PART = next(i for i in range(4, 999) if in_shard(f"{i}.color.png".encode(), PART))
NUMBERS = [0, 1, 2, 3, OF_PART]
NAMES = sorted(f"{i}.color.png" for i in NUMBERS)


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with serving("scans") as bucket:
        yield bucket


@pytest.fixture
def folder(tmp_path: Path, server: Bucket) -> Path:
    """A folder scans/ and, alike, s3://scans/in, with nothing colored yet."""
    client = server.client()
    for one in client.list_objects_v2(Bucket="scans").get("Contents", []):
        client.delete_object(Bucket="scans", Key=one["Key"])
    (tmp_path / "scans").mkdir()
    for i in NUMBERS:
        data = io.BytesIO()
        Image.fromarray(skimage.data.camera()[i % 8 :: 8, ::8]).save(data, "PNG")
        (tmp_path / "scans" / f"{i}.png").write_bytes(data.getvalue())
        client.put_object(Bucket="scans", Key=f"in/{i}.png", Body=data.getvalue())
    return tmp_path


def run(line: str, folder: Path, server: Bucket) -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={
            "PATH": f"{warm.folder()}:{BIN}:/usr/bin:/bin",
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            **server.environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def colored(folder: Path, server: Bucket) -> list[str]:
    """The names of what is in s3://scans/color or color/."""
    listed = server.client().list_objects_v2(Bucket="scans", Prefix="color/")
    names = [one["Key"].removeprefix("color/") for one in listed.get("Contents", [])]
    return sorted(names + [path.name for path in (folder / "color").glob("*")])


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in COLORING if "--engine" not in line])
def test_a_line_colors_all_or_its_part(line: str, folder: Path, server: Bucket) -> None:
    run(line, folder, server)
    found = colored(folder, server)
    if "--shard" in line:
        assert found == [name for name in NAMES if in_shard(name.encode(), PART)] != NAMES
    else:
        assert found == NAMES
    if "records.jsonl" in line:
        records = (folder / "records.jsonl").read_text().splitlines()
        assert [json.loads(one)["status"] for one in records] == ["colored"] * 5


def test_the_three_ways_are_there() -> None:
    assert len(COLORING) >= 6
    assert sum("--shard" in line for line in COLORING) == 2
    assert sum("--engine ray" in line for line in COLORING) == 1


@pytest.mark.slow
def test_ray_and_the_manifest(folder: Path, server: Bucket, monkeypatch) -> None:
    (line,) = (line for line in COLORING if "--engine ray" in line)
    run(line, folder, server)
    assert colored(folder, server) == NAMES
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(folder)
    names: dict = {}
    exec(compile(code, "archives.md", "exec"), names)
    assert names["failed"] == [] and names["table"]["status"].to_pylist() == ["colored"] * 5


def test_the_cost_of_a_million_is_what_the_page_says() -> None:
    (line,) = (line for line in LINES if "scripts/cost.py" in line)
    said = subprocess.run(
        ["bash", "-c", line.replace("python", sys.executable, 1)],
        cwd=DOCS.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    million, billion = said.split("photos of 12 MP")[1:]
    hours = int(re.search(r"([\d,]+) core hours", million)[1])  # type: ignore[index]
    assert 45 <= hours <= 55 and "network" in million.partition("bottleneck")[2]
    assert "128 x 16" in billion and "writes" in billion.partition("bottleneck")[2]
