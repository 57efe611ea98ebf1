"""Recipes: the registry, overrides and their messages, losses against hand-computed values."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_runs import pairs
from torch import nn

from pix2pix import nets, recipes
from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb
from pix2pix.nets import build_generator, config_of
from pix2pix.nets.build import parameters
from pix2pix.nets.double_conv import DoubleConvUNet
from pix2pix.nets.variants import UNetVariant
from pix2pix.recipes import build
from pix2pix.recipes.base import Recipe, param_groups
from pix2pix.recipes.hinted import Hinted
from pix2pix.recipes.pix2pix import Pix2Pix
from pix2pix.recipes.unet_l1 import UNetL1, rarity
from pix2pix.train.step import detached

# What makes each generator of the registry small; one without an entry is built as it is.
SMALL = {
    "unet": {"net": "UNet", "width": 2, "depth": 5},
    "encdec": {"net": "UNet", "width": 2, "depth": 5, "skips": False},
    "unet_variant": {"net": "UNetVariant", "width": 2, "depth": 5, "norm": "batch"},
    "double_conv": {"net": "DoubleConvUNet", "width": 2, "depth": 3},
    "double_conv_small": {"net": "DoubleConvUNet", "width": 2, "depth": 2},
    "double_conv_large": {"net": "DoubleConvUNet", "width": 2, "depth": 5, "widest": 8},
    "chroma_net": {"net": "ChromaNet", "width": 2, "classes": 3},
    "mean_net": {"net": "MeanNet", "width": 2},
    "autoencoder": {"net": "Autoencoder", "width": 2},
    "mobilenet_v2": {"net": "BackboneUNet", "decoder": [4, 4, 4, 4], "bottleneck": 4},
    "squeezenet1_1": {"net": "BackboneUNet", "encoder": "squeezenet1_1", "decoder": [4, 4, 4]},
    "resnet18": {"net": "BackboneUNet", "encoder": "resnet18", "decoder": [4, 4, 4, 4]},
    "convnext_tiny": {"net": "BackboneUNet", "encoder": "convnext_tiny", "decoder": [4, 4, 4, 4]},
}


class Echo(nn.Module):
    """A critic whose scores are one channel of what it is shown."""

    def __init__(self, channel):
        super().__init__()
        self.channel, self.shown = channel, []

    def forward(self, x):
        self.shown.append(x)
        return x[:, self.channel : self.channel + 1]


def constant(L=0.1, ab=0.5, *, channels=1, side=32):
    hints = torch.full((2, channels - 1, side, side), 0.7) if channels > 1 else None
    L, ab = torch.full((2, 1, side, side), L), torch.full((2, 2, side, side), ab)
    return Batch(L, ab, np.arange(2), hints)


def random_batch(side=32):
    torch.manual_seed(0)
    L, ab = torch.rand(2, 1, side, side) * 2 - 1, torch.rand(2, 2, side, side) - 0.5
    return Batch(L, ab, np.arange(2))


# ---- the registry


def test_the_yaml_files_are_the_registry():
    assert {"pix2pix", "unet_l1"} <= set(recipes.names())
    assert set(SMALL) <= set(recipes.generators())
    assert recipes.names() == sorted(recipes.names())


@pytest.mark.parametrize("name", recipes.names())
def test_each_says_in_a_line_what_it_is(name):
    line = recipes.about(name)
    assert 20 < len(line) < 100 and line[-1] in ".?" and not line.startswith("#")
    with pytest.raises(ValueError, match="'pix3pix': one of"):
        recipes.about("pix3pix")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "generator"), pairs())
def test_every_recipe_trains_with_every_generator(name, generator):
    recipe = build(name, generator=SMALL.get(generator, generator))
    batch = random_batch()
    optimizer, critic_optimizer = recipe.optimizers()
    assert (critic_optimizer is None) == (recipe.critic is None)
    first = {k: v.clone() for k, v in recipe.generator.named_parameters() if v.requires_grad}

    fake = recipe.train()(batch)
    ab = fake[0] if isinstance(fake, tuple) else fake
    assert recipe.picture(batch, ab.detach()).shape == (2, 3, 32, 32)
    if recipe.critic is not None:
        terms = recipe.critic_loss(batch, detached(fake))
        sum(terms.values()).backward()
        assert all(p.grad is not None for p in recipe.critic.parameters())
        assert all(p.grad is None for p in recipe.generator.parameters())
        critic_optimizer.step()
    terms = recipe.generator_loss(batch, fake, adversarial=recipe.critic is not None)
    assert terms and all(v.ndim == 0 and v.isfinite() for v in terms.values())
    assert all(v >= 0 for name, v in terms.items() if name != "wasserstein")
    sum(terms.values()).backward()
    optimizer.step()
    moved = [
        k for k, v in recipe.generator.named_parameters() if k in first and (v != first[k]).any()
    ]
    assert len(moved) > 0.8 * len(first)


@pytest.mark.parametrize(
    ("name", "generator"),
    [
        ("precursor", "unet"),
        ("precursor", "autoencoder"),
        ("precursor_rgb", "mean_net"),
        ("unet_l1", "mean_net"),
        ("pix2pix", "autoencoder"),
        ("chromagan", "unet"),
        ("chromagan", "mobilenet_v2"),
    ],
)
def test_what_does_not_go_together_says_so(name, generator):
    with pytest.raises(ValueError, match="predicts|tells no classes"):
        build(name, generator=SMALL.get(generator, generator))


def test_a_recipe_for_ab_refuses_nets_for_rgb():
    with pytest.raises(ValueError, match="trains nets for ab; this UNet predicts rgb"):
        build("hints", generator={"net": "UNet", "width": 2, "depth": 3, "out_channels": 3})


@pytest.mark.slow
@pytest.mark.parametrize("generator", recipes.generators())
def test_every_generator_of_the_registry_builds_by_name(generator):
    name = next(r for r, g in pairs() if g == generator)
    recipe = build(name, generator=generator)
    assert recipe.generator.multiple in (1, 4, 8, 16, 32, 128, 256)
    assert isinstance(recipe.generator, nets.GENERATORS[recipe.generator.config["net"]])


@pytest.mark.slow
def test_defaults_are_the_courses():
    recipe = build("pix2pix")
    assert isinstance(recipe, Pix2Pix)
    count = [sum(p.numel() for p in n.parameters()) for n in (recipe.generator, recipe.critic)]
    assert count == [54_410_434, 2_765_633]
    assert (recipe.l1, recipe.gan, recipe.gan_start) == (25.0, 1.0, 0)
    assert isinstance(build("unet_l1").generator, DoubleConvUNet)


def test_overrides_reach_recipe_generator_and_critic():
    recipe = build(
        "pix2pix", generator={"width": 2, "depth": 3}, l1=30, critic_width=4, critic_spectral=True
    )
    assert recipe.l1 == 30 and recipe.generator.multiple == 8
    assert recipe.generator.down[0][0].out_channels == 2
    assert [m.out_channels for m in recipe.critic.modules() if isinstance(m, nn.Conv2d)][0] == 4
    assert not any(isinstance(m, nn.InstanceNorm2d) for m in recipe.critic.modules())
    other = build("unet_l1", generator={"net": "UNet", "width": 2, "depth": 3})
    assert isinstance(other.generator, nets.UNet) and isinstance(other, UNetL1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: build("pix2pixel"), ValueError, "'pix2pixel': one of .*pix2pix, precursor"),
        (
            lambda: build("pix2pix", generator="vgg"),
            ValueError,
            "'vgg': one of autoencoder, chroma_net, convnext",
        ),
        (lambda: build("pix2pix", l2=3), TypeError, "Pix2Pix takes no 'l2'; it takes l1, gan, "),
        (lambda: build("unet_l1", l1=3), TypeError, "UNetL1 takes no 'l1'; it takes lr, "),
        (
            lambda: build("pix2pix", generator={"wdth": 3}),
            TypeError,
            "UNet takes no 'wdth'; it takes width, depth, in_channels",
        ),
        (
            lambda: build_generator({"net": "os.system", "command": "ls"}),
            ValueError,
            "'os.system': one of BackboneUNet, ChromaNet, DoubleConvUNet, .*UNet, UNetVariant",
        ),
        (lambda: build_generator({"width": 3}), ValueError, "None: one of .*UNet"),
        (lambda: config_of(nets.UNet(width=2)), ValueError, 'build_generator.*"net": "UNet"'),
    ],
)
def test_misspelt_names_are_told_what_there_is(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_generators_configuration_builds_it_again(name):
    net = build_generator(SMALL[name])
    config = json.loads(json.dumps(config_of(net)))  # as a header carries it
    again = build_generator(config)
    shapes = [{k: v.shape for k, v in n.state_dict().items()} for n in (net, again)]
    assert shapes[0] == shapes[1]
    assert json.loads(json.dumps(config_of(again))) == config
    assert config["net"] == SMALL[name]["net"] and config.get("in_channels", 1) == 1


def test_where_an_encoders_weights_came_from_is_no_property_of_the_net(tmp_path):
    from safetensors.torch import save_file

    from pix2pix.nets.backbones import build_backbone

    save_file(build_backbone("squeezenet1_1").state_dict(), tmp_path / "w.safetensors")
    net = build_generator(
        {**SMALL["squeezenet1_1"], "weights": str(tmp_path / "w.safetensors")},
    )
    assert "weights" not in config_of(net)


def test_a_recipe_takes_the_settings_of_the_one_that_it_grew_from():
    mine, base = parameters(Hinted), parameters(UNetL1)
    assert list(mine) == [*base, "bins", "keep_norms", "keep_colors"]
    assert (mine["beta"].default, base["beta"].default) == (0.1, 0.0)
    small = {"decoder": [4, 4, 4, 4], "bottleneck": 4}
    recipe = build("hints", generator=small, lr=0.5, thaw=3, bins=0.1)
    assert (recipe.lr, recipe.thaw, recipe.bins, recipe.beta) == (0.5, 3, 0.1, 0.1)
    with pytest.raises(
        TypeError, match="Hinted takes no 'l1'; it takes lr, .*, bins, keep_norms, keep_colors"
    ):
        build("hints", generator=small, l1=3)


def test_a_configuration_in_the_words_of_before_is_known():
    small = {"net": "BackboneUNet", "decoder": [4, 4, 4, 4], "bottleneck": 4}
    assert isinstance(recipes.assemble({"target": "hints.Hints", "generator": small}), Hinted)
    recipe = build("pix2pix", generator={"width": 2, "depth": 3, "norm": "batch"})
    assert type(recipe.generator) is UNetVariant
    before = {"target": "pix2pix.Pix2Pix", "generator": {"net": "UNet", "width": 2}}
    assert recipes.renamed(before)["generator"] == {"noise": 0, "net": "UNet", "width": 2}
    assert "noise" not in before["generator"]


# ---- any pair, not only colors

RGB = {"in_channels": 3, "out_channels": 3}


def translated(side=32):
    torch.manual_seed(0)
    source, target = torch.rand(2, 2, 3, side, side) * 2 - 1
    return Batch(source, target, np.arange(2))


@pytest.mark.parametrize("recipe", ["pix2pix", "encdec", "unet_l1", "unet_large"])
@pytest.mark.parametrize("generator", ["unet", "encdec", "unet_variant", "double_conv"])
def test_rgb_becomes_rgb_with_the_recipes_of_the_course(recipe, generator):
    made, batch = build(recipe, generator={**SMALL[generator], **RGB}), translated()
    fake = made(batch)
    assert fake.shape == batch.target.shape and made.head == "rgb"
    wanted = F.l1_loss(fake, batch.target) * getattr(made, "l1", 1)
    terms = made.generator_loss(batch, fake, adversarial=made.critic is not None)
    assert torch.equal(terms["l1"], wanted)
    assert torch.allclose(made.picture(batch, batch.target) * 2 - 1, batch.target, atol=1e-6)
    if made.critic is not None:
        made.critic = Echo(channel=0)
        made.critic_loss(batch, fake.detach())
        for shown, answer in zip(made.critic.shown, (batch.target, fake), strict=True):
            assert torch.equal(shown, torch.cat([batch.source, answer], 1))


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(
    ("sees", "answers", "channels"), [(1, 2, 3), (4, 2, 3), (1, 3, 4), (4, 3, 4), (3, 3, 6)]
)
def test_the_critic_is_built_for_source_and_target_without_hints(sees, answers, channels, spectral):
    net = nets.UNet(width=2, depth=3, in_channels=sees, out_channels=answers)
    critic = Pix2Pix(net, critic_width=2, critic_spectral=spectral).critic
    first = next(layer for layer in critic.modules() if isinstance(layer, nn.Conv2d))
    assert first.in_channels == channels


@pytest.mark.parametrize("recipe", ["pix2pix", "unet_l1"])
def test_L_to_rgb_is_compared_with_the_photo(recipe):
    made = build(recipe, generator={"net": "UNet", "width": 2, "depth": 3, "out_channels": 3})
    batch = random_batch()
    photo = net_to_rgb(batch.L, batch.ab) * 2 - 1
    assert torch.equal(made.truth(batch), photo)
    terms = made.generator_loss(batch, photo, adversarial=made.critic is not None)
    assert terms["l1"] == 0
    if made.critic is not None:
        made.critic = Echo(channel=0)
        made.critic_loss(batch, photo)
        assert torch.equal(made.critic.shown[0], torch.cat([batch.L, photo], 1))


# ---- losses


def test_l1_alone_by_hand():
    recipe = UNetL1(nn.Identity())
    batch = constant(ab=0.5)
    terms = recipe.generator_loss(batch, torch.full_like(batch.ab, 0.1), adversarial=False)
    assert set(terms) == {"l1"} and terms["l1"].item() == pytest.approx(0.4)
    assert recipe.critic is None
    assert not any(recipe.adversarial(step) for step in (0, 1, 10**6))
    with pytest.raises(ValueError, match="UNetL1 has no critic"):
        recipe.critic_loss(batch, batch.ab)


def test_huber_by_hand():
    """Below beta the error counts squared: 0.4^2 / (2 * 0.8); above it less than L1 by beta / 2."""
    batch = constant(ab=0.5)
    for beta, wanted in ((0.8, 0.1), (0.2, 0.3), (0.0, 0.4)):
        recipe = UNetL1(nn.Identity(), beta=beta)
        terms = recipe.generator_loss(batch, torch.full_like(batch.ab, 0.1), adversarial=False)
        assert terms["l1"].item() == pytest.approx(wanted)


def test_rebalancing_by_hand():
    """Chroma 0.3 and 0.5 (mean 0.4, half of each): weights 1 - r + 3r/4 and 1 - r + 5r/4."""
    batch = constant(ab=0.0)
    batch.ab[:, 0, :16], batch.ab[:, 1, 16:] = 0.3, 0.5
    fake = batch.ab.clone()
    fake[:, 1, :16] += 0.1  # off by 0.1 in one of two channels, where chroma is 0.3
    for share, wanted in ((0.0, 0.025), (0.4, 0.025 * 0.9), (1.0, 0.025 * 0.75)):
        recipe = UNetL1(nn.Identity(), rebalance=share)
        terms = recipe.generator_loss(batch, fake, adversarial=False)
        assert terms["l1"].item() == pytest.approx(wanted, rel=2e-3)
    ab = random_batch().ab
    assert rarity(ab, 0.7).mean().item() == pytest.approx(1)
    assert torch.equal(rarity(ab * 0, 0.7), torch.ones_like(ab[:, :1]))  # a gray batch


def test_the_coarse_loss_by_hand():
    """Half of the photo off by +0.2, half by -0.1: cells see 0.15, the mean color 0.05."""
    batch = constant(ab=0.1)
    fake = batch.ab.clone()
    fake[:, :, :16] += 0.2
    fake[:, :, 16:] -= 0.1
    for beta, cells, mean in ((0.0, 0.15, 0.05), (1.0, (0.02 + 0.005) / 2, 0.00125)):
        recipe = UNetL1(nn.Identity(), beta=beta, coarse=3)
        terms = recipe.generator_loss(batch, fake, adversarial=False)
        assert terms["coarse"].item() == pytest.approx(3 * (cells + mean) / 2)
    noise = torch.randn(2, 2, 32, 32) * 0.1
    noise -= F.adaptive_avg_pool2d(noise, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    terms = recipe.generator_loss(batch, batch.ab + noise, adversarial=False)
    assert terms["coarse"].item() < 1e-6 < 1e-3 < terms["l1"].item()  # texture is not its affair


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_rebalancing_and_coarse_loss_are_off_at_zero_and_teach_where_on(beta):
    batch, terms = random_batch(), {}
    for weight in (0.0, 0.5):
        fake = (batch.ab.flip(0) * 0.5).requires_grad_()
        recipe = UNetL1(nn.Identity(), beta=beta, rebalance=weight, coarse=weight)
        terms[weight] = recipe.generator_loss(batch, fake, adversarial=False)
        sum(terms[weight].values()).backward()
        assert fake.grad.isfinite().all() and fake.grad.any()
    plain = F.smooth_l1_loss(fake, batch.ab, beta=beta)
    assert set(terms[0.0]) == {"l1"} and torch.equal(terms[0.0]["l1"], plain)
    assert set(terms[0.5]) == {"l1", "coarse"} and terms[0.5]["l1"] != plain
    gray = constant(ab=0.0)
    fake = torch.zeros_like(gray.ab, requires_grad=True)
    sum(recipe.generator_loss(gray, fake, adversarial=False).values()).backward()
    assert fake.grad.isfinite().all()  # where truth and answer are gray


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"rebalance": 1.1}, "rebalance=1.1"), ({"rebalance": -1}, "-1"), ({"coarse": -0.1}, "-0.1")],
)
def test_weights_out_of_range_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        UNetL1(nn.Identity(), **setting)


@pytest.mark.parametrize("name", ["rebalance", "coarse"])
def test_color_losses_are_for_nets_that_predict_ab(name):
    net = {"net": "UNet", "width": 2, "depth": 3, "out_channels": 3}
    with pytest.raises(ValueError, match=f"{name}=1: for nets that predict ab"):
        build("unet_l1", generator=net, **{name: 1})


def test_least_squares_by_hand():
    recipe = Pix2Pix(nn.Identity(), l1=25, gan=2, critic_width=1)
    recipe.critic = Echo(channel=1)
    batch = constant(ab=0.5)
    fake = torch.full_like(batch.ab, 0.1)
    terms = {k: v.item() for k, v in recipe.critic_loss(batch, fake).items()}
    # the critic echoes a: (0.5 - 1)^2 / 2 on the photo, 0.1^2 / 2 on the fake
    assert terms == pytest.approx({"critic_real": 0.125, "critic_fake": 0.005})
    terms = recipe.generator_loss(batch, fake, adversarial=True)
    # 25 |0.5 - 0.1|, 2 (0.1 - 1)^2
    assert {k: v.item() for k, v in terms.items()} == pytest.approx({"l1": 10.0, "lsgan": 1.62})
    assert set(recipe.generator_loss(batch, fake, adversarial=False)) == {"l1"}


def test_the_critic_is_shown_L_beside_ab_and_no_hints():
    recipe = Pix2Pix(nn.Identity(), critic_width=1)
    recipe.critic = Echo(channel=0)
    batch = constant(L=0.1, ab=0.5, channels=4)
    recipe.critic_loss(batch, torch.full_like(batch.ab, -0.3))
    real, fake = recipe.critic.shown
    assert real.shape == fake.shape == (2, 3, 32, 32)
    assert real[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.5, 0.5])
    assert fake[0, :, 0, 0].tolist() == pytest.approx([0.1, -0.3, -0.3])


def test_the_adversary_enters_at_gan_start():
    recipe = Pix2Pix(nn.Identity(), gan_start=100, critic_width=1)
    assert [recipe.adversarial(step) for step in (0, 99, 100, 101)] == [False, False, True, True]
    assert Pix2Pix(nn.Identity(), critic_width=1).adversarial(0)


@pytest.mark.parametrize("make", [UNetL1, lambda g: Pix2Pix(g, critic_width=1)])
def test_losses_are_float32_under_autocast(make):
    recipe, batch = make(nn.Conv2d(1, 2, 1)), random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fake = recipe(batch)
        assert fake.dtype == torch.bfloat16
        terms = recipe.generator_loss(batch, fake, adversarial=recipe.critic is not None)
        if recipe.critic is not None:
            terms |= recipe.critic_loss(batch, fake.detach())
    assert all(v.dtype == torch.float32 for v in terms.values())


def test_the_generator_learns_to_please_the_critic():
    torch.manual_seed(0)
    recipe = build("pix2pix", generator={"width": 2, "depth": 3}, critic_width=2, l1=0, lr=1e-2)
    batch = random_batch()
    optimizer, _ = recipe.optimizers()
    scores = []
    for _ in range(5):
        terms = recipe.generator_loss(batch, recipe(batch), adversarial=True)
        optimizer.zero_grad()
        terms["lsgan"].backward()
        optimizer.step()
        scores.append(terms["lsgan"].item())
    assert scores[-1] < scores[0]


# ---- optimizers


def test_an_encoder_learns_at_its_share_of_the_rate():
    net = build_generator({**SMALL["mobilenet_v2"], "frozen": 2})
    rest, slow = param_groups(net, lr=1e-3, encoder_lr=0.2)
    assert (rest["lr"], slow["lr"]) == (1e-3, pytest.approx(2e-4))
    trained = {id(p) for p in net.parameters() if p.requires_grad}
    inside = {id(p) for p in net.encoder.parameters()}
    assert {id(p) for p in slow["params"]} == trained & inside
    assert {id(p) for p in rest["params"]} == trained - inside
    assert trained & inside and len(trained) < len(list(net.parameters()))


@pytest.mark.parametrize("config", [SMALL["unet"], {**SMALL["mobilenet_v2"], "frozen": 5}])
def test_without_a_training_encoder_there_is_one_group(config):
    net = build_generator(config)
    (group,) = param_groups(net, lr=1e-3, encoder_lr=0.2)
    assert len(group["params"]) == sum(p.requires_grad for p in net.parameters())


def test_optimizers_take_the_recipes_settings():
    small = SMALL["mobilenet_v2"]
    rates = {"lr": 3e-4, "critic_lr": 1e-4, "encoder_lr": 0.5}
    recipe = build("pix2pix", generator=small, beta1=0.6, weight_decay=0.1, **rates)
    generator, critic = recipe.optimizers()
    assert [g["lr"] for g in generator.param_groups] == [3e-4, 1.5e-4]
    assert [g["weight_decay"] for g in generator.param_groups] == [0.1, 0.1]
    (group,) = critic.param_groups
    assert (group["lr"], group["weight_decay"], group["betas"]) == (1e-4, 0.0, (0.6, 0.999))
    assert generator.param_groups[0]["betas"] == (0.6, 0.999)
    assert len(group["params"]) == len(list(recipe.critic.parameters()))
    plain, none = build("unet_l1", generator=small, lr=1e-2, weight_decay=0.3).optimizers()
    assert none is None
    assert [g["lr"] for g in plain.param_groups] == [1e-2, 2e-3]
    assert plain.param_groups[0]["weight_decay"] == 0.3


def test_the_contract_names_what_a_recipe_must_write():
    with pytest.raises(TypeError, match="generator_loss.*optimizers"):
        Recipe(nn.Conv2d(1, 2, 1))  # type: ignore[abstract]
    recipe = build("unet_l1", generator={"width": 2, "depth": 2})
    assert all(name.startswith("generator.") for name in recipe.state_dict())
