"""The training loop, on Lightning Fabric, configured by Hydra. It names no recipe.

`main` composes the configuration, `run` builds everything from it, `fit` is the loop; step.py has
one step of it, run.py what it leaves behind.
"""

import math
import sys
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

try:
    from lightning.fabric import Fabric
except ModuleNotFoundError as error:
    from pix2pix.errors import TRAIN_NEEDS

    if __name__ == "__main__":
        sys.exit(f"pix2pix train: {TRAIN_NEEDS}")
    raise ModuleNotFoundError(TRAIN_NEEDS) from error

import torch
from safetensors import SafetensorError
from torch.amp.grad_scaler import GradScaler

from pix2pix import slurm, weights
from pix2pix.checkpoints import CheckpointError, load
from pix2pix.data import Photos, prepare
from pix2pix.errors import TRAIN_NEEDS, DataError
from pix2pix.feed import ahead, batches, default_workers
from pix2pix.loggers import Loggers
from pix2pix.processes import SettingError, any_process, copy_from_first, is_first, launch
from pix2pix.program import call, reason, refuse
from pix2pix.recipes import assemble, config_of
from pix2pix.recipes.base import Recipe
from pix2pix.run import Diverged, Run, stop_signals
from pix2pix.spelling import put
from pix2pix.state import State, resume
from pix2pix.step import train_step
from pix2pix.validate import Validation

# arguments of `fit` that `run` builds; the others are the settings trainer.*
BUILT = ("photos", "run_dir", "val", "fabric", "loggers", "header", "augment", "config")
# of a recipe's settings, what the header says itself, and a path that is nobody else's affair
LOCAL = ("generator", "perceptual_weights")
# what ends a run with one line instead of a traceback; the last two are a disk's and a GPU's
EXPECTED = (
    *(DataError, SettingError, CheckpointError, weights.WeightsError, Diverged),
    *(OSError, torch.OutOfMemoryError),
)


def learning_rate(step: int, *, steps: int, warmup: int, schedule: str) -> float:
    """The factor on every optimizer's rate at a step: linear warm-up, then constant or cosine to 0.

    Raises SettingError for a schedule other than "constant" or "cosine".
    """
    if schedule not in ("constant", "cosine"):
        raise SettingError(f"trainer.schedule={schedule}: constant or cosine")
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    done = max(0, step - warmup) / max(1, steps - warmup)
    return rise * (0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1.0)


def check_counts(*, least: int, **settings: float | None) -> None:
    """Raise SettingError for one of the settings trainer.* that is below `least`."""
    for name, value in settings.items():
        if value is not None and not value >= least:
            raise SettingError(f"trainer.{name}={value}: {least} or more")


def begin(fabric: Fabric, recipe: Recipe, config: dict[str, Any]) -> State:
    """The state at step 0: recipe on its device, channels last; optimizers; average."""
    recipe = recipe.to(fabric.device).to(memory_format=torch.channels_last)
    copy_from_first(fabric, recipe)
    average = deepcopy(recipe.generator).eval().requires_grad_(False)
    scaler = getattr(fabric.strategy.precision, "scaler", None) or GradScaler(enabled=False)
    state = State(recipe, average, recipe.optimizers(), scaler, config=config)
    for group in state.param_groups():
        group["initial_lr"] = group["lr"]
    return state


def start(state: State, run: Run, *, init_from: str | None, ckpt_path: str | None) -> None:
    """Give the state its first weights: random, another run's, or a checkpoint to go on from."""
    if init_from:
        net, trained = state.recipe.generator, weights.load(init_from)[0]
        try:
            new = weights.grow(net, trained.state_dict())
        except ValueError as error:
            raise weights.WeightsError(f"{init_from}: of another net: {error}") from error
        if new:
            run.say(f"{init_from}: {len(new)} tensors are new or wider in this net")
        state.average.load_state_dict(net.state_dict())
    if ckpt_path:
        saved = run.checkpoints.load(say=run.say) if ckpt_path == "last" else load(ckpt_path)
        if saved:
            resume(state, saved, say=run.say)
        run.say(f"{run.folder}: going on from step {state.step}")
    if run.loggers:
        run.loggers.open(state.step)


