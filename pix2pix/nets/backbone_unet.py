"""A U-Net whose encoder is a pretrained classifier."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.nets.backbones import TAPS, build_backbone, freeze, gray_for, tapped
from pix2pix.nets.bins import AbBins, check_answer
from pix2pix.nets.blocks import (
    HINT_CHANNELS,
    Attention,
    HintConvs,
    check_sides,
    double_conv,
    freeze_norms,
)
from pix2pix.nets.follow import follow_hints


class BackboneUNet(nn.Module):
    """L (B, 1 or in_channels, H, W) in [-1, 1] -> ab (B, 2, H, W): a U-Net on a classifier.

    `encoder` is a name of `backbones.TAPS`: "mobilenet_v2", "efficientnet_lite0", "squeezenet1_1",
    "resnet18" or "convnext_tiny"; `weights` are its pretrained ones: "download", the path of a
    .safetensors file (see backbones.py), or None (random: then take `frozen=0`). Its first `frozen`
    levels, counted from half size, are not trained: edges are edges, and half of a step's time is
    theirs; `thaw` unfreezes them. Its BatchNorm always runs on the pretrained statistics.

    The decoder has two 3x3 convolutions a level, `decoder[0]` channels at half size, `decoder[1]`
    at a quarter ... Each first enlarges what comes from below by two, `up` being "nearest" or
    "bilinear", and joins the encoder's map of that size to it. A size at which the encoder has none
    (convnext_tiny starts at a quarter) is a level without a skip. The decoder stops at half size,
    because color is blurrier than lightness and a full-size level would double the time; ab is then
    enlarged by two, always bilinearly. A `light` decoder stops at a quarter, ab being enlarged by
    four, and the first convolution of a level is 1x1: half the parameters, and a step of training
    it takes half the time. `decoder[0]` is then unused.

    With `in_channels=4` the net takes hints: after L come the a and b of pixels that are known (0
    elsewhere) and their mask; L alone is still fine and means no hints. Every level of the decoder
    sees them at its size. `attention` is the number of heads of a self-attention in the lowest
    decoder level, 0 for none. `bins` is the step in a* and b* of a second head, a distribution over
    colors (see `AbBins`), 0 for none; `blend` and `vivid` set its influence on the output (see
    `AbBins.answer`). Where hints change the color, by 0.05 or more in ab, the output is the first
    head's alone; to know where, the net runs a second time, without them. `heads` returns both
    heads' outputs, for the losses. With `tells_negatives` the encoder's maps have one more reader,
    which tells a photo from its negative (see `polarity`); scripts/fit_polarity.py fits it.

    H and W are multiples of `multiple`: 32, with squeezenet1_1 16 (ValueError otherwise).
    Source: the U-Net on a classifier of Iglovikov and Shvets 2018, https://arxiv.org/abs/1801.05746.
    """

    predicts = "ab"
    fitted_last: tuple[str, ...] = ("positive.",)
    """Tensors fitted to a trained net, by their names' start: a net may be grown without them."""

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
        light: bool = False,
        tells_negatives: bool = False,
    ):
        super().__init__()
        if in_channels not in (1, 1 + HINT_CHANNELS):
            raise ValueError(f"in_channels={in_channels}: 1, or {1 + HINT_CHANNELS} with hints")
        if up not in ("nearest", "bilinear"):
            raise ValueError(f"up={up!r}: nearest or bilinear")
        check_answer(bins, blend, vivid)
        self.encoder = build_backbone(encoder, weights=weights)
        freeze(self.encoder, encoder, frozen)
        self.encoder_name, self.light = encoder, light
        if len(decoder) < len(TAPS[encoder]) - 1:
            raise ValueError(f"decoder={decoder}: {encoder} needs {len(TAPS[encoder]) - 1} levels")
        if light:
            decoder = decoder[1:]
        taps = TAPS[encoder][1 if light else 0 :]  # from the size down at which the decoder ends
        self.taps = [tap[0] for tap in taps if tap]
        *skips, deepest = [tap[1] if tap else 0 for tap in taps]  # channels
        self.in_channels, self.multiple = in_channels, 2 ** len(TAPS[encoder])
        self.skips = [c > 0 for c in skips]  # whether the encoder has a map of that size
        self.blend, self.vivid = blend, vivid
        self.squeeze = nn.Sequential(
            nn.Conv2d(deepest, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(),
            nn.Dropout2d(dropout),
        )
        widths = [bottleneck, *reversed(decoder[: len(skips)])]  # from the deepest level up
        self.rise = nn.Upsample(scale_factor=2, mode=up)
        self.up = nn.ModuleList(
            double_conv(below + skip, c, first=1 if light else 3)
            for (below, c), skip in zip(pairwise(widths), reversed(skips), strict=True)
        )
        # `told`: its name in weights files
        self.told = HintConvs(widths, last=4 if light else 2) if in_channels > 1 else None
        self.attention = Attention(widths[1], attention) if attention else None
        self.head = nn.Conv2d(widths[-1], 2, 1)
        self.bins = AbBins(decoder[0 if light else 1], step=bins) if bins else None
        seen = skips[-1] * 2 + deepest
        self.positive = nn.Conv2d(seen, 1, 1, bias=False) if tells_negatives else None
        if self.positive is not None:
            self.positive.requires_grad_(False)  # no loss knows it

    def thaw(self) -> None:
        """Unfreeze all levels of the encoder."""
        self.encoder.requires_grad_(True)

    def train_hints_alone(self) -> None:
        """Freeze all but what hints enter by, and the head of the distribution over colors.

        Without hints, ab then stays as it is. Raises ValueError for a net without hints.
        """
        if self.told is None:
            raise ValueError("this net takes no hints: build it with in_channels=4")
        self.requires_grad_(False)
        for part in (self.told, self.bins):
            if part is not None:
                part.requires_grad_(True)

    def train(self, mode: bool = True) -> "BackboneUNet":
        """As nn.Module.train, but the encoder's norms keep their pretrained statistics."""
        super().train(mode)
        freeze_norms(self.encoder)
        return self

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> ab (B, 2, H, W)."""
        if self.bins is None or self.blend == self.vivid == 0:
            return self._ab(self._maps(L)[-1], L)
        if not L[:, 1:].any():  # one pass is enough
            return self.parts(L)[1]
        drops = any(isinstance(m, nn.Dropout2d) and m.training for m in self.modules())
        # equal dropout in both; without, other threads' random state is left alone
        with torch.random.fork_rng([L.device] if L.is_cuda else [], enabled=drops):
            ab = self.heads(L)[0]
        # the distribution follows hints less far: use it without them
        unhinted, answer, _ = self.parts(L[:, :1])
        return follow_hints(ab, unhinted, answer)

    def parts(self, L: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L (B, 1 or in_channels, H, W) -> ab, answer (both B, 2, H, W) and logits of one pass.

        The first and the last are those of `heads`; the answer joins them (see `AbBins.answer`).
        Without hints it is what `forward` gives, with hints `follow_hints` gives that, of the ab
        with and the ab and answer without them. Exports hold this pass: nothing in it depends on
        the data. Raises ValueError for a net without bins.
        """
        ab, logits = self.heads(L)
        assert self.bins is not None  # else heads raises
        return ab, self.bins.answer(ab, logits, blend=self.blend, vivid=self.vivid), logits

    def heads(self, L: Tensor, *, stride: int = 1) -> tuple[Tensor, Tensor]:
        """L (B, 1 or in_channels, H, W) -> ab (B, 2, H, W) and logits (B, bins, h, w).

        The logits say how likely each color of `self.bins.colors` is, at a quarter of the size; of
        them, every `stride`-th in both directions. Raises ValueError for a net without bins.
        """
        if self.bins is None:
            raise ValueError("this net has no bins: build it with bins=10")
        *_, quarter, half = self._maps(L)
        return self._ab(half, L), self.bins(quarter[..., ::stride, ::stride])

    def features(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> what the encoder sees (B, F, H/8, W/8), for matching.

        Its maps at an eighth and a sixteenth of the size, each scaled to a length of 1 a place, the
        second, which sees more around it, to 2, enlarged to an eighth and joined: the dot product
        of two places says how alike they look. Hints don't count. Source: the deep features of He
        et al. 2018, https://arxiv.org/abs/1807.06587.
        """
        check_sides(L, self.multiple)
        fine, coarse = (tap[0] for tap in TAPS[self.encoder_name][2:4] if tap)
        rgb = gray_for(self.encoder_name, L[:, :1])
        first, second = tapped(self.encoder[: coarse + 1], (fine, coarse), rgb)
        wide = F.interpolate(F.normalize(second), size=first.shape[-2:], mode="bilinear")
        return torch.cat([F.normalize(first), 2 * wide], 1)

    @property
    def asides(self) -> tuple[str, ...]:
        """Methods that engines call apart from the net's answer (see `Engine.asides`)."""
        return ("features",) if self.positive is None else ("features", "polarity")

    def polarity(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> how much it looks like a photo (B, 1, 1, 1).

        Only the difference from that of its negative, -L, says anything: the log odds that L is the
        photo and -L the negative, not the other way round. A linear function of `glimpse`. Hints
        don't count. Raises ValueError for a net that does not tell negatives.
        """
        if self.positive is None:
            raise ValueError("this net tells no negatives: build it with tells_negatives=True")
        return self.positive(self.glimpse(L))

    def glimpse(self, L: Tensor) -> Tensor:
        """L (B, 1 or in_channels, H, W) -> what the encoder sees at a glance (B, F, 1, 1).

        The mean of its deepest map, and mean and standard deviation of the one before.
        """
        check_sides(L, self.multiple)
        finer, deepest = tapped(self.encoder, self.taps[-2:], gray_for(self.encoder_name, L[:, :1]))
        mean = finer.mean((2, 3), keepdim=True)
        spread = (finer - mean).square().mean((2, 3), keepdim=True).sqrt()
        return torch.cat([deepest.mean((2, 3), keepdim=True), mean, spread], 1)

    def _maps(self, L: Tensor) -> list[Tensor]:
        """L (B, 1 or in_channels, H, W) -> the decoder's maps, from the deepest to half size.

        The last but one is that of the bins, the last that of ab: both a quarter's in a light one.
        """
        check_sides(L, self.multiple)
        skips = tapped(self.encoder, self.taps, gray_for(self.encoder_name, L[:, :1]))
        maps = [self._level(0, skips.pop(), L)]  # (B, bottleneck, H / multiple, W / multiple)
        for i, joins in enumerate(reversed(self.skips), 1):
            x = self.rise(maps[-1])
            x = self._level(i, torch.cat([x, skips.pop()], 1) if joins else x, L)
            maps.append(self.attention(x) if i == 1 and self.attention is not None else x)
        return [*maps, maps[-1]] if self.light else maps

    def _level(self, i: int, x: Tensor, L: Tensor) -> Tensor:
        """One level of the decoder: x (B, C, h, w) and the hints of L at its size -> its map."""
        convolution, *rest = (self.squeeze, *self.up)[i].children()
        x = convolution(x)
        if self.told is not None and L.shape[1] > 1:
            x = self.told(i, x, L[:, 1:])
        for layer in rest:
            x = layer(x)
        return x

    def _ab(self, last: Tensor, L: Tensor) -> Tensor:
        ab = torch.tanh(self.head(last))  # (B, 2, H/2, W/2), of a light decoder (B, 2, H/4, W/4)
        return F.interpolate(ab, size=L.shape[-2:], mode="bilinear")
