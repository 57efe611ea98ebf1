"""Feature stacks of inverted residuals: MobileNetV2 and EfficientNet-Lite0, in one layout."""

import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.blocks import init_relu


def mobilenet_v2() -> nn.Sequential:
    """MobileNetV2's 19 blocks: (B, 3, H, W) -> (B, 1280, H/32, W/32), randomly initialized.

    Source: Sandler et al. 2018, https://arxiv.org/abs/1801.04381, table 2.
    """
    blocks: list[nn.Module] = [conv_norm_relu(3, 32, 3, stride=2)]
    c_in = 32
    for expansion, c_out, strides in (
        (1, 16, (1,)),
        (6, 24, (2, 1)),
        (6, 32, (2, 1, 1)),
        (6, 64, (2, 1, 1, 1)),
        (6, 96, (1, 1, 1)),
        (6, 160, (2, 1, 1)),
        (6, 320, (1,)),
    ):
        for stride in strides:
            blocks.append(InvertedResidual(c_in, c_out, expansion=expansion, stride=stride))
            c_in = c_out
    blocks.append(conv_norm_relu(c_in, 1280, 1))
    return init_relu(nn.Sequential(*blocks))


def efficientnet_lite0() -> nn.Sequential:
    """EfficientNet-Lite0's 18 blocks: (B, 3, H, W) -> (B, 1280, H/32, W/32), random weights.

    EfficientNet-B0 with ReLU6 and without squeeze and excitation. H and W are multiples of 32: then
    its convolutions are padded as TensorFlow's SAME, with which it was trained.
    Sources: Tan and Le 2019, https://arxiv.org/abs/1905.11946, table 1; and its release for
    devices, https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    """
    blocks: list[nn.Module] = [conv_norm_relu(3, 32, 3, stride=2, same=True)]
    c_in = 32
    for expansion, c_out, kernel, strides in (
        (1, 16, 3, (1,)),
        (6, 24, 3, (2, 1)),
        (6, 40, 5, (2, 1)),
        (6, 80, 3, (2, 1, 1)),
        (6, 112, 5, (1, 1, 1)),
        (6, 192, 5, (2, 1, 1, 1)),
        (6, 320, 3, (1,)),
    ):
        for stride in strides:
            shape = {"expansion": expansion, "stride": stride, "kernel": kernel}
            blocks.append(InvertedResidual(c_in, c_out, **shape, same=True))
            c_in = c_out
    blocks.append(conv_norm_relu(c_in, 1280, 1))
    return init_relu(nn.Sequential(*blocks))


def conv_norm_relu(
    c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1, same: bool = False
) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride): convolution, BatchNorm, ReLU6.

    `same` pads as TensorFlow does (`SameConv2d`).
    """
    kind = SameConv2d if same and stride == 2 else nn.Conv2d
    conv = kind(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU6(inplace=True))


class SameConv2d(nn.Conv2d):
    """A convolution of stride 2 padded as TensorFlow's SAME: (B, C, H, W) -> half the size.

    H and W are even: then of the k - 2 pixels that a kernel of side k lacks, the odd one is added
    right and below. `padding` is not looked at. Source: "Notes on padding" in
    https://www.tensorflow.org/api_docs/python/tf/nn.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, c_out, H/2, W/2)."""
        lacking = self.kernel_size[0] - 2
        before = lacking // 2
        after = lacking - before
        x = F.pad(x, (before, after, before, after))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class InvertedResidual(nn.Module):
    """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride): widen, filter each channel, narrow.

    What comes in is added to what goes out where both have one shape. `same` is as in
    `conv_norm_relu`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        expansion: int,
        stride: int,
        kernel: int = 3,
        same: bool = False,
    ):
        super().__init__()
        wide = c_in * expansion
        widen = [conv_norm_relu(c_in, wide, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *widen,
            conv_norm_relu(wide, wide, kernel, stride=stride, groups=wide, same=same),
            nn.Conv2d(wide, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.residual = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride)."""
        return x + self.conv(x) if self.residual else self.conv(x)
