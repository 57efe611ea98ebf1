"""Borders for training: photos on mounts, with the rim of their film, in white margins, captioned.

Scans of old photographs show what is around them, too, and it has no color. A border covers the
edges of a crop, light or dark, and its pixels become gray in the target, so that a net learns to
leave borders gray. All is drawn from (seed, position), as in film.py.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.data.written import draw_caption
from pix2pix.randomness import normal_like, uniform, uniform_like

# Tones of each kind of border, as a range of L in [-1, 1], and the share of those bordered.
KINDS = {
    "rebate": (-1.0, -0.7, 0.45),  # the rim of the film, dark in the print
    "paper": (0.5, 1.0, 0.35),  # a print's white margin, a page of an album
    "card": (-0.4, 0.5, 0.20),  # a gray or brown mount
}
# Of those bordered, shares of: all four sides; two wide ones; a rim of another tone; a caption.
ALL_SIDES, WIDE, RIM, CAPTION = 0.65, 0.15, 0.5, 0.35
_CAPTIONS = 32  # different ones
_NOWHERE = -1e4  # [px] the width of a border that a side has not


def lay_borders(
    L: Tensor, ab: Tensor, seed: int, positions: np.ndarray, share: float
) -> tuple[Tensor, Tensor]:
    """Lay borders over a share of photos L (B, 1, H, W), ab (B, 2, H, W) -> both, in [-1, 1].

    A border has one tone with some texture and slightly ragged edges, on all sides or on some,
    often a rim of another tone, now and then a line of writing. Where it is, ab is 0.
    """
    who = np.flatnonzero(uniform(seed, positions, 120) < share)
    if not len(who):
        return L, ab
    L, ab, places = L.clone(), ab.clone(), positions[who]
    photo = L[who]
    widths = border_widths(photo, seed, places)
    outside, rim = outlines(photo, widths, seed, places)
    tone, rim_tone = tones(photo, seed, places)
    texture = 0.05 * uniform_like(L, seed, places, 145) ** 2
    paper = torch.where(rim > 0, rim_tone, tone) + texture * normal_like(photo, seed, places, 146)
    caption(paper, tone, widths, seed, places)
    cover = (outside + 0.5).clamp(0, 1)  # (b, 1, H, W): 1 on the border, 0 on the photo
    L[who] = photo.lerp(paper.clamp(-1, 1), cover)
    ab[who] = ab[who] * (1 - cover)
    return L, ab


def border_widths(L: Tensor, seed: int, positions: np.ndarray) -> np.ndarray:
    """Widths [px] of the border of photos L (B, 1, H, W): left, top, right, bottom (B, 4) float64.

    Around 1 to 10 % of the shorter side, two opposite ones now and then three times that; 0 where
    there is none.
    """

    def draw(stream: int) -> np.ndarray:
        return uniform(seed, positions, stream)[:, None]

    each = np.concatenate([draw(121 + i) for i in range(4)], 1)
    there = np.concatenate([draw(125 + i) for i in range(4)], 1) < 0.5
    wide = np.where(draw(129) < 0.5, [[3, 1, 3, 1]], [[1, 3, 1, 3]])
    widths = min(L.shape[-2:]) * (0.01 + 0.09 * draw(130) ** 2) * (0.5 + each)
    widths *= np.where(draw(131) < WIDE, wide, 1)
    return widths * (there | (draw(132) < ALL_SIDES))


def outlines(
    L: Tensor, widths: np.ndarray, seed: int, positions: np.ndarray
) -> tuple[Tensor, Tensor]:
    """How far [px] the pixels of L (B, 1, H, W) are outside the photo, and inside the rim.

    Both (B, 1, H, W), below 0 on the other side. The photo's edges are ragged, its corners more or
    less round. Source of the latter: the signed distance of a rounded box, by I. Quilez.
    """
    height, width = L.shape[-2:]
    side = min(height, width)
    x = torch.arange(width, device=L.device).view(1, 1, 1, -1) + 0.5
    y = torch.arange(height, device=L.device).view(1, 1, -1, 1) + 0.5
    edges = (x, y, width - x, height - y)  # [px] from each side
    inset = torch.as_tensor(np.where(widths > 0, widths, _NOWHERE), dtype=L.dtype, device=L.device)
    insets = inset.view(-1, 4, 1, 1, 1).unbind(1)
    ragged = 0.012 * side * uniform_like(L, seed, positions, 140) ** 3
    waves = normal_like(L.new_empty(len(L), 4, 1, 9), seed, positions, 141) * ragged
    down = F.interpolate(waves[:, :2], size=(1, height), mode="bilinear").transpose(2, 3)
    across = F.interpolate(waves[:, 2:], size=(1, width), mode="bilinear")
    moved = (down[:, :1], across[:, :1], down[:, 1:], across[:, 1:])
    left, top, right, bottom = (
        a + wave - edge for a, wave, edge in zip(insets, moved, edges, strict=True)
    )
    radius = 0.1 * side * uniform_like(L, seed, positions, 142) ** 4
    h, v = torch.maximum(left, right) + radius, torch.maximum(top, bottom) + radius
    outside = torch.hypot(h.clamp(min=0), v.clamp(min=0)) + torch.maximum(h, v).clamp(max=0)
    reach = 0.1 + 0.6 * uniform_like(L, seed, positions, 143)  # the rim's share of the border
    bands = [reach * a - edge for a, edge in zip(insets, edges, strict=True)]
    rim = torch.maximum(torch.maximum(bands[0], bands[2]), torch.maximum(bands[1], bands[3]))
    rimmed = uniform_like(L, seed, positions, 144) < RIM
    return outside - radius, torch.where(rimmed, rim, _NOWHERE)


def tones(L: Tensor, seed: int, positions: np.ndarray) -> tuple[Tensor, Tensor]:
    """L of the border and of its rim, both (B, 1, 1, 1): one is light where the other is dark."""
    low, high, shares = np.array(list(KINDS.values())).T
    kind = np.searchsorted(shares.cumsum()[:-1], uniform(seed, positions, 133), side="right")
    within = low[kind] + (high - low)[kind] * uniform(seed, positions, 134)
    tone = torch.as_tensor(within, dtype=L.dtype, device=L.device).view(-1, 1, 1, 1)
    other = 0.7 + 0.3 * uniform_like(L, seed, positions, 135)
    return tone, torch.where(tone > 0, -other, other)


def caption(
    paper: Tensor, tone: Tensor, widths: np.ndarray, seed: int, positions: np.ndarray
) -> None:
    """Write a line on the widest side of some borders `paper` (B, 1, H, W), in place."""
    at, mirrored, which = (uniform(seed, positions, 137 + i) for i in range(3))
    for i in np.flatnonzero(uniform(seed, positions, 136) < CAPTION):
        widest = int(widths[i].argmax())
        high = round(0.7 * widths[i, widest])
        if high < 2:
            continue
        line = caption_line(int(which[i] * _CAPTIONS)).to(paper.device)
        size = (high, max(1, round(line.shape[-1] * high / line.shape[-2])))
        ink = F.interpolate(line, size=size, mode="bilinear", antialias=True)[0, 0]
        ink = ink.flip(1) if mirrored[i] < 0.3 else ink  # on film it is read from the other side
        page = torch.zeros_like(paper[i, 0] if widest % 2 else paper[i, 0].T)
        top = round(0.15 * widths[i, widest])
        top = top if widest < 2 else len(page) - top - high
        left = int(at[i] * page.shape[1])
        part = page[top : top + high, left : left + ink.shape[1]]
        part.copy_(ink[: part.shape[0], : part.shape[1]])
        page = page if widest % 2 else page.T
        paper[i, 0] = paper[i, 0].lerp(torch.where(tone[i, 0] > 0, -0.9, 0.9), page)


@functools.cache
def caption_line(number: int) -> Tensor:
    """One of the captions as ink from 0 to 1: (1, 1, h, w)."""
    line = draw_caption(np.random.default_rng(number))
    return 1 - torch.from_numpy(line)[None, None].float() / 255
