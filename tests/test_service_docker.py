"""The Dockerfile and compose file, read: what a linter would say, and what they rely on here.

scripts/docker_steps.py follows the same steps in a fresh virtual environment, with a network.
"""

import fnmatch
import importlib.util
import json
import re
import shlex
import sys
import tomllib

import pytest
import yaml
from places import ROOT, SCRIPTS

TEXT = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
KNOWN = {
    *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("RUN", "USER", "WORKDIR"),
}


def _script():
    spec = importlib.util.spec_from_file_location("docker_steps", SCRIPTS / "docker_steps.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["docker_steps"] = module
    spec.loader.exec_module(module)
    return module


docker_steps = _script()
STAGES = docker_steps.stages(TEXT)
TARGETS = ["serve", "train"]


def steps(target: str, name: str) -> list[str]:
    return [s.value for s in docker_steps.steps_of(TEXT, target) if s.name == name]


def test_the_parser_joins_lines_and_stages() -> None:
    text = 'FROM a:1 AS x\n# no\nRUN one \\\n    && two\nFROM x AS y\nCMD ["z"]\n'
    found = docker_steps.steps_of(text, "y")
    assert [(s.name, s.value) for s in found] == [("RUN", "one && two"), ("CMD", '["z"]')]


def test_bases_are_pinned_by_tag() -> None:
    bases = [source for source, _ in STAGES.values() if source not in STAGES]
    assert bases
    for base in bases:
        assert re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?", base)


def test_only_known_instructions_are_used() -> None:
    names = {s.name for target in TARGETS for s in docker_steps.steps_of(TEXT, target)}
    assert names <= KNOWN  # ADD, MAINTAINER, SHELL and ONBUILD are not among them


@pytest.mark.parametrize("stage", TARGETS)
def test_it_does_not_run_as_root(stage: str) -> None:
    users = steps(stage, "USER")
    assert users and users[-1] not in ("root", "0")
    made = re.findall(r"useradd .*--uid (\d+)", " ".join(steps(stage, "RUN")))
    assert made == [users[-1]]
    names = [s.name for s in docker_steps.steps_of(TEXT, stage)]
    last_user = len(names) - names[::-1].index("USER")
    assert not {"RUN", "COPY"} & set(names[last_user:])  # nothing is root's after it, or built late


@pytest.mark.parametrize("stage", TARGETS)
def test_commands_are_run_without_a_shell(stage: str) -> None:
    for value in steps(stage, "CMD") + steps(stage, "ENTRYPOINT"):
        assert isinstance(json.loads(value), list)
    (check,) = steps(stage, "HEALTHCHECK")
    assert check == "NONE" or json.loads(check[check.index("CMD ") + 4 :])
    assert (check == "NONE") == (stage == "train")


@pytest.mark.parametrize("stage", TARGETS)
def test_steps_leave_nothing_behind_and_ask_for_no_rights(stage: str) -> None:
    for run in steps(stage, "RUN"):
        words = shlex.split(run)
        assert "sudo" not in words and "cd" not in words
        if "apt-get" in words:
            assert "--no-install-recommends" in words and "rm -rf /var/lib/apt/lists/*" in run
            assert "upgrade" not in words and "-y" in words
        if "curl" in words or "wget" in words:
            pytest.fail(f"fetched outside of pip: {run}")
        for install in re.findall(r"pip install [^&]*", run):
            assert "requirements.txt" in install or "torch.txt" in install  # pinned
    assert "PIP_NO_CACHE_DIR=1" in " ".join(steps(stage, "ENV"))


def test_folders_are_absolute() -> None:
    for stage in TARGETS:
        assert all(folder.startswith("/") for folder in steps(stage, "WORKDIR"))


@pytest.mark.parametrize("stage", TARGETS)
def test_what_is_copied_is_there_and_not_ignored(stage: str) -> None:
    patterns = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for copy in steps(stage, "COPY"):
        *sources, _ = copy.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            allowed = [p for p in patterns if p == source or p.startswith(source + "/")]
            assert allowed or any(fnmatch.fnmatch(source, p) for p in patterns), source
    for pattern in patterns:
        assert (ROOT / pattern).exists(), pattern


def test_torch_comes_alone_and_for_the_cpu_and_only_to_train() -> None:
    assert "TORCH_INDEX=https://download.pytorch.org/whl/cpu" in steps("train", "ARG")
    assert not any("torch" in step for step in [*steps("serve", "ARG"), *steps("serve", "RUN")])
    pins = (ROOT / "requirements.txt").read_text()
    assert re.findall(r"^(torch|torchvision)==", pins, re.MULTILINE) == ["torch", "torchvision"]


def test_the_extras_that_it_installs_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (default,) = re.findall(r"^ARG EXTRAS=([\w,]+)$", TEXT, re.MULTILINE)
    asked = re.findall(r"\.\[([\w,]+)\]", TEXT.replace("$EXTRAS", default))
    asked += re.findall(r"--build-arg EXTRAS=([\w,]+)", TEXT)
    assert {e for one in asked for e in one.split(",")} <= set(extras["optional-dependencies"])
    assert len(asked) == len(TARGETS) + 1


def test_the_command_line_takes_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from pix2pix import cli
    from pix2pix.app.service import server as serve

    seen = []
    monkeypatch.setattr(serve, "run_service", lambda load, settings: seen.append(settings))
    command = json.loads(steps("serve", "CMD")[-1])
    assert command[0] == "pix2pix" and cli.main(command[1:]) == 0
    (port,) = steps("serve", "EXPOSE")
    assert seen[0].host == "0.0.0.0" and seen[0].port == int(port)
    assert f":{port}/readyz" in steps("serve", "HEALTHCHECK")[0]


def test_compose_builds_the_targets_and_opens_this_machine_only() -> None:
    services = COMPOSE["services"]
    assert {s["build"]["target"] for s in services.values()} == set(TARGETS)
    assert services["serve"]["ports"] == ["127.0.0.1:7860:7860"]
    for one in services.values():
        assert one["cap_drop"] == ["ALL"] and "no-new-privileges:true" in one["security_opt"]
        assert not one["image"].endswith(":latest") and not one.get("privileged")
    assert services["serve"]["read_only"] is True
    from pix2pix.app.service.server import Limits

    grace = int(services["serve"]["stop_grace_period"].removesuffix("s"))
    assert grace > Limits().shutdown  # else Docker kills what is about to finish
