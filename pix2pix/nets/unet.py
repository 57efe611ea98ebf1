"""The pix2pix U-Net."""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.checks import check_depth, check_sides, predicted
from pix2pix.nets.init import init_normal

NORMS = ("instance", "batch")
PADDINGS = ("zeros", "reflect")


class UNet(nn.Module):
    """L (B, in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]: the pix2pix U-Net.

    `depth` 4x4 convolutions of stride 2 down, as many transposed ones up, skips between equal
    sizes (`skips=False` leaves them out), affine InstanceNorm, dropout in the three steps after the
    innermost. The first level has `width` channels, each next one twice as many, up to 8 * width.
    `UNet()` holds 54,410,434 parameters. H and W are multiples of 2**depth (ValueError otherwise).
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.

    The last three arguments make its relatives, for weights from elsewhere: `norm` "batch",
    `padding` "reflect" on the way down, and `leaky_skips`, where the way up sees the skips and the
    innermost map through LeakyReLU instead of ReLU. Another norm or padding is a ValueError.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        depth: int = 8,
        in_channels: int = 1,
        out_channels: int = 2,
        dropout: float = 0.5,
        skips: bool = True,
        norm: str = "instance",
        padding: str = "zeros",
        leaky_skips: bool = False,
    ):
        super().__init__()
        check_depth(depth)
        self.predicts = predicted(out_channels)
        for name, value, known in (("norm", norm, NORMS), ("padding", padding, PADDINGS)):
            if value not in known:
                raise ValueError(f"{name}={value!r}: one of {', '.join(known)}")
        channels = [width * min(2**i, 8) for i in range(depth)]  # 64 128 256 512 512 512 512 512
        self.multiple = 2**depth
        self.skips = skips
        self.norm, self.padding, self.leaky_skips = norm, padding, leaky_skips
        self.down = nn.ModuleList()
        for i, (c_in, c_out) in enumerate(pairwise([in_channels, *channels])):
            self.down.append(self._down(c_in, c_out, first=i == 0, last=i == depth - 1))
        self.up = nn.ModuleList()
        for i in reversed(range(depth)):
            # every step up but the first sees the skip beside what came from below
            skip = channels[i] if skips and i < depth - 1 else 0
            c_out = channels[i - 1] if i else out_channels
            drops = depth - 4 <= i < depth - 1 and i > 0  # the three after the innermost, never ab
            rate = dropout if drops else 0.0
            below = channels[i] if i < depth - 1 else 0
            self.up.append(self._up(below, channels[i] + skip, c_out, rate, last=i == 0))
        init_normal(self)

    def _down(self, c_in: int, c_out: int, *, first: bool, last: bool) -> nn.Sequential:
        normed = not (first or last)  # the innermost map may be 1x1: its variance would be zero
        mode: Any = self.padding
        layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=not normed, padding_mode=mode))
        if normed:
            layers.append(_norm(self.norm, c_out))
        return nn.Sequential(*layers)

    def _up(
        self, below: int, c_in: int, c_out: int, dropout: float, *, last: bool
    ) -> nn.Sequential:
        layers: list[nn.Module] = [_LeakySkip(below) if self.leaky_skips else nn.ReLU()]
        layers.append(nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=last))
        layers.append(nn.Tanh() if last else _norm(self.norm, c_out))
        if dropout:
            layers.append(nn.Dropout(dropout))
        return nn.Sequential(*layers)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, in_channels, H, W) -> ab (B, 2, H, W)."""
        check_sides(L, self.multiple)
        x, skips = L, []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for up in self.up[1:]:
            skip = skips.pop()
            x = up(torch.cat([x, skip], 1) if self.skips else x)
        return x


def _norm(norm: str, channels: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True)


class _LeakySkip(nn.Module):
    """x (B, C, H, W) -> the same: ReLU on its first `below` channels, LeakyReLU on the skip's."""

    def __init__(self, below: int):
        super().__init__()
        self.below = below

    def forward(self, x: Tensor) -> Tensor:
        below, skip = x[:, : self.below], x[:, self.below :]
        return torch.cat([F.relu(below), F.leaky_relu(skip, 0.2)], 1)
