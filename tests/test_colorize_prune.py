"""Pruned nets: fewer channels, and the same answer where those that left did nothing."""

import shlex

import numpy as np
import pytest
import torch
from photo_sets import colored, fill
from torch import nn

from pix2pix import cli, weights
from pix2pix.cli.compress import train_command
from pix2pix.colorize.compress.costs import flops_of, parameters_of
from pix2pix.colorize.compress.prune import _AttentionPruner, prune
from pix2pix.errors import ExportError
from pix2pix.nets import build_generator
from pix2pix.nets.blocks import Attention
from pix2pix.weights import Header

PHOTOS = [np.asarray(colored(i, 64, 64)) for i in range(4)]
UNET = {"net": "UNet", "width": 16, "depth": 3}
BACKBONE = {
    "net": "BackboneUNet",
    "encoder": "squeezenet1_1",
    "decoder": [8, 16, 16],
    "bottleneck": 16,
    "in_channels": 4,
    "attention": 2,
    "bins": 40,
    "blend": 0.5,
    "vivid": 1.2,
}


def made(config, seed=0):
    """A random net with effect in every layer, and its header."""
    torch.manual_seed(seed)
    net = build_generator(config)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if not name.startswith("encoder"):
                parameter.copy_(torch.randn_like(parameter) * parameter.shape[-1] ** -0.5 / 4)
    header = Header(generator=net.config, name="tiny", recipe="hints", area=64 * 64)
    return net.eval(), header


def silence(norm, gone):
    """Make channels of a norm zero, whatever comes in."""
    with torch.no_grad():
        norm.weight[gone] = norm.bias[gone] = 0


def source(net):
    x = torch.rand(2, net.in_channels, 64, 64) * 2 - 1
    x[:, 1:] = 0
    return x


def test_of_a_unet_the_channels_without_effect_leave():
    net, header = made(UNET)
    gone = {}
    for step in [*net.down, *net.up]:
        for norm in (m for m in step if isinstance(m, nn.InstanceNorm2d)):
            nn.init.ones_(norm.bias)  # so that no other is always below zero
            gone[norm] = torch.randperm(norm.num_features)[: norm.num_features // 2]
            silence(norm, gone[norm])
    smaller, narrow = prune(net, header, PHOTOS, keep=0.5)
    assert narrow.generator == {**header.generator, "width": 8}
    assert parameters_of(smaller) < parameters_of(net) / 3
    # the first and the last level have no norm to silence: what leaves there had an effect
    assert smaller(source(net)).shape == (2, 2, 64, 64)
    for old, new in zip(net.up[1:-1], smaller.up[1:-1], strict=True):
        kept = [i for i in range(old[2].num_features) if i not in set(gone[old[2]].tolist())]
        torch.testing.assert_close(new[2].weight, old[2].weight[kept])


def test_with_all_kept_only_what_does_nothing_leaves_and_the_answer_stays():
    net, header = made(BACKBONE)
    silence(net.squeeze[1], torch.arange(0, 16, 2))  # bottleneck
    for norm in (net.up[1][1], net.up[1][4]):  # decoder[1]
        silence(norm, torch.tensor([1, 3, 4, 9]))
    smaller, narrow = prune(net, header, PHOTOS, keep=1)
    assert narrow.generator["bottleneck"] == 8
    assert narrow.generator["decoder"] == [8, 12, 16]
    x = source(net)
    assert net(x).abs().mean() > 0.01
    torch.testing.assert_close(smaller(x), net(x), atol=1e-5, rtol=1e-4)
    x[:, 1:, 20:24, 20:24] = torch.tensor([0.3, -0.2, 1]).view(3, 1, 1)
    torch.testing.assert_close(smaller(x), net(x), atol=1e-5, rtol=1e-4)
    assert all(
        torch.equal(old, new)
        for old, new in zip(net.encoder.parameters(), smaller.encoder.parameters(), strict=True)
    )


def test_a_narrower_backbone_unet_is_saved_and_loaded(tmp_path):
    net, header = made(BACKBONE)
    smaller, narrow = prune(net, header, PHOTOS, keep=0.7)
    assert narrow.generator["decoder"] == [4, 12, 12]
    assert flops_of(smaller, source(net).numpy()) < flops_of(net, source(net).numpy())
    weights.save(tmp_path / "pruned.safetensors", smaller, narrow)
    loaded, found = weights.load(tmp_path / "pruned.safetensors")
    assert found.generator == narrow.generator
    x = source(net)
    torch.testing.assert_close(loaded(x), smaller(x), atol=0.01, rtol=0)


def test_attention_keeps_its_heads_and_what_they_do():
    torch.manual_seed(0)
    layer = Attention(16, 2)
    attend = layer.attend
    nn.init.normal_(attend.out_proj.weight)
    idle = torch.tensor([0, 1, 4, 7, 9, 10, 12, 15])  # channels of the two heads, four of each
    with torch.no_grad():
        for rows in attend.in_proj_weight.view(3, 16, 16):
            rows[idle] = 0
    x = torch.randn(1, 5, 16)
    gone = [2, 3, 5, 8, 11, 12, 13, 14]
    x[..., gone] = 0
    with torch.no_grad():
        before = attend(x, x, x)[0]
    kept = sorted(set(range(16)) - set(gone))
    narrow = _AttentionPruner().prune_out_channels(layer, gone)
    assert narrow.attend.num_heads == 2
    assert narrow.norm.weight.shape == (8,)
    x = x[..., kept]
    with torch.no_grad():
        torch.testing.assert_close(narrow.attend(x, x, x)[0], before[..., kept])


def test_what_cannot_be_pruned_is_refused():
    net, header = made(UNET)
    for keep in (0, 1.1):
        with pytest.raises(ValueError, match="keep="):
            prune(net, header, PHOTOS, keep=keep)
    net.config = {"net": "ChromaNet"}
    with pytest.raises(ExportError, match="no width"):
        prune(net, header, PHOTOS, keep=0.5)


@pytest.mark.slow
def test_the_command_prunes_and_its_advice_trains_on(tmp_path, capsys):
    net, header = made(BACKBONE)
    whole, small = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    weights.save(whole, net, header)
    photos = fill(tmp_path / "photos", 12)
    command = ["prune", str(whole), str(small), "--data", str(photos), "--keep", "0.7"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(small)
    assert [line.split()[0] for line in said[:3]] == ["parameters:", "operations", "CPU"]
    narrow = weights.read_header(small)
    advice = train_command(narrow, str(small))
    assert said[-2] == f"train it on: {advice}"
    settings = [
        *shlex.split(advice.replace("PHOTOS", str(photos)).replace("RUN", f"{tmp_path}/run"))[2:],
        *("trainer.steps=2", "trainer.batch=2", "trainer.val_photos=2", "data.size=32"),
        *("data.cached_side=40", "trainer.workers=0", "trainer.precision=fp32", "logger=csv"),
    ]
    assert cli.main(["train", *settings]) == 0, capsys.readouterr().err
    trained = weights.load(tmp_path / "run" / "last.safetensors")[1]
    assert trained.generator["decoder"] == narrow.generator["decoder"]
    assert cli.main(command) == 1  # it is there already
