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

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb


class Recipe(nn.Module, ABC):
    """A way to train a colorizer: `generator`, `critic` (or None), losses, optimizers."""

    generator: nn.Module
    critic: nn.Module | None
    # What its generators may predict, as these say in `predicts`: "ab", or "rgb" (B, 3, H, W) in
    # [-1, 1] of the photo in color; other words are of nets that color nothing.
    heads: tuple[str, ...] = ("ab",)
    # How many classes batch.labels must tell apart; 0: it needs none.
    classes: int = 0
    gan_start: int = 0

    def __init__(self, generator: nn.Module, critic: nn.Module | None = None):
        """Raises ValueError for a generator that predicts something else than `heads`."""
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.head = str(getattr(generator, "predicts", "ab"))
        if self.head not in self.heads:
            names = type(self).__name__, type(generator).__name__
            raise ValueError(
                f"{names[0]} trains nets for {' or '.join(self.heads)}; this {names[1]} predicts "
                f"{self.head}"
            )

    def input(self, batch: Batch) -> Tensor:
        """What the generator sees of a batch: L, and hints where there are any."""
        return batch.input

    def picture(self, batch: Batch, output: Tensor) -> Tensor:
        """What the generator gave (float32) as a picture: rgb (B, 3, H, W) in [0, 1]."""
        if self.head == "rgb":
            return (output + 1) / 2
        return net_to_rgb(batch.L[:, :1], output)

    def prepare(self, step: int) -> None:
        """Get ready for a step, before anything else of it: by default nothing.

        What it does follows from `step` alone, so that a resumed run does the same.
        """

    def forward(self, batch: Batch) -> Any:
        """Batch -> fake ab (B, 2, H, W) in [-1, 1], shared by both phases of a step.

        A recipe whose generator has more to say may return a tuple that its losses understand.
        """
        return self.generator(self.input(batch))

    def adversarial(self, step: int) -> bool:
        """Whether the critic plays in this step: from `gan_start` on, never without a critic."""
        return self.critic is not None and step >= self.gan_start

    def critic_loss(self, batch: Batch, fake: Any) -> dict[str, Tensor]:
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
