"""The contract between a recipe and the training loop.

A recipe owns its networks, its losses and its optimizers; the loop owns everything else and names
no recipe. A step is: `recipe.prepare(step)`; `fake = recipe(batch)`; when
`recipe.adversarial(step)`, the critic's turn on `fake.detach()`; then the generator's turn. Losses
are named terms: the loop sums and logs them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from pix2pix.data import Batch


class Recipe(nn.Module, ABC):
    """A way to train a colorizer: `generator`, `critic` (or None), losses, optimizers."""

    generator: nn.Module
    critic: nn.Module | None

    def __init__(self, generator: nn.Module, critic: nn.Module | None = None):
        super().__init__()
        self.generator = generator
        self.critic = critic

    def prepare(self, step: int) -> None:
        """Get ready for a step, before anything else of it: by default nothing.

        What it does follows from `step` alone, so that a resumed run does the same.
        """

    def forward(self, batch: Batch) -> Any:
        """Batch -> fake ab (B, 2, H, W) in [-1, 1], shared by both phases of a step.

        A recipe whose generator has more to say may return a tuple that its losses understand.
        """
        return self.generator(batch.input)

    def adversarial(self, step: int) -> bool:
        """Whether the critic plays in this step; never, for a recipe without one."""
        return False

    def critic_loss(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """Named terms of the critic's loss; `fake` is detached from the generator."""
        raise ValueError(f"{type(self).__name__} has no critic")

    @abstractmethod
    def generator_loss(self, batch: Batch, fake: Any, *, adversarial: bool) -> dict[str, Tensor]:
        """Named terms of the generator's loss."""

    @abstractmethod
    def optimizers(self) -> tuple[Optimizer, Optimizer | None]:
        """The generator's and the critic's optimizer (None without a critic)."""


def param_groups(
    net: nn.Module, *, lr: float, encoder_lr: float, thaws: bool = False
) -> Iterator[dict]:
    """Yield what trains in `net`; its `encoder`, when it has one, at `encoder_lr` of the rate.

    `thaws` counts all of the encoder, with what does not train yet: it stands still until it has
    gradients.
    """
    encoder = getattr(net, "encoder", None)
    inside = {id(p) for p in encoder.parameters()} if encoder is not None else set()
    trained = [p for p in net.parameters() if p.requires_grad or (thaws and id(p) in inside)]
    yield {"params": [p for p in trained if id(p) not in inside], "lr": lr}
    if slow := [p for p in trained if id(p) in inside]:
        yield {"params": slow, "lr": lr * encoder_lr}
