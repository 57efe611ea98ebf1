"""The generator of pix2pix: a U-Net."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from pix2pix.nets.blocks import Noise, check_depth, check_sides, init_normal, predicted


class UNet(nn.Module):
    """Source (B, in_channels, H, W) -> target (B, out_channels, H, W), in [-1, 1]: pix2pix's U-Net.

    L -> ab by default; with `in_channels=3, out_channels=3` RGB -> RGB.

    The encoder is `depth` 4x4 convolutions of stride 2, the decoder as many transposed ones, with
    skip connections between equal sizes (`skips=False` leaves them out), affine InstanceNorm, and
    dropout in the three steps after the bottleneck. The first level has `width` channels, each next
    one twice as many, up to 8 * width. `noise` planes of noise beside the source make its answers
    differ (see `Noise`). `UNet()` holds 54,410,434 parameters. H and W are multiples of 2**depth
    (ValueError otherwise).
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.
    """

    predicts = "ab"  # or "rgb", with three out_channels

    def __init__(
        self,
        *,
        width: int = 64,
        depth: int = 8,
        in_channels: int = 1,
        out_channels: int = 2,
        dropout: float = 0.5,
        skips: bool = True,
        noise: int = 0,
    ):
        super().__init__()
        check_depth(depth)
        self.in_channels, self.predicts = in_channels, predicted(out_channels)
        self.multiple = 2**depth
        self.skips, self.noise = skips, Noise(noise) if noise else None
        channels = [width * min(2**i, 8) for i in range(depth)]  # 64 128 256 512 512 512 512 512
        self.down = nn.ModuleList()
        for i, (c_in, c_out) in enumerate(pairwise([in_channels + noise, *channels])):
            self.down.append(step_down(c_in, c_out, first=i == 0, last=i == depth - 1))
        self.up = nn.ModuleList()
        for i in reversed(range(depth)):
            # every step up but the first gets the skip beside what comes from below
            skip = channels[i] if skips and i < depth - 1 else 0
            c_out = channels[i - 1] if i else out_channels
            drops = depth - 4 <= i < depth - 1 and i > 0  # three after the bottleneck, not the last
            rate = dropout if drops else 0.0
            self.up.append(step_up(channels[i] + skip, c_out, last=i == 0, dropout=rate))
        init_normal(self)

    def forward(self, source: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        check_sides(source, self.multiple)
        x, skips = self.noise(source) if self.noise else source, []
        for down in self.down:
            x = down(x)  # (B, 64, H/2, W/2), (B, 128, H/4, W/4) ... (B, 512, H/256, W/256)
            skips.append(x)
        x = self.up[0](skips.pop())  # (B, 512, H/128, W/128)
        for up in self.up[1:]:
            skip = skips.pop()  # of the size of x
            x = up(torch.cat([x, skip], 1) if self.skips else x)  # twice the size: ... (B, 2, H, W)
        return x


def step_down(c_in: int, c_out: int, *, first: bool = False, last: bool = False) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, H/2, W/2): LeakyReLU, 4x4 convolution of stride 2, norm.

    The first step has no activation and no norm, the last no norm.
    """
    normed = not (first or last)  # the bottleneck may be 1x1: its variance would be zero
    # activations come first: what a skip carries is not activated yet
    layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=not normed))
    if normed:
        layers.append(nn.InstanceNorm2d(c_out, affine=True))
    return nn.Sequential(*layers)


def step_up(c_in: int, c_out: int, *, last: bool = False, dropout: float = 0.0) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, 2H, 2W): ReLU, 4x4 transposed convolution of stride 2, norm.

    The last step ends in a tanh in place of the norm; `dropout` is the share it switches off.
    """
    layers: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=last)]
    layers.append(nn.Tanh() if last else nn.InstanceNorm2d(c_out, affine=True))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
