"""History: what a run has logged in its metrics.csv, as series over the steps."""

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix.errors import DataError

Series = tuple[list[int], list[float]]  # steps, values


@dataclass(frozen=True)
class History:
    """The whole rows of a metrics.csv, and by column the values there are."""

    text: str = ""
    rows: int = 0
    last: int | None = None  # step
    series: dict[str, Series] = field(default_factory=dict)

    @property
    def best(self) -> int | None:
        """The step of the highest PSNR on the validation photos, the first of several."""
        steps, values = self.series.get("val_psnr", ([], []))
        finite = [(v, -s) for s, v in zip(steps, values, strict=True) if math.isfinite(v)]
        return -max(finite)[1] if finite else None


def read(path: Path) -> History:
    """Read a metrics.csv, also while a run is writing it: a last row without its end is ignored.

    Raises DataError when it is none that a run wrote.
    """
    try:
        text = path.read_bytes().decode()
        text = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path.name}: cannot be read: {error}") from error
    if text and "step" not in (reader.fieldnames or ()):
        raise DataError(f"{path.name}: no column `step`")
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise DataError(f"{path.name}: row {number} does not fit its columns")
    try:
        steps = [int(row["step"]) for row in rows]
        series = {
            column: _series(steps, [row[column] for row in rows])
            for column in reader.fieldnames or ()
            if column != "step"
        }
    except ValueError as error:
        raise DataError(f"{path.name}: not a run's numbers: {error}") from error
    known = {column: one for column, one in series.items() if one[0]}
    return History(text, len(rows), max(steps, default=None), known)


def _series(steps: list[int], cells: list[str]) -> Series:
    known = [(step, float(cell)) for step, cell in zip(steps, cells, strict=True) if cell]
    return [step for step, _ in known], [value for _, value in known]
