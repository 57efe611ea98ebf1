"""Settings of a training run, trainer.* on the command line, in three groups."""

import math
from dataclasses import dataclass, fields

from pix2pix.errors import SettingError
from pix2pix.nets.build import Config


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """Batch, schedule, gradient clipping and average of a run.

    `batch` photos a step in all, over all processes and `accumulate` micro-batches, loaded by
    `workers` processes (None: as many as suit the device). Each step scales its crops to one of
    `sizes`, drawn from (seed, step), or leaves them as they are. The learning rate rises over
    `warmup` steps; its `schedule` is "constant" or "cosine". `clip` is the largest norm of a
    gradient (0: any), `ema` the decay of the generator's average.

    Raises SettingError for values out of range, as `Intervals` does.
    """

    steps: int = 10_000
    batch: int = 32
    accumulate: int = 1
    warmup: int = 200
    schedule: str = "cosine"
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    workers: int | None = None
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_least(1, batch=self.batch, accumulate=self.accumulate)
        check_least(0, steps=self.steps, warmup=self.warmup, workers=self.workers)
        check_least(0, clip=self.clip, ema=self.ema)
        if self.schedule not in ("constant", "cosine"):
            raise SettingError(f"trainer.schedule={self.schedule}: constant or cosine")

    def learning_rate(self, step: int) -> float:
        """The factor on every optimizer's rate: linear warm-up, then constant or cosine to 0."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        done = max(0, step - self.warmup) / max(1, self.steps - self.warmup)
        return rise * (0.5 * (1 + math.cos(math.pi * done)) if self.schedule == "cosine" else 1.0)

    def micro_batch(self, world_size: int) -> int:
        """The size of a micro-batch in one process. Raises SettingError for fractions."""
        if self.batch % (world_size * self.accumulate):
            raise SettingError(
                f"trainer.batch={self.batch}: not a multiple of {world_size} processes x "
                f"{self.accumulate} micro-batches (trainer.accumulate)"
            )
        return self.batch // world_size // self.accumulate


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """How often a run logs and validates [steps] and saves [s]; the number of validation photos."""

    log_every: int = 50
    val_every: int = 500
    val_photos: int = 128
    save_seconds: float = 50.0

    def __post_init__(self) -> None:
        check_least(1, log_every=self.log_every, val_every=self.val_every)


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a run starts from: `init_from` weights of a generator, or a checkpoint `ckpt_path`.

    "last" is the newest checkpoint in the run's folder. With `requeue`, a SLURM job that gets a
    stop signal is put back into the queue.
    """

    init_from: str | None = None
    ckpt_path: str | None = None
    requeue: bool = False


def check_least(least: int, **settings: float | None) -> None:
    """Raise SettingError when one of the settings trainer.* is below `least`."""
    for name, value in settings.items():
        if value is not None and not value >= least:
            raise SettingError(f"trainer.{name}={value}: {least} or more")


def grouped(settings: Config) -> tuple[Optimization, Intervals, Start]:
    """{"steps": 300, ...} -> the three groups. Raises TypeError for an unknown name."""
    kinds = Optimization, Intervals, Start
    known = {field.name: kind for kind in kinds for field in fields(kind)}
    if unknown := settings.keys() - known.keys():
        raise TypeError(f"{min(unknown)!r} is no setting of a run; there are {', '.join(known)}")
    optimization, intervals, start = (
        {name: value for name, value in settings.items() if known[name] is kind} for kind in kinds
    )
    return Optimization(**optimization), Intervals(**intervals), Start(**start)
