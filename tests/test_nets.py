"""The networks against published parameter counts, torchvision, and their own documentation."""

import pytest
import torch
from torch import nn
from torchvision import models

from pix2pix import nets, weights
from pix2pix.nets import PatchGAN, UNet, build_generator, config_of
from pix2pix.nets.backbone_unet import BackboneUNet
from pix2pix.nets.backbones import TAPS, gray_for_imagenet
from pix2pix.nets.blocks import Noise, check_sides
from pix2pix.nets.double_conv import DoubleConvUNet
from pix2pix.nets.variants import BarePatchGAN, UNetVariant

CONVS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.InstanceNorm2d, nn.BatchNorm2d)
ENCODERS = list(TAPS)
SMALL = {
    "UNet": lambda **kw: UNet(width=4, depth=3, **kw),
    "DoubleConvUNet": lambda **kw: DoubleConvUNet(width=4, depth=2, **kw),
    "BackboneUNet": lambda **kw: BackboneUNet(decoder=(4, 4, 4, 4), bottleneck=4, **kw),
    "BackboneUNet, squeezenet1_1": lambda **kw: BackboneUNet(
        encoder="squeezenet1_1", decoder=(4, 4, 4), bottleneck=4, **kw
    ),
    "BackboneUNet, resnet18": lambda **kw: BackboneUNet(
        encoder="resnet18", decoder=(4, 4, 4, 4), bottleneck=4, **kw
    ),
    "BackboneUNet, convnext_tiny": lambda **kw: BackboneUNet(
        encoder="convnext_tiny", decoder=(4, 4, 4, 4), bottleneck=4, **kw
    ),
}
BACKBONES = [name for name in SMALL if name.startswith("BackboneUNet")]
UPS = ["nearest", "bilinear"]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def count(net):
    return sum(p.numel() for p in net.parameters())


def gray(*shape):
    return torch.rand(*shape) * 2 - 1


