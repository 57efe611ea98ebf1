"""Checkpoints of other projects: what their nets give is what ours give, or one line says why not.

The nets below are written after the sources that weights/foreign/layouts.py names, not after ours.
"""

import os
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pix2pix import cli
from pix2pix.colorize import Colorizer
from pix2pix.colorize.recolor import recolor
from pix2pix.errors import WeightsError
from pix2pix.nets import UNet
from pix2pix.nets.variants import UNetVariant
from pix2pix.weights import load, read_header
from pix2pix.weights.file import blank
from pix2pix.weights.foreign.layouts import LAYOUTS, RECIPES
from pix2pix.weights.foreign.mapping import arguments, convert_checkpoint

L = torch.linspace(-1, 1, 2 * 32 * 48).view(2, 1, 32, 48).sin()


# ---- the originals


class Block(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x):
        return self.block(x)


class Course(nn.Module):
    """Generator of the notebook that the course grew from; its dropout has no tensors."""

    def __init__(self, width=2, depth=4, out=2):
        super().__init__()
        self.depth = depth
        c = [1, *(width * min(2**i, 8) for i in range(depth))]
        for i in range(1, depth + 1):
            bare = i in (1, depth)
            conv = nn.Conv2d(c[i - 1], c[i], 4, 2, 1, padding_mode="reflect", bias=bare)
            norm = nn.Identity() if bare else nn.InstanceNorm2d(c[i], affine=True)
            setattr(self, f"encoder{i}", Block(conv, norm, nn.LeakyReLU(0.2)))
        for i in range(1, depth + 1):
            last = i == depth
            c_in = c[depth + 1 - i] * (1 if i == 1 else 2)
            c_out = out if last else c[depth - i]
            conv = nn.ConvTranspose2d(c_in, c_out, 4, 2, 1, bias=last)
            norm = nn.Identity() if last else nn.InstanceNorm2d(c_out, affine=True)
            end = nn.Tanh() if last else nn.ReLU()
            setattr(self, f"decoder{i}", Block(conv, norm, nn.Identity(), end))

    def forward(self, x):
        skips = []
        for i in range(1, self.depth + 1):
            x = getattr(self, f"encoder{i}")(x)
            skips.append(x)
        x = self.decoder1(skips.pop())
        for i in range(2, self.depth + 1):
            x = getattr(self, f"decoder{i}")(torch.cat([x, skips.pop()], dim=1))
        return x


class UnetBlock(nn.Module):
    """Of moein-shariatnia's tutorial and its many copies."""

    def __init__(self, nf, ni, submodule=None, input_c=None, outermost=False):
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(input_c or nf, ni, 4, 2, 1, bias=False)
        sides = 1 if submodule is None else 2
        up = nn.ConvTranspose2d(ni * sides, nf, 4, 2, 1, bias=outermost)
        if outermost:
            model = [down, submodule, nn.ReLU(True), up, nn.Tanh()]
        elif submodule is None:
            model = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, nn.BatchNorm2d(nf)]
        else:
            model = [nn.LeakyReLU(0.2, True), down, nn.BatchNorm2d(ni), submodule]
            model += [nn.ReLU(True), up, nn.BatchNorm2d(nf), nn.Dropout(0.5)]
        self.model = nn.Sequential(*model)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Nested(nn.Module):
    def __init__(self, width=2, depth=5, out=2):
        super().__init__()
        c = [width * min(2**i, 8) for i in range(depth)]
        block = None
        for i in reversed(range(1, depth)):
            block = UnetBlock(c[i - 1], c[i], block)
        self.model = UnetBlock(out, width, block, input_c=1, outermost=True)

    def forward(self, x):
        return self.model(x)


