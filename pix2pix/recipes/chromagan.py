"""ChromaGAN: squared error, a Wasserstein critic, and a class distribution to learn."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pix2pix.batch import Batch
from pix2pix.nets.variants import BarePatchGAN
from pix2pix.recipes.base import Recipe, param_groups
from pix2pix.recipes.teacher import Teacher


class ChromaGAN(Recipe):
    """l2 * |ab - fake|^2 + gan * Wasserstein + kl * KL(teacher's classes, the net's own).

    The critic scores patches of Lab, without sigmoid and without norms, and is kept near slope 1 by
    `penalty` times its squared deviation between photo and fake. Steps before `gan_start` do
    without it. For a generator of ab and classes (`ChromaNet`). `teacher` classifies the photos:
    "none" (that term is left out); "labels", which the photos must have (data.labels);
    "vgg16", torchvision's, downloaded; or a .safetensors file of VGG-16 in torchvision's layout.
    The latter two know 1000 classes.
    Raises ValueError for a generator without classes, and for a teacher that knows other classes or
    that cannot be loaded.
    Sources: Vitoria et al. 2020, https://arxiv.org/abs/1907.09837, equations 3 to 8; Gulrajani et
    al. 2017 (gradient penalty), https://arxiv.org/abs/1704.00028.
    """

    critic: nn.Module

    def __init__(
        self,
        generator: nn.Module,
        *,
        l2: float = 1.0,
        gan: float = 0.1,
        kl: float = 0.003,
        penalty: float = 10.0,
        gan_start: int = 0,
        teacher: str = "none",
        critic_width: int = 64,
        lr: float = 2e-5,
        critic_lr: float = 2e-5,
        encoder_lr: float = 1.0,
    ):
        super().__init__(generator, BarePatchGAN(width=critic_width))
        classes = getattr(generator, "classes", None)
        if not isinstance(classes, int):
            raise ValueError(f"{type(generator).__name__} tells no classes; chromagan needs them")
        self.classes = classes if teacher == "labels" else 0
        self.teacher = None if teacher in ("none", "labels") else Teacher(weights=teacher)
        if self.teacher is not None and classes != Teacher.CLASSES:
            raise ValueError(f"teacher={teacher} knows {Teacher.CLASSES} classes: build as many")
        self.l2, self.gan, self.kl, self.penalty = l2, gan, kl, penalty
        self.gan_start = gan_start
        self.lr, self.critic_lr, self.encoder_lr = lr, critic_lr, encoder_lr

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Batch -> fake ab (B, 2, H, W) and logits (B, classes)."""
        return self.generator.heads(self.input(batch))  # type: ignore[operator]

    def critic_loss(self, batch: Batch, fake: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """The negated Wasserstein distance of photos and fakes, and the gradient penalty."""
        real, painted = (torch.cat([batch.L, ab.float()], 1) for ab in (batch.ab, fake[0]))
        return {
            "critic": self.critic(painted).float().mean() - self.critic(real).float().mean(),
            "penalty": self.penalty * gradient_penalty(self.critic, real, painted),
        }

    def generator_loss(
        self, batch: Batch, fake: tuple[Tensor, Tensor], *, adversarial: bool
    ) -> dict[str, Tensor]:
        """Squared error to the photo's ab, the critic's score, KL divergence from the teacher."""
        ab, logits = fake
        terms = {"l2": self.l2 * F.mse_loss(ab.float(), batch.ab)}
        if adversarial:
            painted = torch.cat([batch.L, ab], 1)
            terms["wasserstein"] = -self.gan * self.critic(painted).float().mean()
        if (target := self.class_distribution(batch)) is not None:
            log_q = logits.float().log_softmax(1)
            terms["kl"] = self.kl * F.kl_div(log_q, target, reduction="batchmean")
        return terms

    def class_distribution(self, batch: Batch) -> Tensor | None:
        """The teacher's probabilities of each photo's classes (B, classes); None without one."""
        if self.classes:
            if batch.labels is None:
                raise ValueError("teacher=labels needs photos with labels: data.labels=folders")
            return F.one_hot(batch.labels, self.classes).float()
        return None if self.teacher is None else self.teacher(batch.L)

    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """Adam with beta1 0.5 for both, as the paper's."""
        groups = param_groups(self.generator, lr=self.lr, encoder_lr=self.encoder_lr)
        return (
            Adam(list(groups), betas=(0.5, 0.999)),
            Adam(self.critic.parameters(), lr=self.critic_lr, betas=(0.5, 0.999)),
        )


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Gradient penalty of WGAN-GP: mean (|gradient| - 1)^2 of a critic at random interpolations.

    Between real and fake (B, C, H, W) float32; the gradient is that of a picture's mean score. In
    float32 even under autocast: squares of small gradients vanish in fp16.
    """
    with torch.autocast(real.device.type, enabled=False):
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (share * real + (1 - share) * fake).requires_grad_(True)
        score = critic(between).mean((1, 2, 3)).sum()
        (gradient,) = torch.autograd.grad(score, between, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
