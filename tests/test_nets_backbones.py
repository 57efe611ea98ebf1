"""The encoders against torchvision's, and the ways their weights come in."""

import copy
from collections import OrderedDict
from functools import cache

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from pix2pix.nets.backbones import TAPS, build_backbone

ENCODERS = [name for name in TAPS if name != "efficientnet_lite0"]  # see test_nets_mobilenets.py


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def set_statistics(net):
    """Running statistics that a wrong norm would not agree with."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return net


def whole(encoder):
    """Torchvision's classifier, its first convolution padded as ours where theirs is not."""
    return copy.deepcopy(_whole(encoder))


@cache  # to draw the weights of the largest takes a second
def _whole(encoder):
    net = set_statistics(models.get_model(encoder, weights=None)).eval()
    if encoder == "squeezenet1_1":
        net.features[0].padding = (1, 1)
    return net


def reference(encoder):
    """Torchvision's classifier without its head, as a stack."""
    net = whole(encoder)
    if encoder == "vgg16":
        return net.features[:-1]  # the last pooling is the classifier's affair
    if encoder != "resnet18":
        return net.features
    return nn.Sequential(OrderedDict(list(net.named_children())[:-2]))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_are_torchvisions(encoder):
    theirs, ours = reference(encoder), build_backbone(encoder).eval()
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for h, w in ((32, 32), (64, 96)):
        x = torch.randn(2, 3, h, w)
        for mine, its in zip(ours, theirs, strict=True):
            a, x = mine(x), its(x)
            assert torch.equal(a, x)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", TAPS)
@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_taps_have_the_stated_sizes_and_channels(encoder, steps):
    stack, taps = build_backbone(encoder).eval(), TAPS[encoder]
    h, w = (2 ** len(taps) * s for s in steps)
    x, maps = torch.randn(1, 3, h, w), {}
    for i, block in enumerate(stack):
        x = block(x)
        maps[i] = tuple(x.shape[1:])
    for level, tap in enumerate(taps, 1):
        size = (h >> level, w >> level)
        if tap:
            assert maps[tap[0]] == (tap[1], *size)
        else:
            assert size not in {shape[1:] for shape in maps.values()}
    assert [tap for tap in taps if tap] == sorted(tap for tap in taps if tap)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_whole_classifiers_file_fits_strictly(encoder, tmp_path):
    """Only the head is left out, and what the head would see is torchvision's to the bit."""
    theirs, x, seen = whole(encoder), torch.randn(2, 3, 64, 96), []
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    net = build_backbone(encoder, weights=str(tmp_path / "w.safetensors")).eval()
    pool = theirs.classifier if encoder in ("squeezenet1_1", "mobilenet_v2") else theirs.avgpool
    pool.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    theirs(x)
    ours = net(x)
    if encoder == "vgg16":
        ours = nn.functional.max_pool2d(ours, 2)  # the last pooling is left out
    assert torch.equal(ours.mean((2, 3)) if encoder == "mobilenet_v2" else ours, seen[0])


@pytest.mark.slow
def test_convnext_drops_no_blocks_in_training():
    net, x = build_backbone("convnext_tiny").train(), torch.randn(8, 3, 32, 32)
    for name, parameter in net.named_parameters():
        if name.endswith("layer_scale"):  # at first so small that a block changes nothing
            nn.init.ones_(parameter)
    assert torch.equal(net(x), net(x))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("prefix", ["features.", ""])
def test_weights_come_from_a_file_in_either_naming(encoder, prefix, tmp_path):
    theirs = reference(encoder)
    state = {prefix + k: v for k, v in theirs.state_dict().items()}
    if prefix:
        head = "fc" if encoder == "resnet18" else "classifier.1"
        state[f"{head}.weight"] = torch.zeros(3, 3)  # as in a whole classifier
    save_file(state, tmp_path / "w.safetensors")
    net = build_backbone(encoder, weights=str(tmp_path / "w.safetensors")).eval()
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(net(x), theirs(x))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
def test_weights_come_from_torchvision(encoder, monkeypatch):
    theirs = models.get_model(encoder, weights=None)
    layers = theirs.state_dict()
    asked = []

    def get_model(name, weights):
        asked.append((name, weights))
        return theirs

    monkeypatch.setattr(models, "get_model", get_model)
    net = build_backbone(encoder, weights="download")
    assert asked == [(encoder, "DEFAULT")]
    prefix = "" if encoder == "resnet18" else "features."
    assert all(torch.equal(v, layers[prefix + k]) for k, v in net.state_dict().items())


def break_state(state, how):
    first = next(iter(state))
    if how == "missing":
        del state[first]
    elif how == "unexpected":
        state["features.99.weight"] = torch.zeros(1)
    elif how == "another's head":
        state["classifier.weight" if "conv1.weight" in state else "fc.weight"] = torch.zeros(1)
    else:
        state[first] = torch.zeros(1, 2, 3)
    return state


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["squeezenet1_1", "resnet18", "convnext_tiny"])
@pytest.mark.parametrize("how", ["missing", "unexpected", "shape", "another's head"])
def test_weights_that_do_not_fit_are_refused(how, encoder, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(break_state(dict(reference(encoder).state_dict()), how), path)
    with pytest.raises(ValueError, match=rf"other\.safetensors: no weights of {encoder}"):
        build_backbone(encoder, weights=str(path))


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(ValueError, match=r"w\.safetensors: no weights of mobilenet_v2"):
        build_backbone("mobilenet_v2", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        build_backbone("mobilenet_v2", weights=str(tmp_path / "missing.safetensors"))


def test_an_unknown_encoder_is_told_what_there_is():
    with pytest.raises(ValueError, match="'vgg19': one of mobilenet_v2, efficientnet_lite0"):
        build_backbone("vgg19")
