"""Pictures as classifiers trained on ImageNet want them."""

import torch
from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def gray_for_imagenet(L: Tensor) -> Tensor:
    """L (B, 1, H, W) in [-1, 1] -> rgb (B, 3, H, W), normalized as ImageNet classifiers want it.

    A gray's sRGB value is close to L*/100 (within 0.04): near enough to be recognized by.
    """
    return for_imagenet((L + 1).expand(-1, 3, -1, -1) / 2)


def for_imagenet(rgb: Tensor) -> Tensor:
    """sRGB (B, 3, H, W) in [0, 1] -> the same, each channel normalized."""
    channels = zip(rgb.split(1, 1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.cat([(level - mean) / std for level, mean, std in channels], 1)
