"""The nets before the first U-Net: one number of a picture, then the picture itself."""

from torch import Tensor, nn

from pix2pix.nets.blocks import check_sides


class MeanNet(nn.Module):
    """L (B, 1, H, W) in [-1, 1] -> mean brightness (B, 1): three convolutions, global pooling.

    Each convolution halves the size; H and W are multiples of 8 (ValueError otherwise).
    """

    multiple = 8
    predicts = "brightness"

    def __init__(self, *, width: int = 16):
        super().__init__()
        self.layers = nn.Sequential(
            *_halve(1, width), *_halve(width, 2 * width), *_halve(2 * width, 4 * width)
        )
        self.last = nn.Linear(4 * width, 1)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) -> mean brightness (B, 1)."""
        check_sides(L, self.multiple)
        return self.last(self.layers(L).mean((2, 3)))


class Autoencoder(nn.Module):
    """Autoencoder of rgb (B, 3, H, W) in [-1, 1] -> the same picture, through a bottleneck.

    Three convolutions down to an eighth of the sides, three transposed ones up: a U-Net without
    skips. H and W are multiples of 8 (ValueError otherwise).
    """

    multiple = 8
    predicts = "same rgb"

    def __init__(self, *, width: int = 32):
        super().__init__()
        self.down = nn.Sequential(
            *_halve(3, width), *_halve(width, 2 * width), *_halve(2 * width, 2 * width)
        )
        self.up = nn.Sequential(
            *_double(2 * width, 2 * width),
            *_double(2 * width, width),
            nn.ConvTranspose2d(width, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, rgb: Tensor) -> Tensor:
        """Reconstruct rgb (B, 3, H, W) -> (B, 3, H, W)."""
        check_sides(rgb, self.multiple)
        return self.up(self.down(rgb))


def _halve(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.Conv2d(c_in, c_out, 3, 2, 1), nn.ReLU()]


def _double(c_in: int, c_out: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(c_in, c_out, 4, 2, 1), nn.ReLU()]
