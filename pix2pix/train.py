"""The training loop, on Lightning Fabric, configured by Hydra. It names no recipe.

`main` composes the configuration and builds everything; `fit` is the loop, `train_step` one step.
"""

import inspect
import math
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pix2pix import weights
from pix2pix.checkpoints import CheckpointError, load
from pix2pix.data import Batch, Photos, prepare
from pix2pix.errors import DataError
from pix2pix.loggers import Loggers
from pix2pix.randomness import bits
from pix2pix.recipes import assemble, config_of
from pix2pix.recipes.base import Recipe
from pix2pix.run import Diverged, Run, stop_signals
from pix2pix.state import State, resume, update_average
from pix2pix.validate import Validation


def learning_rate(step: int, *, steps: int, warmup: int, schedule: str) -> float:
    """The factor on every optimizer's rate at a step: linear warm-up, then constant or cosine to 0.

    Raises ValueError for a schedule other than "constant" or "cosine".
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule {schedule!r}: constant or cosine")
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    done = max(0, step - warmup) / max(1, steps - warmup)
    return rise * (0.5 * (1 + math.cos(math.pi * done)) if schedule == "cosine" else 1.0)


def native_precision(device: torch.device) -> str:
    """bf16 where the hardware has it, fp16 on older CUDA, else fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16"
    return "fp32"


PRECISIONS = {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}


