"""What a run carries: the average by its formula, and what resuming takes over."""

import copy
import json

import pytest
import torch
from tiny_runs import BATCH_NORM, GAN, UNET, make_recipe

from pix2pix.errors import CheckpointError
from pix2pix.train.loop import begin
from pix2pix.train.processes import launch
from pix2pix.train.state import differences, resume, update_average


def new_state(config=GAN, **arguments):
    recipe = make_recipe(config, **arguments)
    fabric = launch(accelerator="cpu", precision="fp32")
    return begin(fabric, recipe, {"recipe": {**config, **arguments}, "trainer": {"batch": 4}})


def one_step(state):
    for parameter in state.recipe.parameters():
        parameter.grad = torch.ones_like(parameter)
    for optimizer in filter(None, state.optimizers):
        optimizer.step()


def test_the_average_is_that_of_the_formula():
    net, average = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    by_hand = average.weight.detach().clone().double()
    for step in range(30):
        torch.nn.init.normal_(net.weight)
        decay = min(0.7, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * net.weight.detach().double()
        update_average(average, net, 0.7, step)
    assert torch.allclose(average.weight.double(), by_hand, atol=1e-6)


def test_the_average_takes_the_newest_statistics():
    net, average = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    net(torch.rand(4, 3, 5, 5))
    update_average(average, net, 0.9, 100)
    assert torch.equal(average.running_mean, net.running_mean)
    assert average.num_batches_tracked == 1


def test_a_checkpoint_gives_the_state_back():
    before, after = new_state(), new_state(seed=1)
    after.config = before.config
    one_step(before)
    before.step, before.best = 7, 21.5
    resume(after, copy.deepcopy(before.state_dict()), say=lambda text: pytest.fail(text))
    assert (after.step, after.best) == (7, 21.5)
    for net, saved in ((after.recipe, before.recipe), (after.average, before.average)):
        assert all(map(torch.equal, net.state_dict().values(), saved.state_dict().values()))
    moments = after.optimizers[1].state_dict()["state"]
    assert torch.equal(
        moments[0]["exp_avg"], before.optimizers[1].state_dict()["state"][0]["exp_avg"]
    )


def test_another_rate_holds_from_now_on_and_is_said():
    before, after = new_state(), new_state(lr=5e-4, weight_decay=0.1, beta1=0.9)
    one_step(before)
    after.config["trainer"]["batch"] = 8
    said = []
    resume(after, before.state_dict(), say=said.append)
    assert "recipe.lr: None -> 0.0005" in said[0] and "trainer.batch: 4 -> 8" in said[0]
    (group,) = after.optimizers[0].param_groups
    assert (group["initial_lr"], group["weight_decay"], group["betas"]) == (5e-4, 0.1, (0.9, 0.999))


def test_words_of_an_earlier_version_are_no_other_settings():
    older = {"norm": "instance", "padding": "zeros", "leaky_skips": False}
    before, after = new_state(), new_state()
    after.config["recipe"] = {"target": "hinted.Hinted", "generator": UNET}
    saved = copy.deepcopy(before.state_dict())
    recipe = {"target": "hints.Hints", "generator": {**UNET, **older}}
    saved["config"] = json.dumps({**before.config, "recipe": recipe})
    resume(after, saved, say=lambda text: pytest.fail(text))
    saved["config"] = json.dumps({**before.config, "recipe": {**recipe, "lr": 1}})
    said = []
    resume(after, saved, say=said.append)
    assert said == ["resuming with other settings: recipe.lr: 1 -> None"]


@pytest.mark.parametrize(
    "other, difference",
    [
        ({"generator": {**UNET, "width": 8}}, "recipe.generator.width: 4 -> 8"),
        ({"generator": {**UNET, "depth": 4}}, "recipe.generator.depth: 3 -> 4"),
        ({"critic_width": 8}, r"critic.layers.0.weight: \(4, 3, 4, 4\) -> \(8, 3, 4, 4\)"),
        (BATCH_NORM, "recipe.target: pix2pix.Pix2Pix -> unet_l1.UNetL1"),
    ],
)
def test_another_net_is_refused_with_the_difference(other, difference):
    before, after = new_state(), new_state({**GAN, **other} if other is not BATCH_NORM else other)
    old = copy.deepcopy(after.state_dict())
    with pytest.raises(CheckpointError, match=f"of another net: .*{difference}"):
        resume(after, before.state_dict())
    assert all(map(torch.equal, after.recipe.state_dict().values(), old["recipe"].values()))


def test_other_trained_layers_are_refused():
    before = new_state()
    recipe = make_recipe()
    recipe.generator.down[0].requires_grad_(False)
    after = begin(launch(accelerator="cpu", precision="fp32"), recipe, {})
    with pytest.raises(CheckpointError, match="trained tensors"):
        resume(after, before.state_dict())


def test_where_a_run_is_makes_no_difference():
    before = {"run_dir": "a", "trainer": {"ckpt_path": None, "lr": 1}, "data": {"sides": [1, 2]}}
    now = {"run_dir": "b", "trainer": {"ckpt_path": "last", "lr": 1}, "data": {"sides": (1, 2)}}
    assert differences(before, now) == []
    assert differences(before, {**now, "x": {"y": 1}}) == ["x.y: None -> 1"]


@pytest.mark.parametrize("damage", ["optimizers", "average", "scaler"])
def test_a_checkpoint_that_is_damaged_within_is_one_line(damage):
    state = new_state()
    saved = copy.deepcopy(state.state_dict())
    if damage == "optimizers":
        saved["optimizers"] = [3, "x"]
    elif damage == "average":
        saved["average"] = {"w": torch.ones(1)}
    else:
        saved["optimizers"] = []
    with pytest.raises(CheckpointError) as caught:
        resume(state, saved)
    assert "\n" not in str(caught.value)