def fit(
    recipe: Recipe,
    *,
    photos: Photos,
    run_dir: str | Path,
    val: Photos | None = None,
    fabric: Fabric | None = None,
    loggers: Loggers | None = None,
    header: weights.Header | None = None,
    augment: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    steps: int = 10_000,
    batch: int = 32,
    accumulate: int = 1,
    warmup: int = 200,
    schedule: str = "cosine",
    clip: float = 1.0,
    ema: float = 0.999,
    seed: int = 0,
    workers: int | None = None,
    sizes: tuple[int, ...] = (),
    log_every: int = 50,
    val_every: int = 500,
    val_photos: int = 128,
    save_seconds: float = 50.0,
    init_from: str | None = None,
    ckpt_path: str | None = None,
    requeue: bool = False,
) -> State:
    """Train `recipe` on `photos`; checkpoints, weights, numbers and pictures go to `run_dir`.

    `batch` photos a step in all, over all processes and `accumulate` micro-batches. Each step
    scales its crops to one of `sizes`, drawn from (seed, step), or leaves them as they are. `clip`
    is the largest norm of a gradient (0: any). `val` are the photos watched. `augment` goes to
    `data.prepare`. `ckpt_path` is a checkpoint to go on from, or "last" for the newest in
    `run_dir`; `init_from` are weights to start the generator from. With `requeue` a SLURM job
    that is told to stop is put back into the queue.

    Raises Diverged after three non-finite losses in a row, SystemExit(143) when told to stop,
    CheckpointError when the folder cannot be written or the checkpoint is of another net,
    SettingError when `batch` cannot be shared out, or a count is out of range.
    """
    fabric = fabric or launch()
    many = {"batch": batch, "accumulate": accumulate, "log_every": log_every}
    check_counts(least=1, **many, val_every=val_every)
    check_counts(least=0, steps=steps, warmup=warmup, workers=workers, clip=clip, ema=ema)
    if batch % (fabric.world_size * accumulate):
        raise SettingError(
            f"trainer.batch={batch}: not a multiple of {fabric.world_size} processes x "
            f"{accumulate} micro-batches (trainer.accumulate)"
        )
    learning_rate(0, steps=steps, warmup=warmup, schedule=schedule)  # a misspelt one fails now
    header = header or weights.Header(config_of(recipe.generator), head=recipe.head)
    config, fresh = config or {}, ckpt_path is None
    with (
        Run(fabric, run_dir, loggers=loggers, header=header, config=config, fresh=fresh) as run,
        stop_signals() as caught,
    ):
        state = begin(fabric, recipe, config)
        start(state, run, init_from=init_from, ckpt_path=ckpt_path)
        watched = Validation(val, count=val_photos) if val is not None and run.main else None
        feed = batches(
            fabric,
            photos,
            first=state.step,
            steps=steps,
            batch=batch,
            accumulate=accumulate,
            workers=default_workers(fabric) if workers is None else workers,
            augment={"seed": seed, **(augment or {})},
            sizes=sizes,
        )
        bar = run.bar(state.step, steps, batch)
        with closing(ahead(feed)) as feed, bar:
            for micro in feed:
                rate = learning_rate(state.step, steps=steps, warmup=warmup, schedule=schedule)
                for group in (g for o in state.optimizers if o for g in o.param_groups):
                    group["lr"] = group["initial_lr"] * rate
                losses = train_step(fabric, state, micro, clip=clip, ema=ema, seed=seed)
                run.guard(losses, state.step, photos, micro)
                state.step += 1
                bar.update(batch)
                done = state.step == steps
                if state.step % log_every == 0 or done:
                    run.log(losses, state.step, batch, bar)
                if watched and (state.step % val_every == 0 or done):
                    run.validate(watched, state)
                stop = any_process(fabric, bool(caught))
                if stop or done or run.due(save_seconds):
                    run.save(state)
                if stop:
                    run.say(f"stopped at step {state.step}; trainer.ckpt_path=last goes on")
                    if requeue and run.main and not done:
                        slurm.requeue(run.say)
                    fabric.barrier()  # no process leaves before the checkpoint is written
                    raise SystemExit(143)
    return state


