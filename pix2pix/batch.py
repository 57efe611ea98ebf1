"""Batch: what data prepares and a recipe sees."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass
class Batch:
    """What a recipe sees: L (B, 1, H, W) as the net gets it, ab (B, 2, H, W) as the photo has it.

    `positions` (B,) int64 are the samples' places in the run's endless sequence. `hints`
    (B, 3, H, W) are the a and b of pixels whose color is given, 0 elsewhere, and their mask.
    `labels` (B,) int64 say what is in the photos, where they are known.
    """

    L: Tensor
    ab: Tensor
    positions: np.ndarray
    hints: Tensor | None = None
    labels: Tensor | None = None

    @property
    def input(self) -> Tensor:
        """What the generator takes: L, with the hints after it where there are any."""
        return self.L if self.hints is None else torch.cat([self.L, self.hints], 1)
