"""What the course promises its readers: short cells, pictures, checks, questions with answers.

`MAIN` and `SIDE` say how much of it the course's notebook and those of course/ promise. Every rule
takes a notebook and its promise, and yields the breaches, one line each. `RULES` lists them.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import nbformat
import notebook_checks
import notebook_outputs
from nbformat import NotebookNode
from notebook_outputs import NotFit, place

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Promise:
    """What a notebook keeps: at most so much of the first few, at least so many of the others."""

    size: int  # bytes of the file
    words: float = float("inf")  # of prose a line of code
    longest: int = 25  # lines of a code cell
    median: int = 6
    pictures: int = 0
    explorers: int = 0
    code: int = 0  # checks that ask for code, not for a value
    questions: int = 0
    chapters: tuple[int, ...] = ()
    slides: tuple[int, ...] = ()  # chapters that have some
    alone: bool = False  # opened without the files around it


MAIN = Promise(
    size=1_200_000,
    words=10,
    pictures=24,
    explorers=5,
    code=14,
    questions=25,
    chapters=tuple(range(8)),
    slides=(2, 3, 4),
)
SIDE = Promise(size=1_000_000, median=10, alone=True)


def promise(path: Path) -> Promise:
    """What the notebook of a path promises."""
    return SIDE if path.resolve().parent.name == "course" else MAIN


def notebooks() -> list[Path]:
    """The notebooks that are written by hand: the course's, and those of course/."""
    return [ROOT / "Pix2PixColor.ipynb", *sorted((ROOT / "course").glob("*.ipynb"))]


_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
# in prose: tags, code, formulas on lines of their own
_NO_PROSE = re.compile(r"<[^>]+>|^```.*?^```|\$\$.*?\$\$", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"<img\b[^>]*\bsrc=[\"']data:image/|<svg\b|<video\b")
_IMAGE = re.compile(r"!\[[^\]]*\]\(<?([^)\s>]+)|<img\b[^>]*?\bsrc=[\"']([^\"']+)")


def parameters(nb: NotebookNode, promise: Promise) -> Iterator[str]:
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


