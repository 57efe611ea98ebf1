"""The folder of one training run: its lock, numbers, pictures, weights and checkpoints."""

import fcntl
import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightning.fabric import Fabric
from tqdm import tqdm

from pix2pix import weights
from pix2pix.checkpoints import CheckpointError, Checkpoints, write_atomically
from pix2pix.data import Batch, Photos
from pix2pix.loggers import Loggers
from pix2pix.state import State
from pix2pix.validate import Validation


class Diverged(RuntimeError):
    """The loss was NaN or infinite three steps in a row."""


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGUSR1 instead of dying of them."""
    caught: list[int] = []
    kinds = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.signal(kind, lambda number, frame: caught.append(number)) for kind in kinds]
    try:
        yield caught
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: a second run in it is refused with CheckpointError.

    The lock is the kernel's: it goes with the process, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CheckpointError(f"{folder}: another run is writing here") from error
        yield


class Run:
    """What `fit` leaves behind it: the folder of one run, written by process 0 alone."""

    def __init__(
        self, fabric: Fabric, folder: Path, loggers: Loggers | None, header: weights.Header
    ):
        self.main = fabric.is_global_zero
        self.fabric, self.folder, self.header = fabric, folder, header
        self.loggers = loggers if self.main else None
        self.not_finite = 0
        self.saved_at = self.logged_at = time.monotonic()
        self.logged_step: int | None = None
        self.held = ExitStack()

    def __enter__(self) -> "Run":
        if self.main:
            self.held.enter_context(only_run_in(self.folder))
        self.checkpoints = Checkpoints(self.folder / "checkpoints", write=self.main)
        return self

    def __exit__(self, *error: object) -> None:
        if self.loggers:
            self.loggers.close()
        self.held.close()

    def say(self, text: str) -> None:
        """One line for the user, from process 0."""
        if self.main:
            tqdm.write(text, file=sys.stderr)

    def bar(self, step: int, steps: int, batch: int) -> tqdm:
        """A progress bar in photos."""
        return tqdm(
            initial=step * batch,
            total=steps * batch,
            unit="img",
            disable=not self.main,
            mininterval=1,
        )

    def guard(
        self, losses: dict[str, float], step: int, photos: Photos, micro: list[Batch]
    ) -> None:
        """Count non-finite losses in a row, note which photos they met; the third is the end."""
        if all(math.isfinite(v) for v in losses.values()):
            self.not_finite = 0
            return
        self.not_finite += 1
        names = [photos.name(int(p)) for batch in micro for p in batch.positions]
        record = {"step": step, "losses": {k: str(v) for k, v in losses.items()}, "photos": names}
        with (self.folder / "not_finite.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.say(f"step {step}: the loss is not finite; nothing was learned from it")
        if self.not_finite >= 3:
            raise Diverged(
                f"step {step}: three losses in a row were not finite; their photos are in "
                f"{self.folder / 'not_finite.jsonl'}, the last good checkpoint is kept"
            )

    def log(self, losses: dict[str, float], step: int, batch: int, bar: tqdm) -> None:
        """Losses and speed, to the loggers and the bar."""
        now = time.monotonic()
        speed = {}
        if self.logged_step is not None:
            speed = {
                "images_per_second": (step - self.logged_step) * batch / (now - self.logged_at)
            }
        self.logged_step, self.logged_at = step, now
        bar.set_postfix({k: f"{v:.4f}" for k, v in losses.items()})
        if self.loggers:
            self.loggers.scalars(losses | speed, step)

    def validate(self, watched: Validation, state: State) -> None:
        """Score the averaged generator, keep it when it is the best so far, draw the grid."""
        with self.fabric.autocast():
            scores = watched.score(state.average, self.fabric.device)
            picture = watched.grid(state.average, self.fabric.device)
        self.say(f"step {state.step}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        if self.loggers:
            self.loggers.scalars(scores, state.step)
            self.loggers.picture("val", picture, state.step)
        if scores["val_psnr"] > state.best:
            state.best = scores["val_psnr"]
            self.export(state, "best")
        self.export(state, "last")
        self.logged_step = None  # validation is no part of the speed

    def export(self, state: State, name: str) -> None:
        """Write the averaged generator as `name`.safetensors."""
        self.header.steps = state.step
        write_atomically(
            self.folder / f"{name}.safetensors",
            lambda part: weights.save(part, state.average, self.header),
        )

    def due(self, seconds: float) -> bool:
        """Whether the last checkpoint is older than that."""
        return time.monotonic() - self.saved_at > seconds

    def save(self, state: State) -> None:
        """Write a checkpoint."""
        if self.main:
            self.checkpoints.save(state.state_dict(), state.step)
            self.saved_at = time.monotonic()
