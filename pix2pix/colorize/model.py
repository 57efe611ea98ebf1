"""A generator at work on pictures: what `Colorizer` and `Translator` have in common.

Loading, the size at which a net sees a picture, variants by seed, and a picture of any kind in with
the same kind out. Everything is numpy; the net is an engine's affair (engines/).
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, Union

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.colorize.engines import chance
from pix2pix.colorize.engines.base import Engine
from pix2pix.colorize.engines.choose import open_engine
from pix2pix.weights.header import Header, check_task

if TYPE_CHECKING:
    from torch import nn

REDUCED = 3.0
"""A picture at least so many times larger than what a net sees is first averaged in blocks."""


class PictureModel:
    """A generator with its header, in an engine. Threads may share one.

    Deterministic unless a seed asks for a variant. `name` is the weights' name, for provenance;
    `header` all that they say of themselves; `engine` runs the net.
    """

    task: ClassVar[str]
    """What its weights are for."""
    heads: ClassVar[tuple[str, ...]]
    """What its generators may predict."""

    def __init__(self, net: Union[Engine, "nn.Module"], header: Header, device: str = "cpu"):
        """`net` is an engine, or a torch generator, which goes to `device`: "cpu", "cuda" or "mps",
        or "auto" for a GPU where there is one.

        Raises WeightsError for weights of another task, ValueError for those that predict something
        else.
        """
        check_task(header, self.task, header.name)
        if header.head not in self.heads:
            raise ValueError(
                f"{header.name} predicts {header.head!r}; a {type(self).__name__.lower()} needs "
                + " or ".join(map(repr, self.heads))
            )
        if not isinstance(net, Engine):
            from pix2pix.colorize.engines.torch import TorchEngine

            net = TorchEngine(net, device)
        self.engine = net
        self.header = header
        self.name = header.name

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, device: str = "auto", engine: str = "auto"
    ) -> Self:
        """Load a .safetensors or .onnx file, bundled weights by name, or a Hub repo id.

        `engine` is "onnx" (ONNX Runtime) or "openvino", on the CPU and without torch, or "torch";
        "auto" takes torch on a GPU and for weights that have no .onnx file, else the fastest of
        the others here. Raises WeightsError when the weights are missing or broken, or those of
        another task, and ModuleNotFoundError when they need what is not installed.
        """
        return cls(*open_engine(source, device=device, engine=engine, task=cls.task))

    @property
    def device(self) -> str:
        """Where its net runs: "cpu", "cuda" ..."""
        return self.engine.device

    @property
    def generator(self) -> "nn.Module":
        """Its net as a module, where torch runs it. Raises AttributeError elsewhere."""
        return self.engine.net  # type: ignore[attr-defined]

    @property
    def has_variants(self) -> bool:
        """Whether a seed changes anything: its net has dropout or noise."""
        return bool(self.engine.chances)

    def _chances(self, size: tuple[int, int], seed: int | None) -> list[np.ndarray] | None:
        """The values of dropout and noise for an input of `size` (h, w); None without a seed."""
        if seed is None or not self.engine.chances:
            return None
        return chance.draw(self.engine.chances, *size, seed)

    def _shrink(self, rgb: np.ndarray) -> np.ndarray:
        """sRGB (H, W, 3) uint8 -> (h, w, 3) uint8 of about `header.area_for(H, W)` pixels.

        Antialiased as in training; h and w are multiples of the net's `multiple`.
        """
        multiple = self.engine.multiple
        height, width = rgb.shape[:2]
        area = self.header.area_for(height, width)
        size = net_size(height, width, area=area, multiple=multiple)
        least = min(size[0], rgb.shape[0]), min(size[1], rgb.shape[1])
        gray = rgb.strides[2] == 0  # one plane, seen thrice
        plane = np.ascontiguousarray(rgb[..., 0]) if gray else None
        small = images.to_image(rgb) if plane is None else Image.fromarray(plane)
        for height, width in (least, size):  # smaller first: a line of pixels must not swell before
            if small.size != (width, height):
                bilinear = Image.Resampling.BILINEAR
                small = small.resize((width, height), bilinear, reducing_gap=REDUCED)
        array = np.asarray(small)
        return np.broadcast_to(array[..., None], (*size, 3)) if gray else array


def in_kind(
    image: Any,
    paint: Callable[[np.ndarray], np.ndarray],
    remarks: Callable[[np.ndarray], list[str]] = lambda _: [],
    paint16: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Any:
    """Apply `paint`, (H, W, 3) uint8 -> the same, to a picture of any kind -> one of that kind.

    A path, the bytes of a file, a binary stream and a PIL image come back as a PIL image, an array
    as an array; `Colorizer.__call__` says which and how. Warnings are those of the
    caller's caller: what is lost, and `remarks` on a file or a PIL image. `paint16` is for arrays
    of uint16: it gets the grays (H, W) uint16 of their lightness, too, and gives (H, W, 3) uint16.
    Raises PhotoError for files, TypeError and ValueError for anything else that is no picture.
    """
    if isinstance(image, np.ndarray):
        rgb8, alpha = images.from_array(image)
        if paint16 is not None and image.dtype == np.uint16:
            painted = paint16(rgb8, images.grays16(image))
        else:
            painted = paint(rgb8)
        return images.to_array(painted, alpha, image.dtype)
    lost: list[str] = []
    if isinstance(image, Image.Image):
        rgb8, mask = images.to_rgb(image, images.Container(), warnings=lost)
    elif isinstance(image, (str, Path, bytes)) or hasattr(image, "read"):
        photo = images.read(image)
        rgb8, mask, lost = photo.rgb, photo.alpha, photo.warnings
    else:
        raise TypeError(
            f"{type(image).__name__} is no picture: give a path, the bytes of a file, "
            "a PIL image or a numpy array"
        )
    for line in lost + remarks(rgb8):
        warnings.warn(line, stacklevel=3)
    result = Image.fromarray(paint(rgb8))
    if mask is not None:
        result.putalpha(Image.fromarray(mask))
    return result


def checked(rgb: np.ndarray) -> np.ndarray:
    """Check that rgb is (H, W, 3) uint8 -> the same. Raises TypeError and ValueError."""
    if rgb.dtype != np.uint8:
        raise TypeError(f"rgb is {rgb.dtype}; it must be uint8 in [0, 255]")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"rgb has shape {rgb.shape}; it must be (H, W, 3)")
    return rgb


def net_size(height: int, width: int, *, area: int, multiple: int) -> tuple[int, int]:
    """Choose the (height, width) of the net's input for a picture of height x width.

    Both are multiples of `multiple`, at least one each; among those next to `area` pixels the pair
    that errs least in aspect and area (as ratios) together. A picture much longer than wide is
    squeezed, so that the net's work is bounded.
    """
    units = max(1.0, area / multiple**2)
    ideal = min(max(math.sqrt(units * height / width), 1), units)
    pairs = [
        (max(1, h), max(1, w))
        for h in (math.floor(ideal), math.ceil(ideal))
        for w in (math.floor(units / ideal), math.ceil(units / ideal))
    ]

    def error(pair: tuple[int, int]) -> float:
        h, w = pair
        return abs(math.log(h * width / (w * height))) + abs(math.log(h * w / units))

    h, w = min(pairs, key=error)
    return h * multiple, w * multiple
