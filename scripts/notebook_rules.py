"""What the course promises its readers: short cells, pictures, checks, questions with answers.

Every rule takes the notebook and yields its breaches, one line each. `RULES` lists them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import nbformat
import notebook_checks
import notebook_outputs
from nbformat import NotebookNode
from notebook_outputs import NotFit, place

ROOT = Path(__file__).resolve().parent.parent
LONGEST, MEDIAN = 25, 6  # lines of a code cell
PICTURES, EXPLORERS, CHECKS, QUESTIONS, CHAPTERS = 20, 6, 10, 40, 12
_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
_PICTURE = re.compile(r"<img\b[^>]*\bsrc=[\"']data:image/|<svg\b|<video\b")
_IMAGE = re.compile(r"!\[[^\]]*\]\(<?([^)\s>]+)|<img\b[^>]*?\bsrc=[\"']([^\"']+)")


def parameters(nb: NotebookNode) -> Iterator[str]:
    """One cell sets MODE, DATA and OUT, as a Colab form and for papermill."""
    found = [cell for cell in nb.cells if notebook_checks.tagged(cell, "parameters")]
    if len(found) != 1:
        yield f"{len(found)} cells are tagged `parameters`"
        return
    for line in (
        'MODE = "laptop"  # @param ["tiny", "laptop", "full"]',
        'DATA = ""  # @param {type: "string"}',
        'OUT = "runs/course"  # @param {type: "string"}',
    ):
        if line not in found[0].source.splitlines():
            yield f"the parameters cell has no line {line}"


def cell_lengths(nb: NotebookNode) -> Iterator[str]:
    """No code cell has more than 25 lines; half of them have at most 6."""
    lengths = []
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            lengths.append(len(cell.source.strip().splitlines()))
            if lengths[-1] > LONGEST:
                yield f"{place(nb, index)}: {lengths[-1]} lines"
    if median(lengths or [0]) > MEDIAN:
        yield f"the median code cell has {median(lengths)} lines"


def pictures(nb: NotebookNode) -> Iterator[str]:
    """At least 20 outputs are pictures."""
    found = 0
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            inside = _PICTURE.search(str(data.get("text/html", "")))
            found += any(kind.startswith("image/") for kind in data) or bool(inside)
    if found < PICTURES:
        yield f"{found} pictures"


def explorers(nb: NotebookNode) -> Iterator[str]:
    """At least 6 interactive pieces, each with a static picture."""
    found = 0
    for index, cell in enumerate(nb.cells):
        calls = [n for n in ast.walk(_tree(cell)) if isinstance(n, ast.Call)]
        here = sum(ast.unparse(call.func) == "show.explore" for call in calls)
        static = sum(
            any(kind.startswith("image/") for kind in output.get("data", {}))
            for output in cell.get("outputs", ())
        )
        found += here
        if static < here:
            yield f"{place(nb, index)}: show.explore without a static picture in its output"
    if found < EXPLORERS:
        yield f"{found} calls of show.explore"


def check_cells(nb: NotebookNode) -> Iterator[str]:
    """At least 10 check cells, each with a folded answer and a wrong one."""
    try:
        found = list(notebook_checks.checks(nb))
    except (ValueError, SyntaxError) as error:
        yield str(error)
        return
    if len(found) < CHECKS:
        yield f"{len(found)} check cells"
    for index, cell in enumerate(nb.cells):
        calls = [n for n in ast.walk(_tree(cell)) if isinstance(n, ast.Call)]
        if any(ast.unparse(call.func) == "show.check" for call in calls):
            if not notebook_checks.tagged(cell, "check"):
                yield f"{place(nb, index)}: calls show.check without the tag `check`"


def questions(nb: NotebookNode) -> Iterator[str]:
    """At least 40 different questions, each with an answer of three words or more."""
    asked: list[str] = []
    for index, cell in enumerate(nb.cells):
        if not notebook_checks.tagged(cell, "questions"):
            continue
        found = _DETAILS.findall(cell.source)
        if not found or len(found) != cell.source.count("<summary>"):
            yield f"{place(nb, index)}: {len(found)} questions could be read"
        for question, answer in found:
            asked.append(" ".join(question.split()))
            if len(re.sub(r"<[^>]+>", " ", answer).split()) < 3:
                yield f"{place(nb, index)}: no answer to {asked[-1]!r}"
    for question in sorted({q for q in asked if asked.count(q) > 1}):
        yield f"asked twice: {question!r}"
    if len(asked) < QUESTIONS:
        yield f"{len(asked)} questions"


def chapters(nb: NotebookNode) -> Iterator[str]:
    """The chapters are numbered 1 to 12, in order."""
    found = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^```.*?^```", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            found += re.findall(r"^##? (?:Chapter )?(\d+)\b", text, re.MULTILINE)
    if found != [str(number) for number in range(1, CHAPTERS + 1)]:
        yield f"chapters {', '.join(found)}"


def executed(nb: NotebookNode) -> Iterator[str]:
    """Every code cell was run, from top to bottom in one go, and none failed."""
    code = [(i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    for number, (index, cell) in enumerate(code, start=1):
        if cell.execution_count != number:
            yield f"{place(nb, index)}: execution count {cell.execution_count}, not {number}"
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{place(nb, index)}: an error in its output"
    if not any(cell.outputs for _, cell in code):
        yield "no outputs at all"


def static(nb: NotebookNode) -> Iterator[str]:
    """No widget state, no widget views, no carriage returns of progress bars."""
    if "widgets" in nb.metadata:
        yield "widget state in the metadata"
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", ()):
            if notebook_outputs.WIDGET in output.get("data", {}):
                yield f"{place(nb, index)}: a widget view in its output"
            if "\r" in str(output.get("text", "")):
                yield f"{place(nb, index)}: a progress bar's earlier states in its output"


def fit_to_commit(nb: NotebookNode) -> Iterator[str]:
    """Under 2 MB, and no absolute path in an output, in code or in prose."""
    for refuse in (notebook_outputs.refuse_paths, notebook_outputs.refuse_size):
        try:
            refuse(nb)
        except NotFit as error:
            yield str(error)
    pattern = notebook_outputs.paths_pattern(notebook_outputs.HOMES)
    for index, cell in enumerate(nb.cells):
        if found := pattern.search(cell.source):
            yield f"{place(nb, index)}: an absolute path: {found.group()}"


def own_definitions(nb: NotebookNode) -> Iterator[str]:
    """Nothing is defined in the notebook that the package defines."""
    package = public_names()
    definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for index, cell in enumerate(nb.cells):
        for node in ast.walk(_tree(cell)):
            if isinstance(node, definition) and node.name in package:
                yield f"{place(nb, index)}: defines {node.name}, as {package[node.name]} does"


def images(nb: NotebookNode) -> Iterator[str]:
    """Every picture that prose shows by a relative path is a file of the repository."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "markdown":
            continue
        for groups in _IMAGE.findall(cell.source):
            target = groups[0] or groups[1]
            if not re.match(r"https?:|data:|attachment:", target) and not (ROOT / target).is_file():
                yield f"{place(nb, index)}: no file {target}"


RULES = (
    parameters,
    cell_lengths,
    pictures,
    explorers,
    check_cells,
    questions,
    chapters,
    executed,
    static,
    fit_to_commit,
    own_definitions,
    images,
)


def public_names() -> dict[str, str]:
    """Functions and classes at the top of the package's files: name -> file."""
    names = {}
    for path in sorted((ROOT / "pix2pix").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                names.setdefault(node.name, str(path.relative_to(ROOT)))
    return names


def _tree(cell: NotebookNode) -> ast.Module:
    """The syntax of a code cell, its magics as calls; nothing for other cells."""
    from IPython.core.inputtransformer2 import TransformerManager

    if cell.cell_type != "code":
        return ast.Module([], [])
    return ast.parse(TransformerManager().transform_cell(cell.source))


def main(argv: list[str]) -> int:
    """Print the breaches of a notebook, the course's by default."""
    path = Path(argv[0]) if argv else ROOT / "Pix2PixColor.ipynb"
    nb = nbformat.read(path, as_version=4)
    breaches = [f"{rule.__name__}: {breach}" for rule in RULES for breach in rule(nb)]
    print("\n".join(breaches) or "all rules hold")
    return bool(breaches)


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
