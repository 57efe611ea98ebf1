"""The course as it is committed: what its notebooks promise, the twin, the sources they show."""

import re
from pathlib import Path

import make_colab
import nbformat
import notebook_rules
import pytest
from places import ROOT

NOTEBOOKS = notebook_rules.notebooks()


@pytest.mark.parametrize("rule", notebook_rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_rule(path: Path, rule) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert list(rule(notebook, notebook_rules.promise(path))) == []


@pytest.mark.parametrize("path", [*NOTEBOOKS, make_colab.TWIN], ids=lambda path: path.stem)
def test_it_is_a_valid_notebook(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


def test_what_is_made_of_the_notebooks_is_current() -> None:
    assert make_colab.main(["--check"]) == 0, "run python scripts/make_colab.py"


def test_the_twin_has_short_cells() -> None:
    nb = nbformat.read(make_colab.TWIN, as_version=4)
    assert list(notebook_rules.cell_lengths(nb, notebook_rules.MAIN)) == []


def test_badges_of_the_readme_lead_to_the_twin() -> None:
    readme = (ROOT / "README.md").read_text()
    assert make_colab.badges() in readme
    assert len(re.findall(r"\[!\[Open in", readme)) == 2
    assert f"/blob/{make_colab.BRANCH}/{make_colab.TWIN.name}" in make_colab.badges()
    address = re.search(r'^Repository = "https://github.com/(.+)"$', pyproject(), re.MULTILINE)
    assert address and make_colab.badges().count(f"/{address[1]}/blob/") == 2


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_sources_that_it_shows_are_those_that_run(path: Path) -> None:
    from pix2pix import color, metrics, nets, show
    from pix2pix.recipes.pix2pix import Pix2Pix
    from pix2pix.train import train_step

    known = {"color": color, "metrics": metrics, "nets": nets}
    known |= {"Pix2Pix": Pix2Pix, "train_step": train_step}
    for cell in nbformat.read(path, as_version=4).cells:
        found = re.search(r"^show\.source\(([\w.]+)\)$", cell.source, re.MULTILINE)
        if cell.cell_type == "code" and found:
            stored = next(o["data"] for o in cell.outputs if "data" in o)["text/plain"]
            assert stored == repr(show.source(eval(found[1], known))), found[1]
