"""A U-Net and its training by L1 as the course has them written: truths for `check`.

Each truth takes what a learner wrote and gives True, or what is told of the mistake in it.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from pix2pix.show.same_net import same_net

Truth = Callable[[Callable], str | bool]
RATE = 0.1  # of the optimizer with which a step of training is tried
WHY = {  # why a setting of a layer is what it is
    "in_channels": "",
    "out_channels": "",
    "num_features": "It has as many channels as come out of the convolution.",
    "kernel_size": "With 4x4, sizes halve and double exactly.",
    "stride": "Stride 2 is what halves and doubles.",
    "padding": "Only with padding 1 is the size exactly half, or twice as much.",
    "affine": "With affine=True the norm learns a scale and a shift of each channel.",
    "bias": "A norm takes any bias away again; where none follows, a bias is of use.",
    "negative_slope": "",
}


class Ours:
    """The course's own answers, to go on with."""

    @staticmethod
    def l1_step(net: nn.Module, optimizer: Optimizer, L: Tensor, ab: Tensor) -> float:
        """Move `net` by one step of `optimizer` -> the L1 of net(L) to ab before it."""
        loss = F.l1_loss(net(L), ab)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    @staticmethod
    def cheapest(truths: Tensor, power: float) -> float:
        """Of -110 ... 110, the answer with the least mean |truth - answer| ** power."""
        answers = torch.arange(-110, 111)
        costs = (truths[None, :] - answers[:, None]).abs().pow(power).mean(1)  # (221,)
        return answers[costs.argmin()].item()


def color_near(right: Tensor, mistakes: Mapping[str, Tensor], *, within: float = 8) -> Truth:
    """Whether a color (a*, b*) lies `within` of `right` (2,), for `check`.

    `mistakes` are what is told of other colors (n, 2), each within the same distance of them.
    """

    def truth(mine: object) -> str | bool:
        color = torch.as_tensor(mine, dtype=torch.float32)
        if color.shape != (2,):
            return "Two numbers, please: a* and b*."
        if (color - right).norm() < within:
            return True
        for told, others in mistakes.items():
            if (color - others.view(-1, 2)).norm(dim=1).min() < within:
                return told
        return False

    return truth


def same_step(ours: Callable[..., nn.Module], *flags: str) -> Truth:
    """Whether a step (c_in, c_out) of a U-Net is ours, for `check`: plain, and with each flag."""

    def truth(mine: Callable) -> str | bool:
        for flag in ("", *flags):
            arguments = {flag: True} if flag else {}
            theirs, own = mine(6, 10, **arguments), ours(6, 10, **arguments)
            if wrong := _step(theirs, own):
                return f"With {flag}=True: {wrong}" if flag else wrong
            if theirs is None:
                return False
        return True

    return truth


def _step(mine: object, ours: nn.Module) -> str:
    if isinstance(mine, (list, tuple)):
        return "A list of layers is no step yet: `nn.Sequential(*layers)` is."
    if not isinstance(mine, nn.Module):
        return "" if mine is None else f"It returns {type(mine).__name__}, and a step is asked for."
    known = _layers(_leaves(mine), _leaves(ours))
    try:
        said = same_net(ours, torch.randn(2, 6, 16, 16))(mine)
    except (RuntimeError, ValueError):
        if known:
            return known
        raise
    return "" if said is True else known or str(said)


def _leaves(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if not list(module.children())]


def _layers(mine: list[nn.Module], ours: list[nn.Module]) -> str:
    """The first difference between two rows of layers that one can put a name to."""
    kinds, asked = ([type(module).__name__ for module in net] for net in (mine, ours))
    missing = [kind for kind in asked if kinds.count(kind) < asked.count(kind)]
    extra = [kind for kind in kinds if kinds.count(kind) > asked.count(kind)]
    if missing and extra:
        return f"{extra[0]} stands where {missing[0]} is asked for."
    if missing or extra:
        return f"{missing[0]} is missing." if missing else f"It has one {extra[0]} too many."
    if kinds != asked:
        return f"The order of its layers is {', '.join(asked)}; yours is {', '.join(kinds)}."
    for theirs, own in zip(mine, ours, strict=True):
        for setting, why in WHY.items():
            found, right = (_setting(module, setting) for module in (theirs, own))
            if found != right:
                name = f"{type(own).__name__}'s {setting}"
                return f"{name} is {found}, and {right} is asked for. {why}".strip()
    return ""


def _setting(module: nn.Module, name: str) -> object:
    value = getattr(module, name, None)
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]  # 4, of (4, 4)
    return value is not None if name == "bias" else value


