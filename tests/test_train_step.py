"""One step: who learns when, what accumulation and precision change, and what a NaN may not."""

import copy
import math

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from tiny_runs import (
    BATCH_NORM,
    GAN,
    NO_DROPOUT,
    equal_states,
    make_photos,
    make_recipe,
    open_photos,
)

from pix2pix.data import prepare
from pix2pix.train.loop import begin
from pix2pix.train.processes import launch
from pix2pix.train.settings import Optimization
from pix2pix.train.step import train_step


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Crops (8, 3, 32, 32) uint8."""
    photos = open_photos(make_photos(tmp_path_factory.mktemp("step") / "photos", count=8))
    return torch.stack([photos[i][0] for i in range(8)])


def micro_batches(crops, *, parts=1):
    places = np.arange(len(crops))
    some = zip(crops.chunk(parts), np.array_split(places, parts), strict=True)
    return [prepare(rgb, positions) for rgb, positions in some]


def new_state(config=GAN, *, fabric=None, **arguments):
    return begin(
        fabric or launch(accelerator="cpu", precision="fp32"), make_recipe(config, **arguments), {}
    )


def steps(state, crops, count=1, *, parts=1, fabric=None, clip=1.0):
    fabric = fabric or launch(accelerator="cpu", precision="fp32")
    for _ in range(count):
        losses = train_step(
            fabric, state, micro_batches(crops, parts=parts), clip=clip, ema=0.9, seed=0
        )
        state.step += 1
    return losses


def weights(net):
    return copy.deepcopy(net.state_dict())


def test_the_first_step_is_that_of_plain_torch(crops):
    state, by_hand = new_state(gan_start=9), make_recipe(NO_DROPOUT)
    state = new_state(NO_DROPOUT, gan_start=9)
    (batch,) = micro_batches(crops)
    loss = 25 * (by_hand.generator(batch.L) - batch.ab).abs().mean()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(by_hand.generator.parameters(), 1.0)
    by_hand.optimizers()[0].step()
    losses = steps(state, crops)
    assert losses == {"l1": pytest.approx(loss.item()), "grad_norm": pytest.approx(norm.item())}
    for mine, its in zip(state.recipe.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(mine, its, atol=1e-6)


def test_before_gan_start_there_is_l1_alone_and_the_critic_rests(crops):
    state = new_state(gan_start=2)
    critic = weights(state.recipe.critic)
    assert steps(state, crops, 2).keys() == {"l1", "grad_norm"}
    assert equal_states(weights(state.recipe.critic), critic)
    played = steps(state, crops)
    assert played.keys() == {
        *("critic_real", "critic_fake", "l1", "lsgan", "grad_norm", "critic_grad_norm")
    }
    assert not equal_states(weights(state.recipe.critic), critic)


def test_the_critic_learns_from_its_own_loss_alone(crops):
    alone, both = new_state(gan=0.0, l1=0.0), new_state(gan=100.0)
    for state in (alone, both):
        steps(state, crops, clip=0.0)
    assert equal_states(weights(alone.recipe.critic), weights(both.recipe.critic))
    assert all(p.requires_grad for p in both.recipe.critic.parameters())


def test_eight_at_once_is_two_times_four(crops):
    whole, cut = new_state(NO_DROPOUT), new_state(NO_DROPOUT)
    for _ in range(3):
        one, other = steps(whole, crops), steps(cut, crops, parts=2)
        assert one == pytest.approx(other, rel=1e-5)
    for mine, its in zip(whole.recipe.parameters(), cut.recipe.parameters(), strict=True):
        assert (mine - its).abs().max() < 1e-6


def test_clipping_bounds_the_gradient_and_reports_what_it_was(crops):
    free, tight = new_state(NO_DROPOUT, gan_start=9), new_state(NO_DROPOUT, gan_start=9)
    norms = []
    for state, clip in ((free, 0.0), (tight, 0.01)):
        state.optimizers[0].step = lambda state=state: norms.append(norm_of(state))
        losses = steps(state, crops, clip=clip)
        assert losses["grad_norm"] > 0.1
    assert norms == [pytest.approx(losses["grad_norm"]), pytest.approx(0.01, rel=1e-3)]


def norm_of(state):
    return torch.cat([p.grad.flatten() for p in state.recipe.generator.parameters()]).norm().item()


def lose(recipe, value):
    """Let the generator's loss be `value`; with a function, that of the fake."""
    original = recipe.generator_loss

    def generator_loss(batch, fake, *, adversarial):
        terms = original(batch, fake, adversarial=adversarial)
        return {
            name: value(fake) if callable(value) else term * value for name, term in terms.items()
        }

    recipe.generator_loss = generator_loss


