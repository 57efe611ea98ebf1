"""The networks: plain modules that know nothing of losses, color or files.

Generators take L (B, in_channels, H, W) in [-1, 1] and give ab (B, 2, H, W) in [-1, 1], with H and
W multiples of `generator.multiple`. `PatchGAN` scores patches. Recipes decide how they are trained.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def init_normal(net: nn.Module, std: float = 0.02) -> nn.Module:
    """Draw conv weights from N(0, std), zero the biases, in place. Source: pix2pix, section 6.2."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def check_sides(x: Tensor, multiple: int) -> None:
    """Raise ValueError unless height and width of x (B, C, H, W) are multiples of `multiple`."""
    h, w = x.shape[-2:]
    if h % multiple or w % multiple or not (h and w):
        raise ValueError(
            f"{h}x{w} input: both sides must be multiples of {multiple}; resize it first"
        )


class UNet(nn.Module):
    """L (B, in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]: the pix2pix U-Net.

    `depth` 4x4 convolutions of stride 2 down, as many transposed ones up, skips between equal
    sizes, affine InstanceNorm, dropout in the three steps after the innermost. `UNet()` holds
    54,410,434 parameters. H and W are multiples of 2**depth (ValueError otherwise).
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        depth: int = 8,
        in_channels: int = 1,
        out_channels: int = 2,
        dropout: float = 0.5,
        skips: bool = True,
    ):
        super().__init__()
        channels = [width * min(2**i, 8) for i in range(depth)]  # 64 128 256 512 512 512 512 512
        self.multiple = 2**depth
        self.skips = skips
        self.down = nn.ModuleList()
        for i, (c_in, c_out) in enumerate(zip([in_channels, *channels], channels, strict=False)):
            self.down.append(self._down(c_in, c_out, first=i == 0, last=i == depth - 1))
        self.up = nn.ModuleList()
        for i in reversed(range(depth)):
            # every step up but the first sees the skip beside what came from below
            c_in = channels[i] * (1 if i == depth - 1 or not skips else 2)
            c_out = channels[i - 1] if i else out_channels
            drop = dropout if depth - 4 <= i < depth - 1 else 0.0  # the three after the innermost
            self.up.append(self._up(c_in, c_out, drop, last=i == 0))
        init_normal(self)

    @staticmethod
    def _down(c_in: int, c_out: int, *, first: bool, last: bool) -> nn.Sequential:
        normed = not (first or last)  # the innermost map may be 1x1: its variance would be zero
        layers: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=not normed))
        if normed:
            layers.append(nn.InstanceNorm2d(c_out, affine=True))
        return nn.Sequential(*layers)

    @staticmethod
    def _up(c_in: int, c_out: int, dropout: float, *, last: bool) -> nn.Sequential:
        layers: list[nn.Module] = [nn.ReLU()]
        layers.append(nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=last))
        layers.append(nn.Tanh() if last else nn.InstanceNorm2d(c_out, affine=True))
        if dropout:
            layers.append(nn.Dropout(dropout))
        return nn.Sequential(*layers)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, in_channels, H, W) -> ab (B, 2, H, W)."""
        check_sides(L, self.multiple)
        x, skips = L, []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for up in self.up[1:]:
            skip = skips.pop()
            x = up(torch.cat([x, skip], 1) if self.skips else x)
        return x


