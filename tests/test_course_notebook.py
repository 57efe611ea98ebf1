"""The course as it is committed: what it promises, its twin, and a whole run in a real kernel."""

import re
from pathlib import Path

import make_colab
import nbformat
import notebook_checks
import notebook_rules
import pytest
import run_notebook
from nbformat import NotebookNode
from places import ROOT

NOTEBOOK = make_colab.NOTEBOOK
CELL_SECONDS = 300  # a cell that takes longer in tiny mode hangs


@pytest.fixture
def notebook() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.mark.parametrize("rule", notebook_rules.RULES, ids=lambda rule: rule.__name__)
def test_rule(rule, notebook: NotebookNode) -> None:
    assert list(rule(notebook)) == []


def test_it_is_a_valid_notebook(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_the_twin_is_current() -> None:
    assert make_colab.main(["--check"]) == 0, "run python scripts/make_colab.py"


def test_the_twin_is_valid_and_has_short_cells() -> None:
    nb = nbformat.read(make_colab.TWIN, as_version=4)
    nbformat.validate(nb)
    assert list(notebook_rules.cell_lengths(nb)) == []


def test_badges_of_the_readme_lead_to_the_twin() -> None:
    readme = (ROOT / "README.md").read_text()
    assert make_colab.badges() in readme
    assert len(re.findall(r"\[!\[Open in", readme)) == 2
    assert f"/blob/{make_colab.BRANCH}/{make_colab.TWIN.name}" in make_colab.badges()
    address = re.search(r'^Repository = "https://github.com/(.+)"$', pyproject(), re.MULTILINE)
    assert address and make_colab.badges().count(f"/{address[1]}/blob/") == 2


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_it_runs_and_its_checks_tell_right_from_wrong(
    notebook: NotebookNode, tmp_path: Path
) -> None:
    """Tiny mode. Every check cell runs answered, with each wrong answer, and as it stands."""
    nb = run_notebook.with_parameters(
        notebook_checks.expanded(notebook), MODE="tiny", OUT=str(tmp_path / "course")
    )
    seconds = run_notebook.execute(nb, timeout=CELL_SECONDS)
    print(run_notebook.timings(nb, seconds))
    assert notebook_checks.failures(nb) == []
    kinds = [cell.metadata["check"]["kind"] for cell in nb.cells if "check" in cell.metadata]
    assert kinds.count("answer") == kinds.count("unanswered") >= notebook_rules.CHECKS
    assert kinds.count("wrong") >= kinds.count("answer")


def test_the_sources_that_it_shows_are_those_that_run(notebook: NotebookNode) -> None:
    from pix2pix import color, nets, show
    from pix2pix.recipes.pix2pix import Pix2Pix
    from pix2pix.train import train_step

    known = {"color": color, "nets": nets, "Pix2Pix": Pix2Pix, "train_step": train_step}
    shown = 0
    for cell in notebook.cells:
        found = re.search(r"^show\.source\(([\w.]+)\)$", cell.source, re.MULTILINE)
        if cell.cell_type == "code" and found:
            stored = cell.outputs[0]["data"]["text/plain"]
            assert stored == repr(show.source(eval(found[1], known))), found[1]
            shown += 1
    assert shown >= 6
