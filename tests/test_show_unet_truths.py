"""What is told of mistakes in a learner's U-Net and its training by L1."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pix2pix import nets
from pix2pix.show import unet_truths as truths

DOWN = """
def down(c_in, c_out, first=False, last=False):
    normed = not (first or last)
    layers = [] if first else [nn.LeakyReLU(0.2)]
    layers.append(nn.Conv2d(c_in, c_out, 4, 2, 1, bias=not normed))
    if normed:
        layers.append(nn.InstanceNorm2d(c_out, affine=True))
    return nn.Sequential(*layers)
"""
UP = """
def up(c_in, c_out, last=False):
    return nn.Sequential(
        nn.ReLU(),
        nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=last),
        nn.Tanh() if last else nn.InstanceNorm2d(c_out, affine=True),
    )
"""
LEVEL = """
def level(x, step_down, inside, step_up):
    skip = step_down(x)
    below = inside(skip)
    return step_up(torch.cat([below, skip], 1))
"""
STEP = """
def l1_step(net, optimizer, L, ab):
    loss = F.l1_loss(net(L), ab)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
"""
CHEAPEST = """
def cheapest(truths, power):
    answers = torch.arange(-110, 111)
    costs = (truths[None, :] - answers[:, None]).abs().pow(power).mean(1)
    return answers[costs.argmin()].item()
"""


def written(source, right="", wrong=""):
    """The function of a learner's source, one thing in it changed."""
    assert right in source
    names = {"torch": torch, "nn": nn, "F": F}
    before = set(names)
    exec(source.replace(right, wrong) if right else source, names)
    return next(names[name] for name in names if name not in before and name != "__builtins__")


down_truth = truths.same_step(nets.step_down, "first", "last")
up_truth = truths.same_step(nets.step_up, "last")


def test_ours_pass():
    assert down_truth(nets.step_down) is True
    assert up_truth(nets.step_up) is True
    assert truths.same_l1_step(truths.Ours.l1_step) is True
    assert truths.same_cheapest(truths.Ours.cheapest) is True


def test_right_answers_pass_however_they_are_written():
    assert down_truth(written(DOWN)) is True
    assert up_truth(written(UP)) is True
    assert truths.same_level(written(LEVEL)) is True
    assert truths.same_l1_step(written(STEP)) is True
    assert truths.same_cheapest(written(CHEAPEST)) is True
    assert truths.same_l1_step(written(STEP, "F.l1_loss(net(L), ab)", "(net(L) - ab).abs().mean()"))
    assert truths.same_cheapest(written(CHEAPEST, ".mean(1)", ".sum(1)")) is True

    class Step(nn.Module):
        def __init__(self, c_in, c_out, first=False, last=False):
            super().__init__()
            normed = not (first or last)
            self.first = first
            self.conv = nn.Conv2d(c_in, c_out, 4, 2, 1, bias=not normed)
            self.norm = nn.InstanceNorm2d(c_out, affine=True) if normed else nn.Identity()

        def forward(self, x):
            return self.norm(self.conv(x if self.first else F.leaky_relu(x, 0.2)))

    assert down_truth(Step) is True


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("4, 2, 1", "3, 2, 1", "Conv2d's kernel_size is 3, and 4 is asked for."),
        ("4, 2, 1", "4, 2", "Conv2d's padding is 0, and 1 is asked for."),
        ("4, 2, 1", "4, 1, 1", "Conv2d's stride is 1, and 2 is asked for."),
        ("c_in, c_out, 4", "c_out, c_in, 4", "Conv2d's in_channels is 10, and 6 is asked for."),
        (", bias=not normed", "", "Conv2d's bias is True, and False is asked for."),
        ("=not normed", "=False", "With first=True: Conv2d's bias is False, and True"),
        (", affine=True", "", "InstanceNorm2d's affine is False, and True is asked for."),
        ("InstanceNorm2d(c_out, affine=True)", "BatchNorm2d(c_out)", "BatchNorm2d stands where"),
        ("nn.LeakyReLU(0.2)", "nn.ReLU()", "ReLU stands where LeakyReLU is asked for."),
        ("0.2", "0.01", "LeakyReLU's negative_slope is 0.01, and 0.2 is asked for."),
        ("not (first or last)", "not last", "With first=True: It has one InstanceNorm2d too many."),
        ("not (first or last)", "not first", "With last=True: It has one InstanceNorm2d too many."),
        ("[] if first else ", "", "With first=True: It has one LeakyReLU too many."),
        ("nn.Sequential(*layers)", "layers", "A list of layers is no step yet"),
        ("nn.Sequential(*layers)", "layers[1]", "LeakyReLU is missing."),
        ("return nn.Sequential(*layers)", "return len(layers)", "It returns int, and a step"),
        (
            "nn.Sequential(*layers)",
            "nn.Sequential(*layers[::-1])",
            "The order of its layers is LeakyReLU, Conv2d, InstanceNorm2d; yours is InstanceNorm2d",
        ),
    ],
)
def test_each_mistake_in_a_step_down_is_named(right, wrong, told):
    assert told in down_truth(written(DOWN, right, wrong))


