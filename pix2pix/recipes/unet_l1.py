"""The recipe without a critic: a U-Net, L1 on ab or RGB, AdamW."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pix2pix.batch import Batch
from pix2pix.recipes.base import Recipe, param_groups
from pix2pix.recipes.perceptual import Perceptual


class UNetL1(Recipe):
    """Mean absolute error (L1) between ab and fake: the median color, safe and a little sepia.

    A generator of three channels out (`recipe.generator.out_channels=3`) predicts the photo's RGB
    instead, lightness and all, of which coloring keeps the color alone.

    With `beta` above 0 errors smaller than it count squared (Huber): a color between median and
    mean, which hedges where two are likely instead of taking the likelier one.

    From step `thaw` on all of the generator's encoder learns, its `frozen` levels too (0: these
    never do). `perceptual` weighs the distance of a classifier's features between the colored photo
    and the true one (see `Perceptual`); `perceptual_weights` are its weights, "download" or a
    .safetensors file in torchvision's layout.
    Raises ValueError for `thaw` without an encoder, and as `Perceptual` does.
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
        thaw: int = 0,
        perceptual: float = 0.0,
        perceptual_weights: str | None = None,
    ):
        super().__init__(generator)
        if thaw < 0:
            raise ValueError(f"thaw={thaw}: a step, or 0 for never")
        if thaw and not hasattr(generator, "thaw"):
            raise ValueError(f"thaw={thaw}: {type(generator).__name__} has no encoder to thaw")
        self.beta, self.thaw = beta, thaw
        self.perceptual = perceptual
        if perceptual and self.head != "ab":
            raise ValueError(f"perceptual={perceptual}: for nets that predict ab")
        self.teacher = Perceptual(weights=perceptual_weights) if perceptual else None
        self.lr, self.encoder_lr, self.weight_decay = lr, encoder_lr, weight_decay

    def prepare(self, step: int) -> None:
        """Unfreeze the encoder from step `thaw` on."""
        if self.thaw and step >= self.thaw:
            self.generator.thaw()  # type: ignore[operator]

    def generator_loss(self, batch: Batch, fake: Any, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 to the truth, ab or RGB (Huber loss with `beta`), and the perceptual loss."""
        terms = {"l1": F.smooth_l1_loss(fake.float(), self.truth(batch), beta=self.beta)}
        if self.teacher is not None:
            difference = self.teacher(batch.L, fake, batch.ab)
            terms["perceptual"] = self.perceptual * difference
        return terms

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """AdamW; a pretrained encoder learns at `encoder_lr` times the rate."""
        rates = {"lr": self.lr, "encoder_lr": self.encoder_lr}
        groups = list(param_groups(self.generator, **rates, thaws=self.thaw > 0))
        return AdamW(groups, weight_decay=self.weight_decay), None
