"""The training loop, on Lightning Fabric. It names no recipe.

`fit` is the loop; step.py has one step of it, run.py what it leaves behind, settings.py what can be
set.
"""

from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

try:
    from lightning.fabric import Fabric
except ModuleNotFoundError as error:
    from pix2pix.errors import TRAIN_NEEDS

    raise ModuleNotFoundError(TRAIN_NEEDS) from error

import torch
from torch.amp.grad_scaler import GradScaler

from pix2pix import weights
from pix2pix.data.pictures import Examples
from pix2pix.errors import WeightsError
from pix2pix.nets.build import Config, config_of
from pix2pix.recipes.base import Recipe
from pix2pix.train import slurm
from pix2pix.train.checkpoints import load
from pix2pix.train.feed import ahead, batches
from pix2pix.train.loggers import Loggers
from pix2pix.train.processes import any_process, copy_from_first, launch
from pix2pix.train.run import Run, stop_signals
from pix2pix.train.settings import Start, grouped
from pix2pix.train.state import State, resume
from pix2pix.train.step import train_step
from pix2pix.train.validate import Validation


def fit(
    recipe: Recipe,
    *,
    photos: Examples,
    run_dir: str | Path,
    val: Examples | None = None,
    fabric: Fabric | None = None,
    loggers: Loggers | None = None,
    header: weights.Header | None = None,
    augment: dict[str, float] | None = None,
    config: Config | None = None,
    **settings: Any,
) -> State:
    """Train `recipe` on `photos`; checkpoints, weights, metrics and pictures go to `run_dir`.

    `val` are the photos to validate on, `augment` goes to `photos.prepare`. `settings` are those of
    `Optimization`, `Intervals` and `Start`, such as `steps=300, batch=16, val_every=100`.

    Raises Diverged after three non-finite losses in a row, SystemExit(143) on a stop signal,
    CheckpointError when the folder cannot be written or the checkpoint is of another net,
    SettingError when `batch` cannot be shared out, or a count is out of range.
    """
    optim, intervals, origin = grouped(settings)
    fabric = fabric or launch()
    optim.micro_batch(fabric.world_size)  # what cannot be shared out fails now
    header = header or weights.Header(
        config_of(recipe.generator), head=recipe.head, task=photos.task
    )
    config, fresh = config or {}, origin.ckpt_path is None
    with (
        Run(fabric, run_dir, loggers=loggers, header=header, config=config, fresh=fresh) as run,
        stop_signals() as caught,
    ):
        state = begin(fabric, recipe, config)
        start(state, run, origin)
        watched = Validation(val, count=intervals.val_photos) if val and run.main else None
        feed = batches(fabric, photos, optim, first=state.step, augment=augment or {})
        bar = run.bar(state.step, optim.steps, optim.batch)
        with closing(ahead(feed)) as feed, bar:
            for micro in feed:
                for group in state.param_groups():
                    group["lr"] = group["initial_lr"] * optim.learning_rate(state.step)
                losses = train_step(
                    fabric, state, micro, clip=optim.clip, ema=optim.ema, seed=optim.seed
                )
                run.guard(losses, state.step, photos, micro)
                state.step += 1
                bar.update(optim.batch)
                done = state.step == optim.steps
                if done or state.step % intervals.log_every == 0:
                    run.log(losses, state.step, optim.batch, bar)
                if watched and (done or state.step % intervals.val_every == 0):
                    run.validate(watched, state)
                stop = any_process(fabric, bool(caught))
                if stop or done or run.due(intervals.save_seconds):
                    run.save(state)
                if stop:
                    end_early(fabric, run, state, requeue=origin.requeue and not done)
    return state


def begin(fabric: Fabric, recipe: Recipe, config: Config) -> State:
    """Build the state at step 0: recipe on its device, channels last; optimizers; average."""
    recipe = recipe.to(fabric.device).to(memory_format=torch.channels_last)
    copy_from_first(fabric, recipe)
    average = deepcopy(recipe.generator).eval().requires_grad_(False)
    scaler = getattr(fabric.strategy.precision, "scaler", None) or GradScaler(enabled=False)
    state = State(recipe, average, recipe.optimizers(), scaler, config=config)
    for group in state.param_groups():
        group["initial_lr"] = group["lr"]
    return state


def start(state: State, run: Run, origin: Start) -> None:
    """Initialize the weights: random, another run's (`init_from`), or a checkpoint's."""
    if origin.init_from:
        net, trained = state.recipe.generator, weights.load(origin.init_from)[0]
        try:
            new = weights.grow(net, trained.state_dict())
        except ValueError as error:
            raise WeightsError(f"of another net: {error}", origin.init_from) from error
        if new:
            run.say(f"{origin.init_from}: {len(new)} tensors are new or wider in this net")
        state.average.load_state_dict(net.state_dict())
    if path := origin.ckpt_path:
        saved = run.checkpoints.load(say=run.say) if path == "last" else load(path)
        if saved:
            resume(state, saved, say=run.say)
        run.say(f"{run.folder}: going on from step {state.step}")
    if run.loggers:
        run.loggers.open(state.step)


def end_early(fabric: Fabric, run: Run, state: State, *, requeue: bool) -> NoReturn:
    """End a run that got a stop signal, and has saved: SystemExit(143)."""
    run.say(f"stopped at step {state.step}; trainer.ckpt_path=last goes on")
    if requeue and run.main:
        slurm.requeue(run.say)
    fabric.barrier()  # no process leaves before the checkpoint is written
    raise SystemExit(143)
