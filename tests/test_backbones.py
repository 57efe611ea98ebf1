"""The encoders against torchvision's, and the ways their weights come in."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from pix2pix.backbones import TAPS, build_backbone

ENCODERS = list(TAPS)


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


def reference(encoder):
    features = set_statistics(models.get_model(encoder, weights=None)).features.eval()
    if encoder == "squeezenet1_1":
        features[0].padding = (1, 1)
    return features


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


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("prefix", ["features.", ""])
def test_weights_come_from_a_file_in_either_naming(encoder, prefix, tmp_path):
    theirs = reference(encoder)
    state = {prefix + k: v for k, v in theirs.state_dict().items()}
    if prefix:
        state["classifier.1.weight"] = torch.zeros(3, 3)  # as in a whole classifier
    save_file(state, tmp_path / "w.safetensors")
    net = build_backbone(encoder, weights=str(tmp_path / "w.safetensors")).eval()
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(net(x), theirs(x))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_weights_come_from_torchvision(encoder, monkeypatch):
    theirs = models.get_model(encoder, weights=None)
    asked = []

    def get_model(name, weights):
        asked.append((name, weights))
        return theirs

    monkeypatch.setattr(models, "get_model", get_model)
    net = build_backbone(encoder, weights="download")
    assert asked == [(encoder, "DEFAULT")]
    state = theirs.features.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


def break_state(state, how):
    first = next(iter(state))
    if how == "missing":
        del state[first]
    elif how == "unexpected":
        state["features.99.weight"] = torch.zeros(1)
    else:
        state[first] = torch.zeros(1, 2, 3)
    return state


@pytest.mark.parametrize("how", ["missing", "unexpected", "shape"])
def test_weights_that_do_not_fit_are_refused(how, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file(break_state(dict(reference("squeezenet1_1").state_dict()), how), path)
    with pytest.raises(ValueError, match=r"other\.safetensors: no weights of squeezenet1_1"):
        build_backbone("squeezenet1_1", weights=str(path))


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x80\x04 a pickle, say")
    with pytest.raises(ValueError, match=r"w\.safetensors: no weights of mobilenet_v2"):
        build_backbone("mobilenet_v2", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(FileNotFoundError, match=r"missing\.safetensors"):
        build_backbone("mobilenet_v2", weights=str(tmp_path / "missing.safetensors"))


def test_an_unknown_encoder_is_told_what_there_is():
    with pytest.raises(ValueError, match="'resnet18': one of mobilenet_v2, squeezenet1_1"):
        build_backbone("resnet18")
