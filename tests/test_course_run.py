"""Every notebook of the course run from top to bottom in a real kernel, in tiny mode.

Once with all checks unanswered at last, after their answers and each wrong one were tried; the
course itself once more with its answers, so that later cells go on with the learner's code. Each
run may go to a process of its own (spread.py).
"""

from pathlib import Path

import nbformat
import notebook_checks
import notebook_rules
import pytest
import run_notebook

CELL_SECONDS = 300  # a cell that takes longer in tiny mode hangs
FILLED = [(path, "unanswered") for path in notebook_rules.notebooks()]
FILLED.append((FILLED[0][0], "answered"))


@pytest.mark.slow
@pytest.mark.parametrize(("path", "as_"), FILLED, ids=lambda value: getattr(value, "stem", value))
def test_it_runs_and_its_checks_tell_right_from_wrong(path: Path, as_: str, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    fill = notebook_checks.expanded if as_ == "unanswered" else notebook_checks.answered
    nb = run_notebook.with_parameters(fill(notebook), MODE="tiny", OUT=str(tmp_path / "course"))
    seconds = run_notebook.execute(nb, timeout=CELL_SECONDS)
    print(run_notebook.timings(nb, seconds))
    assert notebook_checks.failures(nb) == []
    kinds = [cell.metadata["check"]["kind"] for cell in nb.cells if "check" in cell.metadata]
    count = len(list(notebook_checks.checks(notebook)))
    assert kinds.count("answer") == count >= notebook_rules.promise(path).code
    if as_ == "unanswered":
        assert kinds.count("unanswered") == count <= kinds.count("wrong")
