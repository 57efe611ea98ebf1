"""The folder of one training run: its lock, metrics, pictures, weights and checkpoints."""

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout
from lightning.fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from pix2pix import weights
from pix2pix.batch import Batch
from pix2pix.data.pictures import Examples
from pix2pix.errors import CheckpointError, Diverged, one_line
from pix2pix.nets.build import Config
from pix2pix.terminal import is_live
from pix2pix.train.checkpoints import Checkpoints, prepare_folder, write_atomically, writing
from pix2pix.train.loggers import Loggers
from pix2pix.train.processes import end_others, gather
from pix2pix.train.state import State
from pix2pix.train.validate import Validation

PATIENCE = 3  # steps in a row without a finite loss and gradient after which a run gives up


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Catch the signals that end a run, so that its step is finished first.

    SIGTERM is everyone's; SIGUSR1 is what our sbatch script asks SLURM for, SIGUSR2 what submitit
    does. Windows has neither of these two.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # Python lets only the main thread handle signals
        return
    named = ("SIGTERM", "SIGUSR1", "SIGUSR2")
    kinds: list[signal.Signals] = [getattr(signal, n) for n in named if hasattr(signal, n)]
    before = [signal.signal(kind, lambda number, frame: caught.append(number)) for kind in kinds]
    try:
        yield caught
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def only_run_in(folder: Path) -> AbstractContextManager[object]:
    """Lock a folder for one run; `with` releases it. Raises CheckpointError in a second run.

    The lock is the kernel's: it goes with the process, however that ends, and knows no clock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout as error:  # an OSError, too
        raise CheckpointError("another run is writing here", folder) from error
    except (OSError, NotImplementedError, ValueError) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise CheckpointError(f"cannot be written: {why}", folder) from error


class Run:
    """The folder of one run, written by process 0 alone.

    Entering raises CheckpointError, in every process, when the folder is another run's or cannot be
    written, and with `fresh` when it holds checkpoints.
    """

    def __init__(
        self,
        fabric: Fabric,
        folder: str | Path,
        *,
        loggers: Loggers | None,
        header: weights.Header,
        config: Config,
        fresh: bool,
    ):
        self.main = fabric.is_global_zero
        self.fabric, self.folder, self.header = fabric, Path(folder), header
        self.config, self.fresh = config, fresh
        self.loggers = loggers if self.main else None
        self.checkpoints = Checkpoints(self.folder / "checkpoints")
        self.not_finite = 0
        self.saved_at = self.logged_at = time.monotonic()
        self.logged_step: int | None = None
        self.held = ExitStack()

    def __enter__(self) -> "Run":
        refused: CheckpointError | None = None
        if self.main:
            try:
                self._take()
            except CheckpointError as error:
                self.held.close()
                refused = error
        if refused := self.fabric.broadcast(refused):  # or the others would wait for process 0
            raise refused
        return self

    def _take(self) -> None:
        """Lock the folder, check that it is writable, write config.yaml."""
        self.held.enter_context(only_run_in(self.folder))
        prepare_folder(self.folder)
        prepare_folder(self.checkpoints.folder)
        if self.fresh and (steps := self.checkpoints.steps()):
            raise CheckpointError(
                f"{self.folder}: holds a run of {steps[-1]} steps; go on from there with "
                "trainer.ckpt_path=last, or give another run_dir"
            )
        text = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        write_atomically(self.folder / "config.yaml", text.encode())

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error and self.main:
            end_others(self.fabric)
        if self.loggers:
            self.loggers.close()
        self.held.close()

    def say(self, text: str) -> None:
        """Print one line on stderr, from process 0."""
        if self.main:
            tqdm.write(text, file=sys.stderr)

    def bar(self, step: int, steps: int, batch: int) -> tqdm:
        """A progress bar that counts photos; in a log file a line every half minute."""
        live = is_live()
        return tqdm(
            initial=step * batch,
            total=steps * batch,
            unit="img",
            disable=not self.main,
            mininterval=0.5 if live else 30,
        )

    def guard(
        self, losses: dict[str, float], step: int, photos: Examples, micro: list[Batch]
    ) -> None:
        """Count non-finite losses in a row, record their photos; raises Diverged at the third."""
        if all(math.isfinite(value) for value in losses.values()):
            self.not_finite = 0
            return
        self.not_finite += 1
        names = gather(self.fabric, [photos.name(int(p)) for b in micro for p in b.positions])
        notes = self.folder / "not_finite.jsonl"
        if self.main:
            shown = {name: str(value) for name, value in losses.items()}
            with notes.open("a") as file:
                file.write(json.dumps({"step": step, "losses": shown, "photos": names}) + "\n")
        self.say(f"step {step}: the loss is not finite ({losses}); nothing was learned from it")
        if self.not_finite == PATIENCE:
            raise Diverged(
                f"step {step}: {PATIENCE} losses in a row were not finite; their photos are in "
                f"{notes}, the last good checkpoint in {self.checkpoints.folder}"
            )

    def log(self, losses: dict[str, float], step: int, batch: int, bar: tqdm) -> None:
        """Log the losses and the speed since the last call; show the losses in the bar."""
        now = time.monotonic()
        speed = {}
        if self.logged_step is not None:
            seconds = now - self.logged_at
            speed["images_per_second"] = (step - self.logged_step) * batch / seconds
        self.logged_step, self.logged_at = step, now
        bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()}, refresh=False)
        if self.loggers:
            self.loggers.scalars(losses | speed, step)

    def validate(self, watched: Validation, state: State) -> None:
        """Validate the averaged generator, log scores and a grid, export it when it is the best."""

        def paint(batch: Batch) -> Tensor:
            with self.fabric.autocast():
                output = state.average(state.recipe.input(batch))
            return state.recipe.picture(batch, output.float())

        scores = watched.score(paint, self.fabric.device)
        picture = watched.grid(paint, self.fabric.device)
        self.say(f"step {state.step}: " + ", ".join(f"{k} {v:.4g}" for k, v in scores.items()))
        if self.loggers:
            self.loggers.scalars(scores, state.step)
            self.loggers.picture("val", picture, state.step)
        if scores["val_psnr"] > state.best:
            state.best = scores["val_psnr"]
            self.export(state, "best")
        self.logged_step = None  # or the next speed would count the seconds of validation

    def due(self, seconds: float) -> bool:
        """Whether a checkpoint is due; never while losses are not finite."""
        return time.monotonic() - self.saved_at > seconds and not self.not_finite

    def save(self, state: State) -> None:
        """Write a checkpoint, and the averaged generator as `last.safetensors`."""
        if self.main:
            self.checkpoints.save(state.state_dict(), state.step)
            self.export(state, "last")
            self.saved_at = time.monotonic()

    def export(self, state: State, name: str) -> None:
        """Write the averaged generator as `name`.safetensors."""
        self.header.steps = state.step
        path = self.folder / f"{name}.safetensors"
        with writing(path):
            weights.save(path, state.average, self.header)