def conv_block(c_in, c_out):
    layers = []
    for c in (c_in, c_out):
        layers += [nn.Conv2d(c, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers)


class ColorizerNet(nn.Module):
    """UNetColorizer of Colorizer."""

    def __init__(self, width=2, depth=4, out=2):
        super().__init__()
        self.depth = depth
        for i in range(1, depth + 1):
            c = width * 2 ** (i - 1)
            setattr(self, f"enc{i}", conv_block(1 if i == 1 else c // 2, c))
            setattr(self, f"up{i}", nn.ConvTranspose2d(2 * c, c, 2, 2))
            setattr(self, f"dec{i}", conv_block(2 * c, c))
        self.bottleneck = conv_block(c, 2 * c)
        self.head = nn.Sequential(nn.Conv2d(width, out, 1), nn.Tanh())

    def forward(self, x):
        skips = []
        for i in range(1, self.depth + 1):
            skips.append(getattr(self, f"enc{i}")(x))
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for i in range(self.depth, 0, -1):
            x = getattr(self, f"up{i}")(x)
            x = getattr(self, f"dec{i}")(torch.cat([x, skips.pop()], dim=1))
        return self.head(x)


ORIGINALS = {
    "Course": (Course, "pix2pix"),
    "Nested": (Nested, "pix2pix"),
    "ColorizerNet": (ColorizerNet, "unet_l1"),
}


def original(name="Course", **arguments):
    """A net whose every tensor matters, BatchNorm's running ones too."""
    torch.manual_seed(0)
    net = ORIGINALS[name][0](**arguments)
    for key, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            if key.endswith(("running_var", "weight")) and tensor.ndim == 1:
                nn.init.uniform_(tensor, 0.5, 2)
            else:
                nn.init.normal_(tensor, std=0.3)
    return net.eval()


def convert(tmp_path, saved, *, recipe="pix2pix", **options):
    torch.save(saved, tmp_path / "theirs.pth")
    return convert_checkpoint(tmp_path / "theirs.pth", recipe=recipe, **options)


def check_equal(net, path):
    """In float64: sums in another order differ by 2e-4 in float32, in nets as wild as these."""
    ours = load(path)[0].double()
    x = (L[..., :32] if L.shape[-1] % ours.multiple else L).double()
    expected = net.double()(x.clone())
    net.float()
    assert expected.std() > 0.05  # or any net would do
    torch.testing.assert_close(ours(x), expected, atol=1e-9, rtol=0)


# ---- what they give is what ours give


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_converted_net_gives_what_the_original_gave(name, tmp_path):
    net = original(name)
    done = convert(tmp_path, net.state_dict(), recipe=ORIGINALS[name][1])
    assert done.path == tmp_path / "theirs.safetensors"
    check_equal(net, done.path)
    state = load(done.path)[0].state_dict()
    assert {ours for _, ours, _ in done.rows} == state.keys()
    assert {theirs for theirs, _, _ in done.rows} - {"-"} == net.state_dict().keys()


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("name", ORIGINALS)
def test_other_depths_and_widths(name, depth, tmp_path):
    net = original(name, width=3, depth=depth)
    done = convert(tmp_path, net.state_dict(), recipe=ORIGINALS[name][1])
    check_equal(net, done.path)
    assert (done.header.generator["width"], done.header.generator["depth"]) == (3, depth)


@pytest.mark.parametrize(
    ("name", "width", "depth", "count"),
    [
        ("Course", 64, 8, 54_410_434),
        ("Nested", 64, 8, 54_409_858),
        ("ColorizerNet", 64, 4, 31_036_546),
        ("ColorizerNet", 128, 4, 124_119_298),
    ],
)
def test_every_tensor_at_full_size(name, width, depth, count):
    layout = LAYOUTS[list(ORIGINALS).index(name)]
    with torch.device("meta"):
        net = ORIGINALS[name][0](width=width, depth=depth)
    assert sum(p.numel() for p in net.parameters()) == count
    theirs, pairs = net.state_dict(), list(layout.pairs(depth))
    ours = blank(arguments(layout, theirs, {})).state_dict()
    assert {p.theirs for p in pairs} - {None} == theirs.keys()
    assert sorted(p.ours for p in pairs) == sorted(ours)
    assert all(theirs[p.theirs].shape == ours[p.ours].shape for p in pairs if p.theirs)


def old_names(name):
    """Of the checkpoints that Colorizer's run.py renames."""
    name = re.sub(r"^(enc\d|dec\d|bottleneck)\.", r"\1.net.", name)
    return name.replace("bottleneck", "mid").replace("head.0", "out_conv")


WRAPPED = {
    "DataParallel": lambda s: {f"module.{k}": v for k, v in s.items()},
    "compiled": lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
    "in a dict": lambda s: {"epoch": 3, "state_dict": s, "opt": {"lr": 0.1}},
    "in two": lambda s: {"model": {"generator": s}},
    "with its critic": lambda s: {
        **{f"net_G.{k}": v for k, v in s.items()},
        "net_D.model.0.0.weight": torch.zeros(2),
        "GANcriterion.real_label": torch.tensor(1.0),
    },
    "in parallel with its critic": lambda s: {
        **{f"module.net_G.{k}": v for k, v in s.items()},
        "module.net_D.model.0.0.weight": torch.zeros(2),
    },
}


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("name", ORIGINALS)
def test_wrappers(name, wrap, tmp_path):
    net = original(name)
    done = convert(tmp_path, WRAPPED[wrap](net.state_dict()), recipe=ORIGINALS[name][1])
    check_equal(net, done.path)
    assert len(done.beside) == {"with its critic": 2, "in parallel with its critic": 1}.get(wrap, 0)


@pytest.mark.parametrize("prefix", ["", "net."])
def test_colorizers_best_pt(prefix, tmp_path):
    net = original("ColorizerNet")
    state = OrderedDict((prefix + old_names(k), v) for k, v in net.state_dict().items())
    assert f"{prefix}enc1.net.0.weight" in state and f"{prefix}mid.net.4.running_var" in state
    cfg = {"data_dir": "/content/images", "image_size": 128, "base_channels": 2, "amp": False}
    best = {"epoch": 5, "global_step": 421, "model": state, "cfg": cfg, "epoch_loss": 0.065}
    done = convert(tmp_path, best, recipe="unet_l1")
    check_equal(net, done.path)
    header = read_header(done.path)
    assert (header.name, header.recipe, header.head) == ("theirs", "unet_l1", "ab")
    assert (header.ab_scale, header.area, header.steps) == (128, 128 * 128, 421)
    assert "geeky-brahma/colorizer" in header.data and "/content" not in str(header)


def test_safetensors_too(tmp_path):
    net = original()
    save_file(net.state_dict(), tmp_path / "theirs.safetensors")
    with pytest.raises(WeightsError, match="is there already"):  # itself
        convert_checkpoint(tmp_path / "theirs.safetensors", recipe="pix2pix", overwrite=True)
    (tmp_path / "out").mkdir()
    done = convert_checkpoint(tmp_path / "theirs.safetensors", tmp_path / "out", recipe="pix2pix")
    assert done.path == tmp_path / "out" / "theirs.safetensors"
    check_equal(net, done.path)


def test_precision_is_kept_unless_half_is_asked_for(tmp_path):
    net, theirs, ours = original(), "decoder2.block.0.weight", "up.1.1.weight"
    for dtype, half, kept in [
        (torch.float32, False, torch.float32),
        (torch.float32, True, torch.float16),
        (torch.float16, False, torch.float16),
        (torch.float64, False, torch.float32),
        (torch.bfloat16, False, torch.float32),
    ]:
        state = {k: v.to(dtype) for k, v in net.state_dict().items()}
        done = convert(tmp_path, state, half=half, overwrite=True)
        stored = load_file(done.path)
        assert {tensor.dtype for tensor in stored.values()} == {kept} == {done.dtype}
        assert torch.equal(stored[ours], state[theirs].to(kept))


# ---- scale and head


@pytest.mark.parametrize(("asked", "kept"), [(None, 128), (110, 110), (128, 128)])
def test_the_ab_scale_reaches_the_picture(asked, kept, tmp_path):
    net = original("ColorizerNet")
    done = convert(tmp_path, net.state_dict(), recipe="unet_l1", ab_scale=asked)
    colorizer = Colorizer.from_pretrained(done.path, device="cpu")
    assert colorizer.header.ab_scale == done.header.ab_scale == kept
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    ab = colorizer.predict(photo)
    assert np.abs(ab).max() <= 1 and ab.std() > 0.01
    expected = {scale: recolor(photo, ab * np.float32(scale)) for scale in (110, 128)}
    assert not np.array_equal(expected[110], expected[128])
    np.testing.assert_array_equal(colorizer.rgb(photo), expected[kept])


@pytest.mark.parametrize("name", ["Course", "Nested"])
def test_the_pix2pix_ones_are_of_scale_110(name, tmp_path):
    header = convert(tmp_path, original(name).state_dict()).header
    assert (header.ab_scale, header.head, header.area, header.steps) == (110, "ab", 65536, 0)
    assert header.recipe == "pix2pix"


def test_three_channels_are_rgb(tmp_path):
    net = original("ColorizerNet", out=3)
    done = convert(tmp_path, net.state_dict(), recipe="unet_l1")
    header = read_header(done.path)
    assert (header.head, header.ab_scale) == ("rgb", 110)
    check_equal(net, done.path)
    with pytest.raises(WeightsError, match="predicts rgb, which has no ab to be of scale 128"):
        convert(tmp_path, net.state_dict(), recipe="unet_l1", ab_scale=128, overwrite=True)


# ---- what is refused


class Code:
    def __reduce__(self):
        return os.mkdir, ("canary",)


def without(name):
    return lambda state: {k: v for k, v in state.items() if k != name}


def with_(name, tensor):
    return lambda state: {**state, name: tensor}


FAULTS = {
    "missing": (
        without("encoder2.block.1.bias"),
        r"does not fit the layout of Photo-C.*: 1 tensor missing: encoder2\.block\.1\.bias$",
    ),
    "no head": (without("decoder4.block.0.bias"), "1 tensor missing: decoder4.block.0.bias"),
    "left over": (
        with_("encoder2.block.0.bias", torch.zeros(4)),
        r"1 tensor left over: encoder2\.block\.0\.bias$",
    ),
    "shape": (
        with_("encoder3.block.0.weight", torch.zeros(8, 4, 3, 3)),
        r"1 tensor of another shape: encoder3\.block\.0\.weight \(8x4x3x3 for 8x4x4x4\)$",
    ),
    "type": (
        with_("encoder3.block.0.weight", torch.zeros(8, 4, 4, 4, dtype=torch.int8)),
        r"1 tensor of another type: encoder3\.block\.0\.weight$",
    ),
    "NaN": (
        with_("decoder1.block.1.bias", torch.full((8,), float("nan"))),
        r"1 tensor with NaN or infinity: decoder1\.block\.1\.bias$",
    ),
    "several": (
        lambda s: {k.replace("decoder2.block.1", "decoder2.block.2"): v for k, v in s.items()},
        r"2 tensors missing: decoder2\.block\.1\.weight, .*bias; 2 tensors left over: decoder2\.",
    ),
    "channels in": (
        with_("encoder1.block.0.weight", torch.zeros(2, 3, 4, 4)),
        r"encoder1\.block\.0\.weight: the net takes 3 channels, not L alone$",
    ),
    "channels out": (
        with_("decoder4.block.0.bias", torch.zeros(313)),
        r"313 channels out, neither ab nor RGB$",
    ),
    "two generators": (
        lambda s: {f"{p}.{k}": v for p in ("a", "b") for k, v in s.items()},
        r"2 generators in it, under 'a\.', 'b\.'; save one alone$",
    ),
    "strangers beside": (
        lambda s: {**{f"g.{k}": v for k, v in s.items()}, "vgg.0.weight": torch.zeros(1)},
        r"1 tensor beside the generator: vgg\.0\.weight$",
    ),
    "fastai": (
        lambda s: {f"net_G.layers.{i}.0.weight": torch.zeros(1) for i in range(12)},
        r"a fastai DynamicUnet, .* here; its tensors: net_G\.layers\.0\.0\.weight, .* and 2 more$",
    ),
    "another net": (
        lambda s: {"conv1.weight": torch.zeros(1)},
        r"no layout known here, .*enc1\.0\.weight \(Colorizer\); its tensors: conv1\.weight$",
    ),
    "a list": (lambda s: [1, 2], "no tensors by name in it, but a list$"),
    "nothing": (lambda s: {}, "no tensors by name in it, but a dict$"),
    "no tensors": (lambda s: {"epoch": 3}, "not a state dict; among its keys: epoch$"),
    "numbers": (lambda s: {0: torch.zeros(1)}, "not a state dict"),
    "code": (lambda s: {**s, "x": Code()}, r"asks for code, \w+\.mkdir; only tensors"),
    "a whole net": (
        lambda s: nn.Linear(2, 2),
        r"asks for code, torch\.nn\.modules\.linear\.Linear",
    ),
    "a swollen view": (
        with_("encoder1.block.0.weight", torch.zeros(1).expand(10**6, 1, 10**3, 10**3)),
        r"encoder1\.block\.0\.weight is larger than what there is of it$",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_named(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, message = FAULTS[fault]
    with pytest.raises(WeightsError, match=message) as caught:
        convert(tmp_path, change(original().state_dict()))
    assert str(caught.value).startswith(f"{tmp_path / 'theirs.pth'}: ")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["theirs.pth"]


@pytest.mark.parametrize("kind", ["cut", "stub", "text", "empty", "missing", "folder"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_checkpoints(kind, suffix, tmp_path):
    path = tmp_path / f"theirs{suffix}"
    state = original().state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    data = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        content = {"cut": data[:-100], "stub": data[:30], "text": b"hello you", "empty": b""}
        path.write_bytes(content[kind])
    with pytest.raises(WeightsError, match=r"theirs\.\w+: (not a c|no such file|cannot be)") as e:
        convert_checkpoint(path, tmp_path / "out.safetensors", recipe="pix2pix")
    assert "\n" not in str(e.value) and not (tmp_path / "out.safetensors").exists()


def test_a_cfg_that_says_otherwise(tmp_path):
    best = {"model": original("ColorizerNet").state_dict(), "cfg": {"base_channels": 32}}
    with pytest.raises(WeightsError, match="its cfg says base_channels=32, its tensors 2"):
        convert(tmp_path, best, recipe="unet_l1")


def test_names_of_both_ages_at_once(tmp_path):
    state = original("ColorizerNet").state_dict()
    state["enc2.net.0.weight"] = state["enc2.0.weight"]
    with pytest.raises(WeightsError, match="two names for one tensor"):
        convert(tmp_path, state, recipe="unet_l1")


def test_another_recipe(tmp_path):
    with pytest.raises(WeightsError, match="of the layout of Colorizer: give --recipe unet_l1"):
        convert(tmp_path, original("ColorizerNet").state_dict())
    with pytest.raises(ValueError, match="recipe 'hints': one of pix2pix, unet_l1"):
        convert(tmp_path, {}, recipe="hints")
    assert RECIPES == ("pix2pix", "unet_l1")


def test_no_output_is_replaced_unasked_and_none_is_left_half(tmp_path):
    state = original().state_dict()
    path = convert(tmp_path, state).path
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="is there already"):
        convert(tmp_path, state)
    with pytest.raises(WeightsError, match="NaN"):
        convert(
            tmp_path,
            with_("decoder1.block.1.bias", torch.full((8,), float("nan")))(state),
            overwrite=True,
        )
    assert path.read_bytes() == before
    with pytest.raises(WeightsError, match="not written"):
        convert(tmp_path, state, dest=tmp_path / "missing" / "a.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["theirs.pth", "theirs.safetensors"]


# ---- the net's arguments for it


def test_variants_of_the_unet():
    for wrong in ({"norm": "layer"}, {"padding": "wrap"}):
        with pytest.raises(ValueError, match="one of"):
            UNetVariant(width=2, depth=2, **wrong)
    plain = UNet(width=2, depth=3).state_dict()
    variant = UNetVariant(width=2, depth=3, padding="reflect", leaky_skips=True)
    assert variant.state_dict().keys() == plain.keys()
    bare = UNet(width=2, depth=3, skips=False).eval()
    leaky = UNetVariant(width=2, depth=3, skips=False, leaky_skips=True).eval()
    leaky.load_state_dict(bare.state_dict())
    assert leaky(L).shape == bare(L).shape == (2, 2, 32, 48)


# ---- the command


def run(*arguments: str | Path) -> int:
    return cli.main(["convert", *map(str, arguments)])


def test_the_command_says_what_went_where(tmp_path, capsys):
    net = original("Nested")
    critic = {"net_D.model.0.0.weight": torch.zeros(1)}
    torch.save({f"net_G.{k}": v for k, v in net.state_dict().items()} | critic, tmp_path / "a.pt")
    assert run(tmp_path / "a.pt", "--recipe", "pix2pix", "-o", tmp_path / "b.safetensors") == 0
    check_equal(net, tmp_path / "b.safetensors")
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert err == "" and lines[-1] == str(tmp_path / "b.safetensors")
    assert "model.model.0.weight -> down.0.0.weight 2x1x4x4" in lines
    assert "- -> down.0.0.bias 2 zeros" in lines
    assert "model.model.3.weight -> up.4.1.weight 4x2x4x4 halves swapped" in lines
    count = len(load(tmp_path / "b.safetensors")[0].state_dict())
    assert len(lines) == count + 4
    assert any(line.startswith(f"{count} tensors, ") for line in lines[-4:])
    assert "left out: 1 tensors, such as net_D.model.0.0.weight" in lines


def test_the_commands_errors_are_one_line(tmp_path, capsys):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "a.pt")
    assert run(tmp_path / "a.pt", "--recipe", "pix2pix") == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"{tmp_path / 'a.pt'}: weights: no layout known here")
    (tmp_path / "a.safetensors").touch()
    assert run(tmp_path / "a.pt", "--recipe", "pix2pix") == 1
    assert "a.safetensors: is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["a.pt"], ["a.pt", "--recipe", "hints"], ["--ab-scale", "100", "a.pt"]]
)
def test_wrong_usage(arguments, capsys):
    more = ["--recipe", "pix2pix"] if "--ab-scale" in arguments else []
    assert run(*arguments, *more) == 1
    assert "Usage: pix2pix convert" in capsys.readouterr().err
