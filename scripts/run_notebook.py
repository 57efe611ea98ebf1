"""Run notebooks top to bottom in a fresh kernel of this Python, from the repository's root.

`python scripts/run_notebook.py Pix2PixColor.ipynb --mode tiny` only tells whether it runs, and
where its time goes. `--write` stores the outputs in it, cleaned; `--html` makes a static page;
`--checks` also fills in every check cell, rightly and wrongly; `--answers` only rightly, so that
what follows goes on with the learner's code.
"""

import argparse
import copy
import os
import re
import sys
import time
from pathlib import Path

import nbformat
import notebook_checks
import notebook_html
import notebook_outputs
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, v4

from pix2pix.files import write_bytes

ROOT = Path(__file__).resolve().parent.parent
MODES = ("tiny", "laptop", "full")
_COLORS = re.compile(r"\x1b\[[\d;]*m")


class Failed(Exception):
    """A cell that failed: the message holds its place, source and traceback."""


class ThisPython(AsyncKernelManager):
    """Starts `python3` as the interpreter that runs this, whatever kernels are registered."""

    def __init__(self, **kwargs):
        super().__init__(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **kwargs)


def with_parameters(nb: NotebookNode, **values: str) -> NotebookNode:
    """A copy with a cell after the one tagged `parameters` that sets `values`, as papermill does.

    Raises ValueError without exactly one such cell, or for a name that it does not set.
    """
    nb = copy.deepcopy(nb)
    places = [i for i, cell in enumerate(nb.cells) if notebook_checks.tagged(cell, "parameters")]
    if len(places) != 1:
        raise ValueError(f"{len(places)} cells are tagged `parameters`, one should be")
    for name in values:
        if not re.search(rf"^{name} = ", nb.cells[places[0]].source, re.MULTILINE):
            raise ValueError(f"the cell tagged `parameters` sets no {name}")
    if values:
        source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        injected = v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        nb.cells.insert(places[0] + 1, injected)
    return nb


def without_parameters(nb: NotebookNode) -> NotebookNode:
    """A copy without the cells that `with_parameters` put in."""
    nb = copy.deepcopy(nb)
    nb.cells = [c for c in nb.cells if not notebook_checks.tagged(c, "injected-parameters")]
    return nb


def execute(nb: NotebookNode, *, timeout: float | None = None) -> dict[int, float]:
    """Run all cells in place; seconds by cell index. `timeout` is for one cell, in seconds.

    Raises Failed at the first cell that fails without being tagged `raises-exception`.
    """
    started: dict[int, float] = {}
    seconds: dict[int, float] = {}

    def begin(cell: NotebookNode, cell_index: int) -> None:
        started[cell_index] = time.perf_counter()

    def end(cell: NotebookNode, cell_index: int, **_: object) -> None:
        seconds[cell_index] = time.perf_counter() - started[cell_index]

    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        nb,
        timeout=timeout,
        iopub_timeout=120,  # outputs come late on a busy machine; the default drops them after 4 s
        raise_on_iopub_timeout=True,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(ROOT)}},
        store_widget_state=False,
        record_timing=False,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    # Another backend of the caller's would leave the plots out.
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    try:
        client.execute(env=env)
    except CellExecutionError as error:
        index = max(started)
        raise Failed(_told(nb, index, error.traceback)) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise Failed(_told(nb, max(started, default=0), str(error))) from None
    return seconds


def timings(nb: NotebookNode, seconds: dict[int, float]) -> str:
    """The ten slowest cells and the total, one line each."""
    slowest = sorted(seconds, key=lambda index: -seconds[index])[:10]
    lines = [f"{seconds[i]:7.1f} s  {notebook_outputs.place(nb, i)}" for i in slowest]
    total = sum(seconds.values())
    return "\n".join([*lines, f"{total:7.1f} s  all {len(seconds)} code cells"])


def _told(nb: NotebookNode, index: int, traceback: str) -> str:
    traceback = traceback if sys.stderr.isatty() else _COLORS.sub("", traceback)
    source = nb.cells[index].source
    return f"{notebook_outputs.place(nb, index)} failed:\n\n{source}\n\n{traceback}"


def _from_root(path: str | None) -> str | None:
    """A path as the kernel, which runs in the root, has to name it."""
    return path and (path if Path(path).is_absolute() else os.path.relpath(path, ROOT))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="NOTEBOOK")
    parser.add_argument("--mode", choices=MODES, help="MODE; default: the notebook's own")
    parser.add_argument("--data", metavar="FOLDER", help="DATA: a folder or zip of photographs")
    parser.add_argument("--out", metavar="FOLDER", help="OUT: where the course writes")
    parser.add_argument("--write", action="store_true", help="store the outputs in the notebook")
    parser.add_argument("--html", type=Path, metavar="FOLDER", help="write static pages there")
    filled = parser.add_mutually_exclusive_group()
    filled.add_argument("--checks", action="store_true", help="fill in the checks, too, or wrongly")
    filled.add_argument("--answers", action="store_true", help="fill in the checks")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds for one cell")
    args = parser.parse_args(argv)
    if (args.checks or args.answers) and (args.write or args.html):
        parser.error("checks that are filled in are not kept: no --write, no --html with them")
    return args


def _run(path: Path, args: argparse.Namespace) -> None:
    """Run one notebook as the arguments say. Raises Failed and NotFit."""
    given = {"MODE": args.mode, "DATA": _from_root(args.data), "OUT": _from_root(args.out)}
    nb = nbformat.read(path, as_version=4)
    if args.checks:
        nb = notebook_checks.expanded(nb)
    if args.answers:
        nb = notebook_checks.answered(nb)
    nb = with_parameters(nb, **{name: value for name, value in given.items() if value})
    print(f"{path}:")
    seconds = execute(nb, timeout=args.timeout)
    print(timings(nb, seconds))
    if wrong := notebook_checks.failures(nb):
        raise Failed("\n".join(wrong))
    if not (args.write or args.html):
        return
    nb = without_parameters(nb)
    notebook_outputs.clean(nb)
    if args.write:
        write_bytes((nbformat.writes(nb) + "\n").encode(), path)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    if args.html:
        html, remote = notebook_html.page(nb, path.stem, notebook_html.folder_of(path))
        page = args.html / f"{path.stem}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(html.encode(), page)
        print(f"{page}: {len(html) / 1e6:.2f} MB; loads from elsewhere: {remote or 'nothing'}")


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 when a cell failed, a check does not hold or the outputs do not fit."""
    args = _arguments(argv)
    failed = 0
    for path in args.notebooks:
        try:
            _run(path, args)
        except (Failed, notebook_outputs.NotFit) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
