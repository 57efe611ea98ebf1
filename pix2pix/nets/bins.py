"""A distribution over colors: the bins of the ab plane, and the head that predicts them."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.color import AB_SCALE, rgb_to_net

_AMBIGUOUS = 0.3  # certainty of the hue, from 0 to 1, below which a color fades; see `answer`


def check_answer(bins: int, blend: float, vivid: float) -> None:
    """Raise ValueError for a `blend` or `vivid` out of range, or without bins."""
    if not 0 <= blend <= 1 or (blend and not bins):
        raise ValueError(f"blend={blend}: a share of 0 to 1, and 0 without bins")
    if vivid and (vivid < 1 or not bins):
        raise ValueError(f"vivid={vivid}: a factor of 1 or more, or 0; 0 without bins")


class AbBins(nn.Module):
    """Features (B, C, h, w) -> logits (B, bins, h, w): a distribution over colors at every pixel.

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

    def expected(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, bins, h, w) -> mean ab (B, 2, h, w) and mean chroma (B, 1, h, w), float32.

        Where several hues are likely, the mean color has less chroma than the mean chroma.
        """
        known = torch.cat([self.colors, self.colors.norm(dim=1, keepdim=True)], 1)  # (bins, 3)
        with torch.autocast(logits.device.type, enabled=False):
            means = torch.einsum("bkhw,kc->bchw", logits.float().softmax(1), known.float())
        return means[:, :2], means[:, 2:]

    def answer(self, ab: Tensor, logits: Tensor, *, blend: float, vivid: float) -> Tensor:
        """Combine another head's ab (B, 2, H, W) with the distribution's -> ab (B, 2, H, W).

        `blend` is the share of the distribution's mean color. A mean of likely colors is duller
        than they are: with `vivid`, 1 or more, the result gets the distribution's mean chroma, but
        at most `vivid` times its own, and fades where its hue is ambiguous, which is where its own
        chroma is below 0.3 of that; 0 leaves it as it is.
        """
        mean, chroma = (
            F.interpolate(x, size=ab.shape[-2:], mode="bilinear").to(ab.dtype)
            for x in self.expected(logits)
        )
        answer = ab.lerp(mean, blend)
        if vivid == 0:
            return answer
        # certainty of the hue, from 0 to 1
        sure = answer.norm(dim=1, keepdim=True).clamp(min=1e-3) / chroma.clamp(min=1e-3)
        return answer * (1 / sure).clamp(max=vivid) * (sure / _AMBIGUOUS).clamp(max=1)

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


@cache
def gamut_grid(step: int) -> Tensor:
    """(bins, 2) float32: a*, b* of the bins, in the order of `gamut_cells`."""
    cells = gamut_cells(step)
    return (cells.nonzero() - len(cells) // 2).float() * step


def gamut_index(step: int) -> Tensor:
    """(G, G) int64: the index of the bin at each point of the grid of `gamut_cells`, or 0."""
    cells = gamut_cells(step)
    return torch.where(cells, cells.flatten().cumsum(0).view(cells.shape) - 1, 0)
