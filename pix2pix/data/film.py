"""Film augmentation: the look of old emulsions and faded, scratched prints, on L.

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
    "blur": 0.30,
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
    apply(draw(2) < CHANCES["blur"], lambda who: blur(out[who]))
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
