"""What a training run carries from step to step, and a checkpoint from run to run."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pix2pix.checkpoints import CheckpointError
from pix2pix.recipes.base import Recipe


@dataclass
class State:
    """Networks, their average, optimizers and the step; `config` is what they were made from."""

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


def update_average(average: nn.Module, generator: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the generator; `decay` ramps up, so that the start is forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        ours: list[Tensor] = list(average.parameters())
        theirs: list[Tensor] = list(generator.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, its in zip(average.buffers(), generator.buffers(), strict=True):
            mine.copy_(its)


def resume(state: State, saved: dict[str, Any], *, say: Callable[[str], None] = print) -> None:
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
