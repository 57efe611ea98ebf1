"""Layouts: how other projects name the tensors of nets that exist here too.

A layout is read off its projects' source: under which name each tensor of ours lies there, and what
has to be done to it. Only names are here, no tensors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

NORM = ("weight", "bias")
BATCH_NORM = (*NORM, "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Pair:
    """A tensor of ours and where it comes from."""

    theirs: str | None  # None: they have none, which is as much as zeros
    ours: str
    # the axis whose halves change places: their skip lies on the other side
    swap: int | None = None


@dataclass(frozen=True)
class Layout:
    """How one project names the tensors of its net."""

    name: str
    source: str
    recipe: str  # of ours, which trains such a net
    ab_scale: float  # ab of the net times this is a*, b*
    first: str  # the first weight: its shape is (width, in_channels, ...), and it marks the layout
    level: str  # pattern of one name a level of depth; `first` counts when it fits
    head: Callable[[int], str]  # depth -> the last bias: its length is out_channels
    pairs: Callable[[int], Iterator[Pair]]  # depth -> all tensors of ours
    net: dict[str, str | bool] = field(default_factory=dict)  # arguments that the names do not show
    renames: tuple[tuple[str, str], ...] = ()  # patterns of older names, and the names above


def _course(depth: int) -> Iterator[Pair]:
    """encoder1.block.0 conv, .1 norm ... decoder1.block.0 conv, .1 norm: outermost to innermost."""
    for half, name in (("encoder", "down"), ("decoder", "up")):
        for i in range(depth):
            theirs, ours = f"{half}{i + 1}.block", f"{name}.{i}"
            conv = 0 if (name, i) == ("down", 0) else 1  # the first has no activation before it
            yield Pair(f"{theirs}.0.weight", f"{ours}.{conv}.weight")
            if i == depth - 1 or conv == 0:  # without norm
                yield Pair(f"{theirs}.0.bias", f"{ours}.{conv}.bias")
            else:
                yield from (Pair(f"{theirs}.1.{x}", f"{ours}.2.{x}") for x in NORM)


def _nested(depth: int) -> Iterator[Pair]:
    """Blocks in blocks, a `model` each: [conv, BLOCK, relu, conv] around [relu, conv, norm, BLOCK,
    relu, conv, norm] around [relu, conv, relu, conv, norm]. They put the skip before the rest.
    """
    block = "model.model"
    for i in range(depth):
        first, last = i == 0, i == depth - 1
        conv, back = (0, 3) if first else (1, 3) if last else (1, 5)
        yield Pair(f"{block}.{conv}.weight", f"down.{i}.{conv}.weight")
        if first or last:
            yield Pair(None, f"down.{i}.{conv}.bias")
        else:
            yield from (Pair(f"{block}.2.{x}", f"down.{i}.2.{x}") for x in BATCH_NORM)
        up = f"up.{depth - 1 - i}"
        yield Pair(f"{block}.{back}.weight", f"{up}.1.weight", swap=None if last else 0)
        if first:
            yield Pair(f"{block}.{back}.bias", f"{up}.1.bias")
        else:
            yield from (Pair(f"{block}.{back + 1}.{x}", f"{up}.2.{x}") for x in BATCH_NORM)
        block += ".1.model" if first else ".3.model"


def _colorizer(depth: int) -> Iterator[Pair]:
    """enc1 ... bottleneck, up4, dec4 ... up1, dec1, head.0. They put the skip after the rest."""
    for i in range(depth + 1):
        theirs = f"enc{i + 1}" if i < depth else "bottleneck"
        yield from _double_conv(theirs, f"down.{i}")
    for i in range(depth):
        level = depth - i
        yield from (Pair(f"up{level}.{x}", f"rise.{i}.{x}") for x in ("weight", "bias"))
        yield from _double_conv(f"dec{level}", f"up.{i}", swap=1)
    yield from (Pair(f"head.0.{x}", f"head.{x}") for x in ("weight", "bias"))


def _double_conv(theirs: str, ours: str, swap: int | None = None) -> Iterator[Pair]:
    for conv in (0, 3):
        weight = f"{conv}.weight"
        yield Pair(f"{theirs}.{weight}", f"{ours}.{weight}", swap=None if conv else swap)
        for x in BATCH_NORM:
            yield Pair(f"{theirs}.{conv + 1}.{x}", f"{ours}.{conv + 1}.{x}")


LAYOUTS = (
    Layout(
        name="Photo-Colorization-Pix2Pix-from-scratch-in-PyTorch",
        # Pix2PixColor.ipynb, sections 5.3 and 5.6, at commit a782803; its dropout is always on
        source="https://github.com/matikosowy/Photo-Colorization-Pix2Pix-from-scratch-in-PyTorch",
        recipe="pix2pix",
        ab_scale=110,
        first="encoder1.block.0.weight",
        level=r"encoder\d+\.block\.0\.weight",
        head=lambda depth: f"decoder{depth}.block.0.bias",
        pairs=_course,
        net={"net": "UNetVariant", "padding": "reflect", "leaky_skips": True},
    ),
    Layout(
        name="Image Colorization with U-Net and GAN Tutorial",
        # UnetBlock and Unet in the notebook, at commit 0c4d0df; the names are those of
        # pytorch-CycleGAN-and-pix2pix. Activations in place make its skips leaky, which the ReLU
        # that they meet on the way up undoes
        source="https://github.com/moein-shariatnia/Deep-Learning",
        recipe="pix2pix",
        ab_scale=110,
        first="model.model.0.weight",
        level=r"model\.model(\.[13]\.model)*\.[01]\.weight",
        head=lambda depth: "model.model.3.bias",
        pairs=_nested,
        net={"net": "UNetVariant", "norm": "batch"},
    ),
    Layout(
        name="Colorizer",
        # training/models/unet_colorizer.py, training/utils/color.py and, for the renames, run.py,
        # at commit 72b1c63
        source="https://github.com/geeky-brahma/colorizer",
        recipe="unet_l1",
        ab_scale=128,
        first="enc1.0.weight",
        level=r"up\d+\.weight",
        head=lambda depth: "head.0.bias",
        pairs=_colorizer,
        net={"net": "DoubleConvUNet"},
        renames=(
            (r"(?<=\w)\.net\.", "."),
            (r"\bmid\.", "bottleneck."),
            (r"\bout_conv\.", "head.0."),
        ),
    ),
)
RECIPES = tuple(dict.fromkeys(layout.recipe for layout in LAYOUTS))

ELSEWHERE = {
    "layers.0.0.weight": "a fastai DynamicUnet, a net that does not exist here",
}
"""First weights of nets that are often met and cannot be converted, and what they are."""

BESIDE = ("net_D", "netD", "discriminator", "GANcriterion")
"""Modules that a checkpoint holds beside its generator, and that coloring does without."""
