"""Mapping: the tensors of another project's checkpoint, under our names, in our weights file."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pix2pix.errors import WeightsError
from pix2pix.nets.build import Config, config_of
from pix2pix.weights.file import blank, save
from pix2pix.weights.foreign.checkpoint import Checkpoint, read
from pix2pix.weights.foreign.layouts import BESIDE, ELSEWHERE, LAYOUTS, RECIPES, Layout, Pair
from pix2pix.weights.header import AB_SCALES, MOST_PIXELS, Header

SHOWN = 10  # names of a kind in an error


@dataclass
class Converted:
    """The result of `convert_checkpoint`."""

    path: Path
    header: Header
    layout: Layout
    rows: list[tuple[str, str, str]]  # their name, our name, shape and what was done to it
    beside: list[str]  # their tensors that belong to no generator
    parameters: int
    dtype: torch.dtype


def convert_checkpoint(
    source: str | Path,
    dest: str | Path | None = None,
    *,
    recipe: str,
    ab_scale: float | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> Converted:
    """Convert a checkpoint to a weights file that `Colorizer.from_pretrained` loads.

    `recipe` is the one of ours that trains such a net: "pix2pix" or "unet_l1". `ab_scale`, 110 or
    128, is what the net's ab was divided by in training; by default as its project does. The file
    keeps the checkpoint's precision, float32 or float16; `half` makes it float16. `dest` is by
    default beside the source. Every tensor of the net must be there, and no other.

    Raises WeightsError, naming the file and up to ten tensors of a kind, for anything that does not
    fit; ValueError for a recipe or scale that is none of these.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe {recipe!r}: one of {', '.join(RECIPES)}")
    if ab_scale is not None and ab_scale not in AB_SCALES:
        raise ValueError(f"ab_scale={ab_scale}: 110 or 128")
    path = _dest(Path(source), dest, overwrite)
    checkpoint = read(source)
    try:
        layout, ours, beside = _recognize(checkpoint.tensors, recipe)
        net = blank(arguments(layout, ours, checkpoint.cfg))
        rows, state = _mapped(layout, ours, net)
        net.load_state_dict(state, assign=True, strict=True)
        header = _header(layout, net, checkpoint, Path(source).stem, ab_scale)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(str(error), source) from error
    kinds = {tensor.dtype for tensor in ours.values() if tensor.is_floating_point()}
    dtype = torch.float16 if half or kinds == {torch.float16} else torch.float32
    parameters = sum(parameter.numel() for parameter in net.parameters())
    try:
        save(path, net, header, dtype=dtype)
    except OSError as error:
        raise WeightsError(f"not written: {error.strerror or error}", path) from error
    return Converted(path, header, layout, rows, beside, parameters, dtype)


def _dest(source: Path, dest: str | Path | None, overwrite: bool) -> Path:
    name = f"{source.stem}.safetensors"
    path = source.with_name(name) if dest is None else Path(dest)
    if path.is_dir():
        path = path / name
    if path.exists() and (not overwrite or path.resolve() == source.resolve()):
        raise WeightsError("is there already; give another file, or overwrite", path)
    return path


def _recognize(
    tensors: dict[str, Tensor], recipe: str
) -> tuple[Layout, dict[str, Tensor], list[str]]:
    """Tensors -> their layout, those of the generator under the layout's names, names of the rest.

    Raises ValueError, listing names, when there is no layout for them, or more than one generator.
    """
    found = []
    for layout in LAYOUTS:
        names = {name: _renamed(name, layout) for name in tensors}
        ends = [name for name in names.values() if f".{name}".endswith(f".{layout.first}")]
        found += [(layout, names, name.removesuffix(layout.first)) for name in ends]
    if not found:
        raise ValueError(_unknown(tensors))
    if len(found) > 1:
        prefixes = ", ".join(repr(prefix) for _, _, prefix in found)
        raise ValueError(f"{len(found)} generators in it, under {prefixes}; save one alone")
    layout, names, prefix = found[0]
    if layout.recipe != recipe:
        raise ValueError(f"of the layout of {layout.name}: give --recipe {layout.recipe}")
    inside = {name: new for name, new in names.items() if new.startswith(prefix)}
    beside = [name for name in names if name not in inside]
    if strange := [name for name in beside if not set(name.split(".")[:2]) & set(BESIDE)]:
        raise ValueError(f"{_count(strange)} beside the generator: {_listed(strange)}")
    ours = {new.removeprefix(prefix): tensors[name] for name, new in inside.items()}
    if len(ours) < len(inside):
        raise ValueError(f"two names for one tensor among {_listed(sorted(inside))}")
    return layout, ours, beside


