"""The course's recipe: a U-Net against a PatchGAN, least-squares GAN loss plus weighted L1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pix2pix.batch import Batch
from pix2pix.nets import PatchGAN
from pix2pix.nets.variants import BarePatchGAN
from pix2pix.recipes.base import Recipe, channels_of_pair, param_groups


class Pix2Pix(Recipe):
    """LSGAN + L1 on the target, the PatchGAN conditioned on the source: on ab and L, or on RGB.

    Steps before `gan_start` train on L1 alone: an adversary met too early, on little data, teaches
    texture before color. From there on the loss is gan * (1 - D)^2 + l1 * |ab - fake|, with D the
    critic's score (the paper: log D, and l1 = 100).
    Sources: Isola et al. 2017, https://arxiv.org/abs/1611.07004; Mao et al. 2017 (LSGAN),
    https://arxiv.org/abs/1611.04076.
    """

    critic: nn.Module
    heads: tuple[str, ...] = ("ab", "rgb")

    def __init__(
        self,
        generator: nn.Module,
        *,
        l1: float = 25.0,
        gan: float = 1.0,
        gan_start: int = 0,
        critic_width: int = 64,
        critic_spectral: bool = False,
        lr: float = 2e-4,
        critic_lr: float = 2e-4,
        encoder_lr: float = 0.2,
        beta1: float = 0.5,
        weight_decay: float = 0.0,
    ):
        shape = {"width": critic_width, "in_channels": channels_of_pair(generator)}
        critic = BarePatchGAN(**shape, spectral=True) if critic_spectral else PatchGAN(**shape)
        super().__init__(generator, critic)
        self.l1, self.gan, self.gan_start = l1, gan, gan_start
        self.lr, self.critic_lr, self.encoder_lr = lr, critic_lr, encoder_lr
        self.beta1, self.weight_decay = beta1, weight_decay

    def score(self, batch: Batch, answer: Tensor) -> Tensor:
        """D(source, answer): the critic's scores (B, 1, H/8 - 2, W/8 - 2), answer real or fake."""
        return self.critic(torch.cat([batch.source, answer], 1)).float()

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """Half the least squares: real patches should score 1, fake ones 0."""
        return {
            "critic_real": (self.score(batch, self.truth(batch)) - 1).square().mean() / 2,
            "critic_fake": self.score(batch, fake).square().mean() / 2,
        }

    def generator_loss(self, batch: Batch, fake: Tensor, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 to the truth; once adversarial, least squares: fake patches should score 1."""
        terms = {"l1": self.l1 * F.l1_loss(fake.float(), self.truth(batch))}
        if adversarial:
            terms["lsgan"] = self.gan * (self.score(batch, fake) - 1).square().mean()
        return terms

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """AdamW for both, beta1 0.5 as the paper's Adam; `weight_decay` on the generator only."""
        betas = (self.beta1, 0.999)
        groups = list(param_groups(self.generator, lr=self.lr, encoder_lr=self.encoder_lr))
        return (
            AdamW(groups, betas=betas, weight_decay=self.weight_decay),
            AdamW(self.critic.parameters(), lr=self.critic_lr, betas=betas, weight_decay=0.0),
        )
