"""The recipe of the bundled default: hints as input, a color distribution as second head."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix.batch import Batch
from pix2pix.nets.blocks import freeze_norms
from pix2pix.recipes.unet_l1 import UNetL1


class Hinted(UNetL1):
    """L1 (or Huber) on ab, and `bins` times the cross-entropy of a distribution over colors.

    For a generator with bins (see `AbBins`) and hints; give it some with `data.hints=0.5`. The
    distribution is learned from every second place in both directions, a quarter of the work.
    Photos with hints and without are normalized alike, by the statistics that `trainer.init_from`
    brought: those of a batch would depend on how many hints it happens to hold, and the net would
    color worse in use than in training. `keep_norms=False` learns them, for a start from scratch.
    `keep_colors` trains what hints and the distribution add to a net, and nothing else: without
    hints it colors as what `trainer.init_from` brought, to the last bit.
    Sources: Zhang et al. 2017, https://arxiv.org/abs/1705.02999 (hints, two heads).
    """

    heads: tuple[str, ...] = ("ab",)

    def __init__(
        self,
        generator: nn.Module,
        *,
        beta: float = 0.1,
        bins: float = 0.005,
        keep_norms: bool = True,
        keep_colors: bool = False,
        **others: Any,
    ):
        """`others` are UNetL1's. Raises ValueError for `keep_colors` with a net that has none."""
        super().__init__(generator, beta=beta, **others)
        self.bins, self.keep_norms = bins, keep_norms
        if keep_colors:
            if not hasattr(generator, "train_hints_alone"):
                raise ValueError(f"keep_colors: {type(generator).__name__} adds no hints to a net")
            generator.train_hints_alone()  # type: ignore[operator]

    def train(self, mode: bool = True) -> "Hinted":
        """As nn.Module.train, but with `keep_norms` the norms keep their running statistics."""
        super().train(mode)
        if self.keep_norms:
            freeze_norms(self.generator)
        return self

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Batch -> fake ab (B, 2, H, W), and logits (B, bins, H/8, W/8) of the colors.

        A generator without bins has None in their place.
        """
        if getattr(self.generator, "bins", None) is None:
            return self.generator(self.input(batch)), None
        return self.generator.heads(self.input(batch), stride=2)  # type: ignore[operator]

    def generator_loss(self, batch: Batch, fake: Any, *, adversarial: bool) -> dict[str, Tensor]:
        """L1 or Huber on ab; cross-entropy of the logits."""
        ab, logits = fake
        terms = super().generator_loss(batch, ab, adversarial=adversarial)
        if logits is not None:
            true = F.avg_pool2d(batch.ab, 4)[..., ::2, ::2]
            surprise = self.generator.bins.loss(logits, true)  # type: ignore[union-attr, operator]
            terms["bins"] = self.bins * surprise
        return terms
