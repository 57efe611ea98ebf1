"""Levels of a pretrained encoder that learn from a later step on, in whole runs of `fit`."""

import pytest
import torch
from tiny_runs import equal_states, losses_of, make_photos, make_recipe, train

from pix2pix.recipes import build
from pix2pix.recipes.unet_l1 import UNetL1

NET = {
    "net": "BackboneUNet",
    "encoder": "squeezenet1_1",
    "decoder": [4, 4, 4],
    "bottleneck": 4,
    "dropout": 0.2,
    "frozen": 2,
}
CONFIG = {"target": "unet_l1.UNetL1", "thaw": 3, "generator": NET}
HELD = ("encoder.0.", "encoder.3.", "encoder.4.")  # what frozen=2 holds


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("thaw") / "photos", count=12)


def weights_at(steps, photos, folder, config=CONFIG):
    """The generator's tensors after `steps` of a run that is planned the same for any `steps`."""
    settings = {"schedule": "constant", "batch": 2, "clip": 0.0}
    state = train(config, photos, folder, steps=steps, **settings)
    return {k: v.clone() for k, v in state.recipe.generator.state_dict().items()}


@pytest.mark.slow
def test_frozen_levels_stand_still_until_their_step_and_move_after(photos, tmp_path):
    first = make_recipe(CONFIG).generator.state_dict()
    before = weights_at(3, photos, tmp_path / "before")
    after = weights_at(4, photos, tmp_path / "after")
    held = [k for k in first if k.startswith(HELD)]
    assert len(held) == 14
    assert all(torch.equal(first[k], before[k]) for k in held)
    assert not any(torch.equal(before[k], after[k]) for k in held)
    free = [k for k in first if k.startswith("encoder.") and k not in held]
    assert not any(torch.equal(first[k], before[k]) for k in free)


def test_without_thaw_they_never_move(photos, tmp_path):
    config = {**CONFIG, "thaw": 0}
    first = make_recipe(config).generator.state_dict()
    after = weights_at(5, photos, tmp_path, config)
    assert all(torch.equal(first[k], after[k]) for k in first if k.startswith(HELD))


@pytest.mark.slow
@pytest.mark.parametrize("stop", [2, 3, 5], ids=["before", "at", "after"])
def test_resuming_around_the_step_is_exact(stop, photos, tmp_path):
    settings = {"schedule": "constant", "batch": 2}
    whole = train(CONFIG, photos, tmp_path / "whole", steps=7, **settings)
    train(CONFIG, photos, tmp_path / "cut", steps=stop, **settings)
    again = train(CONFIG, photos, tmp_path / "cut", steps=7, ckpt_path="last", **settings)
    one, other = (
        {k: v for k, v in state.state_dict().items() if k != "config"} for state in (whole, again)
    )
    assert equal_states(one, other)
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "cut")


def test_optimizers_hold_what_will_thaw_from_the_start():
    small = {k: v for k, v in NET.items() if k != "net"}
    plain = build("unet_l1", generator={"net": "BackboneUNet", **small}).optimizers()[0]
    recipe = build("unet_l1", generator={"net": "BackboneUNet", **small}, thaw=9)
    rest, slow = recipe.optimizers()[0].param_groups
    assert {id(p) for p in slow["params"]} == {id(p) for p in recipe.generator.encoder.parameters()}
    assert len(rest["params"]) == len(plain.param_groups[0]["params"])
    assert len(slow["params"]) == len(plain.param_groups[1]["params"]) + len(HELD) * 2 + 8
    assert (rest["lr"], slow["lr"]) == (1e-3, pytest.approx(2e-4))


def test_a_recipe_prepares_by_the_step_alone():
    recipe = build("hints", generator={**NET, "frozen": 4}, thaw=9)
    for step, learns in ((0, False), (8, False), (9, True)):
        recipe.prepare(step)
        assert {p.requires_grad for p in recipe.generator.encoder.parameters()} == {learns}


def test_there_must_be_something_to_thaw():
    with pytest.raises(ValueError, match="thaw=5: DoubleConvUNet has no encoder to thaw"):
        build("unet_l1", generator={"width": 2}, thaw=5)
    with pytest.raises(ValueError, match="thaw=-1: a step, or 0 for never"):
        UNetL1(torch.nn.Identity(), thaw=-1)
