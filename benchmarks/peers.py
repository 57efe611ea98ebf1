"""The architectures of other colorizers, written small from their papers, with random weights.

Only what decides size and speed is here: layers, widths, strides, skips. Losses, training and the
scales of Lab in and out are left out. Each takes what it sees, (B, 1 or 3, H, W), and gives ab
(B, 2, H, W); H and W are multiples of 32.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import convnext_tiny

# parameters that the authors' releases have, in millions
MILLIONS = {"ECCV16": 32.2, "SIGGRAPH17": 34.1, "DDColor-tiny": 55.0}


def convs(*channels: int, dilation: int = 1, stride: int = 1, norm: bool = True) -> nn.Sequential:
    """3x3 convolutions with ReLU, `stride` in the last, and BatchNorm after it."""
    layers: list[nn.Module] = []
    for i, (c_in, c_out) in enumerate(zip(channels, channels[1:], strict=False)):
        step = stride if i == len(channels) - 2 else 1
        layers += [nn.Conv2d(c_in, c_out, 3, step, dilation, dilation), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(channels[-1])] if norm else []))


def body() -> nn.Sequential:
    """(B, 256, h, w) -> (B, 512, h, w): dilated in the middle, in both nets of Zhang."""
    return nn.Sequential(
        convs(256, 512, 512, 512),
        convs(512, 512, 512, 512, dilation=2),
        convs(512, 512, 512, 512, dilation=2),
        convs(512, 512, 512, 512),
    )


class ECCV16(nn.Module):
    """L (B, 1, H, W) -> ab (B, 2, H, W) by a distribution over 313 colors at a quarter of the size.

    Source: Zhang, Isola, Efros 2016, Colorful Image Colorization, https://arxiv.org/abs/1603.08511,
    table 4 and figure 2; https://github.com/richzhang/colorization.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convs(1, 64, 64, stride=2),
            convs(64, 128, 128, stride=2),
            convs(128, 256, 256, 256, stride=2),
            body(),
            nn.ConvTranspose2d(512, 256, 4, 2, 1),
            nn.ReLU(),
            convs(256, 256, 256, norm=False),
            nn.Conv2d(256, 313, 1),
        )
        self.colors = nn.Conv2d(313, 2, 1, bias=False)

    def forward(self, L: Tensor) -> Tensor:
        """(B, 1, H, W) -> (B, 2, H, W)."""
        ab = self.colors(self.layers(L).softmax(1))
        return F.interpolate(ab, scale_factor=4, mode="bilinear")


class SIGGRAPH17(nn.Module):
    """L, ab hints and their mask (B, 4, H, W) -> ab (B, 2, H, W): a U-Net of additions.

    Its head for 529 colors counts among its parameters, though coloring leaves it out.
    Source: Zhang et al. 2017, Real-Time User-Guided Image Colorization with Learned Deep Priors,
    https://arxiv.org/abs/1705.02999, section 3.3; https://github.com/richzhang/colorization.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [convs(4, 64, 64), convs(64, 128, 128), convs(128, 256, 256, 256)]
        )
        self.body = body()
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(c_in, c_out, 4, 2, 1)
            for c_in, c_out in ((512, 256), (256, 128), (128, 128))
        )
        self.skip = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 3, 1, 1) for c_in, c_out in ((256, 256), (128, 128), (64, 128))
        )
        self.join = nn.ModuleList(
            [convs(256, 256, 256), convs(128, 128), convs(128, 128, norm=False)]
        )
        self.classes = nn.Conv2d(256, 529, 1)
        self.colors = nn.Conv2d(128, 2, 1)

    def forward(self, source: Tensor) -> Tensor:
        """(B, 4, H, W) -> (B, 2, H, W)."""
        x, skips = source, []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = x[:, :, ::2, ::2]
        x = self.body(x)
        for up, skip, join in zip(self.up, self.skip, self.join, strict=True):
            x = join(F.relu(up(x) + skip(skips.pop())))
        return self.colors(x).tanh()


class Shuffle(nn.Module):
    """(B, c_in, h, w) -> (B, c_out, s h, s w): 1x1 convolution, pixel shuffle, a blur of 2x2."""

    def __init__(self, c_in: int, c_out: int, scale: int, *, norm: bool = True):
        super().__init__()
        many = c_out * scale**2
        self.conv = nn.Conv2d(c_in, many, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(many) if norm else nn.Identity()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, c_in, h, w) -> (B, c_out, s h, s w)."""
        x = F.pixel_shuffle(self.norm(self.conv(x)).relu(), self.scale)
        return F.avg_pool2d(F.pad(x, (1, 0, 1, 0), mode="replicate"), 2, 1)