def cell_lengths(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """No code cell is too long, and half of them are short."""
    lengths = []
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            lengths.append(len(cell.source.strip().splitlines()))
            if lengths[-1] > promise.longest:
                yield f"{place(nb, index)}: {lengths[-1]} lines"
    if median(lengths or [0]) > promise.median:
        yield f"the median code cell has {median(lengths)} lines"


def words(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Few words a line of code; tags, code blocks and formulas on their own lines are no words."""
    prose = lines = 0
    for cell in nb.cells:
        if cell.cell_type == "code":
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
        else:
            prose += len(_NO_PROSE.sub(" ", cell.source).split())
    if prose > promise.words * lines:
        yield f"{prose} words beside {lines} lines of code: {prose / max(1, lines):.1f} a line"


def pictures(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Enough outputs are pictures."""
    found = sum(_is_picture(output) for cell in nb.cells for output in cell.get("outputs", ()))
    if found < promise.pictures:
        yield f"{found} pictures"


def explorers(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Enough interactive pieces, each with frames for pages without a kernel."""
    found = 0
    for index, cell in enumerate(nb.cells):
        calls = [n for n in ast.walk(_tree(cell)) if isinstance(n, ast.Call)]
        here = sum(ast.unparse(call.func) == "show.explore" for call in calls)
        found += here
        if sum(map(_is_picture, cell.get("outputs", ()))) < here:
            yield f"{place(nb, index)}: show.explore without a static picture in its output"
    if found < promise.explorers:
        yield f"{found} calls of show.explore"


def check_cells(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Check cells have a folded answer and wrong ones; enough of them ask for code."""
    try:
        found = list(notebook_checks.checks(nb))
    except (ValueError, SyntaxError) as error:
        yield str(error)
        return
    code = sum(map(notebook_checks.asks_for_code, found))
    if code < promise.code:
        yield f"{code} of {len(found)} checks ask for code"
    for index, cell in enumerate(nb.cells):
        calls = [n for n in ast.walk(_tree(cell)) if isinstance(n, ast.Call)]
        if any(ast.unparse(call.func) == "show.check" for call in calls):
            if not notebook_checks.tagged(cell, "check"):
                yield f"{place(nb, index)}: calls show.check without the tag `check`"


def questions(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Enough different questions, each with an answer of three words or more."""
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
    if len(asked) < promise.questions:
        yield f"{len(asked)} questions"


def folded(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Backticks and stars are read as Markdown in <details>: never before its first empty line."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            for question, answer in _DETAILS.findall(cell.source):
                html = question + answer.split("\n\n")[0]
                if re.search(r"`|\*\*", html):
                    yield f"{place(nb, index)}: no empty line before {html.strip()[:60]!r}"


def chapters(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """The chapters are numbered, in order."""
    found = []
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^```.*?^```", "", cell.source, flags=re.DOTALL | re.MULTILINE)
            found += re.findall(r"^##? (?:Chapter )?(\d+)\b", text, re.MULTILINE)
    if promise.chapters and found != [str(number) for number in promise.chapters]:
        yield f"chapters {', '.join(found)}"


def slides(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Some chapters can be shown as slides, at least three each (make_slides.py)."""
    begun = dict.fromkeys(promise.slides, 0)
    chapter = -1
    for cell in nb.cells:
        if found := re.match(r"## (\d+)\b", cell.source):
            chapter = int(found[1])
        if chapter in begun and notebook_checks.tagged(cell, "slide"):
            begun[chapter] += 1
    for chapter, count in begun.items():
        if count < 3:
            yield f"chapter {chapter} has {count} slides"


def ids(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Every cell has an id that says what it is: translations go by them."""
    for index, cell in enumerate(nb.cells):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", cell.id):
            yield f"{place(nb, index)}: the id {cell.id}, which is not words-with-hyphens"


def executed(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Every code cell was run, from top to bottom in one go, and none failed."""
    code = [(i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    for number, (index, cell) in enumerate(code, start=1):
        if cell.execution_count != number:
            yield f"{place(nb, index)}: execution count {cell.execution_count}, not {number}"
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{place(nb, index)}: an error in its output"
    if not any(cell.outputs for _, cell in code):
        yield "no outputs at all"


def static(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """No widget state, no widget views, no carriage returns of progress bars."""
    if "widgets" in nb.metadata:
        yield "widget state in the metadata"
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", ()):
            if notebook_outputs.WIDGET in output.get("data", {}):
                yield f"{place(nb, index)}: a widget view in its output"
            if "\r" in str(output.get("text", "")):
                yield f"{place(nb, index)}: a progress bar's earlier states in its output"


def fit_to_commit(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """No larger than promised, and no absolute path in an output, in code or in prose."""
    try:
        notebook_outputs.refuse_paths(nb)
    except NotFit as error:
        yield str(error)
    try:
        notebook_outputs.refuse_size(nb, promise.size)
    except NotFit as error:
        yield str(error)
    pattern = notebook_outputs.paths_pattern(notebook_outputs.HOMES)
    for index, cell in enumerate(nb.cells):
        if found := pattern.search(cell.source):
            yield f"{place(nb, index)}: an absolute path: {found.group()}"


def own_definitions(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Nothing is defined that the package defines, but what learners write in checks."""
    package = public_names()
    definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for index, cell in enumerate(nb.cells):
        if notebook_checks.tagged(cell, "check"):
            continue
        for node in ast.walk(_tree(cell)):
            if isinstance(node, definition) and node.name in package:
                yield f"{place(nb, index)}: defines {node.name}, as {package[node.name]} does"


def images(nb: NotebookNode, promise: Promise) -> Iterator[str]:
    """Every picture that prose shows by a relative path is a file; alone, there are no files."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "markdown":
            continue
        for groups in _IMAGE.findall(cell.source):
            target = groups[0] or groups[1]
            if re.match(r"https?:|data:|attachment:", target):
                continue
            if promise.alone:
                yield f"{place(nb, index)}: Colab has no {target}; show it by a code cell"
            elif not (ROOT / target).is_file():
                yield f"{place(nb, index)}: no file {target}"


RULES = (
    parameters,
    cell_lengths,
    words,
    pictures,
    explorers,
    check_cells,
    questions,
    folded,
    chapters,
    slides,
    ids,
    executed,
    static,
    fit_to_commit,
    own_definitions,
    images,
)


def public_names() -> dict[str, str]:
    """Functions and classes that notebooks get from `pix2pix`: name -> file.

    They are those of the files at its top, and what its folders list in `__all__`.
    """
    names = {}
    for path in sorted((ROOT / "pix2pix").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                names.setdefault(node.name, str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "pix2pix").glob("*/__init__.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                for name in ast.literal_eval(node.value):
                    names.setdefault(name, str(path.relative_to(ROOT)))
    return names


def _tree(cell: NotebookNode) -> ast.Module:
    """The syntax of a code cell, its magics as calls; nothing for other cells."""
    from IPython.core.inputtransformer2 import TransformerManager

    if cell.cell_type != "code":
        return ast.Module([], [])
    return ast.parse(TransformerManager().transform_cell(cell.source))


def _is_picture(output: NotebookNode) -> bool:
    data = output.get("data", {})
    inside = _PICTURE.search(str(data.get("text/html", "")))
    return any(kind.startswith("image/") for kind in data) or bool(inside)


def breaches(path: Path) -> list[str]:
    """What a notebook does not keep of its promise, one line each."""
    nb = nbformat.read(path, as_version=4)
    return [f"{rule.__name__}: {told}" for rule in RULES for told in rule(nb, promise(path))]


def main(argv: list[str]) -> int:
    """Print the breaches of notebooks, the course's by default."""
    found = {path: breaches(path) for path in [Path(name) for name in argv] or notebooks()}
    for path, told in found.items():
        print(f"{path.name}:", "\n  ".join(told) or "all rules hold")
    return any(found.values())


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
