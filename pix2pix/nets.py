"""The networks: plain modules that know nothing of losses, color or files.

Generators take L (B, in_channels, H, W) in [-1, 1] and give ab (B, 2, H, W) in [-1, 1], with H and
W multiples of `generator.multiple`. `PatchGAN` scores patches. Recipes decide how they are trained.
"""

from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.backbones import TAPS, build_backbone
from pix2pix.color import AB_SCALE, rgb_to_net

DEEPEST = 12  # levels: then a side is 4,096 pixels at least
HINT_CHANNELS = 3  # beside L: a and b where they are known, else 0; 1 where they are known
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


def check_depth(depth: int) -> None:
    """Raise ValueError unless 1 <= depth <= 12."""
    if not 1 <= depth <= DEEPEST:
        raise ValueError(f"depth={depth}: 1 to {DEEPEST}")


class UNet(nn.Module):
    """L (B, in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W) in [-1, 1]: the pix2pix U-Net.

    `depth` 4x4 convolutions of stride 2 down, as many transposed ones up, skips between equal
    sizes (`skips=False` leaves them out), affine InstanceNorm, dropout in the three steps after the
    innermost. The first level has `width` channels, each next one twice as many, up to 8 * width.
    `UNet()` holds 54,410,434 parameters. H and W are multiples of 2**depth (ValueError otherwise).
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
        check_depth(depth)
        channels = [width * min(2**i, 8) for i in range(depth)]  # 64 128 256 512 512 512 512 512
        self.multiple = 2**depth
        self.skips = skips
        self.down = nn.ModuleList()
        for i, (c_in, c_out) in enumerate(pairwise([in_channels, *channels])):
            self.down.append(self._down(c_in, c_out, first=i == 0, last=i == depth - 1))
        self.up = nn.ModuleList()
        for i in reversed(range(depth)):
            # every step up but the first sees the skip beside what came from below
            c_in = channels[i] * (1 if i == depth - 1 or not skips else 2)
            c_out = channels[i - 1] if i else out_channels
            drops = depth - 4 <= i < depth - 1 and i > 0  # the three after the innermost, never ab
            self.up.append(self._up(c_in, c_out, dropout if drops else 0.0, last=i == 0))
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
        check_depth(depth)
        channels = [width * 2**i for i in range(depth + 1)]  # 64 128 256 512 1024
        self.multiple = 2**depth
        self.down = nn.ModuleList(
            double_conv(c_in, c_out) for c_in, c_out in pairwise([in_channels, *channels])
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


class BackboneUNet(nn.Module):
    """L (B, 1 or in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W): a U-Net on a pretrained classifier.

    `encoder` is "mobilenet_v2" or "squeezenet1_1"; `weights` fills it with ImageNet's lessons:
    "download", the path of a .safetensors file (see backbones.py), or None (random: then take
    `frozen=0`). Its first `frozen` levels are not trained: edges are edges, and half of a step's
    time is theirs. Its BatchNorm always runs on the pretrained statistics.

    The decoder has two 3x3 convolutions a level, `decoder[0]` channels at half size, `decoder[1]`
    at a quarter ... It stops at half size, because color is blurrier than lightness and a
    full-size level would double the time; ab is then enlarged by two.

    With `in_channels=4` the net takes hints: after L come the a and b of pixels that are known (0
    elsewhere) and their mask; L alone is still fine and means that none are. Every level of the
    decoder sees them at its size. `attention` is the number of heads with which the places of the
    lowest decoder level ask each other, 0 for none. `bins` is the step in a* and b* of a further
    head, a distribution over colors (see `AbBins`), 0 for none.

    H and W are multiples of `multiple`: 32 or 16 (ValueError otherwise).
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
        attention: int = 0,
        bins: int = 0,
    ):
        super().__init__()
        self.encoder = build_backbone(encoder, weights=weights)
        *skips, deepest = TAPS[encoder]  # (index in the encoder, channels), from half size down
        if not 0 <= frozen <= len(skips) + 1:
            raise ValueError(f"frozen={frozen}: {encoder} has {len(skips) + 1} levels")
        if len(decoder) < len(skips):
            raise ValueError(f"decoder={decoder}: {encoder} needs {len(skips)} levels")
        self.multiple = 2 ** len(TAPS[encoder])
        self.tap_at = {index for index, _ in TAPS[encoder]}
        if frozen:
            last = TAPS[encoder][frozen - 1][0]
            self.encoder[: last + 1].requires_grad_(False)
        if in_channels not in (1, 1 + HINT_CHANNELS):
            raise ValueError(f"in_channels={in_channels}: 1, or {1 + HINT_CHANNELS} with hints")
        self.squeeze = nn.Sequential(
            nn.Conv2d(deepest[1], bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        )
        self.up = nn.ModuleList()
        c = bottleneck
        for level in reversed(range(len(skips))):
            self.up.append(double_conv(c + skips[level][1], decoder[level]))
            c = decoder[level]
        self.told = None  # what hints add to the first convolution of each level: nothing at first
        if in_channels > 1:
            widths = [bottleneck, *reversed(decoder[: len(skips)])]
            hint_convs = [nn.Conv2d(HINT_CHANNELS, c, 3, 1, 1, bias=False) for c in widths]
            self.told = init_normal(nn.ModuleList(hint_convs), std=0.0)
        self.attention = Attention(decoder[len(skips) - 1], attention) if attention else None
        self.head = nn.Conv2d(c, 2, 1)
        self.bins = AbBins(decoder[1], step=bins) if bins else None

    def train(self, mode: bool = True) -> "BackboneUNet":
        """As nn.Module.train, but the encoder's norms keep their pretrained statistics."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> ab (B, 2, H, W)."""
        return self._ab(self._features(L)[-1], L)

    def heads(self, L: Tensor, *, stride: int = 1) -> tuple[Tensor, Tensor]:
        """L (B, 1 or in_channels, H, W) -> ab (B, 2, H, W) and logits (B, bins, h, w).

        The logits say how likely each color of `self.bins.colors` is, at a quarter of the size; of
        them, every `stride`-th in both directions. Raises ValueError for a net without bins.
        """
        if self.bins is None:
            raise ValueError("this net has no bins: build it with bins=10")
        *_, quarter, half = self._features(L)
        return self._ab(half, L), self.bins(quarter[..., ::stride, ::stride])

    def _features(self, L: Tensor) -> list[Tensor]:
        """L (B, 1 or in_channels, H, W) -> the decoder's maps, from the deepest to half size."""
        check_sides(L, self.multiple)
        x = gray_for_imagenet(L[:, :1])  # (B, 3, H, W)
        skips = []
        for i, block in enumerate(self.encoder):
            x = block(x)
            if i in self.tap_at:
                skips.append(x)
        maps = [self._level(0, self.squeeze, skips.pop(), L)]  # (B, bottleneck, H / multiple, ...)
        for i, up in enumerate(self.up):
            skip = skips.pop()
            x = torch.cat([F.interpolate(maps[-1], size=skip.shape[-2:]), skip], 1)
            x = self._level(1 + i, up, x, L)
            maps.append(self.attention(x) if i == 0 and self.attention is not None else x)
        return maps

    def _level(self, i: int, layers: nn.Sequential, x: Tensor, L: Tensor) -> Tensor:
        """One level of the decoder: x (B, C, h, w) and the hints of L at its size -> its map."""
        convolution, *rest = layers
        x = convolution(x)
        if self.told is not None and L.shape[1] > 1:
            x = x + self.told[i](pool_hints(L[:, 1:], L.shape[-1] // x.shape[-1]))
        for layer in rest:
            x = layer(x)
        return x

    def _ab(self, half: Tensor, L: Tensor) -> Tensor:
        ab = torch.tanh(self.head(half))  # (B, 2, H/2, W/2)
        return F.interpolate(ab, size=L.shape[-2:], mode="bilinear")


def pool_hints(hints: Tensor, factor: int) -> Tensor:
    """Hints (B, 3, H, W) -> (B, 3, H / factor, W / factor): mean ab of the hinted pixels, mask.

    Unlike a plain mean, a cell with one hinted pixel has that pixel's color: hints never fade. ab
    is multiplied by 8: common colors, about 0.1, then weigh as much as the mask.
    """
    sums = F.avg_pool2d(hints, factor, divisor_override=1)  # ab is zero where there is no hint
    count = sums[:, 2:]
    return torch.cat([8 * sums[:, :2] / count.clamp(min=1), count.clamp(max=1)], 1)


def gray_for_imagenet(L: Tensor) -> Tensor:
    """L (B, 1, H, W) in [-1, 1] -> rgb (B, 3, H, W), normalized as ImageNet classifiers want it.

    A gray's sRGB value is close to L*/100 (within 0.04): near enough to be recognized by.
    """
    gray = (L + 1) / 2
    channels = zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.cat([(gray - mean) / std for mean, std in channels], 1)


class Attention(nn.Module):
    """(B, C, h, w) -> the same shape: each place asks all others; at first it changes nothing.

    So one hint can reach every window of a house. Source: Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762; on feature maps: Wang et al. 2018, "Non-local neural networks".
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attend = nn.MultiheadAttention(channels, heads, batch_first=True)
        nn.init.zeros_(self.attend.out_proj.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        tokens = self.norm(x.flatten(2).transpose(1, 2))  # (B, h * w, C)
        answers, _ = self.attend(tokens, tokens, tokens, need_weights=False)
        return x + answers.transpose(1, 2).reshape(x.shape)


class AbBins(nn.Module):
    """Features (B, C, h, w) -> logits (B, bins, h, w): a distribution over colors at every place.

    The bins' colors are the points of a grid in a*, b* that lie in sRGB's gamut at some lightness:
    `colors` (bins, 2) in [-1, 1]. Source: Zhang et al. 2016, https://arxiv.org/abs/1603.08511.
    """

    def __init__(self, channels: int, *, step: int):
        super().__init__()
        self.step = step
        self.conv = nn.Conv2d(channels, len(gamut_grid(step)), 1)

    @property
    def colors(self) -> Tensor:
        """The bins' ab (bins, 2) in [-1, 1]."""
        return (gamut_grid(self.step) / AB_SCALE).to(self.conv.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, bins, h, w)."""
        return self.conv(x)

    def loss(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Mean cross-entropy of logits (B, bins, h, w) and the true ab (B, 2, h, w) in [-1, 1].

        A true color lies between four points of the grid; the nearer weigh more, so that the mean
        of a distribution that fits is the color itself.
        """
        log_p = logits.float().log_softmax(1)
        place = gamut_index(self.step).to(ab.device)
        position = ab.float() * (AB_SCALE / self.step) + len(place) // 2
        low = position.floor()
        nearness = position - low  # (B, 2, h, w), of the upper neighbor
        total = torch.zeros_like(log_p[:, 0])
        for up in ((0, 0), (0, 1), (1, 0), (1, 1)):
            shift = torch.tensor(up, device=ab.device).view(1, 2, 1, 1)
            weight = torch.where(shift == 1, nearness, 1 - nearness).prod(1)  # (B, h, w)
            row, column = (low + shift).long().clamp(0, len(place) - 1).unbind(1)
            total += weight * log_p.gather(1, place[row, column][:, None])[:, 0]
        return -total.mean()


@cache
def gamut_cells(step: int) -> Tensor:
    """(G, G) bool: which points of a grid in a*, b* are bins; [G // 2, G // 2] is gray, G is odd.

    They are the corners of all grid cells that hold a color of sRGB.
    Raises ValueError unless 5 <= step <= 50.
    """
    if not 5 <= step <= 50:
        raise ValueError(f"bins={step}: a step of 5 to 50 in a* and b*, or 0 for none")
    with torch.device("cpu"):
        levels = torch.linspace(0, 1, 52)  # every fifth of 0..255
        rgb = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij")).flatten(2)
        half = int(AB_SCALE // step) + 1
        a, b = (rgb_to_net(rgb)[1] * (AB_SCALE / step)).flatten(1).floor().long() + half  # (N,)
        cells = torch.zeros(2 * half + 1, 2 * half + 1, dtype=torch.bool)
        for right, up in ((0, 0), (0, 1), (1, 0), (1, 1)):
            cells[a + right, b + up] = True
        return cells


def gamut_grid(step: int) -> Tensor:
    """(bins, 2) float32: a*, b* of the bins, in the order of `gamut_cells`."""
    cells = gamut_cells(step)
    return (cells.nonzero() - len(cells) // 2).float() * step


def gamut_index(step: int) -> Tensor:
    """(G, G) int64: the number of the bin at each point of the grid of `gamut_cells`, or 0."""
    cells = gamut_cells(step)
    return torch.where(cells, cells.flatten().cumsum(0).view(cells.shape) - 1, 0)


class PatchGAN(nn.Module):
    """L and ab, stacked (B, 3, H, W) -> scores (B, 1, H/8 - 2, W/8 - 2), one a 70x70 patch.

    Scores are unbounded: least squares wants no sigmoid. `PatchGAN()` holds 2,765,633 parameters.
    `spectral=True` normalizes the convolutions instead of the activations (Miyato et al. 2018).
    Source: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 6.1.2.
    """

    def __init__(self, *, width: int = 64, in_channels: int = 3, spectral: bool = False):
        super().__init__()
        widths = [in_channels, width, width * 2, width * 4, width * 8, 1]
        layers: list[nn.Module] = []
        for i, (c_in, c_out) in enumerate(pairwise(widths)):
            first, last = i == 0, i == 4
            normed = not (first or last or spectral)
            conv = init_normal(nn.Conv2d(c_in, c_out, 4, 2 if i < 3 else 1, 1, bias=not normed))
            layers.append(nn.utils.parametrizations.spectral_norm(conv) if spectral else conv)
            if normed:
                layers.append(nn.InstanceNorm2d(c_out, affine=True))
            if not last:
                layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers)

    def forward(self, lab: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 1, H/8 - 2, W/8 - 2)."""
        return self.layers(lab)


# The generators that a configuration or a weights file may name.
GENERATORS: dict[str, type[nn.Module]] = {
    "UNet": UNet,
    "DoubleConvUNet": DoubleConvUNet,
    "BackboneUNet": BackboneUNet,
}
