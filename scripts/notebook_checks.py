"""Check cells of a notebook: what the learner's part, the folded answer and wrong answers do.

A check cell is tagged `check`: the learner's part, with dots where the answer goes, then whatever
finds out the truth, then one call of `show.check` that begins a line. The cell after it holds the
answer, folded, and in its metadata `wrong`, the part as learners get it wrong. Dots in an index, as
in `x[..., 0]`, are none of these.
"""

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode, v4

from pix2pix.show.check import NOT_YET, RIGHT, YOUR_TURN, has_dots

_CALL = re.compile(r"^show\.check\(", re.MULTILINE)
_ANSWER = re.compile(
    r"<details>\s*<summary>\s*Answer\s*</summary>.*?^```python\n(.*?)^```.*?</details>",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Check:
    """One check cell, taken apart."""

    id: str  # of its cell
    part: str  # the learner's, unanswered
    call: str  # what finds out the truth, and show.check(...)
    answer: str  # the part filled in rightly
    wrong: list[str]  # the part filled in wrongly


def checks(nb: NotebookNode) -> Iterator[Check]:
    """The check cells, in order. Raises ValueError for one that is not built as agreed."""
    for index, cell in enumerate(nb.cells):
        if tagged(cell, "check"):
            following = nb.cells[index + 1] if index + 1 < len(nb.cells) else None
            yield _take_apart(cell, following)


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", ())


def expanded(nb: NotebookNode) -> NotebookNode:
    """A copy in which every check cell has its answer and its wrong answers run before it.

    The cell itself, unanswered, comes last: what follows runs as for a reader who skips it.
    """
    found = {check.id: check for check in checks(nb)}
    nb = copy.deepcopy(nb)
    cells = []
    for cell in nb.cells:
        if check := found.get(cell.id):
            cells.append(_variant(check, check.answer, "answer"))
            cells += [_variant(check, wrong, "wrong") for wrong in check.wrong]
            cell.metadata["check"] = {"of": check.id, "kind": "unanswered"}
        cells.append(cell)
    nb.cells = cells
    return nb


def answered(nb: NotebookNode) -> NotebookNode:
    """A copy in which every check cell holds its answer, as for a reader who gets all right.

    What follows a check goes on with the learner's nets and functions then.
    """
    found = {check.id: check for check in checks(nb)}
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        if check := found.get(cell.id):
            cell.source = f"{check.answer}\n{check.call}"
            cell.metadata["check"] = {"of": check.id, "kind": "answer"}
    return nb


def failures(nb: NotebookNode) -> list[str]:
    """What went wrong with the checks of an expanded notebook after its run, one line each.

    An answer has to be told "Right.", a wrong one "Not yet." and a hint, the unanswered cell "Your
    turn", all without an exception.
    """
    found = []
    for cell in nb.cells:
        if "check" in cell.metadata:
            of, kind = cell.metadata["check"]["of"], cell.metadata["check"]["kind"]
            name = f"{of}: {cell.source.split('show.check(')[0]!r}" if kind == "wrong" else of
            if told := _failure(cell, kind):
                found.append(f"{name}: {told}")
    return found


def _failure(cell: NotebookNode, kind: str) -> str:
    """What is wrong with one cell's outputs; "" if nothing is."""
    for output in cell.outputs:
        if output.output_type == "error":
            return f"{kind} raises {output.ename}: {output.evalue}"
    printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
    said = [line for line in printed.splitlines() if line.startswith((RIGHT, NOT_YET, YOUR_TURN))]
    wanted = {"answer": RIGHT, "wrong": NOT_YET, "unanswered": YOUR_TURN}[kind]
    if len(said) != 1 or not said[0].startswith(wanted):
        return f"{kind} is told {' '.join(said) or 'nothing'}, not {wanted}"
    if kind == "wrong" and not said[0].removeprefix(NOT_YET).strip():
        return "no hint for a wrong answer"
    return ""


def asks_for_code(check: Check) -> bool:
    """Whether the dots stand inside a function, a class or a loop, and not for a value."""
    blocks = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While)
    tree = ast.parse(check.part)
    return any(has_dots(node) for node in ast.walk(tree) if isinstance(node, blocks))


def _take_apart(cell: NotebookNode, following: NotebookNode | None) -> Check:
    starts = [match.start() for match in _CALL.finditer(cell.source)]
    name = f"check cell {cell.id}"
    if len(starts) != 1:
        raise ValueError(f"{name}: {len(starts)} lines begin with show.check( where one should")
    dotted = [statement for statement in ast.parse(cell.source).body if has_dots(statement)]
    if not dotted or dotted[-1].end_lineno > cell.source[: starts[0]].count("\n"):
        raise ValueError(f"{name}: no dots for the learner to replace")
    lines = cell.source.splitlines()
    part = "\n".join(lines[: dotted[-1].end_lineno])
    call = "\n".join(lines[dotted[-1].end_lineno :]).strip("\n")
    if following is None or following.cell_type != "markdown":
        raise ValueError(f"{name}: no markdown cell with the answer after it")
    answers = _ANSWER.findall(following.source)
    if len(answers) != 1:
        raise ValueError(f"{name}: {len(answers)} folded answers after it where one should be")
    wrong = following.metadata.get("wrong", [])
    if not wrong or not all(isinstance(w, str) and w.strip() for w in wrong):
        raise ValueError(f'{name}: no wrong answers in metadata "wrong" of its answer cell')
    if answers[0].strip() in [part.strip(), *(w.strip() for w in wrong)]:
        raise ValueError(f"{name}: its answer is the unanswered part, or among the wrong ones")
    return Check(cell.id, part, call, answers[0].rstrip(), [w.rstrip() for w in wrong])


def _variant(check: Check, part: str, kind: str) -> NotebookNode:
    # a wrong answer that raises is told with all others at the end
    metadata = {"check": {"of": check.id, "kind": kind}, "tags": ["raises-exception"]}
    return v4.new_code_cell(f"{part}\n{check.call}", metadata=metadata)
