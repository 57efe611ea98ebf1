"""Follow the Dockerfile without Docker: its steps in a fresh virtual environment.

    python scripts/docker_steps.py [--target serve] [--torch-index URL]

What is copied, installed and started is what the file says; only its users and its base image are
left out, which need a container. For `serve` the command is started on a free port, its health
check is run, and a photo goes through; for `train` the entry point is run. Exit status 1 when a
step fails.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Step:
    """One instruction: `RUN`, and what follows it."""

    name: str
    value: str


def stages(text: str) -> dict[str, tuple[str, list[Step]]]:
    """A Dockerfile -> by stage, what it is built from, and its steps."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    found: dict[str, tuple[str, list[Step]]] = {}
    for line in filter(str.strip, joined.splitlines()):
        name, _, value = line.strip().partition(" ")
        if name == "FROM":
            source, _, stage = value.partition(" AS ")
            steps: list[Step] = []
            found[stage] = source, steps
        else:
            steps.append(Step(name, value.strip()))
    return found


def steps_of(text: str, target: str) -> list[Step]:
    """All steps of a target, those of the stages below it first."""
    found = stages(text)
    source, own = found[target]
    return (steps_of(text, source) if source in found else []) + own


def follow(target: str, folder: Path, torch_index: str | None) -> None:
    """Run the target's steps in `folder`."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    work = folder / "work"
    work.mkdir()
    environment = os.environ | {"PATH": f"{folder / 'venv' / 'bin'}:/usr/bin:/bin"}
    environment.pop("PYTHONPATH", None)
    last: dict[str, str] = {}
    for step in steps_of((ROOT / "Dockerfile").read_text(), target):
        print(f"{step.name} {step.value}", flush=True)
        if step.name == "ENV":
            environment |= dict(re.findall(r"(\w+)=(\S+)", step.value))
        elif step.name == "ARG":
            name, _, value = step.value.partition("=")
            given = torch_index if name == "TORCH_INDEX" else None
            environment[name] = given or value
        elif step.name == "COPY":
            *sources, dest = step.value.split()
            for source in sources:
                _copy(ROOT / source, work / dest)
        elif step.name == "RUN" and not step.value.startswith("useradd"):
            subprocess.run(["sh", "-c", step.value], cwd=work, env=environment, check=True)
        else:
            last[step.name] = step.value
    if target == "serve":
        _serve(json.loads(last["CMD"]), last["HEALTHCHECK"], folder, environment)
    else:
        command = json.loads(last["ENTRYPOINT"]) + json.loads(last["CMD"])
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def _copy(source: Path, dest: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, dest, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy(source, dest)


def _serve(command: list[str], check: str, folder: Path, environment: dict[str, str]) -> None:
    """Start the service, ask whether it is well, send it a photo, stop it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = ["127.0.0.1" if c == "0.0.0.0" else c.replace("7860", port) for c in command]
    health = json.loads(check[check.index("[") :].replace("7860", port))
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        for _ in range(120):
            if process.poll() is not None:
                raise SystemExit("the service ended")
            if not subprocess.run(health, env=environment, stderr=subprocess.DEVNULL).returncode:
                break
            time.sleep(0.5)
        else:
            raise SystemExit("the health check never passed")
        photo = next((ROOT / "resources" / "samples").glob("*.jpg")).read_bytes()
        url, kind = f"http://127.0.0.1:{port}/", {"Content-Type": "image/jpeg"}
        request = urllib.request.Request(url + "api/colorize", photo, kind)
        assert urllib.request.urlopen(request).read().startswith(b"\xff\xd8\xff")
        assert b"Pix2PixColor" in urllib.request.urlopen(url).read()
        print("healthy; a photo went through; the page is there")
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="serve", choices=["serve", "train"])
    parser.add_argument("--torch-index", help="in place of the Dockerfile's")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        follow(arguments.target, Path(temporary), arguments.torch_index)
