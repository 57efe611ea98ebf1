"""First weights, in place of PyTorch's own."""

import torch
from torch import nn


def init_normal(net: nn.Module, std: float = 0.02) -> nn.Module:
    """Draw conv weights from N(0, std), zero the biases, in place. Source: pix2pix, section 6.2."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def init_icnr(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    """Make what PixelShuffle(factor) spreads over a cell equal, in place: no checkerboard.

    Each kernel is drawn once for the factor^2 pixels of its cell; biases are zero. Enlarging then
    starts as the nearest neighbor's. Source: Aitken et al. 2017, https://arxiv.org/abs/1707.02937.
    """
    with torch.no_grad():
        cells = conv.weight.unflatten(0, (-1, factor**2))  # (C, factor^2, c_in, k, k), a view
        cells.copy_(cells[:, :1].clone().expand_as(cells))
        if conv.bias is not None:
            conv.bias.zero_()
    return conv
