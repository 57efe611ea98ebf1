"""The training loop, on Lightning Fabric, configured by Hydra. It names no recipe.

`main` composes the configuration and builds everything; `fit` is the loop; `train_step` is one step.
"""

import fcntl
import inspect
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from pix2pix import weights
from pix2pix.checkpoints import CheckpointError, Checkpoints, load, write_atomically
from pix2pix.data import Batch, Photos, prepare
from pix2pix.errors import DataError
from pix2pix.loggers import Loggers
from pix2pix.randomness import bits
from pix2pix.recipes import assemble
from pix2pix.recipes.base import Recipe
from pix2pix.validate import Validation


class Diverged(RuntimeError):
    """The loss was NaN or infinite three steps in a row."""


@dataclass
class State:
    """What a run carries from step to step, and a checkpoint from run to run."""

    recipe: Recipe
    average: nn.Module  # exponential moving average of the generator
    optimizers: tuple[Any, Any]
    step: int = 0
    best: float = -math.inf
    config: dict[str, Any] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values only."""
        return {
            "recipe": self.recipe.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() if o else None for o in self.optimizers],
            "step": self.step,
            "best": self.best,
            "config": json.dumps(self.config, sort_keys=True, default=str),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint; learning rates stay as configured now."""
        self.recipe.load_state_dict(saved["recipe"])
        self.average.load_state_dict(saved["average"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            if optimizer and state:
                rates = [g["initial_lr"] for g in optimizer.param_groups]
                optimizer.load_state_dict(state)
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["initial_lr"] = rate
        self.step, self.best = saved["step"], saved["best"]


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


def update_average(average: nn.Module, generator: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the generator; `decay` ramps up, so that early steps are forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        ours, theirs = list(average.parameters()), list(generator.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, its in zip(average.buffers(), generator.buffers(), strict=True):
            mine.copy_(its)


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
    """This process's share of the places that a step takes in the run's endless sequence of photos."""
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
    layout = torch.channels_last
    recipe = recipe.to(fabric.device).to(memory_format=layout)  # type: ignore[call-overload]
    optimizers = recipe.optimizers()
    for optimizer in optimizers:
        for group in optimizer.param_groups if optimizer else []:
            group["initial_lr"] = group["lr"]
    wrapped = tuple(fabric.setup_optimizers(o) if o else None for o in optimizers)
    average = deepcopy(recipe.generator).eval().requires_grad_(False)
    return State(recipe, average, wrapped, config=config)  # type: ignore[arg-type]


def resume(state: State, saved: dict[str, Any], *, say: Any = print) -> None:
    """Continue from a checkpoint; what differs in the configuration is said.

    Raises CheckpointError, with the difference, when the networks are not the same.
    """
    before, now = flatten(json.loads(saved["config"])), flatten(state.config)
    differ = [
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not key.startswith(("trainer.ckpt_path", "run_dir"))
    ]
    mine = {k: tuple(v.shape) for k, v in state.recipe.state_dict().items()}
    theirs = {k: tuple(v.shape) for k, v in saved["recipe"].items()}
    if mine != theirs:
        keys = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        shown = [f"{k}: {theirs.get(k)} -> {mine.get(k)}" for k in keys[:8]]
        raise CheckpointError(
            "the checkpoint is of another net: "
            + "; ".join([d for d in differ if d.startswith("recipe.")] or shown)
        )
    if differ:
        say("resuming with other settings: " + "; ".join(differ))
    state.load_state_dict(saved)


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        inner = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return flat


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
    run = Run(fabric, Path(run_dir), loggers, header or weights.Header(recipe.generator.config))
    state = begin(fabric, recipe, config or {})
    if init_from:
        recipe.generator.load_state_dict(weights.load(init_from)[0].state_dict())
        state.average.load_state_dict(recipe.generator.state_dict())
    if ckpt_path:
        saved = run.checkpoints.load(say=run.say) if ckpt_path == "last" else load(ckpt_path)
        if saved:
            resume(state, saved, say=run.say)
    watched = (
        Validation(val, count=val_photos) if val is not None and fabric.is_global_zero else None
    )
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
    with run.lock(), stop_signals() as caught, run.bar(state.step, steps, batch) as bar:
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


def default_workers(fabric: Fabric) -> int:
    """Loader processes: none on CPU, whose cores the net needs; up to 12 beside a GPU."""
    return 0 if fabric.device.type == "cpu" else min(12, max(1, (os.cpu_count() or 2) - 2))


class Run:
    """What `fit` leaves behind it: the folder of one run, written by process 0 alone."""

    def __init__(
        self, fabric: Fabric, folder: Path, loggers: Loggers | None, header: weights.Header
    ):
        self.main = fabric.is_global_zero
        self.fabric, self.folder, self.header = fabric, folder, header
        self.loggers = loggers if self.main else None
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.not_finite = 0
        self.saved_at = self.logged_at = time.monotonic()
        self.logged_step: int | None = None

    def say(self, text: str) -> None:
        """One line for the user, from process 0."""
        if self.main:
            tqdm.write(text, file=sys.stderr)

    def lock(self) -> AbstractContextManager[None]:
        """The folder's lock, for process 0."""
        return only_run_in(self.folder) if self.main else nullcontext()

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


def run(config: Any, *, recipe_name: str) -> State:
    """One configured run: data first (it fails before any device is touched), then the nets."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    data, trainer = dict(plain["data"]), dict(plain["trainer"])
    path, val_path = data.pop("path"), data.pop("val")
    augment = {k: data.pop(k) for k in parameters(prepare)}
    data["seed"] = augment["seed"] = trainer["seed"]
    fabric_settings = {k: trainer.pop(k) for k in parameters(launch)}
    train_split = "all" if val_path else "train"
    photos = Photos(path, **data | {"split": train_split})
    val = Photos(val_path or path, **data | {"split": "all" if val_path else "val"})
    if val_path and (both := {r[0] for r in photos.rows} & {r[0] for r in val.rows}):
        if Path(val_path).resolve() == Path(path).resolve():
            raise DataError(f"{val_path}: validation and training share {len(both)} photos")
    fabric = launch(**fabric_settings)
    torch.manual_seed(trainer["seed"])
    recipe = assemble(plain["recipe"])
    loggers = Loggers(plain["run_dir"], **plain["logger"]) if fabric.is_global_zero else None
    header = weights.Header(
        recipe.generator.config,  # type: ignore[arg-type]
        name=Path(plain["run_dir"]).name,
        recipe=recipe_name,
        arguments={k: v for k, v in plain["recipe"].items() if k != "generator"},
        data=f"{len(photos)} photos of {Path(path).name}",
    )
    if fabric.is_global_zero:
        tqdm.write(f"{len(photos)} photos ({photos.gray} gray left out), {len(val)} to validate")
    try:
        return fit(
            recipe,
            photos,
            plain["run_dir"],
            val,
            fabric,
            loggers,
            header,
            augment,
            plain,
            **trainer,
        )
    finally:
        if loggers:
            loggers.close()


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
