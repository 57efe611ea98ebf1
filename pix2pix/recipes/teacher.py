"""A teacher: VGG-16 trained on ImageNet, which classifies the gray photo."""

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pix2pix.nets.backbones import gray_for_imagenet


class Teacher:
    """L (B, 1, H, W) in [-1, 1] -> probabilities (B, 1000) of ImageNet's classes; it never learns.

    `weights` is "vgg16", torchvision's own from its server, or a .safetensors file in its layout.
    It is no part of a recipe's tensors, and goes to the device that the photos are on.
    Raises ValueError when they cannot be loaded, naming the alternatives.
    """

    CLASSES = 1000
    SIDE = 224  # pixels, as VGG was trained

    def __init__(self, *, weights: str):
        from torchvision.models import VGG16_Weights, vgg16

        try:
            if weights == "vgg16":
                state = VGG16_Weights.DEFAULT.get_state_dict(progress=False, check_hash=True)
            else:
                state = load_file(weights)
            net = vgg16(weights=None, init_weights=False)
            net.load_state_dict(state)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise ValueError(
                f"teacher={weights} cannot be had ({' '.join(str(error).split())[:300]}); give "
                "labels, the path of a .safetensors file of VGG-16, or none"
            ) from error
        self.net = net.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) -> (B, 1000)."""
        self.net.to(L.device)
        seen = F.interpolate(L.float(), (self.SIDE, self.SIDE), mode="bilinear", antialias=True)
        return self.net(gray_for_imagenet(seen)).float().softmax(1)
