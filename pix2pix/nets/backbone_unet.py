"""The U-Net on a pretrained classifier."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.backbones import TAPS, build_backbone
from pix2pix.nets.attention import Attention
from pix2pix.nets.bins import AbBins
from pix2pix.nets.checks import check_sides
from pix2pix.nets.double_conv import double_conv
from pix2pix.nets.enlarge import enlarge
from pix2pix.nets.hints import HINT_CHANNELS, pool_hints
from pix2pix.nets.imagenet import gray_for_imagenet
from pix2pix.nets.init import init_normal

_TOSS_UP = 0.3  # how sure of a hue, from 0 to 1, its color must be not to fade; see `vivid`
_TOLD = 0.05  # change of ab by hints from which on the distribution has no part in the answer


class BackboneUNet(nn.Module):
    """L (B, 1 or in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W): a U-Net on a classifier.

    `encoder` is a name of `backbones.TAPS`: "mobilenet_v2", "squeezenet1_1", "resnet18" or
    "convnext_tiny"; `weights` fills it with ImageNet's lessons: "download", the path of a
    .safetensors file (see backbones.py), or None (random: then take `frozen=0`). Its first `frozen`
    levels, counted from half size, are not trained: edges are edges, and half of a step's time is
    theirs; `thaw` lets them go. Its BatchNorm always runs on the pretrained statistics.

    The decoder has two 3x3 convolutions a level, `decoder[0]` channels at half size, `decoder[1]`
    at a quarter ... Each first enlarges what comes from below by two, as `up` says: "nearest",
    "bilinear", or "shuffle" (see `Shuffle`), and joins the encoder's map of that size to it. A size
    at which the encoder has none (convnext_tiny starts at a quarter) is a level without a skip. The
    decoder stops at half size, because color is blurrier than lightness and a full-size level
    would double the time; ab is then enlarged by two, always bilinearly.

    With `in_channels=4` the net takes hints: after L come the a and b of pixels that are known (0
    elsewhere) and their mask; L alone is still fine and means that none are. Every level of the
    decoder sees them at its size. `attention` is the number of heads with which the places of the
    lowest decoder level ask each other, 0 for none. `bins` is the step in a* and b* of a further
    head, a distribution over colors (see `AbBins`), 0 for none. Its mean has the share `blend` in
    the net's answer. A mean of likely colors is duller than they are: with `vivid`, 1 or more, the
    answer gets the distribution's mean chroma, but at most `vivid` times its own, and fades where
    its hue is a toss-up, which is where its own chroma is below 0.3 of that; 0 leaves it as it is.
    Where hints change the color, by 0.05 or more in ab, the answer is the first head's alone; to
    know it, the net runs a second time, without them. `heads` gives both apart, to learn from.

    H and W are multiples of `multiple`: 32, with squeezenet1_1 16 (ValueError otherwise).
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
        blend: float = 0.0,
        vivid: float = 0.0,
        up: str = "nearest",
    ):
        super().__init__()
        if in_channels not in (1, 1 + HINT_CHANNELS):
            raise ValueError(f"in_channels={in_channels}: 1, or {1 + HINT_CHANNELS} with hints")
        if not 0 <= blend <= 1 or (blend and not bins):
            raise ValueError(f"blend={blend}: a share of 0 to 1, and 0 without bins")
        if vivid and (vivid < 1 or not bins):
            raise ValueError(f"vivid={vivid}: a factor of 1 or more, or 0; 0 without bins")
        self.blend, self.vivid = blend, vivid
        self.encoder = build_backbone(encoder, weights=weights)
        taps = TAPS[encoder]  # (index in the encoder, channels) or None, from half size down
        *skips, deepest = [tap[1] if tap else 0 for tap in taps]  # channels
        if not 0 <= frozen <= len(taps):
            raise ValueError(f"frozen={frozen}: {encoder} has {len(taps)} levels")
        if len(decoder) < len(skips):
            raise ValueError(f"decoder={decoder}: {encoder} needs {len(skips)} levels")
        self.multiple = 2 ** len(taps)
        self.tap_at = {tap[0] for tap in taps if tap}
        self.skips = [c > 0 for c in skips]  # whether the encoder has a map of that size
        for tap in taps[:frozen]:
            if tap:
                self.encoder[: tap[0] + 1].requires_grad_(False)
        self.squeeze = nn.Sequential(
            nn.Conv2d(deepest, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        )
        self.rise, self.up = nn.ModuleList(), nn.ModuleList()
        c = bottleneck
        for level in reversed(range(len(skips))):
            self.rise.append(enlarge(up, c))
            self.up.append(double_conv(c + skips[level], decoder[level]))
            c = decoder[level]
        # what hints add to the first convolution of each level: nothing at first
        self.told: nn.ModuleList | None = None
        if in_channels > 1:
            widths = [bottleneck, *reversed(decoder[: len(skips)])]
            self.told = nn.ModuleList(
                nn.Conv2d(HINT_CHANNELS, c, 3, 1, 1, bias=False) for c in widths
            )
            init_normal(self.told, std=0.0)
        self.attention = Attention(decoder[len(skips) - 1], attention) if attention else None
        self.head = nn.Conv2d(c, 2, 1)
        self.bins = AbBins(decoder[1], step=bins) if bins else None

    def thaw(self) -> None:
        """Let all levels of the encoder learn, the frozen ones too."""
        self.encoder.requires_grad_(True)

    def train(self, mode: bool = True) -> "BackboneUNet":
        """As nn.Module.train, but the encoder's norms keep their pretrained statistics."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> ab (B, 2, H, W)."""
        if self.bins is None or self.blend == self.vivid == 0:
            return self._ab(self._features(L)[-1], L)
        if L[:, 1:].any():  # the distribution follows hints less far: what it says without them
            with torch.random.fork_rng([L.device] if L.is_cuda else []):  # both drop the same
                ab = self.heads(L)[0]
            untold, logits = self.heads(L[:, :1])
        else:
            untold, logits = self.heads(L)
            ab = untold
        answer = self._answer(untold, *self.bins.expected(logits))
        moved = (ab - untold).norm(dim=1, keepdim=True)
        return ab + (answer - untold) * (1 - moved / _TOLD).clamp(min=0)

    def _answer(self, ab: Tensor, mean: Tensor, chroma: Tensor) -> Tensor:
        """The first head's ab (B, 2, H, W) with what the distribution says, `blend` and `vivid`.

        `mean` (B, 2, h, w) and `chroma` (B, 1, h, w) are what `AbBins.expected` gives.
        """
        mean, chroma = (
            F.interpolate(x, size=ab.shape[-2:], mode="bilinear").to(ab.dtype)
            for x in (mean, chroma)
        )
        answer = ab.lerp(mean, self.blend)
        if self.vivid == 0:
            return answer
        # how sure of the hue, from 0 to 1
        sure = answer.norm(dim=1, keepdim=True).clamp(min=1e-3) / chroma.clamp(min=1e-3)
        return answer * (1 / sure).clamp(max=self.vivid) * (sure / _TOSS_UP).clamp(max=1)

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
        for i, (rise, up) in enumerate(zip(self.rise, self.up, strict=True)):
            x = rise(maps[-1])
            if self.skips[-1 - i]:
                x = torch.cat([x, skips.pop()], 1)
            x = self._level(1 + i, up, x, L)  # type: ignore[arg-type]
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