def same_level(mine: Callable) -> str | bool:
    """Whether mine(x, step_down, inside, step_up) is a level of a U with its skip, for `check`."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 8, 8, generator=random)
    given: list[Tensor] = []

    def step_up(stack: Tensor) -> Tensor:
        given.append(stack)
        return F.interpolate(stack, scale_factor=2)

    result = mine(x, lambda x: F.avg_pool2d(x, 2), lambda skip: 1 - skip, step_up)
    if not given:
        return False if result is None else "Nothing has gone through step_up."
    skip = F.avg_pool2d(x, 2)
    below, stack = 1 - skip, given[-1]
    told = {
        "Only what comes from below goes up: the skip is lost.": below,
        "Only the skip goes up: what was found further down is lost.": skip,
        "Added, they can no longer be told apart: put them side by side.": below + skip,
        "The other way round, please: what comes from below first.": torch.cat([skip, below], 1),
    }
    for words, wrong in told.items():
        if stack.shape == wrong.shape and torch.allclose(stack, wrong):
            return words
    if stack.shape != (2, 6, 4, 4):
        shape = " x ".join(map(str, stack.shape))
        return (
            f"step_up gets {shape}, where 2 x 6 x 4 x 4 is right. Dimension 0 is the batch, 1 the "
            "channels: `torch.cat([...], 1)`."
        )
    if not torch.allclose(stack, torch.cat([below, skip], 1)):
        return "step_up has to get what comes from below and the skip, and nothing else."
    if result is None:
        return False
    return torch.equal(result, step_up(stack)) or "A level gives what step_up gives, as it is."


def same_l1_step(mine: Callable) -> str | bool:
    """Whether mine(net, optimizer, L, ab) is a step of training by L1, for `check`."""
    random = torch.Generator().manual_seed(0)
    L, ab = torch.randn(3, 1, 8, 8, generator=random), torch.randn(3, 2, 8, 8, generator=random)
    net = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    net.weight.data = torch.randn(net.weight.shape, generator=random)
    start = net.weight.detach().clone()
    stale = net.weight.grad = torch.ones_like(start)  # as of an earlier step
    error = net(L) - ab
    slopes = {
        loss: torch.autograd.grad(value, net.weight, retain_graph=True)[0]
        for loss, value in (("L1", error.abs().mean()), ("L2", error.square().mean()))
    }
    net.weight.grad = stale.clone()
    loss = mine(net, SGD(net.parameters(), lr=RATE), L, ab)
    moved = (start - net.weight.detach()) / RATE
    told = {
        "The net has not moved: zero_grad(), then backward(), then step().": 0 * stale,
        "It moved along the slope of an earlier step: loss.backward() finds the new one.": stale,
        "The slope of an earlier step is still in it: optimizer.zero_grad() first.": slopes["L1"]
        + stale,
        "Those are squares; L1 has the absolute value: F.l1_loss.": slopes["L2"],
        "It moved the wrong way.": -slopes["L1"],
    }
    for words, wrong in told.items():
        if torch.allclose(moved, wrong, atol=1e-4):
            return words
    if not torch.allclose(moved, slopes["L1"], atol=1e-4):
        return "It has moved, but not by L1: take the mean of |net(L) - ab|."
    if loss is None:
        return "It learns rightly. Now return the loss, so that we can watch it."
    right = abs(float(loss) - error.abs().mean().item()) < 1e-4
    return right or "It learns rightly, but returns another value than its loss."


def same_field(measured: Mapping[int, int]) -> Truth:
    """Whether mine(levels) is the width in px that was `measured` for each, for `check`."""

    def truth(mine: Callable) -> str | bool:
        for levels, asked in measured.items():
            found = mine(levels)
            if found is None:
                return False
            if found != asked:
                after = f"{levels} steps" if levels > 1 else "one step"
                return f"After {after} it gives {found}; measured are {asked} px."
        return True

    return truth


def same_cheapest(mine: Callable) -> str | bool:
    """Whether mine(truths, power) finds the answer of the least mean cost, for `check`."""
    truths = torch.tensor([-60.0, -10.0, 0.0, 20.0, 95.0])  # median 0, mean 9
    found = [mine(truths, power) for power in (1, 2)]
    if None in found:
        return False
    first, second = map(float, found)
    if (first, second) == (0, 9):
        return True
    if first == 0 and second == 0:
        return "It takes `power` for 1: at 2 the answer is another."
    if first == second == 9:
        return "It takes `power` for 2: at 1 the answer is another."
    if abs(first) == 110:
        return "A truth below the answer costs, too: the absolute value first."
    return f"For {truths.int().tolist()} it gives {first:g} at power 1, and 0 is right."
