"""Drawn worlds to train on: no files, and no end. worlds.py draws them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb
from pix2pix.data import worlds
from pix2pix.data.pictures import Examples
from pix2pix.errors import SettingError
from pix2pix.randomness import torch_seed

TASKS = {"marbles": "color", "quilt": "translate"}
SOURCE = {"marbles": 1, "quilt": 3}  # channels of the source: L, RGB
SCENES = 1000  # that count as a set, of which some are watched; training sees no scene twice


class Drawn(Examples):
    """Scenes of a world: position -> (source, then target (C, size, size) float32, position).

    Both are in [-1, 1]: L and ab of "marbles" (C = 3), RGB and RGB of "quilt" (C = 6). A scene
    depends on (seed, position) alone; those of the split "val" are of another seed.

    Raises ValueError for another world or split, or a size below 16.
    """

    def __init__(self, *, world: str, size: int = 64, split: str = "all", seed: int = 0):
        if world not in TASKS:
            raise ValueError(f"world={world}: {' or '.join(TASKS)}")
        if split not in ("train", "val", "all"):
            raise ValueError(f"split {split!r}: train, val or all")
        self.world, self.size, self.task = world, size, TASKS[world]
        self.seed = torch_seed(seed, 0, 73) if split == "val" else seed
        self.center(0)  # a size that cannot be drawn is told now

    @property
    def title(self) -> str:
        """What they are, for people."""
        return f"{self.world} without end"

    @property
    def notes(self) -> str:
        """How they come about, for people."""
        return "drawn as they are needed"

    def __len__(self) -> int:
        return SCENES

    def name(self, position: int) -> str:
        """The seed and the position, from which a scene can be drawn again."""
        return f"{self.world} of seed {self.seed}, number {position}"

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        return self.center(position), position

    def center(self, i: int) -> Tensor:
        """Scene i, (C, size, size)."""
        if self.world == "marbles":
            scene = worlds.marbles(1, size=self.size, seed=self.seed, first=i)
            return torch.cat([scene.L[0], scene.ab[0]])
        quilt = worlds.quilt(1, size=self.size, seed=self.seed, first=i)
        return torch.cat([quilt.labels[0], quilt.picture[0]])

    def prepare(
        self, crops: Tensor, positions: np.ndarray, *, seed: int = 0, **augment: Any
    ) -> Batch:
        """Scenes (B, C, H, W) -> Batch. Raises SettingError for `augment`."""
        if augment:
            raise SettingError(f"{', '.join(augment)}: for photos to color, not for drawn worlds")
        channels = SOURCE[self.world]
        return Batch(crops[:, :channels], crops[:, channels:], positions)

    def truth(self, crops: Tensor) -> Tensor:
        """Scenes (B, C, H, W) -> the pictures to be predicted, rgb (B, 3, H, W) in [0, 1]."""
        if self.task == "color":
            return net_to_rgb(crops[:, :1], crops[:, 1:])
        return (crops[:, 3:] + 1) / 2
