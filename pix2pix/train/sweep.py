"""Sweeps: what each run of `pix2pix train --multirun` was given, how it ended, and a table of all.

`python -m pix2pix.train.sweep FOLDER` prints the table of a sweep that still runs, or was killed.
"""

import csv
import io
import json
import math
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from pix2pix.errors import DataError
from pix2pix.nets.build import Config
from pix2pix.terminal import escape, put
from pix2pix.train.checkpoints import write_atomically
from pix2pix.train.history import read
from pix2pix.train.processes import is_first

COLUMNS = (
    *("run", "overrides", "status", "steps", "seconds", "best_val_psnr", "best_step"),
    *("val_psnr", "val_psnr_gray", "val_colorfulness", "error"),
)

Cell = str | int | float


class Results(Callback):
    """Hydra callback that keeps the folder of the sweep which this process started."""

    folder: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        """Called by Hydra before a sweep's first run."""
        Results.folder = Path(config.hydra.sweep.dir)


@contextmanager
def noted(
    folder: str | Path, overrides: list[str], *, expected: tuple[type, ...]
) -> Iterator[None]:
    """Record a sweep's run in `folder`/sweep.json; its errors do not end the other runs.

    Errors that are not `expected` are printed with their traceback.
    """
    path = Path(folder) / "sweep.json"
    seconds = _note(path).get("seconds", 0.0)  # of a run that is resumed
    started, note = time.monotonic(), {"overrides": overrides, "status": "running"}

    def write() -> None:
        if is_first():
            path.parent.mkdir(parents=True, exist_ok=True)
            spent = round(seconds + time.monotonic() - started, 1)
            write_atomically(path, json.dumps({**note, "seconds": spent}, indent=1).encode())

    write()
    note["status"] = "stopped"  # unless it gets further
    try:
        yield
        note["status"] = "done"
    except Exception as error:
        note |= {"status": "failed", "error": " ".join(str(error).split()) or repr(error)}
        if not isinstance(error, expected):
            traceback.print_exc()
        if is_first():
            put(escape(f"pix2pix train: {folder}: {note['error']}"), sys.stderr)
    finally:
        write()


def rows(folder: str | Path) -> list[dict[str, Cell]]:
    """A row of `COLUMNS` for every run of the sweep in `folder`, best validation PSNR first.

    Overrides that all runs share are left out. Numbers are those of each run's metrics.csv.
    """
    notes = {
        path.parent: note for path in Path(folder).glob("*/sweep.json") if (note := _note(path))
    }
    several = len(notes) > 1
    shared = set.intersection(*(set(n["overrides"]) for n in notes.values())) if several else set()
    found = []
    for run, note in sorted(notes.items(), key=lambda item: natural(item[0].name)):
        given = " ".join(o for o in note["overrides"] if o not in shared)
        row = {**dict.fromkeys(COLUMNS, ""), **note, "run": run.name, "overrides": given}
        found.append(row | numbers(run / "metrics.csv"))
    return sorted(found, key=lambda row: -float(row["best_val_psnr"] or -math.inf))


def _note(path: Path) -> Config:
    """Read a run's sweep.json; {} where it is missing or invalid."""
    try:
        note = json.loads(path.read_bytes())
        whole = isinstance(note["overrides"], list) and isinstance(note["seconds"], (int, float))
        return note if whole else {}
    except (OSError, LookupError, TypeError, ValueError):
        return {}


def natural(name: str) -> tuple[bool, int, str]:
    """Sort key of natural order: 2 before 10."""
    return (False, int(name), "") if name.isdecimal() else (True, 0, name)


def numbers(path: Path) -> dict[str, Cell]:
    """The last step of a metrics.csv, its best and its last scores.

    A run that has not begun has come to step 0; of a file that cannot be read nothing is known.
    """
    if not path.exists():
        return {"steps": 0}
    try:
        history = read(path)
    except DataError:
        return {}
    found: dict[str, Cell] = {"steps": history.last or 0}
    scores = {row.step: row.values for row in history.rows if "val_psnr" in row.values}
    if scores:
        found |= {name: v for name, v in scores[max(scores)].items() if name in COLUMNS}
    if (best := history.best) is not None:
        found |= {"best_val_psnr": scores[best]["val_psnr"], "best_step": best}
    return found


def as_csv(table: list[dict[str, Cell]]) -> str:
    """The rows as CSV, numbers in full."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table)
    return file.getvalue()


def as_markdown(table: list[dict[str, Cell]]) -> str:
    """The rows as a Markdown table that is aligned on a terminal too."""
    cells = [list(COLUMNS), *([shown(name, row[name]) for name in COLUMNS] for row in table)]
    used = [i for i in range(len(COLUMNS)) if any(line[i] for line in cells[1:])]
    widths = {i: max(len(line[i]) for line in cells) for i in used}
    lines = ["| " + " | ".join(line[i].ljust(widths[i]) for i in used) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (widths[i] + 2) for i in used) + "|")
    return "\n".join(lines) + "\n"


def shown(name: str, value: Cell) -> str:
    """A value of a column as text for reading."""
    digits = {"seconds": 0, "val_colorfulness": 3}.get(name, 2)
    text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")


def conclude(folder: str | Path) -> int:
    """Print the table and write it to results.csv and results.md; 1 unless every run is done."""
    table = rows(folder)
    if not table:
        return 1
    write_atomically(Path(folder) / "results.csv", as_csv(table).encode())
    write_atomically(Path(folder) / "results.md", as_markdown(table).encode())
    put(as_markdown(table).removesuffix("\n"))
    return int(any(row["status"] != "done" for row in table))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m pix2pix.train.sweep FOLDER")
    sys.exit(conclude(sys.argv[1]) if rows(sys.argv[1]) else f"{sys.argv[1]}: no runs of a sweep")
