"""Weights: one .safetensors file whose header says what net it belongs to.

Nothing is ever unpickled. A name is looked up among the bundled weights, then as a file, then as a
repo on the Hugging Face Hub.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pix2pix import __version__
from pix2pix.recipes import build_generator

BUNDLED = files("pix2pix") / "pretrained"
HUB_FILE = "model.safetensors"


@dataclass
class Header:
    """What a weights file says of itself."""

    generator: dict[str, Any]  # class and arguments of the net
    name: str = "unnamed"
    recipe: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)  # of the recipe
    ab_scale: float = 110.0  # ab of the net times this is a*, b*
    head: str = "ab"  # what the net predicts
    in_channels: int = 1
    area: int = 256 * 256  # pixels of the net's input at which it colors best
    saturation: float = 1.0  # calibration of the chroma, measured on held-out photos
    steps: int = 0
    data: str = ""
    version: str = __version__


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names the file and why."""


def bundled() -> list[str]:
    """Names of the weights that come with the package."""
    return sorted(f.name[:-12] for f in BUNDLED.iterdir() if f.name.endswith(".safetensors"))


def save(
    path: str | Path, generator: nn.Module, header: Header, *, dtype: torch.dtype = torch.float16
) -> None:
    """Write the net's tensors as `dtype` (integers stay integers), with the header inside."""
    state = {
        k: (v.to(dtype) if v.is_floating_point() else v).contiguous().cpu()
        for k, v in generator.state_dict().items()
    }
    # one key: safetensors writes several in random order, and equal weights shall be equal files
    save_file(state, path, {"pix2pix": json.dumps(dataclasses.asdict(header), sort_keys=True)})


def find(source: str | Path) -> Path:
    """The file behind a bundled name, a path, or a Hub repo id "owner/name".

    Raises WeightsError when it is none of them, or cannot be fetched.
    """
    text = str(source)
    if text in bundled():
        return Path(str(BUNDLED / f"{text}.safetensors"))
    if Path(source).is_file():
        return Path(source)
    if text.count("/") == 1 and not text.startswith((".", "/")) and not text.endswith("tensors"):
        return _from_hub(text)
    raise WeightsError(
        f"{text}: no such weights; give one of {', '.join(bundled())}, a .safetensors file, "
        "or a Hub repo id as owner/name"
    )


def _from_hub(repo_id: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(repo_id, HUB_FILE))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{repo_id}: not fetched from the Hub: {reason}") from error


def read_header(path: str | Path) -> Header:
    """The header of a weights file. Raises WeightsError when it is none of ours."""
    try:
        with safe_open(path, "pt") as file:
            raw = (file.metadata() or {}).get("pix2pix")
        if raw is None:
            raise WeightsError(f"{path}: a safetensors file, but without this package's header")
        known = {f.name for f in dataclasses.fields(Header)}
        return Header(**{k: v for k, v in json.loads(raw).items() if k in known})
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: not a weights file: {error}") from error


def load(source: str | Path, *, device: str = "cpu") -> tuple[nn.Module, Header]:
    """The generator (eval mode, float32) and the header behind `source` (see `find`).

    Raises WeightsError when the file is missing, broken, or does not fit the net it names.
    """
    path = find(source)
    header = read_header(path)
    try:
        generator = build_generator(header.generator)
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        generator.load_state_dict(state)
    except (ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{path}: does not fit its net: {error}") from error
    return generator.float().eval().requires_grad_(False).to(device), header
