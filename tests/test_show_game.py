"""The game that the course has written by hand, and what is told of mistakes in it."""

import pytest
import torch
import torch.nn.functional as F

from pix2pix.data import Batch
from pix2pix.nets import UNet
from pix2pix.recipes.pix2pix import Pix2Pix
from pix2pix.show import game
from pix2pix.show.game import Game


def stacked(L, ab):
    return torch.cat([L, ab], 1)


def critic_loss(formula):
    """A learner's critic loss, of a formula in the scores of real and fake."""
    return lambda D, L, ab, fake: formula(D(stacked(L, ab)), D(stacked(L, fake)))


def generator_loss(formula):
    """A learner's generator loss, of a formula in the fake's scores, the L1 and lambda."""

    def loss(D, L, ab, fake, lam):
        return formula(D(stacked(L, fake)), F.l1_loss(fake, ab), lam)

    return loss


@pytest.mark.parametrize("l1", [0.5, 25.0])
def test_its_losses_are_those_of_the_recipe(l1):
    torch.manual_seed(0)
    recipe = Pix2Pix(UNet(width=4, depth=3), critic_width=4, l1=l1)
    batch = Batch(torch.randn(2, 1, 32, 32), torch.randn(2, 2, 32, 32), torch.arange(2).numpy())
    fake = torch.randn(2, 2, 32, 32)
    asked = sum(recipe.critic_loss(batch, fake).values())
    assert torch.allclose(Game.critic_loss(recipe.critic, batch.L, batch.ab, fake), asked)
    asked = sum(recipe.generator_loss(batch, fake, adversarial=True).values())
    found = Game.generator_loss(recipe.critic, batch.L, batch.ab, fake, l1)
    assert torch.allclose(found, asked)


def test_ours_pass():
    assert game.same_critic_loss(Game.critic_loss) is True
    assert game.same_generator_loss(Game.generator_loss) is True
    assert game.same_critic_turn(Game.critic_turn) is True
    assert game.same_generator_turn(Game.generator_turn) is True
    assert game.same_play(Game.play) is True


@pytest.mark.parametrize(
    "formula",
    [
        lambda r, f: F.mse_loss(r, torch.ones_like(r)) / 2 + F.mse_loss(f, 0 * f) / 2,
        lambda r, f: 0.5 * (((r - 1) ** 2).mean() + (f**2).mean()),
    ],
)
def test_other_spellings_of_the_critic_loss_pass(formula):
    assert game.same_critic_loss(critic_loss(formula)) is True


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        (lambda r, f: (r**2).mean() / 2 + ((f - 1) ** 2).mean() / 2, "changed places"),
        (lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean(), "half"),
        (lambda r, f: ((r - 1) ** 2).mean() + (f**2).mean() / 2, "half"),
        (lambda r, f: (r - 1).mean() / 2 + f.mean() / 2, "squares"),
        (lambda r, f: (r - 1).abs().mean() / 2 + f.abs().mean() / 2, "squares"),
        (lambda r, f: (r.mean() - 1) ** 2 / 2 + f.mean() ** 2 / 2, "then take the mean"),
        (lambda r, f: ((r - 1) ** 2).mean() / 2 + ((f - 1) ** 2).mean() / 2, "against 1"),
        (lambda r, f: ((r - 1) ** 2).sum() / 2 + (f**2).sum() / 2, "not sums"),
        (lambda r, f: ((r - 1) ** 2).mean() / 2, "real pairs and fake"),
        (lambda r, f: (((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2).detach(), "no gradient"),
        (lambda r, f: (((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2).item(), "float"),
        (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, "take means"),
        (lambda r, f: (r**4).mean(), "go through the formula"),
    ],
)
def test_mistakes_in_the_critic_loss(formula, told):
    assert told in game.same_critic_loss(critic_loss(formula))


def test_the_order_of_the_stack_is_told():
    def loss(D, L, ab, fake):
        return Game.critic_loss(lambda pair: D(pair.roll(2, 1)), L, ab, fake)

    assert "order" in game.same_critic_loss(loss)
    assert "returns nothing" in game.same_critic_loss(lambda *given: None)

    def one_turned(D, L, ab, fake):
        real, false = D(torch.cat([ab, L], 1)), D(torch.cat([L, fake], 1))
        return (real - 1).square().mean() / 2 + false.square().mean() / 2

    assert "order" in game.same_critic_loss(one_turned)


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        (lambda s, l1, lam: lam * ((s - 1) ** 2).mean() + l1, "wrong term"),
        (lambda s, l1, lam: ((s - 1) ** 2).mean() + l1, "missing: it weighs"),
        (lambda s, l1, lam: (s**2).mean() + lam * l1, "opposite"),
        (lambda s, l1, lam: (s - 1).mean() + lam * l1, "square is missing"),
        (lambda s, l1, lam: ((s - 1) ** 2).mean() / 2 + lam * l1, "No half"),
        (lambda s, l1, lam: lam * l1, "critic is not asked"),
        (lambda s, l1, lam: ((s - 1) ** 2).mean(), "plus λ"),
        (lambda s, l1, lam: ((s.detach() - 1) ** 2).mean() + lam * l1, "no detach"),
        (lambda s, l1, lam: (((s - 1) ** 2).mean() + lam * l1).detach(), "no detach"),
    ],
)
def test_mistakes_in_the_generator_loss(formula, told):
    assert told in game.same_generator_loss(generator_loss(formula))


