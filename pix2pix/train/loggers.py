"""Loggers of a run's scalars and pictures: a CSV file, PNG grids, TensorBoard, W&B."""

import secrets
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from pix2pix.errors import DataError, SettingError
from pix2pix.files import replacing
from pix2pix.nets.build import Config
from pix2pix.train import history
from pix2pix.train.history import Logged

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter
    from wandb import Run

MODES = ("offline", "online", "disabled")  # of W&B


class Sink(Protocol):
    """A further logger of scalars and pictures, such as `show.Live` and `Wandb`."""

    def open(self, step: int) -> None:
        """Start logging at `step`; only process 0 logs."""

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log the scalars of a step by name."""

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture (H, W, 3) uint8 of a step."""

    def close(self) -> None:
        """Flush and close."""


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
        self.columns: list[str] = []
        self.rows: list[Logged] = []
        self.board: SummaryWriter | None = None

    def open(self, step: int) -> None:
        """Start logging at `step`: rows of later steps are dropped."""
        (self.folder / "grids").mkdir(parents=True, exist_ok=True)
        if self.csv.exists():
            self._resume(step)
        self._write_all()
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=step + 1)
        for sink in self.also:
            sink.open(step)

    def _resume(self, step: int) -> None:
        try:
            known = history.read(self.csv)
        except DataError as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise DataError(
                f"{self.csv}: not a run's numbers; rename it, and the run goes on without them"
            ) from error
        self.columns = list(known.columns)
        self.rows = [row for row in known.rows if row.step <= step]

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log the scalars of a step by name; a second call for it adds columns to its row."""
        new_columns = [name for name in values if name not in self.columns]
        self.columns += new_columns
        same_step = bool(self.rows) and self.rows[-1].step == step
        if same_step:
            self.rows[-1].values.update(values)
        else:
            self.rows.append(Logged(step, dict(values)))
        if same_step or new_columns:
            self._write_all()
        else:
            with self.csv.open("ab") as file:
                file.write(history.as_csv(self.columns, self.rows[-1:], head=False).encode())
        if self.board:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)
        for sink in self.also:
            sink.scalars(values, step)

    def _write_all(self) -> None:
        with replacing(self.csv) as write:
            write(history.as_csv(self.columns, self.rows).encode())

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


class Wandb:
    """Logger to Weights & Biases: losses, validation scores, picture grids and settings.

    Its files lie in `folder`/wandb, with the id under which a resumed run goes on as the same one.
    With `mode` "offline" nothing is sent before `wandb sync`, "online" sends while it trains,
    "disabled" does nothing. `project`, `entity` and `name` are W&B's, `name` by default the
    folder's. Raises SettingError when the client is not installed.

    Source: https://docs.wandb.ai/ref/python/functions/init
    """

    def __init__(
        self,
        folder: str | Path,
        config: Config,
        *,
        project: str = "pix2pix",
        entity: str | None = None,
        name: str | None = None,
        mode: str = "offline",
    ):
        if mode not in MODES:
            raise SettingError(f"logger.mode={mode}: {', '.join(MODES)}")
        if find_spec("wandb") is None:
            needs = "the client is missing: pip install 'pix2pix-color[wandb]'"
            raise SettingError(f"logger=wandb: {needs}")
        self.folder, self.config = Path(folder), config
        self.project, self.entity, self.mode = project, entity, mode
        self.name = name or self.folder.name
        self.run: Run | None = None

    def open(self, step: int) -> None:
        """Start a run, or resume the one in the folder when `step` is not 0.

        Raises SettingError when the service refuses it or does not answer.
        """
        import wandb

        (self.folder / "wandb").mkdir(parents=True, exist_ok=True)
        try:
            self.run = wandb.init(
                dir=self.folder,
                id=self._id(new=step == 0),
                name=self.name,
                resume="allow",
                config=self.config,
                # its own lines would tear the progress bar; online they hold the run's address
                settings=wandb.Settings(console="off", silent=self.mode != "online"),
                project=self.project,
                entity=self.entity,
                mode=self.mode,  # type: ignore[arg-type]  # one of MODES
            )
        except wandb.Error as error:
            why = " ".join(str(error).split())
            raise SettingError(f"logger.mode={self.mode}: W&B: {why}") from error

    def _id(self, *, new: bool) -> str:
        path = self.folder / "wandb" / "id"
        if new or not path.exists():
            with replacing(path) as write:
                write(secrets.token_hex(4).encode())
        return path.read_text()

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log the scalars of a step by name; what was logged before a resume stays."""
        if self.run:
            self.run.log(values, step=step)

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture (H, W, 3) uint8 of a step."""
        import wandb

        if self.run:
            self.run.log({name: wandb.Image(rgb)}, step=step)

    def close(self) -> None:
        """Flush and finish the run."""
        if self.run:
            self.run.finish()


TRACKERS = {"wandb": Wandb}
