"""Where a run's numbers and pictures go: a CSV file, PNG grids, TensorBoard."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from pix2pix.errors import DataError
from pix2pix.files import replacing


class Sink(Protocol):
    """Where else a run's numbers and pictures go, such as `show.Live` and `trackers.Wandb`."""

    def open(self, step: int) -> None:
        """Begin, in a run that stands at `step`; process 0 alone does."""

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Take named numbers of a step."""

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Take a picture (H, W, 3) uint8 of a step."""

    def close(self) -> None:
        """No more will come."""


class Loggers:
    """Scalars and picture grids of one run, written under its folder.

    `metrics.csv` holds one row a logged step; a run resumed at an earlier step drops what came
    after it. `grids/` holds the pictures; with `tensorboard` both go there too,
    and to every sink in `also`.
    """

    def __init__(self, folder: str | Path, also: Sequence[Sink] = (), *, tensorboard: bool = True):
        self.folder = Path(folder)
        self.also = also
        self.csv = self.folder / "metrics.csv"
        self.tensorboard = tensorboard
        self.columns: list[str] = ["step"]
        self.rows: list[dict[str, str]] = []
        self.board: Any = None

    def open(self, step: int) -> None:
        """Begin to write, in a run that stands at `step`."""
        (self.folder / "grids").mkdir(parents=True, exist_ok=True)
        if self.csv.exists():
            self._read(up_to=step)
        self._write_all()
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1)
        for sink in self.also:
            sink.open(step)

    def _read(self, *, up_to: int) -> None:
        try:
            text = self.csv.read_text()
            whole = text[: text.rfind("\n") + 1]  # a kill can have cut the last row
            reader = csv.DictReader(io.StringIO(whole, newline=""))
            self.rows = [row for row in reader if int(row["step"]) <= up_to]
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise DataError(
                f"{self.csv}: not a run's numbers; rename it, and the run goes on without them"
            ) from error
        self.columns = list(reader.fieldnames or self.columns)

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log named numbers at a step; the same step again adds its columns to the same row."""
        row = {"step": str(step), **{name: f"{value:.9g}" for name, value in values.items()}}
        new_columns = [name for name in row if name not in self.columns]
        self.columns += new_columns
        same_step = bool(self.rows) and self.rows[-1]["step"] == row["step"]
        if same_step:
            self.rows[-1] |= row
        else:
            self.rows.append(row)
        if same_step or new_columns:
            self._write_all()
        else:
            with self.csv.open("a", newline="") as file:
                csv.DictWriter(file, self.columns).writerow(row)
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)
        for sink in self.also:
            sink.scalars(values, step)

    def _write_all(self) -> None:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, self.columns)
        writer.writeheader()
        writer.writerows(self.rows)
        with replacing(self.csv) as write:
            write(table.getvalue().encode())

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture (H, W, 3) uint8."""
        Image.fromarray(rgb).save(self.folder / "grids" / f"{name}-{step:07d}.png")
        if self.board:
            self.board.add_image(name, rgb, step, dataformats="HWC")
        for sink in self.also:
            sink.picture(name, rgb, step)

    def close(self) -> None:
        """Flush and close."""
        if self.board:
            self.board.close()
        for sink in self.also:
            sink.close()
