"""The critic of pix2pix, which the paper calls discriminator: one score a patch."""

from itertools import pairwise

from torch import Tensor, nn

from pix2pix.nets.blocks import init_normal


def critic_block(c_in: int, c_out: int, stride: int) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, h, w): 4x4 convolution, InstanceNorm, LeakyReLU.

    h is H/2 with stride 2, H - 1 with stride 1. `PatchGAN` has three between its first convolution
    and its score.
    """
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 4, stride, 1, bias=False),
        nn.InstanceNorm2d(c_out, affine=True),
        nn.LeakyReLU(0.2),
    )


class PatchGAN(nn.Module):
    """Source, target, stacked (B, 3, H, W) -> scores (B, 1, H/8 - 2, W/8 - 2), one a 70x70 patch.

    The paper's C64-C128-C256-C512 and the score: 4x4 convolutions, the first three of stride 2.
    Scores are unbounded: least squares wants no sigmoid. `PatchGAN()` holds 2,765,633 parameters.
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.2.
    """

    smallest = 24  # side of the smallest input that leaves a score [px]

    def __init__(self, *, width: int = 64, in_channels: int = 3):
        super().__init__()
        channels = [in_channels, width, width * 2, width * 4, width * 8, 1]
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(pairwise(channels)):
            stride = 2 if i < 3 else 1
            if 0 < i < 4:
                layers += init_normal(critic_block(c_in, c_out, stride)).children()
            else:
                layers.append(init_normal(nn.Conv2d(c_in, c_out, 4, stride, 1)))
                layers += [] if i else [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, pair: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> scores (B, 1, H/8 - 2, W/8 - 2)."""
        return self.layers(pair)
