"""Stand-ins for SLURM's commands: a queue of one node, in files, where jobs really run.

They are put on PATH by `install`; each is this file under the command's name. What they know of a
job lies in SLURM_FAKE: its script, its state, how often it was started, and what was asked of it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = ("sbatch", "srun", "squeue", "scontrol")


def install(folder: Path) -> dict[str, str]:
    """Make the commands in `folder`; the environment in which they are found."""
    for name in COMMANDS:
        path = folder / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
        path.chmod(0o755)
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "SLURM_FAKE": str(folder)}


def folder() -> Path:
    return Path(os.environ["SLURM_FAKE"])


def told() -> list[str]:
    """Every command that was given, in order."""
    path = folder() / "told"
    return path.read_text().splitlines() if path.exists() else []


def directives(script: Path) -> dict[str, str]:
    return dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?", script.read_text(), re.MULTILINE))


def sbatch(*arguments: str) -> None:
    """Queue a job; `work` runs it."""
    options = [a for a in arguments if a.startswith("--")]
    script, *rest = [a for a in arguments if a not in options]
    shutil.copy(script, folder() / "script")
    given = directives(Path(script)) | dict(o[2:].split("=") for o in options)
    (folder() / "job").write_text(json.dumps({"options": given, "arguments": rest}))
    (folder() / "state").write_text("PENDING")
    print("Submitted batch job 4711")


def start() -> subprocess.Popen:
    """Start the queued job, as slurmd does."""
    job = json.loads((folder() / "job").read_text())
    count = folder() / "starts"
    started = int(count.read_text()) if count.exists() else 0
    count.write_text(str(started + 1))
    (folder() / "state").write_text("RUNNING")
    nodes, tasks = job["options"]["nodes"], job["options"]["ntasks-per-node"]
    more = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": job["options"]["job-name"],
        "SLURM_NNODES": nodes,
        "SLURM_NTASKS": str(int(nodes) * int(tasks)),
        "SLURM_NTASKS_PER_NODE": tasks,
        "SLURM_NODELIST": "localhost",
        "SLURM_JOB_NODELIST": "localhost",
    }
    if started:
        more["SLURM_RESTART_COUNT"] = str(started)
    with (folder() / "log").open("a") as log:
        return subprocess.Popen(
            ["bash", folder() / "script", *job["arguments"]],
            env=os.environ | more,
            stdout=log,
            stderr=log,
        )


def tell_steps(kind: signal.Signals) -> None:
    """Send a signal to every process of srun, as --signal does without B:."""
    for pid in (folder() / "tasks").read_text().split():
        os.kill(int(pid), kind)


def srun(*command: str) -> None:
    """Start the tasks of all nodes, here, and wait for them."""
    per_node = int(os.environ["SLURM_NTASKS_PER_NODE"])
    tasks = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        place = {"PROCID": rank, "LOCALID": rank % per_node, "NODEID": rank // per_node}
        more = {f"SLURM_{name}": str(value) for name, value in place.items()}
        tasks.append(subprocess.Popen(command, env=os.environ | more))
    (folder() / "tasks").write_text(" ".join(str(task.pid) for task in tasks))
    codes = [task.wait() for task in tasks]
    sys.exit(max(codes, key=abs))


def squeue(*arguments: str) -> None:
    assert arguments == ("--noheader", "--format=%T", "--jobs=4711"), arguments
    print((folder() / "state").read_text())


def scontrol(*arguments: str) -> None:
    assert arguments == ("requeue", "4711"), arguments
    (folder() / "state").write_text("PENDING")


def wait_until(condition, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError((folder() / "log").read_text())
        time.sleep(0.05)


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    with (folder() / "told").open("a") as file:
        file.write(" ".join([name, *arguments]) + "\n")
    globals()[name](*arguments)
