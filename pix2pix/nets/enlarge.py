"""Ways to enlarge a feature map by two."""

from torch import Tensor, nn

from pix2pix.nets.init import init_icnr


def enlarge(up: str, channels: int) -> nn.Module:
    """(B, channels, h, w) -> (B, channels, 2h, 2w) by `up`: "nearest", "bilinear" or "shuffle".

    Raises ValueError for another.
    """
    if up == "shuffle":
        return Shuffle(channels)
    if up not in ("nearest", "bilinear"):
        raise ValueError(f"up={up!r}: nearest, bilinear or shuffle")
    return nn.Upsample(scale_factor=2, mode=up)


class Shuffle(nn.Module):
    """(B, channels, h, w) -> (B, channels, 2h, 2w): sub-pixel convolution, at first a smooth one.

    A 1x1 convolution to four times the channels, of which each four become the pixels of a 2x2.
    Source: Shi et al. 2016, https://arxiv.org/abs/1609.05158; its first weights: `init_icnr`.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv = init_icnr(nn.Conv2d(channels, 4 * channels, 1), 2)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels, 2h, 2w)."""
        return self.shuffle(self.conv(x))
