"""Recolor: the lightness of a large 8-bit picture joined to a small ab, strip by strip.

A photo has far more pixels than different colors: 256 grays times the chroma that the net
predicts, in steps as fine as 8-bit RGB itself. So each of those goes the way through Lab once, into
a table, and a pixel costs one look-up. Where the chroma is too wide for that to pay, every pixel
goes all the way, which takes five times as long.
"""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix import color
from pix2pix.strips import Strip, parallel, strips

_STRIP = 2**18  # pixels: threads of Python get along when their operations are long
_FINE, _COARSE = 0.5, 1.0  # steps of a*, b*: off by a quarter to a half, as 8-bit RGB itself
_WHITE = 65535  # Y is counted in 65535ths


@torch.no_grad()
def recolor(rgb: np.ndarray, ab: Tensor) -> np.ndarray:
    """Picture (H, W, 3) uint8 and ab (2, h, w) float32 -> (H, W, 3) uint8 sRGB.

    `ab` holds a*, b*; it is upsampled bicubically. Lightness is the picture's own; where sRGB has
    no such color, chroma is compressed as in color.lab_to_rgb. On CPU.
    """
    source, result = torch.from_numpy(rgb), torch.from_numpy(np.empty_like(rgb))
    spread = ab.flatten(1).amax(1) - ab.flatten(1).amin(1)
    # with this step, the table has a quarter as many entries as the picture has pixels
    step = max(_FINE, math.sqrt(4 * 256 * float(spread.prod()) / source[..., 0].numel()))
    if step > _COARSE:
        _by_pixel(source, ab, result)
    else:
        _by_table(source, ab, step, result)
    return result.numpy()


def _by_pixel(source: Tensor, ab: Tensor, result: Tensor) -> None:
    upsampled = Upsampled(ab, *source.shape[:2])

    def work(strip: Strip) -> None:
        L = color.rgb8_to_lab(source[strip])[:1]
        result[strip] = color.lab_to_rgb8(torch.cat((L, upsampled[strip])))

    parallel(work, strips(*source.shape[:2]))


def _by_table(source: Tensor, ab: Tensor, step: float, result: Tensor) -> None:
    low, high = ab.flatten(1).amin(1), ab.flatten(1).amax(1)  # (2,)
    low = (low / step).floor() * step  # so that zero is among the steps
    sides = [int(n) for n in ((high - low) / step).ceil() + 1]
    table = color_table(low, sides, step)
    position = (ab - low.view(2, 1, 1)) / step + 0.5  # as integers cut
    upsampled = Upsampled(position, *source.shape[:2])
    flat = table.flatten()
    pixels = result.numpy()

    def work(strip: Strip) -> None:
        a, b = upsampled[strip]
        a, b = (x.clamp_(0, n - 0.5).int() for x, n in zip((a, b), sides, strict=True))
        index = gray_levels(source[strip]).mul_(sides[0]).add_(a).mul_(sides[1]).add_(b)
        colors = flat.index_select(0, index.flatten()).numpy()  # (N,) packed
        planes = colors.view(np.uint8).reshape(*index.shape, 4)
        for channel in range(3):  # three times as fast as one copy of all
            pixels[(*strip, channel)] = planes[..., channel]

    parallel(work, strips(*source.shape[:2], pixels=_STRIP))


def color_table(low: Tensor, sides: list[int], step: float) -> Tensor:
    """8-bit colors (256, A, B) int32, packed as R + 256 G + 65536 B, of every gray, a* and b*.

    The A and B values of a* and b* begin at `low` (2,) and are `step` apart.
    """
    table = torch.empty(256, sides[0] * sides[1], dtype=torch.int32)
    ramp = torch.arange(256).to(torch.uint8)[:, None, None].expand(256, 1, 3)
    L = color.rgb8_to_lab(ramp)[0]  # (256, 1)
    a, b = (torch.arange(n) * step + start for n, start in zip(sides, low, strict=True))
    ab = torch.stack(torch.meshgrid(a, b, indexing="ij")).flatten(1)[:, None]  # (2, 1, A * B)

    def work(strip: Strip) -> None:
        grays, steps = strip
        lab = torch.stack(torch.broadcast_tensors(L[grays], *ab[:, :, steps]))
        parts = color.lab_to_rgb8(lab).int() << torch.tensor([0, 8, 16])
        table[strip] = parts.sum(-1, dtype=torch.int32)

    parallel(work, strips(*table.shape))
    return table.view(256, *sides)


