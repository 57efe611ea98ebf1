"""Files for job arrays: what their schedulers would read, and the command in each, run by parts."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import skimage.data
import warm
import yaml
from fake_slurm import directives
from PIL import Image
from places import SCRIPTS

from pix2pix.archives import shards

FOLDER = SCRIPTS / "archives"
KUBERNETES = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())
BATCH = json.loads((FOLDER / "aws_batch.json").read_text())
SBATCH = FOLDER / "array.sbatch"
PLACES = {"s3://scans/in": "scans", "s3://scans/color": "color"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    for i in range(9):
        photo = Image.fromarray(skimage.data.camera()[i::16, ::16])
        photo.save(tmp_path / "scans" / f"{i}.png")
    return tmp_path


def run(command: list[str], folder: Path, **environment: str) -> list[str]:
    """Run a task in `folder` -> the names of the photos that it colored."""
    path = f"{warm.folder()}:/usr/bin:/bin"
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return [r["path"] for r in records if r["status"] == "colored"]


def here(words: list[str]) -> list[str]:
    """The command on folders in place of buckets."""
    return [PLACES.get(word, word) for word in words]


def check(parts: list[list[str]], folder: Path) -> None:
    colored = sum(parts, [])
    assert sorted(colored) == sorted(f"scans/{i}.png" for i in range(9))
    assert len(list((folder / "color").iterdir())) == 9
    assert all(len(part) < 9 for part in parts)


@pytest.mark.slow
def test_kubernetes(folder: Path) -> None:
    spec = KUBERNETES["spec"]
    assert KUBERNETES["apiVersion"] == "batch/v1" and KUBERNETES["kind"] == "Job"
    assert spec["completionMode"] == "Indexed" and "backoffLimitPerIndex" in spec
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # which limits by index and failure policies ask for
    (container,) = pod["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment == {"JOB_COMPLETIONS": str(spec["completions"])}
    failed = spec["podFailurePolicy"]["rules"][1]
    assert failed["action"] == "FailIndex"
    assert failed["onExitCodes"] == {
        "containerName": container["name"],
        "operator": "In",
        "values": [2],
    }
    assert container["command"] == [*container["command"][:5], "--shard", "auto", "--json"]
    assert pod["volumes"][0]["name"] == container["volumeMounts"][0]["name"]
    few = {"JOB_COMPLETIONS": "2"}
    parts = [
        run(here(container["command"]), folder, JOB_COMPLETION_INDEX=str(i), **few)
        for i in range(2)
    ]
    check(parts, folder)


@pytest.mark.slow
def test_slurm(folder: Path) -> None:
    subprocess.run(["bash", "-n", SBATCH], check=True)
    given = directives(SBATCH)
    first, last = map(int, given["array"].split("-"))
    assert (first, given["ntasks"]) == (0, "1") and "requeue" in given
    parts = []
    for i in range(2):
        array = {"ID": i, "MIN": 0, "MAX": 1, "COUNT": 2, "STEP": 1}
        environment = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in array.items()}
        parts.append(run(["bash", str(SBATCH), "scans", "color"], folder, **environment))
    check(parts, folder)
    assert shards.parse("auto", {**environment, "SLURM_ARRAY_TASK_ID": "1"}) == (2, 2)
    without = subprocess.run(["bash", SBATCH, "scans"], capture_output=True, text=True)
    assert without.returncode and "OUT: a folder or URL" in without.stderr
    assert last == 31


@pytest.mark.slow
def test_aws_batch(folder: Path) -> None:
    container = BATCH["containerProperties"]
    command = [
        BATCH["parameters"][word.removeprefix("Ref::")] if word.startswith("Ref::") else word
        for word in container["command"]
    ]
    assert not [word for word in command if "Ref::" in word]
    rules = BATCH["retryStrategy"]["evaluateOnExit"]
    assert rules[0] == {"onExitCode": "2", "action": "EXIT"} and rules[1]["action"] == "RETRY"
    assert {r["type"] for r in container["resourceRequirements"]} == {"VCPU", "MEMORY"}
    array = {"AWS_BATCH_JOB_ARRAY_SIZE": "2"}
    parts = [
        run(here(command), folder, AWS_BATCH_JOB_ARRAY_INDEX=str(i), **array) for i in range(2)
    ]
    check(parts, folder)


def test_the_head_of_each_file_says_how_to_start_it() -> None:
    text = (FOLDER / "array.sbatch").read_text()
    lines = re.findall(r"^#   (sbatch .*)$", text, re.MULTILINE)
    assert len(lines) == 2 and all("array.sbatch" in shlex.split(line)[-3:][0] for line in lines)
    page = (SCRIPTS.parent / "docs" / "archives.md").read_text()
    for path in FOLDER.iterdir():
        assert f"scripts/archives/{path.name}" in page
    assert os.access(SBATCH, os.R_OK)
