"""The state of a training run, as a checkpoint holds it."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from pix2pix.errors import CheckpointError, one_line
from pix2pix.nets.build import Config
from pix2pix.recipes import renamed
from pix2pix.recipes.base import Recipe
from pix2pix.train.checkpoints import StateDict


@dataclass
class State:
    """Networks, their average, optimizers and the step; `config` is what they were made from.

    `scaler` scales losses with fp16 alone. `best` is the highest validation PSNR so far [dB].
    """

    recipe: Recipe
    average: nn.Module  # exponential moving average of the generator
    optimizers: tuple[Optimizer, Optimizer | None]  # the generator's, the critic's
    scaler: GradScaler = field(default_factory=lambda: GradScaler(enabled=False))
    step: int = 0
    best: float = -math.inf
    config: Config = field(default_factory=dict)

    def param_groups(self) -> Iterator[StateDict]:
        """The parameter groups of both optimizers."""
        for optimizer in self.optimizers:
            yield from optimizer.param_groups if optimizer else ()

    def state_dict(self) -> StateDict:
        """Tensors and plain values only, so that reading them back can execute nothing."""
        return {
            "recipe": self.recipe.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() if o else None for o in self.optimizers],
            "scaler": self.scaler.state_dict() or None,
            "step": self.step,
            "best": self.best,
            "config": json.dumps(self.config, sort_keys=True, default=str),
        }

    def load_state_dict(self, saved: StateDict) -> None:
        """Load a checkpoint, but for the optimizers' learning rates and other settings."""
        self.recipe.load_state_dict(saved["recipe"])
        self.average.load_state_dict(saved["average"])
        for optimizer, old in zip(self.optimizers, saved["optimizers"], strict=True):
            if optimizer and old:
                groups = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({"state": old["state"], "param_groups": groups})
        if saved.get("scaler"):
            self.scaler.load_state_dict(saved["scaler"])
        self.step, self.best = saved["step"], saved["best"]


@torch.no_grad()
def update_average(average: nn.Module, generator: nn.Module, decay: float, step: int) -> None:
    """Update the EMA: average = decay * average + (1 - decay) * generator.

    `decay` ramps up from 0.1 at step 0, so that the random start is soon forgotten. Buffers
    (BatchNorm's statistics) are averages already, and are copied.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for mine, its in zip(average.parameters(), generator.parameters(), strict=True):
        mine.lerp_(its, 1 - decay)
    for kept, new in zip(average.buffers(), generator.buffers(), strict=True):
        kept.copy_(new)


def resume(state: State, saved: StateDict, *, say: Callable[[str], None] = print) -> None:
    """Resume from a checkpoint; differences in the configuration go to `say`.

    Raises CheckpointError, with the differences, when the checkpoint is of other networks.
    """
    try:
        changed = differences(_upgraded(json.loads(saved["config"])), _upgraded(state.config))
        mismatch = other_tensors(state.state_dict(), saved)
        if not mismatch:
            state.load_state_dict(saved)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint is damaged: {one_line(error)}") from error
    if mismatch:
        settings = [line for line in changed if line.startswith("recipe.")]
        raise CheckpointError(
            "the checkpoint is of another net: " + "; ".join([*settings, *mismatch])
        )
    if changed:
        say("resuming with other settings: " + "; ".join(changed))


def _upgraded(config: Config) -> Config:
    """A configuration in today's words -> a copy."""
    return config | ({"recipe": renamed(config["recipe"])} if "recipe" in config else {})


def differences(before: Config, now: Config) -> list[str]:
    """["trainer.batch: 32 -> 16", ...]: what changed between two configurations.

    Where a run is and what it resumes from is not counted.
    """
    old, new = flatten(before), flatten(json.loads(json.dumps(now, default=str)))
    return [
        f"{key}: {old.get(key)} -> {new.get(key)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and key not in ("run_dir", "trainer.ckpt_path")
    ]


def other_tensors(mine: StateDict, saved: StateDict, *, shown: int = 4) -> list[str]:
    """["generator.x.weight: (16, 1, 4, 4) -> (32, 1, 4, 4)", ...]; empty when a checkpoint fits."""
    new = {key: tuple(tensor.shape) for key, tensor in mine["recipe"].items()}
    old = {key: tuple(tensor.shape) for key, tensor in saved["recipe"].items()}
    keys = [key for key in old | new if old.get(key) != new.get(key)]
    lines = [f"{key}: {old.get(key)} -> {new.get(key)}" for key in keys[:shown]]
    if len(keys) > shown:
        lines.append(f"and {len(keys) - shown} more tensors")
    if not keys and trained(mine) != trained(saved):
        lines.append(f"trained tensors: {trained(saved)} -> {trained(mine)}")
    return lines


def trained(state: StateDict) -> list[list[int]]:
    """The number of tensors in each parameter group of each optimizer of a `state_dict`."""
    return [[len(g["params"]) for g in o["param_groups"]] for o in state["optimizers"] if o]


def flatten(config: Config, prefix: str = "") -> Config:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: Config = {}
    for key, value in config.items():
        inner = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return flat
