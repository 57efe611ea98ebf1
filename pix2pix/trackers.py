"""Trackers: services that keep the numbers, pictures and settings of many runs side by side."""

import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pix2pix.processes import SettingError

MODES = ("offline", "online", "disabled")


class Wandb:
    """A run on Weights & Biases, where its losses, scores, picture grids and settings go.

    Its files lie in `folder`/wandb, with the id under which a resumed run goes on as the same one.
    With `mode` "offline" nothing is sent until `wandb sync` is told to, "online" sends while it
    trains, "disabled" does nothing. `project`, `entity` and `name` are W&B's, `name` by default the
    folder's. Raises SettingError when the client is not installed.

    Source: https://docs.wandb.ai/ref/python/functions/init
    """

    def __init__(
        self,
        folder: str | Path,
        config: dict[str, Any],
        *,
        project: str = "pix2pix",
        entity: str | None = None,
        name: str | None = None,
        mode: str = "offline",
    ):
        if mode not in MODES:
            raise SettingError(f"logger.mode={mode}: {', '.join(MODES)}")
        if find_spec("wandb") is None:
            raise SettingError("logger=wandb: the client is missing: pip install wandb")
        self.folder, self.config = Path(folder), config
        self.settings: dict[str, Any] = {"project": project, "entity": entity, "mode": mode}
        self.name = name or self.folder.name
        self.run: Any = None

    def open(self, step: int) -> None:
        """Begin a run, or go on with the one in the folder when `step` is not 0.

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
                settings=wandb.Settings(console="off", silent=self.settings["mode"] != "online"),
                **self.settings,
            )
        except wandb.Error as error:
            why = " ".join(str(error).split())
            raise SettingError(f"logger.mode={self.settings['mode']}: W&B: {why}") from error

    def _id(self, *, new: bool) -> str:
        path = self.folder / "wandb" / "id"
        if new or not path.exists():
            path.write_text(secrets.token_hex(4))
        return path.read_text()

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Log named numbers of a step; what a run before its resuming has logged already stays."""
        self.run.log(values, step=step)

    def picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Log a picture (H, W, 3) uint8 of a step."""
        import wandb

        self.run.log({name: wandb.Image(rgb)}, step=step)

    def close(self) -> None:
        """Hand over what is left and end the run."""
        if self.run:
            self.run.finish()


TRACKERS = {"wandb": Wandb}
