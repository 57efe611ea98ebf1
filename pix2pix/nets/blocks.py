"""Building blocks of several nets: checks of arguments and inputs, initialization, layers."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DEEPEST = 12  # levels: then a side is 4,096 pixels at least
HINT_CHANNELS = 3  # beside L: a and b where they are known, else 0; 1 where they are known


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


def predicted(out_channels: int) -> str:
    """What a generator of so many channels predicts: "ab" or "rgb". Raises ValueError otherwise."""
    if out_channels not in (2, 3):
        raise ValueError(f"out_channels={out_channels}: 2 for ab, 3 for rgb")
    return "ab" if out_channels == 2 else "rgb"


def init_normal(net: nn.Module, std: float = 0.02) -> nn.Module:
    """Draw conv weights from N(0, std), zero the biases, in place. Source: pix2pix, section 6.2."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def init_relu(net: nn.Sequential) -> nn.Sequential:
    """Draw conv weights for a ReLU net, zero the biases, in place. Source: He et al. 2015."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def freeze_norms(net: nn.Module) -> None:
    """Put each BatchNorm of `net` in eval mode: it uses its running statistics and keeps them."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def double_conv(c_in: int, c_out: int, *, first: int = 3) -> nn.Sequential:
    """(B, c_in, H, W) -> (B, c_out, H, W): conv 3x3, BatchNorm, ReLU, twice.

    `first` is the side of the first convolution, 3 or 1.
    """
    layers: list[nn.Module] = []
    for c, side in ((c_in, first), (c_out, 3)):
        conv = nn.Conv2d(c, c_out, side, 1, side // 2, bias=False)
        layers += [conv, nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


class Noise(nn.Module):
    """x (B, C, H, W) -> (B, C + planes, H, W): `planes` planes of noise after it, for variants.

    Each plane is one number a picture: in training from N(0, 1), else `value`.
    """

    def __init__(self, planes: int = 1, *, value: float = 0.0):
        super().__init__()
        if planes < 1:
            raise ValueError(f"noise={planes}: how many planes, or 0 for none")
        self.planes, self.value = planes, value

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C + planes, H, W)."""
        z = x.new_full((len(x), self.planes, 1, 1), self.value)
        z = torch.randn_like(z) if self.training else z
        return torch.cat([x, z.expand(-1, -1, *x.shape[2:])], 1)


def chance_layers(net: nn.Module) -> list[nn.Module]:
    """The layers of `net` that draw in training mode: dropout with a rate above 0, and noise."""
    kinds = (Noise, nn.modules.dropout._DropoutNd)
    return [m for m in net.modules() if isinstance(m, kinds) and getattr(m, "p", 1) > 0]


class Attention(nn.Module):
    """Self-attention between the pixels of a map (B, C, h, w); initialized to the identity.

    So one hint can reach every window of a house. Sources: Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762; on feature maps Wang et al. 2018,
    https://arxiv.org/abs/1711.07971.
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


class HintConvs(nn.ModuleList):
    """A convolution of the hints per decoder level, of `widths[i]` channels; zero-initialized.

    The last level is that at 1/`last` of the size, each earlier one half as wide and high as the
    next.
    """

    def __init__(self, widths: Iterable[int], *, last: int = 2):
        super().__init__(nn.Conv2d(HINT_CHANNELS, c, 3, 1, 1, bias=False) for c in widths)
        self.last = last
        init_normal(self, std=0.0)

    def forward(self, level: int, x: Tensor, hints: Tensor) -> Tensor:
        """Add hints (B, 3, H, W) to the map x (B, C, h, w) of a level -> (B, C, h, w)."""
        return x + self[level](pool_hints(hints, self.last * 2 ** (len(self) - 1 - level)))


def pool_hints(hints: Tensor, factor: int) -> Tensor:
    """Pool hints (B, 3, H, W) -> (B, 3, H / factor, W / factor): mean ab of hinted pixels, mask.

    Unlike a plain mean, a cell with one hinted pixel has that pixel's color: hints never fade. ab
    is multiplied by 8: common colors, about 0.1, then weigh as much as the mask.
    """
    # not divisor_override=1: exporters drop it silently
    sums = F.avg_pool2d(hints, factor) * (factor * factor)  # ab is zero where there is no hint
    count = sums[:, 2:]
    return torch.cat([8 * sums[:, :2] / count.clamp(min=1), count.clamp(max=1)], 1)
