"""Whether a learner's net is ours: parameters, shapes, and equal outputs with equal weights."""

import copy
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

Net = type | Callable[..., nn.Module] | nn.Module


def same_net(ours: Net, *inputs: Tensor, **arguments: object) -> Callable[[Net], str | bool]:
    """A truth for `check`: whether a net, or what makes one, is the same as ours.

    Classes and functions are called with `arguments`, nets are copied. Compared are the number of
    parameters, the shapes of the outputs, and the outputs once ours has lent its weights, layer by
    layer in the order in which they run: first in eval mode, then in training, with the same
    dropout. What differs first is told. `inputs` are what the nets take; without them it is a batch
    of two random ones, of 64 px or the multiple that our net takes.
    """

    def truth(mine: Net) -> str | bool:
        theirs, own = _made(mine, arguments), _made(ours, arguments)
        if not isinstance(theirs, nn.Module):
            return f"It makes a {type(theirs).__name__}, and a net (nn.Module) is asked for."
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            given = inputs or (_input(own),)
            return _parameters(theirs, own) or _outputs(theirs, own, given) or True

    return truth


def _made(net: Net, arguments: dict[str, object]) -> Any:
    """A net of its own on the CPU: a copy, or a new one."""
    if isinstance(net, nn.Module):
        return copy.deepcopy(net).cpu()
    with torch.random.fork_rng(devices=[]):
        return net(**arguments)


def _input(net: nn.Module) -> Tensor:
    convolutions = (m for m in net.modules() if isinstance(m, nn.Conv2d))
    first = next(convolutions, None)
    if first is None:
        raise TypeError("same_net: a net without convolutions; pass what it takes after it")
    side = max(64, int(getattr(net, "multiple", 1)))
    return torch.randn(2, first.in_channels, side, side)


def _parameters(mine: nn.Module, ours: nn.Module) -> str:
    count, asked = (sum(p.numel() for p in net.parameters()) for net in (mine, ours))
    if count == asked:
        return ""
    said = f"It has {count:,} parameters, where {asked:,} are asked for"
    biases = [
        sum(p.numel() for name, p in net.named_parameters() if name.endswith("bias"))
        for net in (mine, ours)
    ]
    if count - asked == biases[0] - biases[1]:
        return f"{said}: the weights agree, the biases do not. A norm undoes a bias before it."
    kinds = [[type(m).__name__ for m in net.modules() if _leaf(m)] for net in (mine, ours)]
    for kind in dict.fromkeys(kinds[1] + kinds[0]):
        if kinds[0].count(kind) != kinds[1].count(kind):
            return f"{said}: {kinds[0].count(kind)} {kind} instead of {kinds[1].count(kind)}."
    return f"{said}: look at the channels, one layer after the other."


def _outputs(mine: nn.Module, ours: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    ran, result = _run(mine.eval(), inputs)
    asked, truth = _run(ours.eval(), inputs)
    if not isinstance(result, Tensor):
        return f"It returns {type(result).__name__}, and a tensor is asked for."
    if result.shape != truth.shape:
        return f"Its output is {_shape(result)}, and {_shape(truth)} is asked for."
    if wrong := _lend(ran, asked):
        return wrong
    ran, result = _run(mine, inputs)
    asked, truth = _run(ours, inputs)
    if not _equal(result, truth):
        return _first_difference(ran, asked)
    torch.manual_seed(1)
    result = mine.train()(*inputs)
    torch.manual_seed(1)
    if not _equal(result, ours.train()(*inputs)):
        return (
            "In eval mode it is ours, in training mode it is not: look at dropout and its places."
        )
    return ""


Step = tuple[nn.Module, Tensor]  # a layer that holds weights, and what came into it


def _run(net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[list[Step], Any]:
    """(The layers with weights in the order in which they run, the output)."""
    steps: list[Step] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        if all(module is not known for known, _ in steps):
            tensors = [value for value in given if isinstance(value, Tensor)]
            steps.append((module, tensors[0].clone() if tensors else torch.empty(0)))

    hooks = [m.register_forward_pre_hook(note) for m in net.modules() if _leaf(m)]
    try:
        return steps, net(*inputs)
    finally:
        for hook in hooks:
            hook.remove()


def _leaf(module: nn.Module) -> bool:
    """Whether a module holds parameters or buffers itself."""
    return any(True for _ in module.parameters(recurse=False)) or bool(module._buffers)


def _lend(mine: list[Step], ours: list[Step]) -> str:
    """Copy our weights into the learner's layers; what does not fit."""
    pairs = zip_longest((m for m, _ in mine), (m for m, _ in ours))
    for number, (theirs, own) in enumerate(pairs, start=1):
        if theirs is None or own is None:
            return f"{len(mine)} layers with weights run, and {len(ours)} are asked for."
        shapes = [[_shape(value) for value in m.state_dict().values()] for m in (theirs, own)]
        if type(theirs) is not type(own) or shapes[0] != shapes[1]:
            return f"Layer {number} that runs is {_layer(theirs)}, and {_layer(own)} is asked for."
        theirs.load_state_dict(own.state_dict())
    return ""


def _first_difference(mine: list[Step], ours: list[Step]) -> str:
    same = "Parameters and shapes are right; with our weights its output is another."
    for number, ((layer, given), (_, asked)) in enumerate(zip(mine, ours, strict=True), start=1):
        if given.shape != asked.shape or not _equal(given, asked):
            before = f"and layer {number - 1}" if number > 1 else "and the input"
            return f"{same} Look at what lies between layer {number}, {_layer(layer)}, {before}."
    return f"{same} Look at the last layer, {_layer(mine[-1][0])}, and what comes after it."


def _equal(mine: object, ours: Tensor) -> bool:
    return isinstance(mine, Tensor) and torch.allclose(mine, ours, rtol=1e-3, atol=1e-4)


def _layer(module: nn.Module) -> str:
    """`Conv2d(1, 64, kernel_size=(4, 4), ...)`, as torch prints it."""
    return f"`{module}`"


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))