class Up(nn.Module):
    """What comes from below, doubled in size, and the encoder's map of that size -> one map."""

    def __init__(self, c_in: int, c_skip: int, c_out: int):
        super().__init__()
        self.shuffle = Shuffle(c_in, c_out, 2)
        self.norm = nn.BatchNorm2d(c_skip)
        self.conv = nn.Conv2d(c_out + c_skip, c_out, 3, 1, 1, bias=False)
        self.after = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, c_in, h, w) and (B, c_skip, 2h, 2w) -> (B, c_out, 2h, 2w)."""
        joined = torch.cat([self.shuffle(x), self.norm(skip)], 1).relu()
        return self.after(self.conv(joined).relu())


class QueryLayer(nn.Module):
    """Queries (B, Q, C) look at a map (B, N, C), then at each other, then each thinks by itself."""

    def __init__(self, width: int = 256, heads: int = 8, hidden: int = 2048):
        super().__init__()
        self.across, self.among = (
            nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(2)
        )
        self.alone = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, queries: Tensor, where: Tensor, seen: Tensor, places: Tensor) -> Tensor:
        """`where` and `places` are the embeddings of queries and pixels -> queries (B, Q, C)."""
        x = self.across(queries + where, seen + places, seen, need_weights=False)[0]
        queries = self.norms[0](queries + x)
        asked = queries + where
        x = self.among(asked, asked, queries, need_weights=False)[0]
        queries = self.norms[1](queries + x)
        return self.norms[2](queries + self.alone(queries))


class DDColorTiny(nn.Module):
    """Gray RGB (B, 3, H, W) -> ab (B, 2, H, W): ConvNeXt-T, a U-Net's way up, color queries.

    100 queries pass nine layers that look at the maps of 1/16, 1/8 and 1/4 of the size in turn.
    Source: Kang et al. 2023, DDColor, https://arxiv.org/abs/2212.11613, sections 3.2 and 3.3;
    https://github.com/piddnad/DDColor. There the encoder's norms are as here, one a stage.
    """

    def __init__(self, *, queries: int = 100, layers: int = 9, width: int = 256):
        super().__init__()
        self.encoder = convnext_tiny().features
        self.norms = nn.ModuleList(nn.LayerNorm(c) for c in (96, 192, 384, 768))
        self.up = nn.ModuleList([Up(768, 384, 512), Up(512, 192, 512), Up(512, 96, 256)])
        self.last = Shuffle(256, 256, 4, norm=False)
        self.project = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (512, 512, 256))
        self.level = nn.Embedding(3, width)
        self.query, self.where = (nn.Embedding(queries, width) for _ in range(2))
        self.layers = nn.ModuleList(QueryLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.embed = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 256),
        )  # fmt: skip
        self.colors = nn.Conv2d(queries + 3, 2, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 2, H, W)."""
        x, skips = rgb, []
        for i, stage in enumerate(self.encoder):
            x = stage(x)
            if i % 2:  # the others make it smaller
                skips.append(self.norms[i // 2](x.movedim(1, -1)).movedim(-1, 1))
        x, maps = skips.pop(), []
        for up in self.up:
            x = up(x, skips.pop())
            maps.append(x)
        embedded = self.embed(self.norm(self._ask(maps)))  # (B, queries, 256)
        answers = torch.einsum("bqc,bchw->bqhw", embedded, self.last(x))
        return self.colors(torch.cat([answers, rgb], 1))

    def _ask(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, C, h, w) of three sizes -> queries (B, queries, width)."""
        seen, places = [], []
        for i, (x, project) in enumerate(zip(maps, self.project, strict=True)):
            seen.append(project(x).flatten(2).mT + self.level.weight[i])
            places.append(sines(x, seen[-1].shape[-1]))
        queries = self.query.weight.expand(len(maps[0]), -1, -1)
        for i, layer in enumerate(self.layers):
            queries = layer(queries, self.where.weight[None], seen[i % 3], places[i % 3])
        return queries


def sines(x: Tensor, width: int) -> Tensor:
    """Where the pixels of (B, C, h, w) are: (h w, width), sines and cosines of rows and columns."""
    height, length = x.shape[-2:]
    rate = 10000 ** (-torch.arange(0, width // 2, 2, device=x.device) / (width // 2))
    axes = []
    for count in (height, length):
        angle = torch.arange(1, count + 1, device=x.device)[:, None] / count * 2 * math.pi * rate
        axes.append(torch.cat([angle.sin(), angle.cos()], 1))
    rows, columns = axes
    both = [rows[:, None].expand(-1, length, -1), columns[None].expand(height, -1, -1)]
    return torch.cat(both, 2).flatten(0, 1)
