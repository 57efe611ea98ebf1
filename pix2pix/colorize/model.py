"""A generator at work on pictures: what `Colorizer` and `Translator` have in common.

Loading, the device, the size at which a net sees a picture, variants by seed, and a picture of any
kind in with the same kind out.
"""

import copy
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pix2pix import images
from pix2pix.nets.blocks import chance_layers
from pix2pix.weights.file import Header, check_task, load

_DRAWING = threading.Lock()


class PictureModel:
    """A generator with its header, on a device. Threads may share one.

    Deterministic unless a seed asks for a variant. `name` is the weights' name, for provenance;
    `header` all that they say of themselves.
    """

    task: ClassVar[str]
    """What its weights are for."""
    heads: ClassVar[tuple[str, ...]]
    """What its generators may predict."""

    def __init__(self, generator: nn.Module, header: Header, device: str = "cpu"):
        """`device`: "cpu", "cuda", or "auto" for a GPU where there is one.

        Raises WeightsError for weights of another task, ValueError for those that predict something
        else.
        """
        check_task(header, self.task, header.name)
        if header.head not in self.heads:
            raise ValueError(
                f"{header.name} predicts {header.head!r}; a {type(self).__name__.lower()} needs "
                + " or ".join(map(repr, self.heads))
            )
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.header = header
        self.name = header.name
        # channels_last: half the time of the default for a BackboneUNet at 512x512 on CPU
        self.generator = generator.eval().to(self.device).to(memory_format=torch.channels_last)
        self._multiple = int(generator.multiple)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(cls, source: str | Path, *, device: str = "auto") -> Self:
        """Load a .safetensors file, bundled weights by name, or a Hub repo id (see weights.load).

        Raises WeightsError when they are missing or broken, or those of another task.
        """
        generator, header = load(source, task=cls.task)
        return cls(generator, header, device)

    @property
    def has_variants(self) -> bool:
        """Whether a seed changes anything: its net has dropout or noise."""
        return bool(chance_layers(self.generator))

    @cached_property
    def _lively(self) -> nn.Module:
        """The net with its dropout and noise at work: other modules around the same tensors."""
        tensors = [*self.generator.parameters(), *self.generator.buffers()]
        net = copy.deepcopy(self.generator, {id(tensor): tensor for tensor in tensors})
        for layer in chance_layers(net):
            layer.train()
        return net

    def _shrink(self, rgb: Tensor) -> Tensor:
        """sRGB (H, W, 3) uint8 -> (h, w, 3) uint8 on the net's device, of about `header.area`.

        Antialiased as in training; h and w are multiples of the net's `multiple`.
        """
        size = net_size(*rgb.shape[:2], area=self.header.area, multiple=self._multiple)
        small = rgb.permute(2, 0, 1)[None]
        least = min(size[0], rgb.shape[0]), min(size[1], rgb.shape[1])
        for step in (least, size):  # smaller first: a line of pixels must not swell before
            if small.shape[-2:] != step:
                small = F.interpolate(small, step, mode="bilinear", antialias=True)
        return small[0].permute(1, 2, 0).to(self.device)


def in_kind(image: Any, paint: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Apply `paint`, (H, W, 3) uint8 -> the same, to a picture of any kind -> one of that kind.

    A path, the bytes of a file, a binary stream and a PIL image come back as a PIL image, an array
    as an array; `Colorizer.__call__` says which and how. Warnings are those of the caller's caller.
    Raises PhotoError for files, TypeError and ValueError for anything else that is no picture.
    """
    if isinstance(image, np.ndarray):
        rgb8, alpha = images.from_array(image)
        return images.to_array(paint(rgb8), alpha, image.dtype)
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
    for line in lost:
        warnings.warn(line, stacklevel=3)
    result = Image.fromarray(paint(rgb8))
    if mask is not None:
        result.putalpha(Image.fromarray(mask))
    return result


def as_tensor(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 as a tensor, without a copy where that can be.

    Raises TypeError and ValueError for another dtype or shape.
    """
    if rgb.dtype != np.uint8:
        raise TypeError(f"rgb is {rgb.dtype}; it must be uint8 in [0, 255]")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"rgb has shape {rgb.shape}; it must be (H, W, 3)")
    return torch.from_numpy(np.require(rgb, requirements=["C", "W"]))  # as torch takes it


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


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Within, torch draws by `seed`; its random state is left as it was.

    One at a time: all threads draw from one state.
    """
    cuda = [device] if device.type == "cuda" else []
    with _DRAWING, torch.random.fork_rng(cuda):
        torch.manual_seed(seed)
        yield
