"""The game of a GAN as the course has it written: ours, and truths for `check` about a learner's.

`Game` plays in turns, as the paper does: the generator learns from the critic's new weights.
`pix2pix.train` computes both losses with the same critic before either moves.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

RATE = 0.1  # of the optimizers with which turns are tried
ORDER = "zero_grad(), backward(), step(), in this order"
# how PyTorch's errors go on
CUT = "does not require grad"
EARLY = "modified by an inplace operation"
AGAIN = "backward through the graph a second time"


class Game:
    """pix2pix by hand. Nets take L (B, 1, H, W) and give ab (B, 2, H, W); critics take L, ab.

    Sources: Isola et al. 2017, https://arxiv.org/abs/1611.07004, section 3; Mao et al. 2017 (least
    squares), https://arxiv.org/abs/1611.04076.
    """

    @staticmethod
    def critic_loss(critic: nn.Module, L: Tensor, ab: Tensor, fake: Tensor) -> Tensor:
        """Half the least squares: real pairs should score 1, fake ones 0."""
        real_scores = critic(torch.cat([L, ab], 1))
        fake_scores = critic(torch.cat([L, fake], 1))
        return (real_scores - 1).square().mean() / 2 + fake_scores.square().mean() / 2

    @staticmethod
    def generator_loss(
        critic: nn.Module, L: Tensor, ab: Tensor, fake: Tensor, lam: float
    ) -> Tensor:
        """Least squares: fake pairs should score 1. Plus `lam` times L1 to ab."""
        fake_scores = critic(torch.cat([L, fake], 1))
        return (fake_scores - 1).square().mean() + lam * F.l1_loss(fake, ab)

    @staticmethod
    def critic_turn(
        critic: nn.Module, optimizer: Optimizer, L: Tensor, ab: Tensor, fake: Tensor
    ) -> Tensor:
        """Move the critic by one step of its own optimizer -> its loss before that."""
        loss = Game.critic_loss(critic, L, ab, fake.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    @staticmethod
    def generator_turn(
        critic: nn.Module, optimizer: Optimizer, L: Tensor, ab: Tensor, fake: Tensor, lam: float
    ) -> Tensor:
        """Move the generator that made `fake` by one step of its optimizer -> its loss before."""
        critic.requires_grad_(False)
        loss = Game.generator_loss(critic, L, ab, fake, lam)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        critic.requires_grad_(True)
        return loss.detach()

    @staticmethod
    def play(
        generator: nn.Module,
        critic: nn.Module,
        optimizers: tuple[Optimizer, Optimizer],
        batches: Iterable[tuple[Tensor, Tensor]],
        lam: float,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Play a round for each batch (L, ab): yield the critic's and the generator's losses.

        `optimizers` are the generator's and the critic's, in this order.
        """
        move_generator, move_critic = optimizers
        for L, ab in batches:
            fake = generator(L)
            critic_cost = Game.critic_turn(critic, move_critic, L, ab, fake)
            yield critic_cost, Game.generator_turn(critic, move_generator, L, ab, fake, lam)


# truths -------------------------------------------------------------------------------------------


