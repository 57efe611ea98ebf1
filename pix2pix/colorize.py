"""Colorizer: a picture of any size and kind in, the same picture in color out.

The net sees a small copy; its ab is upsampled and joined to the lightness of every full-size pixel,
strip by strip, so that detail and memory do not depend on the net.
"""

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from pix2pix import images
from pix2pix.color import rgb8_to_lab
from pix2pix.images import modes
from pix2pix.images.formats import Container
from pix2pix.recolor import recolor
from pix2pix.weights import Header, load

_WHITE = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}


class Colorizer:
    """Colors pictures with a generator: `Colorizer.from_pretrained()("old.jpg")` -> PIL image.

    Deterministic unless a seed asks for a variant. Threads may share one. `name` is the weights'
    name, for provenance; `header` all that they say of themselves.
    """

    def __init__(self, generator: nn.Module, header: Header, device: str = "cpu"):
        """`device`: "cpu", "cuda", or "auto" for a GPU where there is one.

        Raises ValueError for weights that predict something other than ab.
        """
        if header.head != "ab":
            raise ValueError(f"{header.name} predicts {header.head!r}; a colorizer needs 'ab'")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.header = header
        self.name = header.name
        # channels_last: half the time of the default for a BackboneUNet at 512x512 on CPU
        self.generator = generator.eval().to(self.device).to(memory_format=torch.channels_last)
        self._multiple = int(generator.multiple)  # type: ignore[arg-type]
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(
        cls, source: str | Path = "default", *, device: str = "auto"
    ) -> "Colorizer":
        """Load bundled weights by name, a .safetensors file, or a Hub repo id (see weights.load).

        Raises WeightsError when they are missing or broken.
        """
        generator, header = load(source)
        return cls(generator, header, device)

    def __call__(
        self,
        image: str | Path | bytes | BinaryIO | Image.Image | np.ndarray,
        *,
        saturation: float = 1.0,
        hints: list[tuple[int, int, tuple[int, int, int]]] | None = None,
        seed: int | None = None,
    ) -> Image.Image | np.ndarray:
        """Color a path, the bytes of a file, a PIL image or an array -> the same size in color.

        Files are read as `images.read` does (upright, sRGB) and come back as PIL images; PIL
        images of any mode come back as RGB, or RGBA where they have transparency, their pixels as
        they lie; arrays (H, W) or (H, W, 1|3|4) of uint8, uint16 or floats in [0, 1] as (H, W, 3),
        or (H, W, 4) with the alpha they had, of their own dtype at 8-bit precision.
        `saturation` multiplies the chroma: 0 is gray, 1 as predicted. `seed` draws the dropout of
        nets that have it. Lightness is the input's own. What is lost on the way (16 bits, further
        frames) is told as a UserWarning.

        Raises PhotoError for files, TypeError and ValueError for anything else that is no picture,
        and ValueError for `hints`, which no net takes yet.
        """
        if hints is not None:
            raise ValueError(f"{self.name} takes no hints: leave out hints")
        if isinstance(image, np.ndarray):
            rgb8, alpha = _from_array(image)
            colored = self.rgb(rgb8, saturation=saturation, seed=seed)
            return _to_array(colored, alpha, image.dtype)
        told: list[str] = []
        if isinstance(image, Image.Image):
            rgb8, mask = modes.to_rgb(image, Container(), warnings=told)
        elif isinstance(image, (str, Path, bytes)) or hasattr(image, "read"):
            photo = images.read(image)
            rgb8, mask, told = photo.rgb, photo.alpha, photo.warnings
        else:
            raise TypeError(
                f"{type(image).__name__} is no picture: give a path, the bytes of a file, "
                "a PIL image or a numpy array"
            )
        for line in told:
            warnings.warn(line, stacklevel=2)
        result = Image.fromarray(self.rgb(rgb8, saturation=saturation, seed=seed))
        if mask is not None:
            result.putalpha(Image.fromarray(mask))
        return result

    def rgb(
        self, rgb: np.ndarray, *, saturation: float = 1.0, seed: int | None = None
    ) -> np.ndarray:
        """Color sRGB (H, W, 3) uint8 -> (H, W, 3) uint8, of the input's L* within one level.

        Raises TypeError and ValueError for another dtype or shape, or a saturation below 0.
        """
        if rgb.dtype != np.uint8:
            raise TypeError(f"rgb is {rgb.dtype}; it must be uint8 in [0, 255]")
        if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
            raise ValueError(f"rgb has shape {rgb.shape}; it must be (H, W, 3)")
        if not 0 <= saturation < math.inf:
            raise ValueError(f"saturation is {saturation}; it must be 0 or more")
        rgb = np.require(rgb, requirements=["C", "W"])  # for torch
        ab = self.predict(torch.from_numpy(rgb), seed=seed).cpu()
        return recolor(rgb, ab * (self.header.ab_scale * self.header.saturation * saturation))

    @torch.no_grad()
    def predict(self, rgb: Tensor, *, seed: int | None = None) -> Tensor:
        """Run the net on sRGB (H, W, 3) uint8 -> its ab (2, h, w) in [-1, 1], small.

        The input is resized, antialiased as in training, to about `header.area` pixels.
        """
        size = net_size(*rgb.shape[:2], area=self.header.area, multiple=self._multiple)
        small = rgb.permute(2, 0, 1)[None]
        least = min(size[0], rgb.shape[0]), min(size[1], rgb.shape[1])
        for step in (least, size):  # smaller first: a line of pixels must not swell before
            if small.shape[-2:] != step:
                small = F.interpolate(small, step, mode="bilinear", antialias=True)
        lab = rgb8_to_lab(small[0].permute(1, 2, 0).to(self.device))
        L = lab[None, :1] / 50 - 1  # (1, 1, h, w)
        # further channels carry hints; zeros say that there are none
        L = F.pad(L, (0, 0, 0, 0, 0, self.header.in_channels - 1))
        with self._lock, _dropout(self.generator, seed):
            ab: Tensor = self.generator(L.contiguous(memory_format=torch.channels_last))
        return ab[0].float()


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
def _dropout(net: nn.Module, seed: int | None) -> Iterator[None]:
    """Within, a net in eval mode drops out by `seed`, and the global random state is untouched."""
    if seed is None:
        yield
        return
    drops = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    cuda = [p.device for p in net.parameters() if p.is_cuda][:1]
    with torch.random.fork_rng(cuda):
        torch.manual_seed(seed)
        try:
            for module in drops:
                module.train()
            yield
        finally:
            for module in drops:
                module.eval()


