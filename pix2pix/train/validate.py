"""Validation while training: scores and a grid of fixed pictures, center crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.data.pictures import Examples
from pix2pix.metrics import colorfulness, psnr

Paint = Callable[[Batch], Tensor]
"""Answers a batch, on its device: Batch -> rgb (B, 3, S, S) in [0, 1]."""


class Validation:
    """Scores a net on fixed pictures, evenly spread over a data set."""

    def __init__(self, photos: Examples, *, count: int):
        chosen = np.linspace(0, len(photos) - 1, min(count, len(photos))).astype(int)
        self.photos = photos
        self.crops = torch.stack([photos.center(int(i)) for i in chosen])  # (N, C, S, S)

    @torch.no_grad()
    def score(self, paint: Paint, device: torch.device) -> dict[str, float]:
        """PSNR [dB] and L1, in the target's units; of photos to color also `coloring`'s.

        Those are gray's PSNR, and colorfulness as a share of the truth's.
        """
        sums: dict[str, float] = {}
        for start in range(0, len(self.crops), 32):
            batch, real = self._batch(slice(start, start + 32), device)
            measure = coloring if batch.task == "color" else translation
            for name, values in measure(batch, paint(batch), real).items():
                sums[name] = sums.get(name, 0.0) + values.sum().item()
        share = {}
        if "truth" in sums:
            share["val_colorfulness"] = sums.pop("colorfulness") / max(sums.pop("truth"), 1e-9)
        return {k: v / len(self.crops) for k, v in sums.items()} | share

    @torch.no_grad()
    def grid(self, paint: Paint, device: torch.device, *, columns: int = 8) -> np.ndarray:
        """Rows of inputs, answers and truth, (3 * S, columns * S, 3) uint8; L is shown as gray.

        The pictures are evenly spread, since neighbors by name are often of one kind.
        """
        count = len(self.crops)
        chosen = np.linspace(0, count - 1, min(columns, count)).astype(int)
        batch, real = self._batch(chosen, device)
        rows = [seen(batch), paint(batch), real]
        grid = torch.cat([torch.cat(list(row), 2) for row in rows], 1)  # (3, 3 * S, columns * S)
        return (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()

    def _batch(self, chosen: slice | np.ndarray, device: torch.device) -> tuple[Batch, Tensor]:
        """Some of the pictures as a batch, and the truth as rgb (B, 3, S, S) in [0, 1]."""
        crops = self.crops[chosen].to(device)
        places = np.arange(len(self.crops))[chosen]
        return self.photos.prepare(crops, places), self.photos.truth(crops)


def seen(batch: Batch) -> Tensor:
    """The source as a picture, rgb (B, 3, S, S) in [0, 1]: L is gray."""
    if batch.task == "color":
        return net_to_rgb(batch.L, torch.zeros_like(batch.ab))
    return (batch.source + 1) / 2


def coloring(batch: Batch, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
    """Scores (B,) of photos colored, fake and real rgb (B, 3, S, S) in [0, 1]; L1 is that of ab."""
    return {
        "val_psnr": psnr(fake, real),
        "val_psnr_gray": psnr(seen(batch), real),
        "val_l1": (rgb_to_net(fake)[1] - batch.ab).abs().mean((1, 2, 3)),
        "colorfulness": colorfulness(fake),
        "truth": colorfulness(real),
    }


def translation(batch: Batch, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
    """Scores (B,) of pictures translated, fake and real rgb (B, 3, S, S) in [0, 1]."""
    l1 = (2 * fake - 1 - batch.target).abs().mean((1, 2, 3))
    return {"val_psnr": psnr(fake, real), "val_l1": l1}