def same_critic_loss(mine: Callable) -> str | bool:
    """Whether mine(critic, L, ab, fake) is the critic's loss, for `check`."""
    table = _Table()
    critic, L, ab, fake = table.critic, table.L, table.ab, table.fake.detach()
    loss = mine(critic, L, ab, fake)
    real, false = critic(torch.cat([L, ab], 1)), critic(torch.cat([L, fake], 1))
    swapped = [critic(torch.cat([x, L], 1)) for x in (ab, fake)]

    def cost(real: Tensor, false: Tensor) -> Tensor:
        return (real - 1).square().mean() / 2 + false.square().mean() / 2

    mistakes = {
        "Real and fake have changed places: real pairs should score 1, fake ones 0.": [
            real.square().mean() / 2 + (false - 1).square().mean() / 2,
            real.square().mean() + (false - 1).square().mean(),
        ],
        "A half is missing: each of the two means counts half.": [
            2 * cost(real, false),
            cost(real, false) + (real - 1).square().mean() / 2,
            cost(real, false) + false.square().mean() / 2,
        ],
        "The squares are missing: without them nothing holds a score at 1 or at 0.": [
            (real - 1).mean() / 2 + false.mean() / 2,
            (real - 1).mean() + false.mean(),
            (real - 1).abs().mean() / 2 + false.abs().mean() / 2,
            (real - 1).abs().mean() + false.abs().mean(),
        ],
        "Square each score's distance first, then take the mean.": [
            (real.mean() - 1).square() / 2 + false.mean().square() / 2,
            (real.mean() - 1).square() + false.mean().square(),
        ],
        "Both are scored against 1: fake pairs should score 0.": [
            (real - 1).square().mean() / 2 + (false - 1).square().mean() / 2,
            (real - 1).square().mean() + (false - 1).square().mean(),
        ],
        "Take means, not sums: a larger picture is no worse a fake.": [
            (real - 1).square().sum() / 2 + false.square().sum() / 2
        ],
        "Half of it is missing: the critic has to see real pairs and fake ones.": [
            (real - 1).square().mean() / 2,
            (real - 1).square().mean(),
            false.square().mean() / 2,
            false.square().mean(),
        ],
        "The order in the stack is L, then the answer.": [
            cost(*swapped),
            cost(swapped[0], false),
            cost(real, swapped[1]),
        ],
    }
    wrong = _not_a_loss(loss) or _mistaken(loss, cost(real, false), mistakes)
    if not wrong and not loss.requires_grad:
        wrong = "The value is right, but no gradient can come back from it to the critic."
    return wrong or True


def same_generator_loss(mine: Callable) -> str | bool:
    """Whether mine(critic, L, ab, fake, lam) is the generator's loss, for `check`."""
    table, lam = _Table(), 7.0
    critic, L, ab, fake = table.critic, table.L, table.ab, table.fake
    loss = mine(critic, L, ab, fake, lam)
    scores, l1 = critic(torch.cat([L, fake], 1)), F.l1_loss(fake, ab)
    fooled = (scores - 1).square().mean()
    mistakes = {
        "λ stands before the wrong term: it weighs L1.": [lam * fooled + l1, lam * (fooled + l1)],
        "λ is missing: it weighs L1.": [fooled + l1],
        "The generator wants the opposite of the critic: its pairs should score 1.": [
            scores.square().mean() + lam * l1,
            scores.square().mean() / 2 + lam * l1,
        ],
        "The square is missing: a score of 5 would then be better than one of 1.": [
            (scores - 1).mean() + lam * l1,
            (scores - 1).abs().mean() + lam * l1,
        ],
        "No half here: the generator has one mean of scores, not two.": [fooled / 2 + lam * l1],
        "The distance is L1, absolute values, not squares.": [fooled + lam * F.mse_loss(fake, ab)],
        "The critic is not asked: where is D's score of the fake pair?": [lam * l1, l1],
        "The distance to the truth is missing: plus λ times L1.": [fooled],
        "The generator has no part in real pairs: score the fake one.": [
            (critic(torch.cat([L, ab], 1)) - 1).square().mean() + lam * l1
        ],
        "The order in the stack is L, then the answer.": [
            (critic(torch.cat([fake, L], 1)) - 1).square().mean() + lam * l1
        ],
    }
    if wrong := _not_a_loss(loss) or _mistaken(loss, fooled + lam * l1, mistakes):
        return wrong
    cut = "The value is right, but the gradient has to come back through D to `fake`: no detach."
    asked = torch.autograd.grad(fooled + lam * l1, fake, retain_graph=True)[0]
    if not loss.requires_grad:
        return cut
    (found,) = torch.autograd.grad(loss, fake, retain_graph=True, allow_unused=True)
    return cut if found is None or not torch.allclose(found, asked, atol=1e-6) else True


