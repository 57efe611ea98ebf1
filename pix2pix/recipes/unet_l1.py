"""The recipe without a critic: a U-Net, L1 on ab, AdamW."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pix2pix.data import Batch
from pix2pix.recipes.base import Recipe, param_groups


class UNetL1(Recipe):
    """Mean absolute error between ab and fake: the median color, safe and a little sepia.

    With `beta` above 0 errors smaller than it count squared (Huber): between median and mean, the
    color hedges where two are likely instead of taking the likelier one.
    """

    def __init__(
        self,
        generator: nn.Module,
        *,
        lr: float = 1e-3,
        encoder_lr: float = 0.2,
        weight_decay: float = 1e-2,
        beta: float = 0.0,
    ):
        super().__init__(generator)
        self.beta = beta
        self.lr, self.encoder_lr, self.weight_decay = lr, encoder_lr, weight_decay

    def generator_loss(self, batch: Batch, fake: Tensor, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 to the photo's ab; below `beta` (in units of ab) squared, as Huber's."""
        return {"l1": F.smooth_l1_loss(fake.float(), batch.ab, beta=self.beta)}

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """AdamW; a pretrained encoder learns at `encoder_lr` times the rate."""
        groups = list(param_groups(self.generator, lr=self.lr, encoder_lr=self.encoder_lr))
        return AdamW(groups, weight_decay=self.weight_decay), None
