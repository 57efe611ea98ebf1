"""Pushing to the Hub, with the real client, against a server that speaks the Hub's API."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import warm
import yaml
from fake_hub import READER, WRITER, Hub, fake_hub
from running_page import tiny_weights

from pix2pix.weights import load


@pytest.fixture
def hub() -> Iterator[Hub]:
    with fake_hub() as running:
        yield running


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tiny_weights(tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def run_python(
    code: list[str], url: str, home: Path, token: str | None = WRITER
) -> subprocess.CompletedProcess[str]:
    """A process of its own: huggingface_hub reads its settings when it is imported."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_TOKEN": token} if token else {}
    command = [warm.python(), *code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def export(
    weights: str | Path, url: str, home: Path, *options: str, token: str | None = WRITER
) -> subprocess.CompletedProcess[str]:
    command = ["-m", "pix2pix.cli", "export", str(weights), "hub", "me/mine", *options]
    return run_python(command, url, home, token)


@pytest.mark.slow
def test_pushed_weights_come_back(hub: Hub, weights: Path, tmp_path: Path) -> None:
    done = export(weights, hub.url, tmp_path / "home")
    assert (done.returncode, done.stdout) == (0, f"{hub.url}/me/mine\n"), done.stderr
    files = hub.repos["me/mine"]
    assert set(files) == {"model.safetensors", "config.json", "README.md"}
    assert files["model.safetensors"] == weights.read_bytes()
    generator, header = load(weights)
    assert json.loads(files["config.json"])["generator"] == header.generator
    card = files["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["pipeline_tag"] == "image-to-image" and "license" not in front
    assert 'from_pretrained("me/mine")' in card and "# tiny" in card

    code = f"""
from pix2pix.weights import load, save
generator, header = load("me/mine")
save({str(tmp_path / "back.safetensors")!r}, generator, header)
"""
    done = run_python(["-c", code], hub.url, tmp_path / "home", token=None)
    assert done.returncode == 0, done.stderr
    back, other = load(tmp_path / "back.safetensors")
    assert other == header
    for name, tensor in generator.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)


@pytest.mark.slow
def test_bundled_weights_bring_their_own_card(hub: Hub, tmp_path: Path) -> None:
    done = export("default", hub.url, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    card = hub.repos["me/mine"]["README.md"].decode()
    assert "## Known failures" in card and 'from_pretrained("me/mine")' in card
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "other"


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.slow
def test_repo_in_use_needs_overwrite(hub: Hub, weights: Path, tmp_path: Path) -> None:
    hub.repos["me/mine"] = {"notes.txt": b"keep me"}
    line = one_line(export(weights, hub.url, tmp_path))
    assert line == "me/mine: export: this repo exists; give another name, or --overwrite"
    assert set(hub.repos["me/mine"]) == {"notes.txt"}
    done = export(weights, hub.url, tmp_path, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert hub.repos["me/mine"]["notes.txt"] == b"keep me" and len(hub.repos["me/mine"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (None, r"no token: run `hf auth login`"),
        ("hf_expired", r"does not accept the token"),
        (READER, r"no permission to write"),
    ],
)
def test_tokens(hub: Hub, weights: Path, tmp_path: Path, token: str | None, expected: str) -> None:
    line = one_line(export(weights, hub.url, tmp_path, token=token))
    assert line.startswith("me/mine: export: ") and re.search(expected, line)
    assert hub.repos == {}


@pytest.mark.slow
def test_commit_that_fails_names_the_way_on(hub: Hub, weights: Path, tmp_path: Path) -> None:
    hub.refuse_commits = True
    assert "go on with --overwrite" in one_line(export(weights, hub.url, tmp_path))
    hub.refuse_commits = False
    assert export(weights, hub.url, tmp_path, "--overwrite").returncode == 0
    assert hub.repos["me/mine"]["model.safetensors"] == weights.read_bytes()


@pytest.mark.slow
def test_network_down(weights: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert "me/mine: export: not pushed to the Hub: " in one_line(
            export(weights, url, tmp_path)
        )


@pytest.mark.slow
def test_weights_that_cannot_be_used_are_not_pushed(hub: Hub, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"no weights")
    assert "weights: not a safetensors file" in one_line(export(bad, hub.url, tmp_path))
    assert hub.calls == []
