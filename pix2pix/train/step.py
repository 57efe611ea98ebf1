"""One step of training: forward, the critic's loss, the generator's loss, the optimizers' step."""

import math
from collections import defaultdict

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from pix2pix.batch import Batch
from pix2pix.randomness import torch_seed
from pix2pix.train.processes import average_over_processes
from pix2pix.train.state import State, update_average

Fake = Tensor | tuple[Tensor, ...]


def train_step(
    fabric: Fabric, state: State, micro: list[Batch], *, clip: float, ema: float, seed: int
) -> dict[str, float]:
    """Train for one step, on its micro-batches -> each loss term and the gradients' norms, by name.

    The terms are means over the micro-batches and all processes. Both losses are computed with the
    same critic before either optimizer steps, so that accumulation changes nothing but memory. When
    a loss or a gradient is not finite, nothing is updated.
    """
    recipe, step = state.recipe.train(), state.step
    recipe.prepare(step)
    place = step * fabric.world_size + fabric.global_rank
    torch.manual_seed(torch_seed(seed, place, 60))  # dropout by step, so that resuming is exact
    adversarial = recipe.adversarial(step)
    buffers = [(buffer, buffer.clone()) for buffer in recipe.buffers()]
    terms: dict[str, list[Tensor]] = defaultdict(list)

    def backward(loss: dict[str, Tensor]) -> None:
        fabric.backward(torch.stack(list(loss.values())).sum() / len(micro))
        for name, term in loss.items():
            terms[name].append(term.detach().float())

    for batch in micro:
        with fabric.autocast():
            fake = recipe(batch)  # ab (B, 2, H, W), used by both losses
            if adversarial:
                backward(recipe.critic_loss(batch, detached(fake)))
            set_requires_grad(recipe.critic, False)  # the generator's loss must not train it
            backward(recipe.generator_loss(batch, fake, adversarial=adversarial))
            set_requires_grad(recipe.critic, True)
    losses = averaged(fabric, terms)
    if finite(losses):
        losses |= optimizer_step(fabric, state, clip=clip, adversarial=adversarial)
    if finite(losses):
        update_average(state.average, recipe.generator, ema, step)
    else:
        for buffer, before in buffers:  # the forward pass has moved BatchNorm's statistics
            buffer.copy_(before)
    recipe.zero_grad()
    return losses


def detached(fake: Fake) -> Fake:
    """Detach what a recipe's forward returned, a tensor or a tuple of them, from the generator."""
    return tuple(x.detach() for x in fake) if isinstance(fake, tuple) else fake.detach()


def set_requires_grad(net: nn.Module | None, wanted: bool) -> None:
    """Switch the gradients of the parameters of `net`, if there is one, on or off."""
    if net is not None:
        net.requires_grad_(wanted)


def averaged(fabric: Fabric, terms: dict[str, list[Tensor]]) -> dict[str, float]:
    """Each loss term's mean over the micro-batches and all processes."""
    means = torch.stack([torch.stack(values).mean() for values in terms.values()])
    average_over_processes(fabric, [means])
    return dict(zip(terms, means.tolist(), strict=True))


def finite(losses: dict[str, float]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(math.isfinite(value) for value in losses.values())


def optimizer_step(
    fabric: Fabric, state: State, *, clip: float, adversarial: bool
) -> dict[str, float]:
    """Average the gradients over processes, clip them, step the optimizers -> the norms by name.

    The norms are those before clipping; when one is not finite, no optimizer steps. With fp16 that
    happens now and then: the scaler skips the step, takes a smaller scale, and the norm is left
    out.
    """
    recipe, scaler = state.recipe, state.scaler
    players = [("grad_norm", recipe.generator, state.optimizers[0])]
    if adversarial and recipe.critic is not None and state.optimizers[1] is not None:
        players.append(("critic_grad_norm", recipe.critic, state.optimizers[1]))
    norms: dict[str, float] = {}
    for name, net, optimizer in players:
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        statistics = [b for b in net.buffers() if b.is_floating_point()]  # BatchNorm's
        average_over_processes(fabric, gradients + statistics)
        scaler.unscale_(optimizer)
        norms[name] = nn.utils.clip_grad_norm_(net.parameters(), clip or math.inf).item()
    if finite(norms) or scaler.is_enabled():
        for _, _, optimizer in players:
            scaler.step(optimizer)
        scaler.update()  # once: the scale that the gradients were made with holds till here
    if scaler.is_enabled():
        norms = {name: norm for name, norm in norms.items() if math.isfinite(norm)}
    return norms