def test_an_error_that_has_no_name_is_left_to_the_check_to_tell():
    class Torn(nn.Sequential):
        def forward(self, x):
            raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        down_truth(lambda *sizes, **flags: Torn(*nets.step_down(*sizes, **flags)))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("ConvTranspose2d", "Conv2d", "Conv2d stands where ConvTranspose2d is asked for."),
        ("4, 2, 1", "3, 2, 1", "kernel_size is 3, and 4 is asked for."),
        ("Norm2d(c_out", "Norm2d(c_in", "InstanceNorm2d's num_features is 6, and 10 is asked for."),
        (", bias=last", "", "ConvTranspose2d's bias is True, and False is asked for."),
        ("nn.Tanh() if last else ", "", "With last=True: InstanceNorm2d stands where Tanh"),
    ],
)
def test_each_mistake_in_a_step_up_is_named(right, wrong, told):
    assert told in up_truth(written(UP, right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("torch.cat([below, skip], 1)", "below", "the skip is lost"),
        ("torch.cat([below, skip], 1)", "skip", "what was found further down is lost"),
        ("torch.cat([below, skip], 1)", "below + skip", "Added"),
        ("[below, skip]", "[skip, below]", "The other way round"),
        (", 1)", ")", "step_up gets 4 x 3 x 4 x 4, where 2 x 6 x 4 x 4 is right."),
        ("return step_up(torch.cat([below, skip], 1))", "return below", "Nothing has gone through"),
        ("skip], 1))", "skip], 1)) + 1", "A level gives what step_up gives, as it is."),
        ("[below, skip]", "[below, below]", "and nothing else"),
    ],
)
def test_each_mistake_in_a_level_is_named(right, wrong, told):
    assert told in truths.same_level(written(LEVEL, right, wrong))


def test_what_returns_nothing_is_left_to_the_check_to_tell():
    assert down_truth(written(DOWN, "return nn.Seq", "nn.Seq")) is False
    assert truths.same_level(written(LEVEL, "return step_up", "step_up")) is False
    assert truths.same_level(lambda x, step_down, inside, step_up: None) is False
    assert truths.same_cheapest(written(CHEAPEST, "return ", "")) is False


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("    optimizer.zero_grad()\n", "", "optimizer.zero_grad() first"),
        ("    loss.backward()\n", "", "The net has not moved"),
        ("    optimizer.zero_grad()\n    loss.backward()\n", "", "along the slope of an earlier"),
        ("    optimizer.step()\n", "", "The net has not moved"),
        ("l1_loss", "mse_loss", "Those are squares"),
        ("F.l1_loss(net(L), ab)", "-F.l1_loss(net(L), ab)", "It moved the wrong way."),
        ("F.l1_loss(net(L), ab)", "(net(L) - ab).mean()", "It has moved, but not by L1"),
        ("F.l1_loss(net(L), ab)", "(net(L) - ab).abs().sum()", "It has moved, but not by L1"),
        ("    return loss.item()", "", "Now return the loss"),
        ("loss.item()", "2 * loss.item()", "returns another value than its loss"),
    ],
)
def test_each_mistake_in_a_step_of_training_is_named(right, wrong, told):
    assert told in truths.same_l1_step(written(STEP, right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (".abs()", "", "the absolute value first"),
        (".pow(power)", "", "It takes `power` for 1"),
        (".pow(power)", ".pow(2)", "It takes `power` for 2"),
        ("answers[costs.argmin()].item()", "3", "it gives 3 at power 1, and 0 is right"),
    ],
)
def test_each_mistake_in_the_cheapest_answer_is_named(right, wrong, told):
    assert told in truths.same_cheapest(written(CHEAPEST, right, wrong))


def test_a_field_is_compared_with_what_was_measured():
    truth = truths.same_field({1: 4, 2: 10})
    assert truth(lambda levels: 4 if levels == 1 else 10) is True
    assert truth(lambda levels: 4 * levels) == "After 2 steps it gives 8; measured are 10 px."
    assert truth(lambda levels: 2) == "After one step it gives 2; measured are 4 px."
    assert truth(lambda levels: None) is False


def test_a_color_is_right_near_the_right_one():
    truth = truths.color_near(torch.tensor([14.0, 42.0]), {"red": torch.tensor([[58.0, 42.0]])})
    assert truth([14, 42]) is True and truth((10, 45)) is True
    assert truth([60, 40]) == "red"
    assert truth([30, 30]) is False
    assert truth(14) == truth([1, 2, 3]) == "Two numbers, please: a* and b*."
