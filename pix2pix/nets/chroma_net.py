"""ChromaGAN's generator: color and class logits from one VGG-16."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.backbones import build_backbone, gray_for_imagenet
from pix2pix.nets.blocks import check_sides

_TO_EIGHTH = 23  # layers of VGG-16's features up to the ReLU after conv4_3


class ChromaNet(nn.Module):
    """L (B, 1, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]; `heads` gives classes as well.

    The first ten convolutions of VGG-16 bring the picture to an eighth. From there one branch goes
    on to a global feature vector, from which the class is predicted; the other stays local. The
    vector is concatenated to every pixel, and six convolutions make color of both, upsampling by 2
    three times. `width` is that of VGG's first layer, 64, all others in proportion. `classes` is
    the number of classes, 1000 or as many as the labels have. `weights` are VGG's: "download", a
    .safetensors file in torchvision's layout, or None; only `width=64` fits them (ValueError
    otherwise).

    H and W are multiples of 8 (ValueError otherwise), not 224 alone: the vector comes from global
    average pooling, where the original flattens a 7x7 map into the weights of its dense layers.
    Source: Vitoria et al. 2020, https://arxiv.org/abs/1907.09837, section 3.3.
    """

    multiple = 8
    predicts = "ab"

    def __init__(self, *, width: int = 64, classes: int = 1000, weights: str | None = None):
        super().__init__()
        if width < 2 or classes < 2:
            raise ValueError(f"width={width}, classes={classes}: 2 at least")
        self.classes = classes
        self.encoder = build_backbone("vgg16", width=width, weights=weights)[:_TO_EIGHTH]
        w = 8 * width  # 512
        self.whole = nn.Sequential(  # to 1/32
            _conv(w, w, 2), _conv(w, w, 1), _conv(w, w, 2), _conv(w, w, 1)
        )
        self.vector = nn.Sequential(nn.Linear(w, w), nn.ReLU(), nn.Linear(w, w // 2), nn.ReLU())
        self.classify = nn.Sequential(nn.Linear(w, 2 * w), nn.ReLU(), nn.Linear(2 * w, classes))
        self.places = nn.Sequential(_conv(w, w, 1), _conv(w, w // 2, 1))
        self.color = nn.ModuleList(
            [
                nn.Sequential(_conv(w, w // 2, 1, norm=False, kernel=1), _conv(w // 2, w // 4, 1)),
                nn.Sequential(_conv(w // 4, w // 8, 1), _conv(w // 8, w // 8, 1)),
                nn.Sequential(_conv(w // 8, w // 16, 1), nn.Conv2d(w // 16, 2, 3, 1, 1)),
            ]
        )

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) -> ab (B, 2, H, W)."""
        return self.heads(L)[0]

    def heads(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """L (B, 1, H, W) -> ab (B, 2, H, W) and class logits (B, classes)."""
        check_sides(L, self.multiple)
        x = self.encoder(gray_for_imagenet(L))  # (B, w, H/8, W/8)
        whole = self.whole(x).mean((2, 3))  # (B, w)
        vector = self.vector(whole)[..., None, None].expand(-1, -1, *x.shape[-2:])
        x = torch.cat([self.places(x), vector], 1)
        for i, layers in enumerate(self.color):
            x = F.interpolate(layers(x), scale_factor=2, mode="bilinear" if i == 2 else "nearest")
        return torch.tanh(x), self.classify(whole)


def _conv(
    c_in: int, c_out: int, stride: int, *, norm: bool = True, kernel: int = 3
) -> nn.Sequential:
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=not norm)
    return nn.Sequential(conv, *([nn.BatchNorm2d(c_out)] if norm else []), nn.ReLU())
