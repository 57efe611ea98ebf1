"""Film augmentation: what old emulsions and a century in a box do to a photo's lightness.

Only the net's input ages; the color to be predicted stays that of the photo. Each sample draws its
own fate from (seed, position), so a batch ages the same way wherever it is made.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix.randomness import normal_like, uniform

# Relative response to linear red, green, blue. Panchromatic is what L* uses already.
RESPONSES = {
    "orthochromatic": (0.03, 0.60, 0.37),  # blind to red: skies pale, lips and skin dark
    "blue": (0.0, 0.12, 0.88),  # wet plate and early emulsions
}


def respond(rgb: Tensor, response: tuple[float, float, float] | Tensor) -> Tensor:
    """Weigh linear light of sRGB (B, 3, H, W) in [0, 1] by (3,) or (B, 3) -> L (B, 1, H, W)."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    weights = torch.as_tensor(response, dtype=rgb.dtype, device=rgb.device).reshape(-1, 3, 1, 1)
    Y = (linear * weights).sum(1, keepdim=True)  # the sum of the weights is 1: white stays white
    L = torch.where(Y > 0.008856, 116 * Y.clamp(min=1e-6) ** (1 / 3) - 16, 903.3 * Y)
    return L / 50 - 1


def fade(L: Tensor, lift: Tensor, contrast: Tensor) -> Tensor:
    """Lift the blacks, lose contrast; `lift` and `contrast` (B,) in [0, 1]; L as for the nets."""
    lift, contrast = lift.view(-1, 1, 1, 1), contrast.view(-1, 1, 1, 1)
    return ((L + 1) * contrast + 2 * lift - 1).clamp(-1, 1)


def scratch(L: Tensor, seed: int, positions: np.ndarray) -> Tensor:
    """Draw a few near-vertical bright or dark scratches and some dust onto each L (B, 1, H, W)."""
    h, w = L.shape[-2:]
    y = torch.arange(h, device=L.device).view(1, h, 1) / h
    x = torch.arange(w, device=L.device).view(1, 1, w) / w
    out = L
    for line in range(3):
        at, slope, tone = (
            torch.as_tensor(uniform(seed, positions, 40 + 3 * line + i), dtype=L.dtype).to(L.device)
            for i in range(3)
        )
        center = at.view(-1, 1, 1) + (slope.view(-1, 1, 1) - 0.5) * 0.1 * y
        on = ((x - center).abs() < 0.6 / w).unsqueeze(1)
        out = torch.where(on, (tone.round() * 1.6 - 0.8).view(-1, 1, 1, 1), out)
    specks = normal_like(L, seed, positions, 50) > 3.4
    return torch.where(specks, torch.full_like(L, 0.9), out)


def age(rgb: Tensor, L: Tensor, seed: int, positions: np.ndarray, probability: float) -> Tensor:
    """Age L (B, 1, H, W) of photos rgb (B, 3, H, W) in [0, 1]; a share `probability` of them.

    Of the aged, 45 % respond like orthochromatic film and 15 % like blue-sensitive plates; each
    fades, grains, blurs and is scratched by chances of its own. Returns L in [-1, 1].
    """
    draw = [uniform(seed, positions, 20 + i) for i in range(9)]

    def pick(mask: np.ndarray) -> Tensor:
        return torch.as_tensor(mask, device=L.device).view(-1, 1, 1, 1)

    def amount(i: int) -> Tensor:
        return torch.as_tensor(draw[i], dtype=L.dtype).to(L.device)

    aged = draw[0] < probability
    if not aged.any():
        return L
    ortho, blue = aged & (draw[1] < 0.45), aged & (draw[1] >= 0.45) & (draw[1] < 0.60)
    out = torch.where(pick(ortho), respond(rgb, RESPONSES["orthochromatic"]), L)
    out = torch.where(pick(blue), respond(rgb, RESPONSES["blue"]), out)
    soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
    out = torch.where(pick(aged & (draw[2] < 0.3)), soft, out)
    faded = fade(out, 0.15 * amount(4), 1 - 0.15 * amount(4) - 0.4 * amount(5))
    out = torch.where(pick(aged & (draw[3] < 0.6)), faded, out)
    grain = normal_like(L, seed, positions, 30) * (0.02 + 0.08 * amount(7)).view(-1, 1, 1, 1)
    out = torch.where(pick(aged & (draw[6] < 0.6)), out + grain, out)
    out = torch.where(pick(aged & (draw[8] < 0.15)), scratch(out, seed, positions), out)
    return out.clamp(-1, 1)