def test_squares_instead_of_l1_are_told():
    def loss(D, L, ab, fake, lam):
        return (D(stacked(L, fake)) - 1).square().mean() + lam * F.mse_loss(fake, ab)

    assert "L1" in game.same_generator_loss(loss)


def critic_turn(*lines, cut=True):
    """A learner's critic's turn: its lines by name, in their order."""

    def turn(critic, optimizer, L, ab, fake):
        loss = Game.critic_loss(critic, L, ab, fake.detach() if cut else fake)
        acts = {"zero": optimizer.zero_grad, "back": loss.backward, "step": optimizer.step}
        for line in lines:
            acts[line]()
        return loss

    return turn


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (critic_turn("zero", "back", "step", cut=False), "fake.detach()"),
        (critic_turn("back", "step"), "earlier turn is still in it"),
        (critic_turn("back", "zero", "step"), "yours is backward(), zero_grad(), step()"),
        (critic_turn("zero", "step", "back"), "yours is zero_grad(), step(), backward()"),
        (critic_turn("step", "back"), "step came before backward()"),
        (critic_turn("step", "zero", "back"), "step came before backward()"),
        (critic_turn("zero", "back"), "missing: step()"),
        (critic_turn("zero", "step"), "missing: backward()"),
        (critic_turn("zero", "back", "back"), "second time"),
    ],
)
def test_mistakes_in_the_critics_turn(turn, told):
    try:
        assert told in game.same_critic_turn(turn)
    except RuntimeError as error:
        assert told in str(error)


def test_a_turn_that_returns_nothing_is_told():
    assert "return the loss" in game.same_critic_turn(
        lambda *given: None if Game.critic_turn(*given) is None else None
    )
    assert "else than the loss" in game.same_critic_turn(
        lambda *given: "loss" if Game.critic_turn(*given) else ""
    )
    assert "else than the loss" in game.same_critic_turn(
        lambda *given: 2 * Game.critic_turn(*given)
    )


def generator_turn(*, cut=False, freeze=True, thaw=True, zero=True, step=True, loss=None):
    """A learner's generator's turn, with what is left out of it."""

    def turn(critic, optimizer, L, ab, fake, lam):
        if freeze:
            critic.requires_grad_(False)
        given = fake.detach() if cut else fake
        cost = (loss or Game.generator_loss)(critic, L, ab, given, lam)
        if zero:
            optimizer.zero_grad()
        cost.backward()
        if step:
            optimizer.step()
        if thaw:
            critic.requires_grad_(True)
        return cost

    return turn


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (generator_turn(cut=True), "not `fake.detach()`"),
        (generator_turn(cut=True, freeze=False), "not `fake.detach()`"),
        (generator_turn(freeze=False), "freeze it first"),
        (generator_turn(thaw=False), "still frozen"),
        (generator_turn(zero=False), "earlier turn is still in it"),
        (generator_turn(step=False), "missing: step()"),
        (generator_turn(loss=lambda *given: Game.critic_loss(*given[:-1])), "the right loss"),
    ],
)
def test_mistakes_in_the_generators_turn(turn, told):
    assert told in game.same_generator_turn(turn)


def play(*, turns="DG", swapped=False, cut=False, stale=False, once=False, silent=False):
    """A learner's loop, with what is wrong in it."""

    def rounds(generator, critic, optimizers, batches, lam):
        move_generator, move_critic = reversed(optimizers) if swapped else optimizers
        fake = None
        for L, ab in batches:
            fake = fake if stale and fake is not None else generator(L)
            shown = fake.detach() if cut else fake
            for turn in turns:
                if turn == "D":
                    Game.critic_turn(critic, move_critic, L, ab, shown)
                else:
                    Game.generator_turn(critic, move_generator, L, ab, shown, lam)
            if not once:
                yield 0, 0
        if once:
            yield 0, 0

    if silent:
        return lambda *given: None if list(rounds(*given)) else None
    return rounds


@pytest.mark.parametrize(
    ("loop", "told"),
    [
        (play(turns="GD"), "critic's turn comes first"),
        (play(turns="D"), "generator has not moved"),
        (play(turns="G"), "critic has not moved"),
        (play(turns="DDG"), "a turn each"),
        (play(swapped=True), "its own optimizer"),
        (play(stale=True), "each batch's L"),
        (play(once=True), "yields 1 times"),
        (play(silent=True), "yield"),
        (play(cut=True), "only the critic's turn"),
    ],
)
def test_mistakes_in_the_loop(loop, told):
    assert told in game.same_play(loop)
