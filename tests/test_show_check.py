"""Checks: what is right, what is not, and what learners are told; nets that are as ours."""

import linecache
from textwrap import dedent

import numpy as np
import pytest
import torch
from torch import nn

from pix2pix import nets, show


def told(capsys) -> str:
    return capsys.readouterr().out.removesuffix("\n")


def written(source: str, name: str, cell: str = "/cells/1.py"):
    """What a notebook cell with this source defines, as IPython runs it."""
    source = dedent(source)
    linecache.cache[cell] = (len(source), None, source.splitlines(keepends=True), cell)
    names = {"torch": torch, "nn": nn, "__name__": "__main__"}
    exec(compile(source, cell, "exec"), names)
    return names[name]


# values -----------------------------------------------------------------------------------------

RIGHT = [
    (3.0, 3),
    (3, 3.0),
    (torch.tensor(2.0005), 2.0),
    (np.array([1.0, 2.0]), [1, 2]),
    (torch.ones(2, 2), np.ones((2, 2))),
    ([torch.tensor(1.0), 2], (1, 2)),
    ("  Skip ", "skip"),
    (True, True),
    (5, lambda x: x > 4),
    (5, lambda x: torch.tensor(True)),
    (0.0, 0),
]
WRONG = [
    (3.1, 3),
    ("skips", "skip"),
    (3, "three"),
    (False, True),
    (4, lambda x: x > 4),
    (1e-3 + 1e-9, 0.0),
    (27, 0.5),
    (0.5, 27),
]
GENERAL = [
    (None, 3, "That is None: is there a `return` at the end of your function?"),
    ((1, None), (1, 2), "That is None: is there a `return` at the end of your function?"),
    ("a third", 0.33, "That is a text: give a number, without quotes."),
    ("a third", lambda x: abs(x - 0.33) < 0.01, "That is a text, and something else is asked for."),
    (27, 0.27, "If that is percent, give a fraction: 50 % is 0.5."),
    (27, lambda x: abs(x - 0.27) < 0.01, "If that is percent, give a fraction: 50 % is 0.5."),
    (torch.ones(2), torch.ones(3), "Its shape is (2,), and (3,) is asked for."),
    (torch.ones(1), 1.0, "Its shape is (1,), and () is asked for."),
    (float("nan"), 3, "It holds nan or inf."),
    (torch.ones(2).mean, 1.0, "That is a function: call it, and give what it returns."),
]


@pytest.mark.parametrize(("answer", "truth"), RIGHT)
def test_right_answers(answer, truth, capsys):
    show.check(answer, truth)
    assert told(capsys) == "Right."


@pytest.mark.parametrize(("answer", "truth"), WRONG)
def test_wrong_answers(answer, truth, capsys):
    show.check(answer, truth, "Look again.")
    assert told(capsys) == "Not yet. Look again."


@pytest.mark.parametrize(("answer", "truth", "what"), GENERAL)
def test_what_is_known_of_a_mistake(answer, truth, what, capsys):
    show.check(answer, truth, "Look again.")
    assert told(capsys) == f"Not yet. {what} Look again."


@pytest.mark.parametrize("answer", [..., (..., 1), [[...]], {"a": ...}, "...", " "])
def test_no_answer_yet(answer, capsys):
    show.check(answer, 3)
    assert told(capsys).startswith("Your turn: ")


def test_a_truth_that_names_the_mistake(capsys):
    def truth(x):
        return True if x == 2 else "Twice as much." if x == 1 else False

    for answer, said in (
        (2, "Right."),
        (1, "Not yet. Twice as much."),
        (5, "Not yet. Look again."),
    ):
        show.check(answer, truth, "Look again.")
        assert told(capsys) == said


# functions and classes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return ...",
        "def f(x):\n    y = max(..., x[..., 0])\n    return y",
        "class f:\n    def g(self):\n        return x[h(...)]",
        "class f(nn.Module):\n    width = ...",
        "class g(nn.Module):\n    def forward(self, x): ...\n\n\nclass f(g):\n    pass\n"
        "    def forward(self, x):\n        return g()(x)",
        "class f:\n    @staticmethod\n    def g(x):\n        return ...",
        "class f:\n    @property\n    def g(self):\n        return ...",
    ],
)
def test_dots_in_the_source(source, capsys):
    show.check(written(source, "f"), lambda f: f(0) == 1)
    assert told(capsys).startswith("Your turn")


