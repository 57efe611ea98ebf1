"""A perceptual loss: the distance of a classifier's features, colored photo to true one."""

import torch
from torch import Tensor

from pix2pix.color import net_to_rgb
from pix2pix.nets.backbones import TAPS, build_backbone, for_imagenet, tapped

ENCODER = "mobilenet_v2"
LAYERS = {tap[0] for tap in TAPS[ENCODER] if tap}


class Perceptual:
    """Perceptual loss of L (B, 1, H, W), fake and true ab (B, 2, H, W), all in [-1, 1].

    The mean over photos and MobileNetV2's levels of the squared difference of their features,
    relative to the mean square of the true photo's: 0 for equal photos, 1 where the difference is
    as large as the features. The classifier never learns. It is no part of a recipe's tensors, so
    that neither checkpoints nor optimizers know it, and goes to the device that the photos are on.

    A net trained on this learns to please MobileNetV2: never measure it by the same network's
    features, take another's. `weights`: see `build_backbone`; ValueError without.
    Source: Johnson et al. 2016, https://arxiv.org/abs/1603.08155, section 3.2.
    """

    def __init__(self, *, weights: str | None):
        if weights is None:
            raise ValueError(
                "perceptual needs perceptual_weights: download, or a .safetensors file of "
                f"{ENCODER}; random features teach nothing"
            )
        net = build_backbone(ENCODER, weights=weights).eval().requires_grad_(False)
        self.net = net.to(memory_format=torch.channels_last)

    def __call__(self, L: Tensor, fake: Tensor, true: Tensor) -> Tensor:
        """L (B, 1, H, W), fake and true (B, 2, H, W) -> the difference, a float32 scalar >= 0."""
        self.net.to(L.device)
        with torch.no_grad():
            wanted = self.features(net_to_rgb(L, true))
        found = self.features(net_to_rgb(L, fake))
        levels = [
            (mean_square(mine - its) / mean_square(its).clamp(min=1e-30)).mean()
            for mine, its in zip(found, wanted, strict=True)
        ]
        return torch.stack(levels).mean()

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Features of sRGB (B, 3, H, W) in [0, 1]: a float32 map a level, from half size down."""
        return [x.float() for x in tapped(self.net, LAYERS, for_imagenet(rgb))]


def mean_square(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B,)."""
    return x.square().mean((1, 2, 3))