def gray_levels(rgb: Tensor) -> Tensor:
    """The 8-bit gray (H, W) int32 with the lightness of each pixel of rgb (H, W, 3) uint8."""
    if is_gray(rgb.numpy()):  # the usual old photo
        return rgb[..., 1].int()
    parts = (
        shares.index_select(0, plane.flatten().int())
        for shares, plane in zip(_y_shares(), rgb.unbind(-1), strict=True)
    )
    y = next(parts).add_(next(parts)).add_(next(parts))
    return _gray_of_y().index_select(0, y).view(rgb.shape[:2])


def is_gray(rgb: np.ndarray) -> bool:
    """Whether R = G = B all over rgb (H, W, 3) uint8."""
    flat = rgb.reshape(len(rgb), -1)  # channel by channel, it takes six times as long
    within = np.tile(np.array([255, 255, 0], np.uint8), rgb.shape[1])[:-1]
    return not any(  # a color picture shows it in the first row
        ((rows[:, 1:] ^ rows[:, :-1]) & within).any() for rows in (flat[:1], flat[1:])
    )


@cache
def _y_shares() -> Tensor:
    """Luminance Y (3, 256) int32 of each level of red, green and blue, in 65535ths."""
    linear = color.srgb_to_linear(torch.arange(256) / 255)
    return (torch.tensor(color.LINEAR_TO_XYZ[1])[:, None] * linear * _WHITE).round().int()


@cache
def _gray_of_y() -> Tensor:
    """The 8-bit gray (65537,) int32 nearest to Y in 65535ths."""
    return (color.linear_to_srgb(torch.arange(_WHITE + 2) / _WHITE) * 255).round().int()


class Upsampled:
    """A small picture (C, h, w), to be upsampled bicubically to (C, H, W) one strip at a time.

    Every output row is computed from its own four input rows, wherever the strip ends. Only a
    picture h rows high is held at full width. Kernel as F.interpolate(mode="bicubic"), a = -0.75.
    """

    def __init__(self, small: Tensor, height: int, width: int):
        size = min(small.shape[1], height), min(small.shape[2], width)
        if size != tuple(small.shape[1:]):  # a picture smaller than the net's input: average
            small = F.interpolate(small[None], size, mode="bilinear", antialias=True)[0]
        self.sides = small.shape[1], height
        columns = small.permute(2, 0, 1).flatten(1)  # (w, C * h): columns are gathered as rows
        self.wide = torch.empty(small.shape[0], size[0], width)
        for _, part in strips(1, width):
            index, weight = _cubic_taps(size[1], width, part)
            piece = columns[index[0]] * weight[0][:, None]
            for k in range(1, 4):
                piece.addcmul_(columns[index[k]], weight[k][:, None])
            self.wide[:, :, part] = piece.T.view(*self.wide.shape[:2], -1)

    def __getitem__(self, strip: Strip) -> Tensor:
        """Upsample the pixels at (rows, columns) -> (C, rows, columns)."""
        rows, columns = strip
        index, taps = _cubic_taps(*self.sides, rows)
        first, last = int(index[0, 0]), int(index[3, -1])
        weight = torch.zeros(index.shape[1], last - first + 1)  # dense: a handful of input rows
        weight.scatter_add_(1, (index - first).T, taps.T)
        return weight @ self.wide[:, first : last + 1, columns]


def _cubic_taps(size: int, new: int, part: slice) -> tuple[Tensor, Tensor]:
    """The four input positions and weights (4, N) of N among `new` outputs, for one axis.

    Source: Keys 1981, cubic convolution, with a = -0.75.
    """
    a = -0.75
    outputs = torch.arange(*part.indices(new), dtype=torch.float64)
    position = (outputs + 0.5) * (size / new) - 0.5
    first = position.floor()
    t = (position - first).unsqueeze(0)
    x = torch.cat((t + 1, t, 1 - t, 2 - t))  # distances of the taps
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    index = (first.long() + torch.arange(-1, 3)[:, None]).clamp(0, size - 1)
    return index, torch.where(x <= 1, near, far).float()
