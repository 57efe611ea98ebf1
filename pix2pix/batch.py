"""Batch: what data prepares and a recipe sees."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass
class Batch:
    """Pairs of pictures: source (B, C, H, W), target (B, K, H, W), both in [-1, 1].

    To color photos the source is their L (B, 1, H, W) and the target their ab (B, 2, H, W), which
    `L` and `ab` give by these names. To translate pictures both are RGB (B, 3, H, W).

    `positions` (B,) int64 are the samples' places in the run's endless sequence. `hints`
    (B, 3, H, W) are the a and b of pixels whose color is given, 0 elsewhere, and their mask.
    `labels` (B,) int64 say what is in the photos, where they are known.
    """

    source: Tensor
    target: Tensor
    positions: np.ndarray
    hints: Tensor | None = None
    labels: Tensor | None = None

    @property
    def task(self) -> str:
        """What is asked for: "color" where the target is ab, else "translate"."""
        return "color" if self.target.shape[1] == 2 else "translate"

    @property
    def L(self) -> Tensor:
        """The source of photos to color, L (B, 1, H, W)."""
        return self.source

    @property
    def ab(self) -> Tensor:
        """The target of photos to color, ab (B, 2, H, W)."""
        return self.target

    @property
    def input(self) -> Tensor:
        """What the generator takes: the source, with the hints after it where there are any."""
        return self.source if self.hints is None else torch.cat([self.source, self.hints], 1)