def test_dots_where_there_is_no_source(capsys):
    names: dict = {}
    exec("def f(x):\n    return ...\ndef g(x):\n    return x[..., 0].sum()", names)
    show.check(names["f"], lambda f: False)
    assert told(capsys).startswith("Your turn")
    show.check(names["g"], lambda g: g(torch.ones(2, 2)) == 2)
    assert told(capsys) == "Right."


def test_an_index_is_no_gap_and_neither_is_a_type(capsys):
    f = written("def f(x: tuple[int, ...]):  # ...\n    '...'\n    return x[..., 0].sum()", "f")
    show.check(f, lambda f: f(torch.ones(2, 2)) == 2)
    assert told(capsys) == "Right."


def test_dots_of_the_packages_own_source_are_no_gaps(capsys):
    show.check(nn.Sequential(nn.Conv2d(1, 1, 1)), lambda net: len(net) == 1)
    assert told(capsys) == "Right."


def test_an_exception_is_told_with_the_learners_line(capsys):
    f = written("def g(x):\n    return x.veiw(3)\n\n\ndef f(x):\n    return g(x)", "f")
    show.check(f, lambda f: f(torch.ones(3)).sum() == 3, "Look again.")
    said = told(capsys)
    assert said.startswith("Not yet. At `return x.veiw(3)`: AttributeError: 'Tensor' object has no")
    assert said.endswith(". Look again.") and "\n" not in said


def test_an_exception_in_the_truth_is_told_without_a_line(capsys):
    f = written("def f(x):\n    return x", "f")
    show.check(f, lambda f: f(torch.ones(3)) @ torch.ones(4) == 3, "Look again.")
    assert told(capsys).startswith("Not yet. RuntimeError: ")


def test_a_long_exception_is_cut(capsys):
    def f(x):
        raise ValueError("a " * 1000)

    show.check(f, lambda f: f(1))
    assert len(told(capsys)) < 300


@pytest.mark.parametrize("truth", [lambda f: f(1) + 1 == 3, lambda f: f(1) == 2])
def test_a_forgotten_return(truth, capsys):
    f = written("def f(x):\n    y = x + 1", "f")
    show.check(f, truth, "Look again.")
    assert told(capsys) == "Not yet. Nothing comes out of `f`: it has no `return`. Look again."


def test_what_is_no_exception_still_ends_the_notebook(capsys):
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show.check(f, lambda f: f(1))


# going on with it -------------------------------------------------------------------------------


def test_going_on_with_what_has_passed(capsys):
    def ours(x):
        return x + 1

    mine, other = (written(f"def f(x):\n    return x + {n}", "f", f"/cells/{n}") for n in (1, 2))
    assert show.yours(mine, ours) is ours
    assert told(capsys) == "Going on with our ours: yours has not passed its check yet."
    show.check((mine, other), lambda fs: fs[0](1) == 2)
    told(capsys)
    assert show.yours(mine, ours) is mine and show.yours(other, ours) is other
    assert told(capsys) == "Going on with your ours.\nGoing on with your ours."
    show.check(other, lambda f: f(1) == 2)  # passes no longer
    assert show.yours(other, ours) is ours and show.yours(mine, ours) is mine
    assert show.yours(..., ours) is ours and show.yours(3, ours) is ours


# the same net -----------------------------------------------------------------------------------

UNET = """
class Net(nn.Module):
    def __init__(self, width=4, depth=3):
        super().__init__()
        w = [width, 2 * width, 4 * width]
        self.last = self.up(2 * w[0], 2, last=True)  # another order than ours
        self.a, self.b = self.down(1, w[0], 0), self.down(w[0], w[1], 1)
        self.c = self.down(w[1], w[2], 2)
        self.ups = nn.ModuleList([self.up(w[2], w[1]), self.up(2 * w[1], w[0], drop=True)])

    def down(self, i, o, level):
        layers = [nn.LeakyReLU(0.2)] if level else []
        layers += [nn.Conv2d(i, o, 4, 2, 1, bias=level != 1)]
        return nn.Sequential(*layers, *([nn.InstanceNorm2d(o, affine=True)] if level == 1 else []))

    def up(self, i, o, last=False, drop=False):
        layers = [nn.ReLU(), nn.ConvTranspose2d(i, o, 4, 2, 1, bias=last)]
        layers += [nn.Tanh() if last else nn.InstanceNorm2d(o, affine=True)]
        return nn.Sequential(*layers, nn.Dropout(0.5 if drop else 0))

    def forward(self, x):
        a = self.a(x)
        b = self.b(a)
        x = self.ups[0](self.c(b))
        x = self.ups[1](torch.cat([x, b], 1))
        return self.last(torch.cat([x, a], 1))
"""
PATCH = """
def net(width=4, in_channels=3):
    layers, c = [], [in_channels, width, 2 * width, 4 * width, 8 * width]
    for i in range(4):
        layers += [nn.Conv2d(c[i], c[i + 1], 4, 2 if i < 3 else 1, 1, bias=i == 0)]
        layers += [nn.InstanceNorm2d(c[i + 1], affine=True)] if i else []
        layers += [nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(c[4], 1, 4, 1, 1)]
    return nn.Sequential(*layers)
"""