def set_statistics(net):
    """Running statistics that a wrong norm would not agree with."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return net


# ---- every generator


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("steps", [(1, 1), (2, 1), (1, 3), (3, 2)])
@pytest.mark.parametrize("in_channels", [1, 4])
def test_ab_has_the_size_of_the_input_at_every_multiple(name, steps, in_channels):
    net = SMALL[name](in_channels=in_channels).eval()
    h, w = (net.multiple * s for s in steps)
    with torch.no_grad():
        ab = net(gray(2, in_channels, h, w))
    assert ab.shape == (2, 2, h, w)
    assert ab.abs().max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("delta", [(1, 0), (0, 1), (-1, 0), (0, -2)])
def test_other_sides_are_refused_naming_size_and_multiple(name, delta):
    net = SMALL[name]()
    h, w = net.multiple * 2 + delta[0], net.multiple * 2 + delta[1]
    with pytest.raises(ValueError, match=rf"{h}x{w}.* multiples of {net.multiple}\b"):
        net(gray(1, 1, h, w))


def test_sides_of_zero_are_refused():
    with pytest.raises(ValueError, match="0x8"):
        check_sides(torch.empty(1, 1, 0, 8), 8)


@pytest.mark.parametrize(
    "make",
    [
        lambda: UNet(width=2),
        lambda: DoubleConvUNet(width=2),
        lambda: PatchGAN(width=2),
        lambda: BarePatchGAN(width=2, spectral=True),
        lambda: BackboneUNet(),
    ],
)
def test_only_convolutions_without_a_norm_behind_have_a_bias(make):
    net = make()
    layers = [m for m in net.modules() if isinstance(m, CONVS + NORMS)]
    for layer, behind in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, CONVS):
            assert (layer.bias is None) == isinstance(behind, NORMS)


# ---- UNet


def test_a_step_down_halves_and_a_step_up_doubles():
    x = torch.randn(2, 4, 8, 8)
    for flags in ({}, {"first": True}, {"last": True}):
        assert nets.step_down(4, 6, **flags)(x).shape == (2, 6, 4, 4)
    for flags in ({}, {"last": True}, {"dropout": 0.5}):
        assert nets.step_up(4, 6, **flags)(x).shape == (2, 6, 16, 16)
    assert nets.step_up(4, 6, last=True)(100 * x).abs().max() <= 1


@pytest.mark.slow
def test_parameter_counts_are_those_published():
    assert count(UNet()) == 54_410_434
    assert count(PatchGAN()) == 2_765_633
    assert count(DoubleConvUNet()) == 31_036_546


def test_width_scales_channels_and_depth_the_multiple():
    narrow, wide = UNet(width=4, depth=5), UNet(width=8, depth=5)
    assert [d[-2 if i in (1, 2, 3) else -1].out_channels for i, d in enumerate(narrow.down)] == [
        4, 8, 16, 32, 32,
    ]  # fmt: skip
    assert 3.9 < count(wide) / count(narrow) < 4
    assert (narrow.multiple, UNet(width=2, depth=7).multiple) == (32, 128)
    assert DoubleConvUNet(width=2, depth=5).multiple == 32
    assert len(DoubleConvUNet(width=2, depth=5).up) == 5


@pytest.mark.parametrize("net", [UNet, DoubleConvUNet])
@pytest.mark.parametrize("depth", [0, -1, 13, 10**6])
def test_depth_has_bounds(net, depth):
    with pytest.raises(ValueError, match=f"depth={depth}: 1 to 12"):
        net(depth=depth)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
def test_unets_of_any_depth_train(depth):
    for net in (UNet(width=2, depth=depth), DoubleConvUNet(width=2, depth=depth)):
        side = 2 * net.multiple
        net(gray(2, 1, side, side)).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_the_innermost_map_may_be_one_pixel():
    net = UNet(width=2, depth=4)
    assert net(gray(1, 1, 16, 16)).isfinite().all()


def test_skips_join_equal_sizes_and_can_be_left_out():
    with_skips = UNet(width=4, depth=3).eval()
    without = UNet(width=4, depth=3, skips=False).eval()
    L = gray(1, 1, 32, 32)
    state = with_skips.state_dict()
    for up in with_skips.up[1:]:
        below = up[1].weight.shape[0] // 2  # (c_in, c_out, 4, 4): what comes from below is first
        assert up[1].weight[below:].any()
    blind = {k: v[: without.state_dict()[k].shape[0]] for k, v in state.items()}
    without.load_state_dict(blind)
    assert not torch.allclose(with_skips(L), without(L), atol=1e-4)
    for up in with_skips.up[1:]:
        with torch.no_grad():
            up[1].weight[up[1].weight.shape[0] // 2 :] = 0  # blind to the skips
    assert torch.allclose(with_skips(L), without(L), atol=1e-6)


def test_dropout_is_on_in_training_and_off_in_eval():
    net, L = UNet(width=4, depth=5), gray(1, 1, 32, 32)
    net.train()
    assert not torch.equal(net(L), net(L))
    net.eval()
    assert torch.equal(net(L), net(L))
    assert sum(isinstance(m, nn.Dropout) for m in net.modules()) == 3
    assert not any(isinstance(m, nn.Dropout) for m in UNet(width=4, depth=5, dropout=0).modules())


def test_noise_is_a_number_a_picture_in_training_and_zero_in_eval():
    layer, x = Noise(2), gray(3, 1, 8, 8)
    seen = layer.train()(x)
    assert seen.shape == (3, 3, 8, 8) and torch.equal(seen[:, :1], x)
    z = seen[:, 1:]
    assert torch.equal(z, z[..., :1, :1].expand_as(z))  # the same at every pixel
    assert len(z[..., 0, 0].unique()) == 6  # another in each picture and plane
    assert not layer.eval()(x)[:, 1:].any()
    many = layer.train()(torch.zeros(10_000, 1, 1, 1))[:, 1:]
    assert abs(many.mean()) < 0.03 and abs(many.std() - 1) < 0.03
    layer.eval().value = -1.5
    assert (layer(x)[:, 1:] == -1.5).all()


@pytest.mark.parametrize("make", [UNet, UNetVariant])
def test_a_unet_hears_noise_if_it_is_built_to(make):
    torch.manual_seed(0)
    net, L = make(width=4, depth=3, dropout=0, noise=1), gray(1, 1, 32, 32)
    nn.init.normal_(net.down[0][0].weight)
    net.train()
    assert (net(L) - net(L)).abs().max() > 1e-3
    net.eval()
    assert torch.equal(net(L), net(L))
    assert net.down[0][0].in_channels == 2 and net.in_channels == 1
    deaf = make(width=4, depth=3, dropout=0)
    deaf.load_state_dict(
        {k: v[:, :1] if k == "down.0.0.weight" else v for k, v in net.state_dict().items()}
    )
    assert torch.allclose(deaf(L), net(L), atol=1e-6)  # at 0 noise says nothing
    before = torch.get_rng_state()
    deaf.train()(L)
    assert torch.equal(torch.get_rng_state(), before) and "noise" not in dict(deaf.named_modules())
    with pytest.raises(ValueError, match="noise=-1: how many planes"):
        make(width=4, depth=3, noise=-1)


def test_a_configuration_from_before_noise_is_a_net_without():
    net = build_generator({"net": "UNet", "width": 2, "depth": 2})
    assert config_of(net)["noise"] == 0 and net.noise is None


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_dropout_never_falls_on_ab(depth):
    net = UNet(width=4, depth=depth, dropout=0.9).train()
    assert (net(gray(1, 1, 32, 32)) == 0).float().mean() < 0.01


def test_instance_norms_are_affine():
    for net in (UNet(width=2), PatchGAN(width=2)):
        norms = [m for m in net.modules() if isinstance(m, nn.InstanceNorm2d)]
        assert norms and all(m.affine and not m.track_running_stats for m in norms)


def test_initial_weights_are_those_of_the_paper():
    for net in (UNet(width=16), PatchGAN(width=32), BarePatchGAN(width=32, spectral=True)):
        for conv in (m for m in net.modules() if isinstance(m, CONVS)):
            raw = getattr(conv, "parametrizations", None)
            weight = raw.weight.original if raw else conv.weight
            assert abs(weight.std() - 0.02) < 0.002
            assert abs(weight.mean()) < 0.002
            assert conv.bias is None or not conv.bias.any()


def test_a_variant_without_variation_is_the_unet():
    made = []
    for make in (UNet, UNetVariant):
        torch.manual_seed(1)
        made.append(make(width=4, depth=4))
        made.append(torch.rand(1))  # as many numbers were drawn
    net, after, variant, after_variant = made
    assert torch.equal(after, after_variant)
    assert all(map(torch.equal, net.state_dict().values(), variant.state_dict().values()))
    L = gray(1, 1, 32, 32)
    assert torch.equal(net.eval()(L), variant.eval()(L))


@pytest.mark.parametrize(
    "change", [{"norm": "batch"}, {"padding": "reflect"}, {"leaky_skips": True}], ids=str
)
def test_a_variant_differs_in_what_is_asked_for(change):
    plain = UNet(width=4, depth=3, dropout=0).train()
    variant = UNetVariant(width=4, depth=3, dropout=0, **change).train()
    variant.load_state_dict(plain.state_dict(), strict="norm" not in change)
    L = gray(2, 1, 32, 32)
    assert not torch.allclose(variant(L), plain(L), atol=1e-3)
    norms = {type(m) for m in variant.modules() if isinstance(m, NORMS)}
    assert norms == {nn.BatchNorm2d if "norm" in change else nn.InstanceNorm2d}


# ---- PatchGAN


@pytest.mark.parametrize(("h", "w"), [(256, 256), (128, 64), (32, 40)])
def test_patchgan_scores_one_patch_in_eight_pixels(h, w):
    assert PatchGAN(width=2)(gray(1, 3, h, w)).shape == (1, 1, h // 8 - 2, w // 8 - 2)


def test_the_smallest_input_of_a_critic_leaves_one_score():
    smallest, critic = PatchGAN.smallest, PatchGAN(width=2)
    assert critic(gray(1, 3, smallest, smallest)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        critic(gray(1, 3, smallest - 1, smallest - 1))


def test_a_score_sees_70_by_70_pixels():
    critic = PatchGAN(width=2)
    for i, layer in enumerate(critic.layers):
        if isinstance(layer, nn.InstanceNorm2d):  # it looks at the whole map
            critic.layers[i] = nn.Identity()
        elif isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)  # nothing can cancel out
    x = torch.rand(1, 3, 256, 256).requires_grad_()
    critic(x)[0, 0, 15, 15].backward()
    seen = x.grad[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    assert len(rows) == rows[-1] - rows[0] + 1 == 70
    assert len(columns) == columns[-1] - columns[0] + 1 == 70
    assert seen.sum() == 70 * 70


def test_spectral_norm_bounds_every_layer_instead_of_normalizing_activations():
    critic = BarePatchGAN(width=8, spectral=True)
    assert not any(isinstance(m, NORMS) for m in critic.modules())
    for _ in range(30):  # the power iteration runs in training
        critic(gray(1, 3, 32, 32))
    for conv in (m for m in critic.modules() if isinstance(m, nn.Conv2d)):
        norm = torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item()
        assert norm == pytest.approx(1, abs=0.05)


def test_scores_are_unbounded():
    critic = PatchGAN(width=2)
    nn.init.constant_(critic.layers[-1].bias, 5.0)
    assert critic(gray(1, 3, 32, 32)).max() > 1


# ---- BackboneUNet


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("steps", [(1, 1), (2, 3), (5, 1)])
def test_levels_join_the_encoders_map_of_their_size(encoder, steps):
    net = BackboneUNet(encoder=encoder, decoder=(4, 5, 6, 7), bottleneck=8).eval()
    h, w = (net.multiple * s for s in steps)
    joined = []
    for up in net.up:
        up[0].register_forward_pre_hook(lambda module, x: joined.append(tuple(x[0].shape[1:])))
    net(gray(1, 1, h, w))
    *skips, _ = TAPS[encoder]
    below = [8, 7, 6, 5][-len(skips) :] if len(skips) == 4 else [8, 6, 5]
    wanted = [
        (c + (skips[level][1] if skips[level] else 0), h >> (level + 1), w >> (level + 1))
        for c, level in zip(below, reversed(range(len(skips))), strict=True)
    ]
    assert joined == wanted and net.multiple == 2 ** (len(skips) + 1)


@pytest.mark.slow
def test_convnext_has_no_skip_at_half_size():
    net = SMALL["BackboneUNet, convnext_tiny"]()
    assert net.skips == [False, True, True, True] and net.up[-1][0].in_channels == 4
    assert not any(p.requires_grad for p in net.encoder[:2].parameters())  # frozen=2: to a quarter
    one = SMALL["BackboneUNet, convnext_tiny"](frozen=1)
    assert all(p.requires_grad for p in one.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("name", BACKBONES)
def test_every_way_of_enlarging_trains(name, up):
    net = SMALL[name](up=up, frozen=0).train()
    ab = net(gray(2, 1, 64, 32))
    ab.square().sum().backward()
    assert ab.shape == (2, 2, 64, 32)
    # what torchvision's ConvNeXt starts at zero, or a dead ReLU, may have a zero gradient
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_nearest_and_bilinear_are_torchs_and_add_no_tensors():
    x = torch.randn(2, 3, 5, 7)
    for up in ("nearest", "bilinear"):
        wanted = nn.functional.interpolate(x, size=(10, 14), mode=up)
        assert torch.equal(SMALL["BackboneUNet"](up=up).rise(x), wanted)
    plain, other = (SMALL["BackboneUNet"](up=up).state_dict() for up in ("nearest", "bilinear"))
    assert list(plain) == list(other) and not any(name.startswith("rise.") for name in plain)
    with pytest.raises(ValueError, match="up='bicubic': nearest or bilinear"):
        BackboneUNet(up="bicubic")


@pytest.mark.slow
@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("encoder", ["resnet18", "convnext_tiny"])
def test_weights_of_the_new_encoders_come_back(encoder, up, tmp_path):
    arguments = {"net": "BackboneUNet", "encoder": encoder, "up": up}
    small = {"decoder": [4, 4, 4, 4], "bottleneck": 4}
    net = set_statistics(build_generator(arguments | small)).eval()
    header = weights.Header(config_of(net))
    weights.save(tmp_path / "w.safetensors", net, header, dtype=torch.float32)
    again, read = weights.load(tmp_path / "w.safetensors")
    x = gray(1, 1, 64, 96)
    with torch.no_grad():
        assert torch.equal(again(x), net(x))
    assert read.generator["encoder"] == encoder and read.generator["up"] == up
    assert not any(t.is_meta for t in (*again.parameters(), *again.buffers()))


def test_all_levels_learn_once_thawed():
    net = SMALL["BackboneUNet"](frozen=5)
    assert not any(p.requires_grad for p in net.encoder.parameters())
    net.thaw()
    assert all(p.requires_grad for p in net.parameters())


def test_unknown_encoders_and_levels_are_refused():
    with pytest.raises(ValueError, match="'vgg19': one of mobilenet_v2, efficientnet_lite0"):
        BackboneUNet(encoder="vgg19")
    with pytest.raises(ValueError, match="frozen=6: mobilenet_v2 has 5 levels"):
        BackboneUNet(frozen=6)
    with pytest.raises(ValueError, match=r"decoder=\(8, 8\): mobilenet_v2 needs 4 levels"):
        BackboneUNet(decoder=(8, 8))


@pytest.mark.parametrize("name", BACKBONES)
def test_ab_is_predicted_at_half_size(name):
    net = SMALL[name]().eval()
    sizes = []
    net.head.register_forward_hook(lambda *call: sizes.append(tuple(call[2].shape)))
    net(gray(1, 1, 64, 96))
    assert sizes == [(1, 2, 32, 48)]


@pytest.mark.slow
def test_decoder_widths_count_from_half_size():
    for encoder in ENCODERS:
        net = BackboneUNet(encoder=encoder, decoder=(5, 6, 7, 8), bottleneck=9)
        widths = [up[0].out_channels for up in net.up]
        assert widths == [8, 7, 6, 5][-len(widths) :] and net.head.in_channels == 5
        assert net.squeeze[0].out_channels == 9


@pytest.mark.parametrize("name", ["BackboneUNet", "BackboneUNet, resnet18"])
def test_the_encoders_norms_keep_their_statistics_in_training(name):
    net = set_statistics(SMALL[name]())
    outer = nn.Sequential(net).train()  # as a recipe holds it
    before = {k: v.clone() for k, v in net.state_dict().items()}
    outer(gray(2, 1, 32, 32))
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and not any(k.startswith("encoder.") for k in changed)
    assert any("running_mean" in k for k in changed)  # the decoder's do learn
    norms = [m for m in net.encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)
    assert net.training and all(up[1].training for up in net.up)
    assert not any(m.training for m in net.eval().modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("frozen", [0, 1, 2, 4])
def test_only_levels_beyond_the_frozen_train(name, frozen):
    net = SMALL[name](frozen=frozen).train()
    net(gray(2, 1, 64, 64)).square().sum().backward()
    taps = TAPS[name.split(", ")[1] if ", " in name else "mobilenet_v2"]
    last = max((tap[0] for tap in taps[:frozen] if tap), default=-1)
    for i, block in enumerate(net.encoder):
        for parameter in block.parameters():
            assert (parameter.grad is not None) == (i > last)
    assert all(p.grad is not None for m in (net.squeeze, net.up, net.head) for p in m.parameters())


def test_channels_beyond_L_start_as_a_no_op_and_learn():
    plain, hinted = SMALL["BackboneUNet"]().eval(), SMALL["BackboneUNet"](in_channels=4).eval()
    missing = hinted.load_state_dict(plain.state_dict(), strict=False)
    assert missing.missing_keys == [f"told.{i}.weight" for i in range(5)]
    assert not missing.unexpected_keys
    x = gray(1, 4, 64, 64)
    assert torch.equal(hinted(x), plain(x[:, :1]))
    hinted(x).square().sum().backward()
    assert all(conv.weight.grad.abs().sum() > 0 for conv in hinted.told)


def test_the_encoder_sees_gray_normalized_for_imagenet():
    transforms = models.MobileNet_V2_Weights.DEFAULT.transforms()
    rgb = gray_for_imagenet(torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3))
    assert rgb.shape == (1, 3, 1, 3)
    mean, std = torch.tensor(transforms.mean), torch.tensor(transforms.std)
    for i, level in enumerate((0.0, 0.5, 1.0)):
        torch.testing.assert_close(rgb[0, :, 0, i], (level - mean) / std)


def test_dropout_of_the_bottleneck():
    net, L = SMALL["BackboneUNet"](dropout=0.5), gray(1, 1, 64, 64)
    net.train()
    assert not torch.equal(net(L), net(L))
    net.eval()
    assert torch.equal(net(L), net(L))


def test_the_registry_holds_every_generator():
    of_their_own = {"ChromaNet", "MeanNet", "Autoencoder", "UNetVariant"}  # have tests elsewhere
    assert set(nets.GENERATORS) == {name.split(",")[0] for name in SMALL} | of_their_own
    assert all(nets.GENERATORS[name].__name__ == name for name in nets.GENERATORS)


def rows_seen(net, size, row):
    """Rows of the input (size, size) that can change the color at a place in one of its rows."""
    seen = torch.zeros(size, dtype=torch.bool)
    for draw in range(6):
        torch.manual_seed(draw)
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                # positive, so that no ReLU forgets, and small enough for the tanh
                taps = 1 if isinstance(module, nn.ConvTranspose2d) else module.weight[0, 0].numel()
                fan_in = taps * module.in_channels
                nn.init.uniform_(module.weight, 0.3 / fan_in, 1.7 / fan_in)
        L = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        net.double().eval()(L)[0, 0, row, size // 2].backward()
        seen |= L.grad[0, 0].abs().sum(1) > 0
    return seen.nonzero().flatten()


@pytest.mark.slow
def test_the_small_u_net_sees_48_pixels_and_the_large_one_all():
    small = build_generator({"net": "DoubleConvUNet", "width": 1, "depth": 2})
    spans = [rows_seen(small, 96, row) for row in range(44, 48)]
    assert max(int(rows[-1] - rows[0]) + 1 for rows in spans) <= 48
    large = {"net": "DoubleConvUNet", "width": 1, "depth": 7, "widest": 4}
    net = build_generator(large)
    assert max(m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)) == 4
    rows = rows_seen(net, 512, 0)
    assert rows[-1] > 500
    assert rows_seen(build_generator({**large, "depth": 4}), 512, 0)[-1] < 200