@pytest.mark.parametrize("config", [GAN, BATCH_NORM], ids=["gan", "batch_norm"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="nan"),
        pytest.param(math.inf, id="inf"),
        # a finite loss, 0, whose gradient is infinite
        pytest.param(lambda fake: (fake - fake).square().sum().sqrt(), id="gradient"),
    ],
)
def test_what_is_not_finite_moves_nothing(crops, config, value):
    state = new_state(config)
    steps(state, crops, 2)
    before = copy.deepcopy(state.state_dict())
    lose(state.recipe, value)
    losses = steps(state, crops)
    assert not all(map(math.isfinite, losses.values()))
    assert equal_states(state.state_dict() | {"step": 2}, before)
    del state.recipe.generator_loss
    assert all(map(math.isfinite, steps(state, crops).values()))
    assert not equal_states(state.state_dict()["average"], before["average"])


@pytest.mark.parametrize("precision", ["auto", "bf16", "fp32"])
def test_every_precision_of_a_cpu_learns(crops, precision):
    fabric = launch(accelerator="cpu", precision=precision)
    state = new_state(NO_DROPOUT, fabric=fabric, lr=2e-3, gan_start=99)
    first = steps(state, crops, fabric=fabric)["l1"]
    assert steps(state, crops, 20, fabric=fabric)["l1"] < 0.9 * first
    assert all(p.dtype == torch.float32 for p in state.recipe.parameters())


def half_precision(scale):
    """fp16 with a gradient scaler, which Fabric itself offers on GPUs only."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return Fabric(accelerator="cpu", plugins=MixedPrecision("16-mixed", "cpu", scaler))


def test_fp16_steps_as_fp32_does(crops):
    fabric = half_precision(2.0**10)
    half, full = new_state(NO_DROPOUT, fabric=fabric), new_state(NO_DROPOUT)
    one, other = steps(half, crops, 3, fabric=fabric), steps(full, crops, 3)
    assert one == pytest.approx(other, rel=0.02)  # the norms too: they are of unscaled gradients


def test_an_overflow_of_fp16_halves_the_scale_and_moves_nothing(crops):
    fabric = half_precision(2.0**60)
    state = new_state(NO_DROPOUT, fabric=fabric)
    before = weights(state.recipe)
    losses = steps(state, crops, fabric=fabric)
    assert losses.keys() == {"critic_real", "critic_fake", "l1", "lsgan"}  # no norm to be afraid of
    assert equal_states(weights(state.recipe), before)
    assert state.scaler.get_scale() == 2.0**59
    resumed = new_state(NO_DROPOUT, fabric=half_precision(1.0))
    resumed.load_state_dict(state.state_dict())
    assert resumed.scaler.get_scale() == 2.0**59


def test_the_rate_by_hand():
    def cosine(step):
        return Optimization(steps=110, warmup=10, schedule="cosine").learning_rate(step)

    assert [cosine(0), cosine(4), cosine(9), cosine(10)] == pytest.approx([0.1, 0.5, 1, 1])
    assert cosine(60) == pytest.approx(0.5)  # half of the way down
    assert cosine(35) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert cosine(110) == pytest.approx(0)
    constant = Optimization(steps=9, warmup=2, schedule="constant")
    rates = [constant.learning_rate(step) for step in range(9)]
    assert rates == [0.5] + 8 * [1.0]
    assert Optimization(steps=9, warmup=0, schedule="constant").learning_rate(0) == 1
