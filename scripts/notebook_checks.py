"""Check cells of a notebook: what the learner's part, the folded answer and wrong answers do.

A check cell is tagged `check`: the learner's part, with dots where the answer goes, then whatever
finds out the truth, then one call of `show.check`. The cell after it holds the answer, folded, and
wrong answers in its metadata.
"""

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode, v4

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


def failures(nb: NotebookNode) -> list[str]:
    """What went wrong with the checks of an expanded notebook after its run, one line each."""
    found = []
    said: dict[str, dict[str, str]] = {}
    for cell in nb.cells:
        if "check" not in cell.metadata:
            continue
        of, kind = cell.metadata["check"]["of"], cell.metadata["check"]["kind"]
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if kind == "wrong":
            found += _wrong_failures(of, cell.source, errors)
            continue
        if errors:
            found.append(f"{of}: {kind} raises {errors[0].ename}: {errors[0].evalue}")
        text = "".join(o.get("text", "") for o in cell.outputs)
        said.setdefault(of, {})[kind] = text.strip()
        if not text.strip():
            found.append(f"{of}: {kind} says nothing")
    for of, texts in said.items():
        if texts.get("answer") and texts.get("answer") == texts.get("unanswered"):
            found.append(f"{of}: the answer is told what the unanswered cell is: {texts['answer']}")
    return found


def _wrong_failures(of: str, source: str, errors: list[NotebookNode]) -> list[str]:
    part = source.split("\nshow.check(")[0]
    if not errors:
        return [f"{of}: passes with a wrong answer: {part!r}"]
    if errors[0].ename != "AssertionError":
        return [f"{of}: {errors[0].ename}, not AssertionError, for the wrong answer {part!r}"]
    return [] if errors[0].evalue.strip() else [f"{of}: no hint for the wrong answer {part!r}"]


def _take_apart(cell: NotebookNode, following: NotebookNode | None) -> Check:
    starts = [match.start() for match in _CALL.finditer(cell.source)]
    name = f"check cell {cell.id}"
    if len(starts) != 1:
        raise ValueError(f"{name}: {len(starts)} lines begin with show.check( where one should")
    dotted = [statement for statement in ast.parse(cell.source).body if _has_dots(statement)]
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


def _has_dots(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(statement))


def _variant(check: Check, part: str, kind: str) -> NotebookNode:
    metadata = {"check": {"of": check.id, "kind": kind}}
    if kind == "wrong":
        metadata["tags"] = ["raises-exception"]
    return v4.new_code_cell(f"{part}\n{check.call}", metadata=metadata)
