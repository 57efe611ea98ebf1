"""Validation while training: scores and a grid of fixed photos, center crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.data.photos import Photos, prepare
from pix2pix.metrics import colorfulness, psnr


class Validation:
    """Scores a net on fixed photos, evenly spread over a data set.

    `paint` below colors a batch on `device`: Batch -> rgb (B, 3, S, S) in [0, 1].
    """

    def __init__(self, photos: Photos, *, count: int):
        chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
        self.rgb = torch.stack([photos.center(int(i)) for i in chosen])  # (N, C, S, S) uint8

    @torch.no_grad()
    def score(self, paint: Callable[[Batch], Tensor], device: torch.device) -> dict[str, float]:
        """PSNR [dB] beside gray's, L1 of ab, and colorfulness as a share of the truth's."""
        sums: dict[str, float] = {}
        for start in range(0, len(self.rgb), 32):
            batch, real = self._batch(slice(start, start + 32), device)
            L, ab = batch.L, batch.ab
            fake = paint(batch)
            for name, values in {  # each (B,)
                "val_psnr": psnr(fake, real),
                "val_psnr_gray": psnr(net_to_rgb(L, torch.zeros_like(ab)), real),
                "val_l1": (rgb_to_net(fake)[1] - ab).abs().mean((1, 2, 3)),
                "colorfulness": colorfulness(fake),
                "truth": colorfulness(real),
            }.items():
                sums[name] = sums.get(name, 0.0) + values.sum().item()
        share = sums.pop("colorfulness") / max(sums.pop("truth"), 1e-9)
        return {k: v / len(self.rgb) for k, v in sums.items()} | {"val_colorfulness": share}

    @torch.no_grad()
    def grid(
        self, paint: Callable[[Batch], Tensor], device: torch.device, *, columns: int = 8
    ) -> np.ndarray:
        """Rows of gray, colored and true pictures, (3 * S, columns * S, 3) uint8.

        The photos are evenly spread, since neighbors by name are often of one kind.
        """
        count = len(self.rgb)
        chosen = np.linspace(0, count - 1, min(columns, count)).astype(int)
        batch, real = self._batch(chosen, device)
        rows = [net_to_rgb(batch.L, torch.zeros_like(batch.ab)), paint(batch), real]
        grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1)  # (3, 3 * S, columns * S)
        return (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()

    def _batch(self, chosen: slice | np.ndarray, device: torch.device) -> tuple[Batch, Tensor]:
        """Some of the photos as a batch, and as rgb (B, 3, S, S) in [0, 1]."""
        rgb = self.rgb[chosen].to(device)
        return prepare(rgb, np.arange(len(self.rgb))[chosen]), rgb[:, :3].float() / 255
