"""The contract between a recipe and the training loop.

A recipe owns its networks, its losses and its optimizers; the loop owns everything else and names
no recipe. A step is: `recipe.prepare(step)`; `fake = recipe(batch)`; when
`recipe.adversarial(step)`, the critic's loss on `fake.detach()`; the generator's loss; then both
optimizers step (the paper lets the critic step first). Losses are named terms: the loop sums and
logs them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb
from pix2pix.nets.blocks import HINT_CHANNELS


class Recipe(nn.Module, ABC):
    """A way to train a generator: `generator`, `critic` (or None), losses, optimizers."""

    generator: nn.Module
    critic: nn.Module | None
    # What its generators may predict, as they say in `predicts`: "ab" (B, 2, H, W), or "rgb"
    # (B, 3, H, W), the whole picture; both in [-1, 1]. Other words are of nets that do neither.
    heads: tuple[str, ...] = ("ab",)
    classes: int = 0  # the number of classes in batch.labels; 0: it needs no labels
    gan_start: int = 0  # the first step in which the critic takes part

    def __init__(self, generator: nn.Module, critic: nn.Module | None = None):
        """Raises ValueError for a generator that predicts none of `heads`."""
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
        """The generator's input: the source, L or RGB, with hints after it where there are any."""
        return batch.input

    def truth(self, batch: Batch) -> Tensor:
        """What the generator's output should be: the target, or of photos to color their RGB."""
        if self.head == "rgb" and batch.task == "color":
            return net_to_rgb(batch.L, batch.ab) * 2 - 1
        return batch.target

    def picture(self, batch: Batch, output: Tensor) -> Tensor:
        """The generator's output (float32) -> the picture, rgb (B, 3, H, W) in [0, 1]."""
        if self.head == "rgb":
            return (output + 1) / 2
        return net_to_rgb(batch.L, output)

    def prepare(self, step: int) -> None:
        """Called before each step, such as to unfreeze layers; by default does nothing.

        What it does follows from `step` alone, so that a resumed run does the same.
        """

    def forward(self, batch: Batch) -> Any:
        """Batch -> fake target (B, K, H, W) in [-1, 1], which both losses of a step share.

        A recipe may return a tuple instead, such as ab and logits: its losses get what it returns.
        """
        return self.generator(self.input(batch))

    def adversarial(self, step: int) -> bool:
        """Whether the critic takes part in this step: from `gan_start` on, if there is one."""
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


def channels_of_pair(generator: nn.Module) -> int:
    """Channels of source and target, stacked, as a critic sees them: 3 for L and ab, 6 for RGB."""
    seen = int(getattr(generator, "in_channels", 1))
    source = seen - HINT_CHANNELS if seen > HINT_CHANNELS else seen  # no critic is shown hints
    return source + (3 if getattr(generator, "predicts", "ab") == "rgb" else 2)


def param_groups(
    net: nn.Module, *, lr: float, encoder_lr: float, thaws: bool = False
) -> Iterator[dict]:
    """Parameter groups of `net`: an `encoder`, if it has one, learns at `encoder_lr` times `lr`.

    Frozen parameters are left out, but with `thaws` not those of the encoder: the optimizer passes
    over them until they have gradients.
    """
    encoder = getattr(net, "encoder", None)
    inside = {id(p) for p in encoder.parameters()} if encoder is not None else set()
    trained = [p for p in net.parameters() if p.requires_grad or (thaws and id(p) in inside)]
    yield {"params": [p for p in trained if id(p) not in inside], "lr": lr}
    if slow := [p for p in trained if id(p) in inside]:
        yield {"params": slow, "lr": lr * encoder_lr}