def same_critic_turn(mine: Callable) -> str | bool:
    """Whether mine(critic, optimizer, L, ab, fake) is the critic's turn, for `check`."""
    table, ours = _Table("critic"), _Table("critic")
    optimizer = _Watched(table.critic)
    try:
        loss = mine(table.critic, optimizer, table.L, table.ab, table.fake)
    except RuntimeError as error:
        return _known(error, {EARLY: f"The step came before backward(): {ORDER}."})
    asked = Game.critic_turn(ours.critic, _Watched(ours.critic), ours.L, ours.ab, ours.fake)
    if table.reached:
        return (
            "A gradient of the critic's loss came to the generator, which would learn to look "
            "fake: give the loss `fake.detach()`."
        )
    wrong = _moved(table.critic, ours.critic, optimizer.calls) or _returned(loss, asked)
    return wrong or True


def same_generator_turn(mine: Callable) -> str | bool:
    """Whether mine(critic, optimizer, L, ab, fake, lam) is the generator's turn, for `check`."""
    table, ours, lam = _Table("generator"), _Table("generator"), 7.0
    cut = (
        "No gradient comes back to the generator: here `fake` itself goes into the loss, not "
        "`fake.detach()`."
    )
    optimizer = _Watched(table.generator)
    try:
        loss = mine(table.critic, optimizer, table.L, table.ab, table.fake, lam)
    except RuntimeError as error:
        return _known(error, {CUT: cut, EARLY: f"The step came before backward(): {ORDER}."})
    asked = Game.generator_turn(
        ours.critic, _Watched(ours.generator), ours.L, ours.ab, ours.fake, lam
    )
    if not table.critic.weight.requires_grad:
        return (
            "The critic is still frozen: without `requires_grad_(True)` at the end it never "
            "learns again."
        )
    if table.critic.weight.grad is not None:
        return (
            cut
            if not table.reached
            else (
                "The critic got a gradient from a loss that wants to fool it: freeze it first, "
                "`critic.requires_grad_(False)`."
            )
        )
    wrong = _moved(table.generator, ours.generator, optimizer.calls)
    return wrong or _returned(loss, asked) or True


def same_play(mine: Callable) -> str | bool:
    """Whether mine(generator, critic, optimizers, batches, lam) plays as `Game.play`, for `check`.

    `optimizers` are the generator's and the critic's; a round for each (L, ab) of `batches`.
    """
    rounds, lam = 3, 7.0
    table = _Table()
    batches = [(table.L.roll(i, 0), table.ab.roll(i, 2)) for i in range(rounds)]

    def result(play: Callable) -> tuple[Tensor, Tensor]:
        own = _Table()
        optimizers = _Watched(own.generator), _Watched(own.critic)
        count = sum(1 for _ in play(own.generator, own.critic, optimizers, iter(batches), lam))
        if count != rounds:
            raise _Told(f"{rounds} batches, and it yields {count} times: once a round, please.")
        return own.generator.weight.detach(), own.critic.weight.detach()

    try:
        found = result(mine)
    except _Told as told:
        return str(told)
    except RuntimeError as error:
        known = {
            AGAIN: "`fake` is that of an earlier round: make a new one from each batch's L.",
            CUT: "The generator's turn needs `fake` itself; only the critic's turn cuts it off.",
        }
        return _known(error, known)
    except TypeError as error:
        if "not iterable" in str(error):
            return "It returns; it should `yield` the two losses, once a round."
        raise
    if all(map(torch.equal, found, result(Game.play))):
        return True
    start = _Table().generator.weight, _Table().critic.weight
    unmoved = [torch.equal(a, b) for a, b in zip(found, start, strict=True)]
    if any(unmoved):
        lazy = ("generator", "critic")[unmoved.index(True)]
        return f"The {lazy} has not moved at all: did its turn get its own optimizer?"
    if all(map(torch.allclose, found, result(_generator_first))):
        return "The critic's turn comes first: the generator should learn from its new weights."
    return "After three rounds the weights are not ours: a turn each, the critic's first."


