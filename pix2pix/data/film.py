"""Film augmentation: the look of old emulsions and faded, scratched prints, on L.

Halation, response, uneven development, fading, grain, scratches; borders.py has what lies around.
Only the net's input ages; the color to be predicted stays that of the photo. Each sample is aged
by draws from (seed, position), so a batch ages the same way wherever it is made.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.color import linear_to_srgb, rgb_to_net, srgb_to_linear
from pix2pix.randomness import normal_like, uniform, uniform_like

# Relative response to linear red, green, blue; each sums to 1, so that white stays white.
# Panchromatic film sees about what L* uses already.
RESPONSES = {
    "orthochromatic": (0.03, 0.60, 0.37),  # blind to red: skies pale, lips and skin dark
    "blue": (0.0, 0.12, 0.88),  # wet plate and early emulsions
}
# Probability of each for a photo that ages. The first two exclude each other.
CHANCES = {
    "orthochromatic": 0.45,
    "blue": 0.15,
    "halation": 0.25,
    "blur": 0.30,
    "uneven": 0.35,
    "fade": 0.60,
    "grain": 0.60,
    "scratch": 0.15,
}


def age(rgb: Tensor, L: Tensor, seed: int, positions: np.ndarray, probability: float) -> Tensor:
    """Age L (B, 1, H, W) of a share `probability` of the photos rgb (B, 3, H, W) in [0, 1].

    `CHANCES` are those of each effect. Returns L in [-1, 1].
    """
    out = L.clone()
    aged = uniform(seed, positions, 20) < probability

    def draw(i: int) -> np.ndarray:
        return uniform(seed, positions, 20 + i)

    def amount(i: int, who: np.ndarray) -> Tensor:
        """(b, 1, 1, 1) in [0, 1) for the samples `who`."""
        return uniform_like(L, seed, positions[who], 20 + i)

    def apply(chosen: np.ndarray, effect: Callable[[np.ndarray], Tensor]) -> None:
        who = np.flatnonzero(aged & chosen)
        if len(who):
            out[who] = effect(who)

    ortho = draw(1) < CHANCES["orthochromatic"]
    blue = ~ortho & (draw(1) < CHANCES["orthochromatic"] + CHANCES["blue"])
    apply(ortho, lambda who: respond(rgb[who], RESPONSES["orthochromatic"]))
    apply(blue, lambda who: respond(rgb[who], RESPONSES["blue"]))
    apply(
        draw(9) < CHANCES["halation"],
        lambda who: halate(out[who], strength=0.2 + 0.6 * amount(11, who)),
    )
    apply(draw(2) < CHANCES["blur"], lambda who: blur(out[who]))
    apply(
        draw(12) < CHANCES["uneven"],
        lambda who: out[who] + unevenness(out[who], seed, positions[who]),
    )
    apply(
        draw(3) < CHANCES["fade"],
        lambda who: fade(
            out[who],
            lift=0.15 * amount(4, who),
            contrast=1 - 0.15 * amount(4, who) - 0.4 * amount(5, who),
        ),
    )
    apply(
        draw(6) < CHANCES["grain"],
        lambda who: (
            out[who]
            + (0.02 + 0.08 * amount(7, who)) * normal_like(out[who], seed, positions[who], 30)
        ),
    )
    apply(draw(8) < CHANCES["scratch"], lambda who: scratch(out[who], seed, positions[who]))
    return out.clamp(-1, 1)


def respond(rgb: Tensor, response: tuple[float, float, float]) -> Tensor:
    """Weigh the linear light of sRGB (B, 3, H, W) in [0, 1] by `response` -> L (B, 1, H, W)."""
    weights = torch.tensor(response, dtype=rgb.dtype, device=rgb.device).view(3, 1, 1)
    light = (srgb_to_linear(rgb) * weights).sum(1, keepdim=True)  # (B, 1, H, W)
    gray = linear_to_srgb(light)  # the print of such a negative
    return rgb_to_net(gray.expand_as(rgb))[0]


def blur(L: Tensor) -> Tensor:
    """Box blur of 3x3 pixels, as by an old lens: L (B, 1, H, W) -> the same shape."""
    return F.avg_pool2d(F.pad(L, (1, 1, 1, 1), mode="replicate"), 3, 1)


def halate(L: Tensor, *, strength: Tensor) -> Tensor:
    """Let light areas of L (B, 1, H, W) in [-1, 1] glow into their surroundings -> the same shape.

    Light that went through the emulsion comes back from the film's base, some way off. `strength`
    (B, 1, 1, 1) in [0, 1] is its share; black beside a white area turns lighter, white stays.
    """
    height, width = L.shape[-2:]
    light = F.interpolate(((L - 0.3) / 0.7).clamp(0, 1), size=(16, 16), mode="area")
    for _ in range(2):
        light = blur(light)
    glow = F.interpolate(light, size=(height, width), mode="bilinear")
    return L + (1 - L) * (0.6 * strength * glow)


def unevenness(L: Tensor, seed: int, positions: np.ndarray) -> Tensor:
    """Differences of development over L (B, 1, H, W): what to add to it, the same shape.

    A slope across the picture, corners that are darker, as by a lens, and blotches.
    """
    height, width = L.shape[-2:]
    y = torch.linspace(-1, 1, height, device=L.device).view(1, 1, -1, 1)
    x = torch.linspace(-1, 1, width, device=L.device).view(1, 1, 1, -1)
    a, b, corners, blotches = (uniform_like(L, seed, positions, 33 + i) for i in range(4))
    slope = 0.5 * (a - 0.5) * x + 0.5 * (b - 0.5) * y
    cells = normal_like(L.new_empty(len(L), 1, 4, 4), seed, positions, 37)
    stains = F.interpolate(cells, size=(height, width), mode="bicubic")
    return slope - 0.25 * corners**2 * (x**2 + y**2) + 0.15 * blotches**2 * stains


def fade(L: Tensor, *, lift: Tensor, contrast: Tensor) -> Tensor:
    """Lift the blacks and lower the contrast of L (B, 1, H, W) in [-1, 1] -> the same shape.

    `lift` and `contrast` are (B, 1, 1, 1) in [0, 1]: black becomes `lift` and white `lift` +
    `contrast`, as fractions of the way from black to white.
    """
    return ((L + 1) * contrast + 2 * lift - 1).clamp(-1, 1)


def sketch(L: Tensor, amount: Tensor) -> Tensor:
    """Pencil sketch of L (B, 1, H, W) in [-1, 1], dark lines on white; the same shape.

    The tone over the mean of its surroundings, as illustrators' "color dodge"; `amount`
    (B, 1, 1, 1) in [-1, 1] makes the lines fainter or darker.
    """
    radius = min(8, *(side - 1 for side in L.shape[-2:]))
    tone = (L + 1) / 2
    padded = F.pad(tone, (radius,) * 4, mode="reflect")
    around = F.avg_pool2d(padded, 2 * radius + 1, 1)
    return 2 * (tone / (around + 0.02)).clamp(0, 1) ** (2.5 + 1.5 * amount) - 1


def scratch(L: Tensor, seed: int, positions: np.ndarray) -> Tensor:
    """Draw three near-vertical bright or dark scratches and some dust onto each L (B, 1, H, W)."""
    h, w = L.shape[-2:]
    y = torch.arange(h, device=L.device).view(1, 1, h, 1) / h
    x = torch.arange(w, device=L.device).view(1, 1, 1, w) / w
    out = L
    for line in range(3):
        at, slope, tone = (uniform_like(L, seed, positions, 40 + 3 * line + i) for i in range(3))
        center = at + (slope - 0.5) * 0.1 * y  # (B, 1, H, 1)
        on = (x - center).abs() < 0.6 / w
        out = torch.where(on, tone.round() * 1.6 - 0.8, out)
    dust = normal_like(L, seed, positions, 50) > 3.4
    return torch.where(dust, torch.full_like(L, 0.9), out)
