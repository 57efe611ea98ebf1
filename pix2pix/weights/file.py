"""Weights: one .safetensors file whose header says what net it belongs to.

A file is data from strangers: nothing is ever unpickled, and memory is taken only once its tensors
fit the net that its header describes.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pix2pix.errors import WeightsError, one_line
from pix2pix.files import replacing
from pix2pix.nets.build import Config, build_generator
from pix2pix.weights.header import Header, check_task, find, read_header


def save(
    path: str | Path, generator: nn.Module, header: Header, *, dtype: torch.dtype = torch.float16
) -> None:
    """Save the net's tensors as `dtype`, with the header inside, atomically.

    Integers stay integers, and a tensor with values too large for `dtype` stays float32. The same
    weights give the same bytes. Raises OSError when the file cannot be written.
    """
    state = {name: _stored(tensor, dtype) for name, tensor in generator.state_dict().items()}
    # one key: safetensors writes several in random order
    metadata = {"pix2pix": json.dumps(dataclasses.asdict(header), sort_keys=True)}
    data = safetensors.torch.save(state, metadata)
    with replacing(path, size=len(data), special=True) as write:
        write(data)


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    small = tensor.to(dtype)
    return small if torch.equal(small.isfinite(), tensor.isfinite()) else tensor.float()


def load(
    source: str | Path, *, device: str = "cpu", task: str | None = None
) -> tuple[nn.Module, Header]:
    """Load `source` (see `find`) -> the generator (eval mode, float32) and its header.

    Raises WeightsError when the file is missing, broken, does not fit the net it names, or is not
    for `task`, where one is given: "color" or "translate".
    """
    path = find(source)
    header = read_header(path)
    if task is not None:
        check_task(header, task, source)
    try:
        if "weights" in header.generator:  # would fetch or open a file of the header's choice
            raise ValueError("its header names other weights")
        generator = blank(header.generator)
        predicts = getattr(generator, "predicts", "ab")
        if header.head != predicts:
            raise ValueError(f"its header says {header.head!r}, its net predicts {predicts!r}")
        if header.task == "translate" and (header.in_channels, predicts) != (3, "rgb"):
            raise ValueError(f"its header says {header.task!r}, its net is not for RGB -> RGB")
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            check_shapes(generator, {name: file.get_slice(name).get_shape() for name in names})
            state = {name: _loaded(file.get_tensor(name)) for name in names}
        if not all(tensor.isfinite().all() for tensor in state.values()):
            raise ValueError("NaN or infinity among its weights")
        generator.load_state_dict(state, assign=True)
    except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"does not fit its net: {one_line(error, lines=3)}", path) from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot be read: {one_line(error)}", path) from error
    return generator.eval().requires_grad_(False).to(device), header


def blank(config: Config) -> nn.Module:
    """Build a net on the meta device: shapes without memory."""
    with torch.device("meta"), _NoDraws():
        return build_generator(config)


def grow(net: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Load a smaller net's tensors into an extended net -> names of the new or wider tensors.

    Convolutions that see more channels than they did start with zeros for these, so that the net
    gives what the smaller one gave, as long as modules of its own start without effect. Tensors of
    the net's `fitted_last` that it has no place for are left out. Raises ValueError, naming up to
    three tensors, when something else in `state` does not fit.
    """
    last = getattr(net, "fitted_last", ())
    grown = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    new = sorted(grown.keys() - state.keys())
    for name, tensor in state.items():
        target = grown.get(name)
        if target is None and name.startswith(last):
            continue
        if target is not None and target.ndim == 4 and target.shape[1] > tensor.shape[1]:
            tensor = F.pad(tensor, (0, 0, 0, 0, 0, target.shape[1] - tensor.shape[1]))
            new.append(name)
        grown[name] = tensor
    check_shapes(net, {name: list(tensor.shape) for name, tensor in grown.items()})
    net.load_state_dict(grown)
    return new


def check_shapes(net: nn.Module, shapes: dict[str, list[int]]) -> None:
    """Raise ValueError, naming up to three tensors, unless `shapes` are those of the net."""
    expected = {name: list(tensor.shape) for name, tensor in net.state_dict().items()}
    names = sorted(expected.keys() | shapes.keys())
    differ = [name for name in names if expected.get(name) != shapes.get(name)]
    if differ:
        shown = "; ".join(f"{n}: {shapes.get(n)} for {expected.get(n)}" for n in differ[:3])
        raise ValueError(f"{len(differ)} of {len(names)} tensors differ ({shown})")


class _NoDraws(TorchFunctionMode):
    """Skips random initialization: on the meta device that would import sympy."""

    def __torch_function__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "").endswith(("normal_", "uniform_")):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _loaded(tensor: Tensor) -> Tensor:
    # always a copy: the file may be replaced while the net is in use
    return tensor.to(torch.float32, copy=True) if tensor.is_floating_point() else tensor.clone()
