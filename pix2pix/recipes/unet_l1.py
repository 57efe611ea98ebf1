"""The recipe without a critic: a U-Net, L1 on ab or RGB, AdamW."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pix2pix.batch import Batch
from pix2pix.recipes.base import Recipe, param_groups
from pix2pix.recipes.perceptual import Perceptual

GRIDS = (1, 8)  # cells a side of the coarse loss: a photo's mean color, and 8 x 8 of its parts


class UNetL1(Recipe):
    """Mean absolute error (L1) between ab and fake: the median color, safe and a little sepia.

    A generator of three channels out (`recipe.generator.out_channels=3`) predicts the photo's RGB
    instead, lightness and all, of which coloring keeps the color alone.

    With `beta` above 0 errors smaller than it count squared (Huber): a color between median and
    mean, which hedges where two are likely instead of taking the likelier one.

    `rebalance`, 0 to 1, shifts the loss toward strong colors, which are rare (see `rarity`);
    `coarse` weighs the same loss between the mean colors of large cells (see `coarse_pairs`).
    Both are for nets that predict ab.

    From step `thaw` on all of the generator's encoder learns, its `frozen` levels too (0: these
    never do). `perceptual` weighs the distance of a classifier's features between the colored photo
    and the true one (see `Perceptual`); `perceptual_weights` are its weights, "download" or a
    .safetensors file in torchvision's layout.
    Raises ValueError for `thaw` without an encoder, for values out of range, and as `Perceptual`
    does.
    """

    heads: tuple[str, ...] = ("ab", "rgb")

    def __init__(
        self,
        generator: nn.Module,
        *,
        lr: float = 1e-3,
        encoder_lr: float = 0.2,
        weight_decay: float = 1e-2,
        beta: float = 0.0,
        rebalance: float = 0.0,
        coarse: float = 0.0,
        thaw: int = 0,
        perceptual: float = 0.0,
        perceptual_weights: str | None = None,
    ):
        super().__init__(generator)
        if thaw < 0:
            raise ValueError(f"thaw={thaw}: a step, or 0 for never")
        if thaw and not hasattr(generator, "thaw"):
            raise ValueError(f"thaw={thaw}: {type(generator).__name__} has no encoder to thaw")
        if not 0 <= rebalance <= 1 or coarse < 0:
            raise ValueError(
                f"rebalance={rebalance}, coarse={coarse}: a share of 0 to 1, a weight of 0 or more"
            )
        self.beta, self.rebalance, self.coarse, self.thaw = beta, rebalance, coarse, thaw
        self.perceptual = perceptual
        for_ab = {"rebalance": rebalance, "coarse": coarse, "perceptual": perceptual}
        for name, weight in for_ab.items():
            if weight and self.head != "ab":
                raise ValueError(f"{name}={weight}: for nets that predict ab")
        self.teacher = Perceptual(weights=perceptual_weights) if perceptual else None
        self.lr, self.encoder_lr, self.weight_decay = lr, encoder_lr, weight_decay

    def prepare(self, step: int) -> None:
        """Unfreeze the encoder from step `thaw` on."""
        if self.thaw and step >= self.thaw:
            self.generator.thaw()  # type: ignore[operator]

    def generator_loss(self, batch: Batch, fake: Any, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 to the truth, ab or RGB (Huber loss with `beta`), and the other terms asked for."""
        true = self.truth(batch)
        if self.rebalance:
            each = self.distance(fake.float(), true, reduction="none")
            terms = {"l1": (rarity(true, self.rebalance) * each).mean()}
        else:
            terms = {"l1": self.distance(fake.float(), true)}
        if self.coarse:
            pairs = coarse_pairs(fake.float(), true)
            means = torch.stack([self.distance(mine, its) for mine, its in pairs])
            terms["coarse"] = self.coarse * means.mean()
        if self.teacher is not None:
            difference = self.teacher(batch.L, fake, batch.ab)
            terms["perceptual"] = self.perceptual * difference
        return terms

    def distance(self, fake: Tensor, true: Tensor, *, reduction: str = "mean") -> Tensor:
        """L1 between tensors of one shape, Huber with `beta`: a mean, or all with "none"."""
        return F.smooth_l1_loss(fake, true, beta=self.beta, reduction=reduction)

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """AdamW; a pretrained encoder learns at `encoder_lr` times the rate."""
        rates = {"lr": self.lr, "encoder_lr": self.encoder_lr}
        groups = list(param_groups(self.generator, **rates, thaws=self.thaw > 0))
        return AdamW(groups, weight_decay=self.weight_decay), None


def rarity(ab: Tensor, share: float) -> Tensor:
    """True ab (B, 2, H, W) in [-1, 1] -> the weights of its pixels (B, 1, H, W), of mean 1.

    A pixel's weight is 1 - `share`, and `share` times its chroma over the batch's mean chroma.
    Colors are the rarer the stronger they are, so chroma stands for the rarity by which Zhang et
    al. 2016, https://arxiv.org/abs/1603.08511, section 2.2, rebalance, and takes no statistics;
    `share` is the complement of their part of equal weights. In a gray batch all weights are 1.
    """
    chroma = (ab[:, :1].square() + ab[:, 1:].square()).sqrt() + 1e-3
    return 1 - share + share * chroma / chroma.mean()


def coarse_pairs(fake: Tensor, true: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Fake and true (B, C, H, W) -> both averaged over the cells of each of `GRIDS`.

    A wrong mean color is most of the squared error of a photo, and little of its L1, which weighs
    it like any noise of that size.
    """
    for cells in GRIDS:
        yield F.adaptive_avg_pool2d(fake, cells), F.adaptive_avg_pool2d(true, cells)
