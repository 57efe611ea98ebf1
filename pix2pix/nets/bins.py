"""A distribution over colors: the bins of the ab plane, and the head that predicts them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.color import AB_SCALE
from pix2pix.nets.gamut import gamut_grid, gamut_index

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
        colors = torch.from_numpy(gamut_grid(self.step))
        return (colors / AB_SCALE).to(self.conv.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, bins, h, w)."""
        return self.conv(x)

    def expected(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, bins, h, w) -> mean ab (B, 2, h, w) and mean chroma (B, 1, h, w), float32.

        Where several hues are likely, the mean color has less chroma than the mean chroma.
        """
        colors = self.colors.float()  # (bins, 2)
        known = [colors, colors.norm(dim=1, keepdim=True), torch.ones_like(colors[:, :1])]
        sums_of = torch.cat(known, 1).T  # (4, bins)
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.float()
            # softmax and means in one: engines are slow at a softmax over channels
            likely = (logits - logits.amax(1, keepdim=True)).exp()
            sums = (sums_of @ likely.flatten(2)).unflatten(2, likely.shape[2:])  # (B, 4, h, w)
        means = sums[:, :3] / sums[:, 3:]
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
        place = torch.from_numpy(gamut_index(self.step)).to(ab.device)
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
