"""Checkpoints: a file of another project -> its tensors by name. Nothing in it is executed."""

import pickle
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from pix2pix.errors import WeightsError
from pix2pix.nets.build import Config

# Where a net's state dict lies in a larger dict; looked into in this order.
HOLDERS = ("model", "model_state_dict", "state_dict", "net_G", "netG", "generator", "net")


@dataclass
class Checkpoint:
    """The tensors and the metadata of a file."""

    tensors: dict[str, Tensor]
    cfg: Config = field(default_factory=dict)  # of its training, where it says
    steps: int = 0  # of its training, 0 where it does not say


def read(path: str | Path) -> Checkpoint:
    """Read a .safetensors file, or what torch.save wrote: tensors and plain values only.

    Raises WeightsError, whose message begins with the path, when the file is missing, broken, asks
    for code, or has no tensors by name.
    """
    try:
        held = _load(Path(path))
    except FileNotFoundError as error:
        raise WeightsError("no such file", path) from error
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror or error}", path) from error
    except pickle.UnpicklingError as error:
        # such as "GLOBAL posix.system": the name is all there is to say of it in one line
        if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise WeightsError(
                f"{path}: asks for code, {code[1]}; only tensors and plain values are read: save "
                "it again with torch.save(net.state_dict(), ...) if you trust it"
            ) from error
        raise WeightsError("not a checkpoint", path) from error
    except Exception as error:  # torch.load ends in KeyError, EOFError, struct.error and others
        raise WeightsError("not a checkpoint, or a broken one", path) from error
    cfg = held.get("cfg") if isinstance(held, dict) else None
    steps = held.get("global_step") if isinstance(held, dict) else None
    return Checkpoint(
        _tensors(path, held),
        cfg if isinstance(cfg, dict) else {},
        steps if type(steps) is int and steps >= 0 else 0,
    )


def _load(path: Path) -> object:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    with warnings.catch_warnings():  # of pickles of other versions
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(path: str | Path, held: object) -> dict[str, Tensor]:
    """The state dict in what a file holds, wherever it lies."""
    while isinstance(held, dict):
        inner = next((held[key] for key in HOLDERS if isinstance(held.get(key), dict)), None)
        if inner is None:
            break
        held = inner
    if not isinstance(held, dict) or not held:
        raise WeightsError(f"no tensors by name in it, but a {type(held).__name__}", path)
    others = [str(key) for key, value in held.items() if not isinstance(value, Tensor)]
    if others or not all(isinstance(key, str) for key in held):
        raise WeightsError(f"not a state dict; among its keys: {', '.join(others[:10])}", path)
    for name, tensor in held.items():
        # a view may claim more than it has, and would take that memory once it is copied
        if tensor.is_sparse or tensor.nbytes > tensor.untyped_storage().nbytes():
            raise WeightsError(f"{name} is larger than what there is of it", path)
    return held