def judged(source, old="", new=""):
    """What is told of a net: "Right.", or what is not right."""
    assert old in source
    unet, patchgan = ("Net", nets.UNet, SMALL), ("net", nets.PatchGAN, {"width": 4})
    name, ours, arguments = unet if source is UNET else patchgan
    mine = written(source.replace(old, new, 1), name, f"/cells/{abs(hash(new))}")
    show.check(mine, show.same_net(ours, **arguments), "Look again.")


SMALL = {"width": 4, "depth": 3}
MISTAKES = [
    (UNET, "bias=level != 1", "bias=True", "the biases do not. A norm undoes a bias before it."),
    (UNET, ", *([nn.InstanceNorm2d(o, affine=True)] if level == 1 else [])", "", "InstanceNorm2d"),
    (UNET, "self.up(2 * w[1], w[0]", "self.up(2 * w[1], w[1]", "look at the channels"),
    (UNET, "return self.last(", "return self.a(", "RuntimeError"),
    (
        UNET,
        "        return self.last(torch.cat([x, a], 1))",
        "        return a",
        "Its output is 2 x 4",
    ),
    (UNET, "return self.last(torch.cat([x, a], 1))", "return [x]", "returns list"),
    (UNET, "torch.cat([x, b], 1)", "torch.cat([b, x], 1)", "between layer 7, `ConvTranspose2d(16"),
    (UNET, "[nn.LeakyReLU(0.2)]", "[nn.LeakyReLU(0.1)]", "between layer 2, `Conv2d(4, 8"),
    (
        UNET,
        "nn.Tanh() if last",
        "nn.Identity() if last",
        "Look at the last layer, `ConvTranspose2d",
    ),
    (UNET, "[nn.LeakyReLU(0.2)]", "[nn.Dropout(0.5), nn.LeakyReLU(0.2)]", "look at dropout"),
    (PATCH, "2 if i < 3 else 1", "2", "Its output is 2 x 1 x"),
    (PATCH, "4, 2 if i < 3 else 1, 1", "4, 2 if i < 3 else 1, 0", "Its output is 2 x 1 x"),
    (PATCH, "(0.2)", "()", "between layer 2"),
    (
        PATCH,
        "nn.Conv2d(c[4], 1, 4, 1, 1)",
        "nn.Conv2d(c[4], 1, 4, 1, 1), nn.Sigmoid()",
        "last layer",
    ),
    (PATCH, "return nn.Sequential(*layers)", "return layers", "makes a list"),
]


@pytest.mark.parametrize("source", [UNET, PATCH])
def test_nets_that_are_the_same(source, capsys):
    torch.manual_seed(3)
    judged(source)
    assert told(capsys) == "Right."
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)  # a comparison moves no draws of the notebook


def test_nets_are_left_as_they_are():
    net = nets.UNet(**SMALL).train()
    before = [p.clone() for p in net.parameters()]
    assert show.same_net(nets.UNet(**SMALL), torch.ones(1, 1, 8, 8))(net) is True
    assert net.training and all(map(torch.equal, before, net.parameters()))


@pytest.mark.parametrize(("source", "old", "new", "what"), MISTAKES)
def test_nets_that_are_not(source, old, new, what, capsys):
    judged(source, old, new)
    said = told(capsys)
    assert said.startswith("Not yet. ") and what in said, said


def test_nets_without_convolutions_say_what_they_take():
    linear = nn.Linear(2, 3)
    assert show.same_net(linear, torch.ones(1, 2))(linear) is True
    with pytest.raises(TypeError, match="pass what it takes"):
        show.same_net(linear)(linear)
