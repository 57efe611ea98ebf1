"""Where a run's numbers and pictures go: a CSV file, PNG grids, TensorBoard."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


class Loggers:
    """Scalars and picture grids of one run, written under its folder.

    `metrics.csv` holds one row a logged step; a run resumed at an earlier step drops what came
    after it. `grids/` holds the pictures; with `tensorboard` both go there too.
    """

    def __init__(self, folder: str | Path, *, tensorboard: bool = True):
        self.folder = Path(folder)
        self.csv = self.folder / "metrics.csv"
        self.tensorboard = tensorboard
        self.rows: list[dict[str, str]] = []
        self.board: Any = None

    def open(self, step: int) -> None:
        """Begin to write, in a run that stands at `step`."""
        (self.folder / "grids").mkdir(parents=True, exist_ok=True)
        self.rows = self._read_up_to(step)
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1)

    def _read_up_to(self, step: int) -> list[dict[str, str]]:
        if not self.csv.exists():
            return []
        with self.csv.open(newline="") as file:
            return [row for row in csv.DictReader(file) if int(row["step"]) <= step]

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log named numbers at a step; the same step again adds its columns to the same row."""
        new = {"step": str(step), **{k: f"{v:.9g}" for k, v in values.items()}}
        columns = list(self.rows[0]) if self.rows else []
        if self.rows and self.rows[-1]["step"] == str(step):
            self.rows[-1] |= new
        else:
            self.rows.append(new)
        fresh = [k for k in new if k not in columns]
        if fresh or self.rows[-1] is not new:  # the header grows: write the whole again
            self.rows[0] |= {k: self.rows[0].get(k, "") for k in fresh}
            self._write_all()
        else:
            with self.csv.open("a", newline="") as file:
                csv.DictWriter(file, columns, restval="").writerow(new)
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def _write_all(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(self.rows[0]), restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        self.csv.write_text(text.getvalue(), newline="")

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture (H, W, 3) uint8."""
        Image.fromarray(rgb).save(self.folder / "grids" / f"{name}-{step:07d}.png")
        if self.board:
            self.board.add_image(name, rgb, step, dataformats="HWC")

    def close(self) -> None:
        """Flush and close."""
        if self.board:
            self.board.close()
