"""One step of training: losses of the micro-batches, gradients, and the move they lead to."""

import math
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from pix2pix.batch import Batch
from pix2pix.processes import average_over_processes
from pix2pix.randomness import bits
from pix2pix.state import State, update_average


def train_step(
    fabric: Fabric, state: State, micro: list[Batch], *, clip: float, ema: float, seed: int
) -> dict[str, float]:
    """One step over its micro-batches -> each loss term and the gradients' norms, by name.

    The terms are means over the micro-batches and all processes. Critic and generator both learn
    from the same critic, then both move, so that accumulation changes nothing but memory. When a
    loss or a gradient is not finite, nothing moves.
    """
    recipe, step = state.recipe.train(), state.step
    recipe.prepare(step)
    key = int(bits(seed, step * fabric.world_size + fabric.global_rank, 60)[0])
    torch.manual_seed(key & 0x7FFFFFFFFFFFFFFF)  # dropout: by step, so that resuming is exact
    adversarial = recipe.adversarial(step)
    statistics = [(buffer, buffer.clone()) for buffer in recipe.buffers()]
    totals: dict[str, Tensor] = {}

    def learn(terms: dict[str, Tensor]) -> None:
        for name, value in terms.items():
            totals[name] = totals.get(name, torch.zeros((), device=value.device)) + value.detach()
        fabric.backward(torch.stack(list(terms.values())).sum() / len(micro))

    for batch in micro:
        with fabric.autocast():
            fake = recipe(batch)
            if adversarial and recipe.critic is not None:
                learn(recipe.critic_loss(batch, detached(fake)))
                recipe.critic.requires_grad_(False)  # the generator's turn teaches it nothing
            learn(recipe.generator_loss(batch, fake, adversarial=adversarial))
            if recipe.critic is not None:
                recipe.critic.requires_grad_(True)
    means = torch.stack(list(totals.values())) / len(micro)
    average_over_processes(fabric, [means])
    losses = dict(zip(totals, means.tolist(), strict=True))
    if finite(losses):
        losses |= move(fabric, state, clip=clip, adversarial=adversarial)
    if finite(losses):
        update_average(state.average, recipe.generator, ema, step)
    else:
        for buffer, before in statistics:  # the forward pass alone has moved BatchNorm's
            buffer.copy_(before)
    for optimizer in state.optimizers:
        if optimizer:
            optimizer.zero_grad()
    return losses


def detached(fake: Any) -> Any:
    """What a recipe's forward returned, one tensor or a tuple of them, without its history."""
    return tuple(map(detached, fake)) if isinstance(fake, tuple) else fake.detach()


def finite(losses: dict[str, float]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(math.isfinite(value) for value in losses.values())


def move(fabric: Fabric, state: State, *, clip: float, adversarial: bool) -> dict[str, float]:
    """Average the gradients over processes, clip them, let the optimizers step -> their norms.

    The norms are those before clipping; when one is not finite, no optimizer steps. With fp16 that
    happens by itself now and then: the scaler skips the step, tries a smaller scale, and the norm
    is left out.
    """
    players = [("grad_norm", state.recipe.generator, state.optimizers[0])]
    if adversarial and state.recipe.critic is not None and state.optimizers[1] is not None:
        players.append(("critic_grad_norm", state.recipe.critic, state.optimizers[1]))
    norms: dict[str, float] = {}
    for name, net, optimizer in players:
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        average_over_processes(fabric, grads + moving_statistics(net))
        if state.scaler:
            state.scaler.unscale_(optimizer)
        norms[name] = nn.utils.clip_grad_norm_(net.parameters(), clip or math.inf).item()
    if state.scaler:
        for _, _, optimizer in players:
            state.scaler.step(optimizer)
        state.scaler.update()  # once: the scale that the gradients were made with holds till here
        return {name: norm for name, norm in norms.items() if math.isfinite(norm)}
    if finite(norms):
        for _, _, optimizer in players:
            optimizer.step()
    return norms


def moving_statistics(net: nn.Module) -> list[Tensor]:
    """The buffers that a forward pass moves: BatchNorm's running mean and variance."""
    return [b for b in net.buffers() if b.is_floating_point()]