class DoubleConvUNet(nn.Module):
    """L (B, in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]: the U-Net of biomedicine.

    Two 3x3 convolutions with BatchNorm and ReLU a level, max-pooling down, 2x2 transposed
    convolutions up. `DoubleConvUNet()` holds 31,036,546 parameters. H and W are multiples of
    2**depth (ValueError otherwise). Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597.
    """

    def __init__(
        self, *, width: int = 64, depth: int = 4, in_channels: int = 1, out_channels: int = 2
    ):
        super().__init__()
        channels = [width * 2**i for i in range(depth + 1)]  # 64 128 256 512 1024
        self.multiple = 2**depth
        self.down = nn.ModuleList(
            double_conv(c_in, c_out)
            for c_in, c_out in zip([in_channels, *channels], channels, strict=False)
        )
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(c * 2, c, 2, 2) for c in reversed(channels[:-1])
        )
        self.up = nn.ModuleList(double_conv(c * 2, c) for c in reversed(channels[:-1]))
        self.head = nn.Conv2d(width, out_channels, 1)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, in_channels, H, W) -> ab (B, 2, H, W)."""
        check_sides(L, self.multiple)
        x, skips = self.down[0](L), []
        for down in self.down[1:]:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for rise, up in zip(self.rise, self.up, strict=True):
            x = up(torch.cat([skips.pop(), rise(x)], 1))
        return torch.tanh(self.head(x))


def double_conv(c_in: int, c_out: int) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, H, W): conv 3x3, BatchNorm, ReLU, twice."""
    layers: list[nn.Module] = []
    for c in (c_in, c_out):
        layers += [nn.Conv2d(c, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


# Where a torchvision encoder is tapped, from half size down: (index in `features`, channels).
BACKBONES = {
    "mobilenet_v2": ((1, 16), (3, 24), (6, 32), (13, 96), (18, 1280)),
    "squeezenet1_1": ((1, 64), (4, 128), (7, 256), (12, 512)),
}


def load_features(encoder: str, weights: str | None) -> nn.Sequential:
    """The `features` of a torchvision classifier; `weights`: "download", a .safetensors path, None.

    A file may name its tensors `features.0.0.weight` or `0.0.weight`; it must fit strictly
    (RuntimeError from load_state_dict otherwise, FileNotFoundError when it is not there).
    """
    from torchvision import models  # slow to import: only who builds one pays for it

    pretrained = "DEFAULT" if weights == "download" else None
    features: nn.Sequential = models.get_model(encoder, weights=pretrained).features
    if encoder == "squeezenet1_1":
        features[0].padding = (1, 1)  # type: ignore[assignment]  # so that sizes halve exactly
    if weights not in (None, "download"):
        state = load_file(str(weights))
        features.load_state_dict(
            {k.removeprefix("features."): v for k, v in state.items() if "classifier" not in k}
        )
    return features


class BackboneUNet(nn.Module):
    """L (B, in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W): a U-Net on a pretrained encoder.

    `encoder` is a torchvision classifier's feature stack; `weights` is "download" (torchvision's
    own ImageNet weights), a .safetensors path in torchvision's layout, or None (random). Its first
    `frozen` levels are not trained: edges are edges, and half of a step's time is theirs. Its
    BatchNorm always runs on the pretrained statistics. The decoder stops at half size, where color
    already lives, and upsamples ab by two: a full-size one takes twice the time.
    H and W are multiples of `multiple` (ValueError otherwise). Unknown encoder: ValueError.
    Source: the U-Net on a classifier of Iglovikov and Shvets 2018, https://arxiv.org/abs/1801.05746.
    """

    def __init__(
        self,
        *,
        encoder: str = "mobilenet_v2",
        weights: str | None = None,
        frozen: int = 2,
        decoder: tuple[int, ...] = (32, 64, 128, 192),
        bottleneck: int = 256,
        dropout: float = 0.0,
        in_channels: int = 1,
    ):
        super().__init__()
        if encoder not in BACKBONES:
            raise ValueError(f"encoder {encoder!r}: one of {', '.join(BACKBONES)}")
        taps = BACKBONES[encoder]
        self.tap_at = {index for index, _ in taps}
        self.encoder = load_features(encoder, weights)
        for block in self.encoder[: taps[frozen - 1][0] + 1 if frozen else 0]:
            block.requires_grad_(False)
        self.multiple = 2 ** len(taps)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        # channels beyond L (hints) enter the encoder through a convolution that starts at zero
        self.extra = nn.Conv2d(in_channels - 1, 3, 3, 1, 1) if in_channels > 1 else None
        if self.extra is not None:
            nn.init.zeros_(self.extra.weight)
            nn.init.zeros_(self.extra.bias)  # type: ignore[arg-type]
        self.squeeze = nn.Sequential(
            nn.Conv2d(taps[-1][1], bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        )
        self.up = nn.ModuleList()
        c = bottleneck
        for (_, c_skip), c_out in zip(reversed(taps[:-1]), reversed(decoder), strict=False):
            self.up.append(double_conv(c + c_skip, c_out))
            c = c_out
        self.head = nn.Conv2d(c, 2, 1)

    def train(self, mode: bool = True) -> "BackboneUNet":
        """As nn.Module.train, but the encoder's norms keep their pretrained statistics."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, L: Tensor) -> Tensor:
        """L (B, in_channels, H, W) -> ab (B, 2, H, W)."""
        check_sides(L, self.multiple)
        rgb = ((L[:, :1] + 1) / 2 - self.mean) / self.std  # a gray's sRGB value is close to L*/100
        if self.extra is not None:
            rgb = rgb + self.extra(L[:, 1:])
        x, skips = rgb, []
        for i, block in enumerate(self.encoder):
            x = block(x)
            if i in self.tap_at:
                skips.append(x)
        x = self.squeeze(skips.pop())
        for up in self.up:
            skip = skips.pop()
            x = up(torch.cat([F.interpolate(x, size=skip.shape[-2:]), skip], 1))
        ab = torch.tanh(self.head(x))  # (B, 2, H/2, W/2)
        return F.interpolate(ab, size=L.shape[-2:], mode="bilinear")


class PatchGAN(nn.Module):
    """L and ab, stacked (B, 3, H, W) -> scores (B, 1, H/8 - 2, W/8 - 2), one a 70x70 patch.

    Scores are unbounded: least squares wants no sigmoid. `PatchGAN()` holds 2,765,633 parameters.
    `spectral=True` normalizes the convolutions instead of the activations (Miyato et al. 2018).
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.2.
    """

    def __init__(self, *, width: int = 64, in_channels: int = 3, spectral: bool = False):
        super().__init__()
        wrap = nn.utils.parametrizations.spectral_norm if spectral else lambda conv: conv
        widths = [in_channels, width, width * 2, width * 4, width * 8]
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(zip(widths, widths[1:], strict=False)):
            normed = i > 0 and not spectral
            conv = nn.Conv2d(c_in, c_out, 4, 2 if i < 3 else 1, 1, bias=not normed)
            layers.append(wrap(conv))
            if normed:
                layers.append(nn.InstanceNorm2d(c_out, affine=True))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(wrap(nn.Conv2d(widths[-1], 1, 4, 1, 1)))
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, lab: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1, H/8 - 2, W/8 - 2)."""
        return self.layers(lab)


# The generators that a configuration or a weights file may name.
GENERATORS: dict[str, type[nn.Module]] = {
    "UNet": UNet,
    "DoubleConvUNet": DoubleConvUNet,
    "BackboneUNet": BackboneUNet,
}
