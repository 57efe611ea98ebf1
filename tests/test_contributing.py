"""CONTRIBUTING.md's example followed to the letter, and what the repository asks of machines."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import warm
import yaml
from places import ROOT, TESTS
from tiny_runs import make_photos

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPE, NET = (part for part in TEXT.split("\n## ") if part.startswith("Add a "))
EXAMPLES = {"charbonnier": RECIPE, "dilated": NET}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
YAMLS = [
    *sorted((ROOT / ".github").rglob("*.yml")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
    ROOT / "mkdocs.yml",
]
# The example's training stops after a few steps; its other arguments are the text's own.
SHORT = "trainer.steps=3 trainer.batch=2 trainer.val_photos=2 data.size=64 data.val_fraction=0.5"
TINY = "recipe.generator.width=2 recipe.generator.depth=3"


# ---- the worked examples


def block(language: str, text: str = TEXT) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return code


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and of the recipes' tests, without what the examples add."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pix2pix", tmp_path / "pix2pix", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    for name in ("test_recipes.py", "tiny_runs.py"):
        shutil.copy(TESTS / name, tmp_path / "tests")
    return tmp_path


def follow(example: str, folder: Path) -> None:
    """Write an example's blocks to the paths that the text before each of them names."""
    between = r"(?:(?!`pix2pix/|```).)*"
    blocks = rf"`(pix2pix/\S+\.(?:py|yaml))`{between}```(?:python|yaml)\n(.*?)```"
    found = re.findall(blocks, EXAMPLES[example], re.S)
    assert len(found) == 2
    for path, code in found:
        assert not (folder / path).exists()
        (folder / path).write_text(code)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def output_of_recipe_tests(folder: Path, *arguments: str) -> list[str]:
    command = ["-m", "pytest", "-p", "no:cacheprovider", "tests/test_recipes.py", *arguments]
    return run(folder, warm.python(), *command).splitlines()


@pytest.mark.slow
def test_the_copy_is_what_runs(copy: Path) -> None:
    where = run(copy, warm.python(), "-c", "import pix2pix; print(pix2pix.__file__)")
    assert where.strip() == str(copy / "pix2pix" / "__init__.py")


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_trains_and_evaluates(example: str, copy: Path) -> None:
    follow(example, copy)
    make_photos(copy / "photos", count=8, side=80)
    train, evaluate = block("bash", EXAMPLES[example]).splitlines()
    for line, more in ((train, f"{SHORT} {TINY}"), (evaluate, "")):
        command = [*line.split(), *more.split()]
        assert command[0] == "pix2pix"
        code = "import sys; from pix2pix.cli import main; sys.exit(main())"
        said = run(copy, warm.python(), "-c", code, *command[1:])
    assert "PSNR" in said
    metrics = (copy / "runs" / example / "metrics.csv").read_text()
    assert ("charbonnier" in metrics) == (example == "charbonnier")
    weights = (copy / "runs" / example / "best.safetensors").read_bytes()
    assert (b"DilatedNet" in weights) == (example == "dilated")


@pytest.mark.slow
@pytest.mark.parametrize(("example", "more_than"), [("charbonnier", 3), ("dilated", 1)])
def test_an_example_raises_the_test_count_with_nothing_else_touched(
    example: str, more_than: int, copy: Path
) -> None:
    before = {line for line in output_of_recipe_tests(copy, "--collect-only") if "::" in line}
    follow(example, copy)
    after = {line for line in output_of_recipe_tests(copy, "--collect-only") if "::" in line}
    new = after - before
    assert before < after and len(new) > more_than and all(example in line for line in new)
    assert re.search(rf"\b{len(new)} passed", output_of_recipe_tests(copy, "-k", example)[-1])


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_in_the_house_style(example: str, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(block("python", EXAMPLES[example]))
    ruff = str(Path(sys.executable).parent / "ruff")
    config = ("--config", str(ROOT / "pyproject.toml"))
    # where the file lies decides which imports are the project's own
    first_party = ("--config", 'lint.isort.known-first-party=["pix2pix"]')
    run(tmp_path, ruff, "check", "--no-cache", *config, *first_party, "example.py")
    run(tmp_path, ruff, "format", "--check", "--no-cache", *config, "example.py")


def test_make_targets_of_the_text_exist() -> None:
    found = re.findall(r"^make ([a-z]+)", block("text"), re.MULTILINE)
    assert {"setup", "test"} <= set(found) <= targets()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


# ---- what machines read


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_yaml_parses(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_workflows() -> None:
    names = {path.stem for path in WORKFLOWS}
    assert {"tests", "lint", "docs", "dependencies"} <= names


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_exists(path: Path) -> None:
    lines = [step["run"] for step in steps(yaml.safe_load(path.read_text())) if "run" in step]
    assert lines
    for line in lines:
        if line.startswith("make "):
            assert set(line.split()[1:]) <= targets(), line
        else:
            assert os.access(ROOT / line, os.X_OK), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little(path: Path) -> None:
    text = path.read_text()
    workflow = yaml.safe_load(text)
    events = workflow[True]  # YAML 1.1 reads `on` as a truth value
    assert workflow["permissions"] == {"contents": "read"}
    assert set(events) <= {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert "secrets." not in text and "pull_request_target" not in text
    for job in workflow["jobs"].values():
        assert "permissions" not in job and job["timeout-minutes"] <= 90
        assert not job["runs-on"].endswith("latest")
    for step in steps(workflow):
        if "uses" in step:
            name, _, version = step["uses"].partition("@")
            assert name.startswith("actions/")
            assert re.fullmatch(r"v\d+(\.\d+)*|[0-9a-f]{40}", version), step["uses"]
            if name == "actions/checkout":
                assert step["with"]["persist-credentials"] is False


def test_dependabot_looks_at_all_that_is_pinned() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {u["package-ecosystem"] for u in updates} == {"pip", "github-actions", "docker"}
    assert {u["directory"] for u in updates} == {"/"}


def test_issue_templates_ask_for_what_is_needed() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    bug, photo = ((folder / name).read_text() for name in ("bug.yml", "photo.yml"))
    assert "pix2pix --version" in bug and "The line that fails" in bug
    assert "yours to publish" in photo and "public" in photo


def test_pre_commit_keeps_the_notebooks_outputs_and_lets_them_in() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = {hook["id"]: hook for repo in config["repos"] for hook in repo["hooks"]}
    linters = {"ruff", "ruff-format", "oxlint", "oxfmt"}
    assert set(hooks) == {"check-yaml", "check-added-large-files", *linters}
    most = int(hooks["check-added-large-files"]["args"][0].partition("=")[2]) * 1024
    assert all(book.stat().st_size <= most for book in ROOT.glob("*.ipynb"))


def test_the_citations_version_is_the_packages() -> None:
    from pix2pix import __version__

    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
