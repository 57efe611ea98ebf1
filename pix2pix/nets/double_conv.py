"""The original U-Net, of biomedical segmentation."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.blocks import check_depth, check_sides, double_conv, predicted


class DoubleConvUNet(nn.Module):
    """Source (B, in_channels, H, W) -> target (B, out_channels, H, W), in [-1, 1]: the first U-Net.

    Two 3x3 convolutions with BatchNorm and ReLU a level, max-pooling down, 2x2 transposed
    convolutions up. The first level has `width` channels, each next one twice as many, up to
    `widest`. `DoubleConvUNet()` holds 31,036,546 parameters. With three `out_channels` it predicts
    rgb, of L or, with three `in_channels`, of rgb. H and W are multiples of 2**depth (ValueError
    otherwise). Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597.
    """

    predicts = "ab"  # or "rgb", with three out_channels

    def __init__(
        self,
        *,
        width: int = 64,
        depth: int = 4,
        in_channels: int = 1,
        out_channels: int = 2,
        widest: int = 1024,
    ):
        super().__init__()
        check_depth(depth)
        channels = [min(width * 2**i, widest) for i in range(depth + 1)]  # 64 128 256 512 1024
        self.multiple = 2**depth
        self.down = nn.ModuleList(
            double_conv(c_in, c_out) for c_in, c_out in pairwise([in_channels, *channels])
        )
        self.in_channels, self.predicts = in_channels, predicted(out_channels)
        steps = list(reversed(list(pairwise(channels))))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(below, c, 2, 2) for c, below in steps)
        self.up = nn.ModuleList(double_conv(c * 2, c) for c in reversed(channels[:-1]))
        self.head = nn.Conv2d(width, out_channels, 1)

    def forward(self, source: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        check_sides(source, self.multiple)
        x, skips = self.down[0](source), []
        for down in self.down[1:]:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for rise, up in zip(self.rise, self.up, strict=True):
            x = up(torch.cat([skips.pop(), rise(x)], 1))
        return torch.tanh(self.head(x))