def run(config: Any, *, recipe_name: str, run_dir: str) -> State:
    """One configured run: recipe and data first (they fail before any device is touched)."""
    from pix2pix.config import (
        build_loggers,
        check_sizes,
        fitting_size,
        open_photos,
        parameters,
        plain,
    )

    settings = plain(config) | {"run_dir": run_dir}
    trainer, data = dict(settings["trainer"]), settings["data"]
    torch.manual_seed(trainer["seed"])
    try:
        recipe = assemble(settings["recipe"])
    except (ValueError, TypeError, OSError, RuntimeError, SafetensorError) as error:
        raise SettingError(f"recipe: {' '.join(str(error).split())}") from error
    data["size"] = fitting_size(data["size"], recipe.generator)
    check_sizes(trainer["sizes"], data["size"], recipe.generator, recipe.critic)
    loggers = build_loggers(settings)
    photos, val = open_photos(data, seed=trainer["seed"])
    told = photos.labels.count if photos.labels else 0
    if recipe.classes not in (0, told):
        raise SettingError(
            f"data.labels: the recipe wants {recipe.classes} classes, these photos have {told}"
        )
    fabric = launch(**{name: trainer.pop(name) for name in parameters(launch)})
    if fabric.is_global_zero:
        held = f"{len(val)} to validate" if val else "too few to hold some back for validation"
        where = f"{fabric.world_size} x {fabric.device.type}, {fabric.strategy.precision.precision}"
        put(f"{len(photos)} photos ({photos.notes}), {held}; {where}", sys.stderr)
    header = weights.Header(
        config_of(recipe.generator),
        name=Path(run_dir).name,
        recipe=recipe_name,
        head=recipe.head,
        area=min(data["size"] ** 2, weights.MOST_PIXELS),
        arguments={k: v for k, v in settings["recipe"].items() if k not in LOCAL},
        data=f"{len(photos)} photos of {Path(data['path']).name}",
    )
    return fit(
        recipe,
        photos=photos,
        run_dir=fabric.broadcast(run_dir),  # where the clock is in its name, the others' differs
        val=val,
        fabric=fabric,
        loggers=loggers,
        header=header,
        augment={name: data[name] for name in parameters(prepare) if name != "seed"},
        config=settings,
        **trainer,
    )


def main(overrides: list[str]) -> int:
    """`pix2pix train OVERRIDES`: returns the exit status; bad data or settings are one line."""
    try:
        import hydra
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode
        from omegaconf.errors import OmegaConfBaseException
    except ModuleNotFoundError:
        return refuse(TRAIN_NEEDS)

    from pix2pix.config import register
    from pix2pix.overrides import misread, verbatim
    from pix2pix.sweep import Results, conclude, noted

    expected = (*EXPECTED, OmegaConfBaseException)
    texts = register(launch, fit, skip=BUILT)

    @hydra.main(version_base="1.3", config_path="pkg://pix2pix.configs", config_name="train")
    def compose(config: Any) -> None:
        job = HydraConfig.get()
        sweep = job.mode == RunMode.MULTIRUN
        recipe_name = job.runtime.choices["recipe"]
        if sweep:
            folder = job.runtime.output_dir
            with noted(folder, list(job.overrides.task), expected=expected):
                if config.trainer.devices * config.trainer.num_nodes > 1 and slurm.job() is None:
                    raise SettingError("--multirun is for runs of one process each, but by SLURM")
                run(config, recipe_name=recipe_name, run_dir=folder)
            return
        try:
            run(config, recipe_name=recipe_name, run_dir=config.run_dir)
        except expected as error:
            if is_first():  # once, not by every process
                refuse(reason(error))
            raise SystemExit(1) from error

    if why := misread(overrides):
        return refuse(why)
    Results.folder = None
    status = call(compose, verbatim(overrides, texts), program=__file__)
    return status if Results.folder is None else max(status, conclude(Results.folder))


if __name__ == "__main__":
    from pix2pix import train  # under its own name: submitit sends functions by it

    sys.exit(train.main(sys.argv[1:]))
