"""Outputs of a run notebook, made fit to be committed: small, static, the same on every machine.

Widget state breaks GitHub's rendering, progress bars leave hundreds of lines, and paths of the
machine that ran the notebook tell nobody anything.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 1_200_000
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# Homes and scratch folders of Linux, macOS and Windows, whoever ran the notebook.
HOMES = r"/home/\w|/Users/\w|/root/|/tmp/|/var/folders/|[A-Z]:\\+Users\\"
HOSTS = r"/content/|/kaggle/"  # Colab's and Kaggle's; prose and code may speak of them
_MOVES = re.compile(r"\x1b\[\d*[A-DK]")  # cursor moves; colors stay
_EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")


class NotFit(Exception):
    """A notebook that may not be committed; says which cell, and why."""


def clean(nb: NotebookNode) -> None:
    """Clean a run notebook in place.

    Raises NotFit for a widget without a static picture, a path of this machine, or over 1.2 MB.
    """
    nb.metadata = nbformat.from_dict(METADATA)
    count = 0
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = [fit for fit in map(_static, _merged(cell.outputs)) if fit]
        if cell.source.strip():
            count += 1
        cell.execution_count = count if cell.source.strip() else None
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
            if output.output_type in ("display_data", "execute_result") and not output.data:
                raise NotFit(f"{place(nb, index)}: a widget without a static picture beside it")
    refuse_paths(nb)
    refuse_size(nb)


def refuse_paths(nb: NotebookNode) -> None:
    """Raise NotFit when an output names a folder of the machine that ran the notebook."""
    pattern = paths_pattern(HOMES, HOSTS)
    for index, cell in enumerate(nb.cells):
        for text in output_texts(cell):
            if found := pattern.search(text):
                line = text[: found.end() + 60].splitlines()[-1].strip()
                raise NotFit(f"{place(nb, index)}: an absolute path in its output: {line[-160:]}")


def refuse_size(nb: NotebookNode, limit: int = MAX_BYTES) -> None:
    """Raise NotFit when the file would have more than `limit` bytes; names the largest cells."""
    size = len(nbformat.writes(nb).encode())
    if size <= limit:
        return
    sizes = [(sum(map(len, map(str, c.get("outputs", ())))), i) for i, c in enumerate(nb.cells)]
    largest = ", ".join(f"{place(nb, i)} {s / 1000:.0f} kB" for s, i in sorted(sizes)[:-4:-1])
    raise NotFit(f"{size / 1e6:.2f} MB, more than {limit / 1e6:.2f} MB; largest: {largest}")


def paths_pattern(*anywhere: str) -> re.Pattern[str]:
    """What matches the patterns, and this machine's checkout, home and temporary folder."""
    own = [ROOT, Path.home(), Path(tempfile.gettempdir()).resolve(), Path(tempfile.gettempdir())]
    names = {re.escape(str(p)) + r"(?![\w.-])" for p in own if len(p.parts) > 1}
    return re.compile(rf"(?<![\w.~])(?:{'|'.join([*anywhere, *sorted(names)])})")


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """Every text among a cell's outputs, without embedded pictures."""
    for output in cell.get("outputs", ()):
        texts = [output.get("text", ""), *output.get("traceback", ())]
        data = output.get("data", {})
        texts += [str(v) for k, v in data.items() if not k.startswith("image/") or "svg" in k]
        yield from (_EMBEDDED.sub("", text) for text in texts if text)


def last_state(text: str) -> str:
    """What a terminal would show in the end: carriage returns write over what was there.

    A progress bar's hundred states become its last; one that cleared itself leaves no line.
    """
    lines = []
    for line in _MOVES.sub("", text).split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        if shown.strip() or "\r" not in line:
            lines.append(shown.rstrip() if "\r" in line else shown)
    return "\n".join(lines)


def place(nb: NotebookNode, index: int) -> str:
    """How messages name a cell: its number from 1 in the file, and its first line."""
    added = sum(
        "injected-parameters" in cell.metadata.get("tags", ())
        or cell.metadata.get("check", {}).get("kind") in ("answer", "wrong")
        for cell in nb.cells[:index]
    )
    lines = nb.cells[index].source.strip().splitlines() or ["(empty)"]
    return f"cell {index + 1 - added} ({lines[0][:60]})"


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs, neighbors of one stream as one."""
    merged: list[NotebookNode] = []
    for output in outputs:
        same = merged and output.output_type == merged[-1].output_type == "stream"
        if same and output.name == merged[-1].name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def _static(output: NotebookNode) -> NotebookNode | None:
    """The output without its live half; None for a stream that nothing is left of."""
    if output.output_type == "stream":
        output.text = last_state(output.text)
        return output if output.text.strip() else None
    data = output.get("data", {})
    if data.pop(WIDGET, None):
        data.pop("text/plain", None)  # the repr of the widget's parts
    if "metadata" in output:
        output.metadata.pop(WIDGET, None)
    return output
