"""The numbers and pictures that a training run watches: fixed photos, center crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.data import Photos
from pix2pix.metrics import colorfulness, psnr


class Validation:
    """Fixed photos, evenly spread over a data set, and how well a net colors them.

    `net` below is any function L (B, 1, S, S) -> ab (B, 2, S, S), on `device`.
    """

    def __init__(self, photos: Photos, *, count: int):
        chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
        self.rgb = torch.stack([photos.center(int(i)) for i in chosen])  # (N, 3, S, S) uint8

    @torch.no_grad()
    def score(self, net: Callable[[Tensor], Tensor], device: torch.device) -> dict[str, float]:
        """PSNR [dB] beside gray's, L1 of ab, and colorfulness as a share of the truth's."""
        sums: dict[str, float] = {}
        for rgb in self.rgb.split(32):
            real = rgb.to(device).float() / 255
            L, ab = rgb_to_net(real)
            fake_ab = net(L)
            fake = net_to_rgb(L, fake_ab)
            for name, values in {  # each (B,)
                "val_psnr": psnr(fake, real),
                "val_psnr_gray": psnr(net_to_rgb(L, torch.zeros_like(ab)), real),
                "val_l1": (fake_ab - ab).abs().mean((1, 2, 3)),
                "colorfulness": colorfulness(fake),
                "truth": colorfulness(real),
            }.items():
                sums[name] = sums.get(name, 0.0) + values.sum().item()
        share = sums.pop("colorfulness") / max(sums.pop("truth"), 1e-9)
        return {k: v / len(self.rgb) for k, v in sums.items()} | {"val_colorfulness": share}

    @torch.no_grad()
    def grid(
        self, net: Callable[[Tensor], Tensor], device: torch.device, *, columns: int = 8
    ) -> np.ndarray:
        """Rows of gray, colored and true pictures, (3 * S, columns * S, 3) uint8.

        The photos are evenly spread, since neighbors by name are often of one kind.
        """
        count = len(self.rgb)
        chosen = np.linspace(0, count - 1, min(columns, count)).astype(int)
        real = self.rgb[torch.from_numpy(chosen)].to(device).float() / 255
        L, ab = rgb_to_net(real)
        rows = [net_to_rgb(L, torch.zeros_like(ab)), net_to_rgb(L, net(L)), real]
        return to_picture(torch.cat([torch.cat(list(row), 2) for row in rows], 1))


def to_picture(rgb: Tensor) -> np.ndarray:
    """(3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return (rgb.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
