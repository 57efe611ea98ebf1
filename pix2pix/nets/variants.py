"""Variants of the course's nets: the U-Net as other projects have it, the critic without norms."""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.blocks import init_normal
from pix2pix.nets.patchgan import PatchGAN
from pix2pix.nets.unet import UNet

NORMS = ("instance", "batch")
PADDINGS = ("zeros", "reflect")


class UNetVariant(UNet):
    """UNet as other projects have it: (B, in_channels, H, W) -> (B, out_channels, H, W).

    `norm` "batch" normalizes over the batch, `padding` "reflect" pads so on the way down, and with
    `leaky_skips` the way up sees the skips and the innermost map through LeakyReLU instead of ReLU.
    Another norm or padding is a ValueError. `unet` are UNet's own arguments.
    """

    def __init__(
        self,
        *,
        norm: str = "instance",
        padding: str = "zeros",
        leaky_skips: bool = False,
        **unet: Any,
    ):
        for name, value, known in (("norm", norm, NORMS), ("padding", padding, PADDINGS)):
            if value not in known:
                raise ValueError(f"{name}={value!r}: one of {', '.join(known)}")
        super().__init__(**unet)
        for step in (*self.down, *self.up):
            for i, layer in enumerate(step):
                if isinstance(layer, nn.InstanceNorm2d) and norm == "batch":
                    step[i] = nn.BatchNorm2d(layer.num_features)
                elif isinstance(layer, nn.Conv2d):
                    layer.padding_mode = padding  # type: ignore[assignment]
                elif isinstance(layer, nn.ConvTranspose2d) and leaky_skips:
                    below = 0 if step is self.up[0] else layer.in_channels // (1 + self.skips)
                    step[0] = _LeakySkip(below)


class _LeakySkip(nn.Module):
    """x (B, C, H, W) -> the same: ReLU on its first `below` channels, LeakyReLU on the skip's."""

    def __init__(self, below: int):
        super().__init__()
        self.below = below

    def forward(self, x: Tensor) -> Tensor:
        below, skip = x[:, : self.below], x[:, self.below :]
        return torch.cat([F.relu(below), F.leaky_relu(skip, 0.2)], 1)


class BarePatchGAN(nn.Module):
    """PatchGAN without InstanceNorm: (B, in_channels, H, W) -> scores (B, 1, H/8 - 2, W/8 - 2).

    For use with a gradient penalty. `spectral` normalizes the weights instead: Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957.
    """

    smallest = PatchGAN.smallest

    def __init__(self, *, width: int = 64, in_channels: int = 3, spectral: bool = False):
        super().__init__()
        widths = [in_channels, width, width * 2, width * 4, width * 8, 1]
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(pairwise(widths)):
            conv = init_normal(nn.Conv2d(c_in, c_out, 4, 2 if i < 3 else 1, 1))
            layers.append(nn.utils.parametrizations.spectral_norm(conv) if spectral else conv)
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, pair: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 1, H/8 - 2, W/8 - 2)."""
        return self.layers(pair)