def _from_array(image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """An array of any kind that `Colorizer` takes -> rgb (H, W, 3) uint8, alpha as it came."""
    white = _WHITE.get(image.dtype.name)
    if white is None:
        raise TypeError(f"array of {image.dtype}; convert it to one of {', '.join(_WHITE)}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(f"array of shape {image.shape}; it must be (H, W) or (H, W, 1|3|4)")
    colors, alpha = image[:, :, :3], image[:, :, 3] if image.shape[2] == 4 else None
    if image.dtype.kind == "f" and not (colors.min() >= 0 and colors.max() <= 1):  # or NaN
        raise ValueError(
            f"float array from {colors.min()} to {colors.max()}; scale it to [0, 1] first"
        )
    if white != 255:
        colors = np.rint(colors * np.float32(255 / white)).astype(np.uint8)
    return np.broadcast_to(colors, (*image.shape[:2], 3)), alpha


def _to_array(rgb: np.ndarray, alpha: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    """Colors (H, W, 3) uint8 and the input's alpha -> an array of the input's dtype."""
    white = _WHITE[dtype.name]
    if white != 255:
        rgb = (rgb * np.float32(white / 255)).round(0 if white > 1 else 7).astype(dtype)
    return rgb if alpha is None else np.dstack((rgb, alpha))