def average_over_ranks(fabric: Fabric, tensors: list[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, in one message."""
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([t.detach().float().flatten() for t in tensors])
    dist.all_reduce(flat)
    flat /= fabric.world_size
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.data.copy_(mean.view_as(tensor))


def running_statistics(net: nn.Module) -> list[Tensor]:
    """The floating-point buffers that training moves (BatchNorm's running mean and variance)."""
    return [b for b in net.buffers() if b.is_floating_point()]


def positions_of(step: int, *, batch: int, rank: int, world: int) -> list[int]:
    """This process's share of the places that a step takes in the endless sequence of photos."""
    return list(range(step * batch + rank, (step + 1) * batch, world))


def train_step(
    fabric: Fabric, state: State, batches: list[Batch], *, clip: float, ema: float, seed: int
) -> dict[str, float]:
    """One step over its micro-batches -> the mean of each named loss term, over all processes.

    Critic and generator both learn from the same critic, then both move, so that accumulation
    changes nothing but memory. A loss that is not finite moves nothing.
    """
    recipe, step = state.recipe.train(), state.step
    key = int(bits(seed, step * fabric.world_size + fabric.global_rank, 60)[0])
    torch.manual_seed(key & 0x7FFFFFFFFFFFFFFF)  # dropout: by step, so that resuming is exact
    adversarial = recipe.adversarial(step)
    totals: dict[str, Tensor] = {}

    def learn(terms: dict[str, Tensor]) -> None:
        for name, value in terms.items():
            totals[name] = totals.get(name, torch.zeros((), device=value.device)) + value.detach()
        fabric.backward(torch.stack(list(terms.values())).sum() / len(batches))

    for batch in batches:
        with fabric.autocast():
            fake = recipe(batch)
            if adversarial and recipe.critic is not None:
                learn(recipe.critic_loss(batch, fake.detach()))
                recipe.critic.requires_grad_(False)
            learn(recipe.generator_loss(batch, fake, adversarial=adversarial))
            if recipe.critic is not None:
                recipe.critic.requires_grad_(True)
    means = torch.stack(list(totals.values())) / len(batches)
    average_over_ranks(fabric, [means])
    losses = dict(zip(totals, means.tolist(), strict=True))
    if all(math.isfinite(v) for v in losses.values()):
        move(fabric, state, clip=clip, adversarial=adversarial)
        update_average(state.average, recipe.generator, ema, step)
    for optimizer in state.optimizers:
        if optimizer:
            optimizer.zero_grad()
    return losses


def move(fabric: Fabric, state: State, *, clip: float, adversarial: bool) -> None:
    """Average the gradients over processes, clip them, let the optimizers step."""
    for net, optimizer, plays in (
        (state.recipe.critic, state.optimizers[1], adversarial),
        (state.recipe.generator, state.optimizers[0], True),
    ):
        if net is None or not plays:
            continue
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        average_over_ranks(fabric, grads + running_statistics(net))
        if clip:
            fabric.clip_gradients(net, optimizer, max_norm=clip)
        optimizer.step()


def batches_of(
    fabric: Fabric,
    photos: Photos,
    *,
    first: int,
    steps: int,
    batch: int,
    accumulate: int,
    workers: int,
    augment: dict[str, Any],
) -> Iterator[list[Batch]]:
    """Each step's micro-batches, from step `first` on, on the device."""
    share = batch // fabric.world_size
    every = [
        positions_of(step, batch=batch, rank=fabric.global_rank, world=fabric.world_size)
        for step in range(first, steps)
    ]
    size = share // accumulate
    loader = DataLoader(
        photos,
        batch_sampler=[p[i : i + size] for p in every for i in range(0, share, size)],
        num_workers=workers,
        pin_memory=fabric.device.type == "cuda",
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )
    micro: list[Batch] = []
    for rgb, positions in loader:
        rgb = rgb.to(fabric.device, non_blocking=True)
        micro.append(prepare(rgb, positions.numpy(), **augment))
        if len(micro) == accumulate:
            yield micro
            micro = []


def launch(
    *,
    accelerator: str = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    precision: str = "auto",
) -> Fabric:
    """Start the processes of a run; each returns from here with its own Fabric.

    `precision` is "auto", "bf16", "fp16" or "fp32" (ValueError otherwise). More than one device or
    node trains data-parallel, over gloo on CPU and NCCL on GPUs.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision {precision!r}: auto, {', '.join(PRECISIONS)}")
    strategy = "ddp" if devices * num_nodes > 1 else "auto"
    probe = Fabric(accelerator=accelerator, devices=1)
    chosen = native_precision(probe.device) if precision == "auto" else precision
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
        precision=PRECISIONS[chosen],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def begin(fabric: Fabric, recipe: Recipe, config: dict[str, Any]) -> State:
    """The state at step 0: recipe on its device, channels last; optimizers; average."""
    recipe = recipe.to(fabric.device).to(memory_format=torch.channels_last)
    optimizers = recipe.optimizers()
    for optimizer in optimizers:
        for group in optimizer.param_groups if optimizer else []:
            group["initial_lr"] = group["lr"]
    wrapped = tuple(fabric.setup_optimizers(o) if o else None for o in optimizers)
    average = deepcopy(recipe.generator).eval().requires_grad_(False)
    return State(recipe, average, wrapped, config=config)  # type: ignore[arg-type]


def fit(
    recipe: Recipe,
    photos: Photos,
    run_dir: str | Path,
    val: Photos | None = None,
    fabric: Fabric | None = None,
    loggers: Loggers | None = None,
    header: weights.Header | None = None,
    augment: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    *,
    steps: int = 10_000,
    batch: int = 32,
    accumulate: int = 1,
    warmup: int = 200,
    schedule: str = "cosine",
    clip: float = 1.0,
    ema: float = 0.999,
    seed: int = 0,
    workers: int | None = None,
    log_every: int = 50,
    val_every: int = 500,
    val_photos: int = 128,
    save_seconds: float = 50.0,
    init_from: str | None = None,
    ckpt_path: str | None = None,
) -> State:
    """Train `recipe` on `photos`; checkpoints, weights, numbers and pictures go to `run_dir`.

    `batch` photos a step in all, over all processes and `accumulate` micro-batches. `val` are the
    photos watched. `augment` goes to `data.prepare`. `ckpt_path` is a checkpoint to resume, or
    "last" for the newest in `run_dir`; `init_from` are weights to start the generator from.

    Raises Diverged after three non-finite losses in a row, SystemExit(143) when told to stop,
    CheckpointError when the folder cannot be written or the checkpoint is of another net,
    ValueError when `batch` cannot be shared out.
    """
    fabric = fabric or launch()
    if batch % (fabric.world_size * accumulate):
        raise ValueError(
            f"batch {batch}: not a multiple of {fabric.world_size} processes x {accumulate}"
        )
    learning_rate(0, steps=steps, warmup=warmup, schedule=schedule)  # a misspelt one fails now
    header = header or weights.Header(config_of(recipe.generator))
    with Run(fabric, Path(run_dir), loggers, header) as run, stop_signals() as caught:
        state = begin(fabric, recipe, config or {})
        start(state, run, init_from=init_from, ckpt_path=ckpt_path)
        watched = Validation(val, count=val_photos) if val is not None and run.main else None
        feed = batches_of(
            fabric,
            photos,
            first=state.step,
            steps=steps,
            batch=batch,
            accumulate=accumulate,
            workers=default_workers(fabric) if workers is None else workers,
            augment={"seed": seed, **(augment or {})},
        )
        bar = run.bar(state.step, steps, batch)
        for micro in feed:
            rate = learning_rate(state.step, steps=steps, warmup=warmup, schedule=schedule)
            for group in (g for o in state.optimizers if o for g in o.param_groups):
                group["lr"] = group["initial_lr"] * rate
            losses = train_step(fabric, state, micro, clip=clip, ema=ema, seed=seed)
            run.guard(losses, state.step, photos, micro)
            state.step += 1
            bar.update(batch)
            if state.step % log_every == 0 or state.step == steps:
                run.log(losses, state.step, batch, bar)
            if watched and (state.step % val_every == 0 or state.step == steps):
                run.validate(watched, state)
            if caught or state.step == steps or run.due(save_seconds):
                run.save(state)
            if caught:
                raise SystemExit(143)
    return state


def start(state: State, run: Run, *, init_from: str | None, ckpt_path: str | None) -> None:
    """Give the state its first weights: random, another run's, or a checkpoint to go on from."""
    if init_from:
        net = state.recipe.generator
        net.load_state_dict(weights.load(init_from)[0].state_dict())
        state.average.load_state_dict(net.state_dict())
    if ckpt_path:
        saved = run.checkpoints.load(say=run.say) if ckpt_path == "last" else load(ckpt_path)
        if saved:
            resume(state, saved, say=run.say)
    if run.loggers:
        run.loggers.open(state.step)


def default_workers(fabric: Fabric) -> int:
    """Loader processes: none on CPU, whose cores the net needs; up to 12 beside a GPU."""
    return 0 if fabric.device.type == "cpu" else min(12, max(1, (os.cpu_count() or 2) - 2))


def run(config: Any, *, recipe_name: str) -> State:
    """One configured run: data first (it fails before any device is touched), then the nets."""
    from omegaconf import OmegaConf

    plain: dict[str, Any] = OmegaConf.to_container(  # type: ignore[assignment]
        config, resolve=True, throw_on_missing=True
    )
    trainer, data = dict(plain["trainer"]), {**plain["data"], "seed": plain["trainer"]["seed"]}
    path, val_path = data.pop("path"), data.pop("val")
    augment = {k: data.pop(k) for k in parameters(prepare) if k != "seed"}
    settings = {k: trainer.pop(k) for k in parameters(launch)}
    photos = Photos(path, **data, split="all" if val_path else "train")
    val = Photos(val_path or path, **data, split="all" if val_path else "val")
    if (both := val.shared_with(photos)) and val_path:
        raise DataError(
            f"{val_path}: {len(both)} of {len(val)} validation photos are trained on too "
            f"({', '.join(both[:3])}); scores on them would mean nothing"
        )
    val.drop(both)  # doubles within one folder
    fabric = launch(**settings)
    torch.manual_seed(trainer["seed"])
    recipe = assemble(plain["recipe"])
    header = weights.Header(
        config_of(recipe.generator),
        name=Path(plain["run_dir"]).name,
        recipe=recipe_name,
        arguments={k: v for k, v in plain["recipe"].items() if k != "generator"},
        data=f"{len(photos)} photos of {Path(path).name}",
    )
    if fabric.is_global_zero:
        notes = f"{photos.gray} gray left out, {photos.small} enlarged"
        print(f"{len(photos)} photos ({notes}), {len(val)} to validate", file=sys.stderr)
    loggers = Loggers(plain["run_dir"], **plain["logger"])
    folder = plain["run_dir"]
    return fit(recipe, photos, folder, val, fabric, loggers, header, augment, plain, **trainer)


def parameters(source: Any) -> list[str]:
    """Names of the keyword-only parameters of a function."""
    return [p.name for p in inspect.signature(source).parameters.values() if p.kind == 3]


def main(overrides: list[str]) -> int:
    """`pix2pix train OVERRIDES`: returns the exit status; bad data or settings are one line."""
    import hydra
    from hydra.core.hydra_config import HydraConfig

    from pix2pix.config import register

    register(launch, fit)

    @hydra.main(version_base="1.3", config_path="configs", config_name="train")
    def compose(config: Any) -> None:
        try:
            run(config, recipe_name=HydraConfig.get().runtime.choices["recipe"])
        except (DataError, weights.WeightsError, CheckpointError, Diverged) as error:
            print(f"pix2pix train: {error}", file=sys.stderr)
            raise SystemExit(1) from error

    # the file itself as argv[0]: data-parallel workers are started by running it again
    sys.argv = [__file__, *overrides]
    compose()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
