"""History: what a run has logged in its metrics.csv, a row a logged step."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pix2pix.errors import DataError

Series = tuple[list[int], list[float]]
"""Steps and values."""


class Logged(NamedTuple):
    """The values logged at a step, by column."""

    step: int
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """The complete rows of a metrics.csv."""

    text: str = ""
    columns: tuple[str, ...] = ()  # but the step
    rows: tuple[Logged, ...] = ()

    @property
    def last(self) -> int | None:
        """The last step, None before the first."""
        return max((row.step for row in self.rows), default=None)

    @cached_property
    def series(self) -> dict[str, Series]:
        """Steps and values by column; a column without values is left out."""
        found: dict[str, Series] = {column: ([], []) for column in self.columns}
        for step, values in self.rows:
            for column, value in values.items():
                found[column][0].append(step)
                found[column][1].append(value)
        return {column: one for column, one in found.items() if one[0]}

    @property
    def best(self) -> int | None:
        """The step of the highest PSNR on the validation photos, the first of several."""
        steps, values = self.series.get("val_psnr", ([], []))
        finite = [(v, -s) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
        return -max(finite)[1] if finite else None


def read(path: Path) -> History:
    """Read a metrics.csv, also while a run is writing it: an incomplete last row is ignored.

    Raises DataError when it is none that a run wrote.
    """
    try:
        text = path.read_bytes().decode()
        text = text[: text.rfind("\n") + 1]
        header, *lines = [*csv.reader(io.StringIO(text, newline=""))] or [["step"]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", path.name) from error
    if "step" not in header:
        raise DataError("no column `step`", path.name)
    rows = []
    for number, line in enumerate(filter(None, lines), start=1):
        if len(line) != len(header):
            raise DataError(f"row {number} does not fit its columns", path.name)
        cells = dict(zip(header, line, strict=True))
        try:
            step = int(cells.pop("step"))
            rows.append(Logged(step, {name: float(cell) for name, cell in cells.items() if cell}))
        except ValueError as error:
            raise DataError(f"not a run's numbers: {error}", path.name) from error
    return History(text, tuple(name for name in header if name != "step"), tuple(rows))


def as_csv(columns: Sequence[str], rows: Iterable[Logged], *, head: bool = True) -> str:
    """Rows -> the text of a metrics.csv, with or without its header.

    Nine digits are enough for any float32 to come back as it was.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    if head:
        writer.writerow(["step", *columns])
    for step, values in rows:
        cells = [f"{values[name]:.9g}" if name in values else "" for name in columns]
        writer.writerow([step, *cells])
    return table.getvalue()