def _generator_first(
    generator: nn.Module,
    critic: nn.Module,
    optimizers: tuple[Optimizer, Optimizer],
    batches: Iterable[tuple[Tensor, Tensor]],
    lam: float,
) -> Iterator[Tensor]:
    for L, ab in batches:
        fake = generator(L)
        Game.generator_turn(critic, optimizers[0], L, ab, fake, lam)
        yield Game.critic_turn(critic, optimizers[1], L, ab, fake)


class _Told(Exception):
    """What is to be told of a mistake."""


def _known(error: RuntimeError, told: dict[str, str]) -> str:
    """What is told of an error that PyTorch has another word for; any other is raised again."""
    for words, text in told.items():
        if words in str(error):
            return text
    raise error


class _Table:
    """Two nets of one convolution and a batch of three, the same each time, for a turn to be tried.

    The net named `stale` bears a gradient of ones, as from an earlier turn. `reached` is whether a
    gradient has come back to the fake.
    """

    def __init__(self, stale: str = ""):
        random = torch.Generator().manual_seed(0)
        self.generator, self.critic = (
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False) for c_in, c_out in ((1, 2), (3, 1))
        )
        for name, net in (("generator", self.generator), ("critic", self.critic)):
            net.weight.data = 0.3 * torch.randn(net.weight.shape, generator=random)
            net.weight.grad = torch.ones_like(net.weight) if name == stale else None
        self.L = torch.randn(3, 1, 8, 8, generator=random)
        self.ab = torch.randn(3, 2, 8, 8, generator=random)
        self.fake = self.generator(self.L)
        self.reached = False
        self.fake.register_hook(self._note)

    def _note(self, gradient: Tensor) -> None:
        self.reached = True


class _Watched(torch.optim.SGD):
    """Plain gradient steps for one net, that write down what was called; backward, too."""

    def __init__(self, net: nn.Conv2d):
        self.calls: list[str] = []
        super().__init__(net.parameters(), lr=RATE)
        net.weight.register_hook(lambda _: self.calls.append("backward()"))

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.calls.append("zero_grad()")
        super().zero_grad(set_to_none)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.calls.append("step()")
        super().step(closure)


def _not_a_loss(loss: object) -> str:
    if loss is None:
        return "It returns nothing: `return` the loss."
    if not isinstance(loss, Tensor):
        return f"It returns {type(loss).__name__}, and a loss is a tensor."
    shape = " x ".join(map(str, loss.shape))
    return f"Its shape is {shape}, and a loss is one number: take means." if loss.ndim else ""


def _mistaken(loss: Tensor, asked: Tensor, mistakes: dict[str, list[Tensor]]) -> str:
    if _close(loss, asked):
        return ""
    for told, values in mistakes.items():
        if any(_close(loss, value) for value in values):
            return told
    return f"It gives {loss:.4f} where {asked:.4f} is right: go through the formula once more."


def _returned(loss: object, asked: Tensor) -> str:
    if loss is None:
        return "It moves rightly. Now return the loss, so that we can watch it."
    number = isinstance(loss, (int, float, Tensor))
    same = number and _close(torch.as_tensor(loss, dtype=asked.dtype).detach(), asked)
    return "" if same else "It moves rightly, but it returns something else than the loss."


def _moved(net: nn.Conv2d, ours: nn.Conv2d, calls: list[str]) -> str:
    """What is wrong with how a turn has moved a net that bore a gradient of ones."""
    if _close(net.weight, ours.weight):
        return ""
    order = ORDER.split(", ")[:3]
    missing = [call for call in order if call not in calls]
    if missing == ["zero_grad()"]:
        return "The gradient of an earlier turn is still in it: `optimizer.zero_grad()` first."
    if missing:
        return f"This is missing: {', '.join(missing)}."
    if calls != order:
        return f"The order is {', '.join(order)}; yours is {', '.join(calls)}."
    return "It has moved to other weights than ours: is it the right loss, of the right things?"


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-6)