def _renamed(name: str, layout: Layout) -> str:
    for pattern, new in layout.renames:
        name = re.sub(pattern, new, name)
    return name


def _unknown(tensors: dict[str, Tensor]) -> str:
    for first, what in ELSEWHERE.items():
        if any(f".{name}".endswith(f".{first}") for name in tensors):
            return f"{what}; its tensors: {_listed(list(tensors))}"
    known = ", ".join(f"{layout.first} ({layout.name})" for layout in LAYOUTS)
    return f"no layout known here, which have {known}; its tensors: {_listed(list(tensors))}"


def arguments(layout: Layout, tensors: dict[str, Tensor], cfg: Config) -> Config:
    """Read the arguments of a layout's net off shapes. Raises ValueError where `cfg` disagrees."""
    width, in_channels = tensors[layout.first].shape[:2]
    depth = sum(bool(re.fullmatch(layout.level, name)) for name in tensors)
    head = tensors.get(layout.head(depth))
    if head is None:
        raise ValueError(f"1 tensor missing: {layout.head(depth)}")
    if in_channels != 1:
        raise ValueError(f"{layout.first}: the net takes {in_channels} channels, not L alone")
    if cfg.get("base_channels", width) != width:
        raise ValueError(f"its cfg says base_channels={cfg['base_channels']}, its tensors {width}")
    if len(head) not in (2, 3):
        raise ValueError(f"{layout.head(depth)}: {len(head)} channels out, neither ab nor RGB")
    sizes = {"width": width, "depth": depth, "in_channels": in_channels, "out_channels": len(head)}
    if layout.net["net"] == "DoubleConvUNet":
        sizes["widest"] = width * 2**depth  # theirs always doubles
    return {**layout.net, **sizes}


def _mapped(
    layout: Layout, tensors: dict[str, Tensor], net: nn.Module
) -> tuple[list[tuple[str, str, str]], dict[str, Tensor]]:
    """Their tensors -> the rows of a report, and the state dict of `net`.

    Raises ValueError, listing names, for what is missing, left over, of another shape or not
    finite.
    """
    expected = net.state_dict()
    pairs = list(layout.pairs(config_of(net)["depth"]))
    named = {pair.theirs: pair for pair in pairs if pair.theirs is not None}
    both = [name for name in named if name in tensors]
    faults = {
        "missing": [name for name in named if name not in tensors],
        "left over": [name for name in tensors if name not in named],
        "of another shape": [
            f"{name} ({_shape(tensors[name])} for {_shape(expected[named[name].ours])})"
            for name in both
            if tensors[name].shape != expected[named[name].ours].shape
        ],
        "of another type": [
            name
            for name in both
            if tensors[name].is_floating_point() != expected[named[name].ours].is_floating_point()
        ],
    }
    if not any(faults.values()):
        faults["with NaN or infinity"] = [n for n in both if not tensors[n].isfinite().all()]
    if any(faults.values()):
        said = [f"{_count(n)} {kind}: {_listed(n)}" for kind, n in faults.items() if n]
        raise ValueError(f"does not fit the layout of {layout.name}: {'; '.join(said)}")
    rows, state = [], {}
    for pair in pairs:
        state[pair.ours] = _moved(pair, tensors, expected[pair.ours])
        done = "zeros" if pair.theirs is None else "halves swapped" if pair.swap is not None else ""
        rows.append((pair.theirs or "-", pair.ours, f"{_shape(state[pair.ours])}  {done}".rstrip()))
    return rows, state


def _moved(pair: Pair, tensors: dict[str, Tensor], expected: Tensor) -> Tensor:
    if pair.theirs is None:
        return torch.zeros(expected.shape)
    tensor = tensors[pair.theirs]
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    return tensor if pair.swap is None else torch.cat(tensor.chunk(2, pair.swap)[::-1], pair.swap)


def _header(
    layout: Layout, net: nn.Module, checkpoint: Checkpoint, name: str, ab_scale: float | None
) -> Header:
    head, side = str(net.predicts), checkpoint.cfg.get("image_size")
    if head == "rgb" and ab_scale not in (None, AB_SCALES[0]):
        raise ValueError(f"its net predicts rgb, which has no ab to be of scale {ab_scale:g}")
    return Header(
        config_of(net),
        name=name,
        recipe=layout.recipe,
        ab_scale=float(ab_scale or (AB_SCALES[0] if head == "rgb" else layout.ab_scale)),
        head=head,
        area=min(side * side, MOST_PIXELS) if type(side) is int and side >= 16 else 256 * 256,
        steps=checkpoint.steps,
        data=f"converted from {layout.source}",
    )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"


def _count(names: list[str]) -> str:
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
