"""Weights: one .safetensors file whose header says what net it belongs to.

A name is looked up among the bundled weights, then as a file, then as a repo on the Hugging Face
Hub. A file is data from strangers: nothing is ever unpickled, its header can name no class but the
generators here, and memory is taken only once its tensors fit the net that it describes.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pix2pix import __version__
from pix2pix.color import AB_SCALE
from pix2pix.errors import WeightsError, one_line
from pix2pix.files import replacing
from pix2pix.images.task import TASKS
from pix2pix.nets.build import Config, build_generator

BUNDLED = files("pix2pix") / "pretrained"
_REPO_ID = re.compile(r"[^./\s\\][^/\s\\]*/[^/\s\\]+")  # owner/name; the Hub knows the rest
_LONGEST = 200  # characters of a name in a message
HUB_FILE = "model.safetensors"
COURSE = ("pix2pix", "pix2pix-l1")  # bundled in a checkout; not in the package, to keep it small
_COURSE_IN = "https://github.com/pix2pixcolor/pix2pixcolor/tree/main/pix2pix/pretrained"
AB_SCALES = (AB_SCALE, 128.0)  # ours, and that of nets from elsewhere
# of a net's input; a header may not ask for more: 64 channels of float32 take 270 MB at this size,
# so that a file from a stranger cannot take a machine's memory
MOST_PIXELS = 1024 * 1024


@dataclass
class Header:
    """Metadata of a weights file."""

    generator: Config  # class and arguments of the net
    name: str = "unnamed"
    recipe: str = ""
    arguments: Config = field(default_factory=dict)  # of the recipe
    ab_scale: float = AB_SCALE  # ab of the net times this is a*, b*
    head: str = "ab"  # what the net predicts
    task: str = "color"  # or "translate": RGB -> RGB, not a photo's colors
    in_channels: int = field(init=False)  # of the net's input, as `generator` has it
    area: int = 256 * 256  # pixels of the net's input at which it colors best
    saturation: float = 1.0  # calibration of the chroma, measured on held-out photos
    steps: int = 0
    data: str = ""
    version: str = __version__

    def __post_init__(self) -> None:
        self.in_channels = self.generator.get("in_channels", 1)


def bundled() -> list[str]:
    """Names of the weights that come with the package."""
    if not BUNDLED.is_dir():
        return []
    names = sorted(f.name for f in BUNDLED.iterdir())
    return [n.removesuffix(".safetensors") for n in names if n.endswith(".safetensors")]


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


def find(source: str | Path) -> Path:
    """Resolve a bundled name, a path, or a Hub repo id "owner/name" -> the file.

    Raises WeightsError when it is none of them, or cannot be fetched.
    """
    text = str(source)
    if text in bundled():
        return Path(str(BUNDLED / f"{text}.safetensors"))
    try:
        if Path(source).is_file():
            return Path(source)
    except OSError as error:  # such as a name that is too long
        raise WeightsError(error.strerror or one_line(error), _plain(text)) from error
    if text.isprintable() and _REPO_ID.fullmatch(text) and not text.endswith("tensors"):
        return _from_hub(text)
    if text in COURSE:
        raise WeightsError(f"not in this package; give the path of a file of {_COURSE_IN}", text)
    names = ", ".join([*bundled(), "a .safetensors file"])
    raise WeightsError(f"no such weights; give {names} or a Hub repo id, owner/name", _plain(text))


def _plain(text: str) -> str:
    """A name as one line, quoted and cut where it could be none."""
    return text if text.isprintable() and len(text) <= _LONGEST else repr(text[:_LONGEST])


def _from_hub(repo_id: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(repo_id, HUB_FILE))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise WeightsError(
            f"no such file, and not fetched from the Hugging Face Hub: {one_line(error)}", repo_id
        ) from error


def read_header(path: str | Path) -> Header:
    """Read the header of a weights file; keys that this version does not know are ignored.

    Raises WeightsError when the file is none of ours, or a value is invalid.
    """
    try:
        with safe_open(path, "pt") as file:
            raw = (file.metadata() or {}).get("pix2pix")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"not a safetensors file: {one_line(error)}", path) from error
    if raw is None:
        raise WeightsError("a safetensors file, but without this package's header", path)
    try:
        given = json.loads(raw)
        known = [f.name for f in dataclasses.fields(Header) if f.init]
        header = Header(**{key: value for key, value in given.items() if key in known})
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"its header cannot be read: {one_line(error)}", path) from error
    for key, value in vars(header).items():
        if not _valid(key, value):
            raise WeightsError(f"its header says {key}={str(value)[:80]}", path)
    return header


def check_task(header: Header, task: str, source: str | Path) -> None:
    """Raise WeightsError, with the command that takes them, unless the weights are for `task`."""
    if header.task != task:
        right = TASKS[header.task]
        said = f"they {right.does}, with `pix2pix {right.command}`"
        raise WeightsError(f"these weights do not {task}: {said}", source)


def _valid(key: str, value: object) -> bool:
    """Whether a header's value has its type and is in range."""
    if key in ("generator", "arguments"):
        return isinstance(value, dict)
    if key in ("steps", "in_channels", "area"):
        most = {"steps": 10**12, "in_channels": 10**7, "area": MOST_PIXELS}[key]
        least = 0 if key == "steps" else 1
        return type(value) is int and least <= value <= most
    if key == "task":
        return isinstance(value, str) and value in TASKS
    if key == "saturation":
        return isinstance(value, int | float) and value is not True and 0 < value <= 10
    if key == "ab_scale":
        return value in AB_SCALES
    return isinstance(value, str)


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
    gives what the smaller one gave, as long as modules of its own start without effect. Raises
    ValueError, naming up to three tensors, when something in `state` does not fit.
    """
    grown = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    new = sorted(grown.keys() - state.keys())
    for name, tensor in state.items():
        target = grown.get(name)
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
