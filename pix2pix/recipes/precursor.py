"""Two toys before the U-Net, which show in two minutes whether training works.

First one number of a picture, then the picture itself, in color as it came; after these a net that
is not shown the color (`unet_l1`). They train through the same loop, on any photos.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb
from pix2pix.recipes.base import Recipe


class Toy(Recipe):
    """A recipe of one loss: AdamW on all of the generator."""

    def __init__(self, generator: nn.Module, *, lr: float = 1e-3, weight_decay: float = 1e-2):
        super().__init__(generator)
        self.lr, self.weight_decay = lr, weight_decay

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """AdamW."""
        parameters = self.generator.parameters()
        return AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay), None


class Brightness(Toy):
    """Regression of one number, the mean of the photo's L in [-1, 1]: mean squared error."""

    heads = ("brightness",)

    def generator_loss(self, batch: Batch, fake: Tensor, *, adversarial: bool) -> dict[str, Tensor]:
        """Squared error of the brightness."""
        return {"mse": F.mse_loss(fake.float(), batch.L.mean((2, 3)))}

    def picture(self, batch: Batch, output: Tensor) -> Tensor:
        """A flat gray of the predicted brightness."""
        L = output[..., None, None].clamp(-1, 1).expand_as(batch.L)
        return net_to_rgb(L, L.new_zeros(1).expand(len(L), 2, *L.shape[2:]))


class SamePicture(Toy):
    """An autoencoder of color photos: mean absolute error (L1)."""

    heads = ("same rgb",)

    def input(self, batch: Batch) -> Tensor:
        """The photo in color, rgb (B, 3, H, W) in [-1, 1]."""
        return net_to_rgb(batch.L, batch.ab) * 2 - 1

    def generator_loss(self, batch: Batch, fake: Tensor, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 to the photo."""
        return {"l1": F.l1_loss(fake.float(), self.input(batch))}

    def picture(self, batch: Batch, output: Tensor) -> Tensor:
        """The reconstruction."""
        return (output + 1) / 2
