"""The light decoder of a BackboneUNet."""

import pytest
import torch
from torch import nn

from pix2pix import weights
from pix2pix.batch import Batch
from pix2pix.nets import build_generator, config_of
from pix2pix.nets.backbone_unet import BackboneUNet
from pix2pix.nets.backbones import TAPS, gray_for
from pix2pix.nets.build import upgraded
from pix2pix.recipes import build, read_generator, renamed

LITE0 = {"net": "BackboneUNet", "encoder": "efficientnet_lite0", "light": True}
SMALL = LITE0 | {"decoder": [4, 8, 16, 16], "bottleneck": 16, "frozen": 0}
FULL = SMALL | {"in_channels": 4, "attention": 2, "bins": 10, "blend": 0.5, "vivid": 1.3}
LEVELLED = [name for name in TAPS if name != "vgg16"]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def inputs(h=64, w=96, hinted=True):
    x = torch.zeros(1, 4, h, w)
    x[:, 0] = torch.rand(h, w) * 2 - 1
    if hinted:
        x[:, 1:, 10:15, 10:15] = torch.tensor([0.5, -0.2, 1.0]).view(1, 3, 1, 1)
    return x


@pytest.mark.slow
@pytest.mark.parametrize("encoder", LEVELLED)
@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_its_levels_join_the_maps_down_from_a_quarter(encoder, steps):
    net = BackboneUNet(encoder=encoder, decoder=(4, 5, 6, 7), bottleneck=8, light=True).eval()
    h, w = (net.multiple * s for s in steps)
    joined, made = [], []
    for up in net.up:
        up.register_forward_pre_hook(lambda module, x: joined.append(tuple(x[0].shape[1:])))
        up[0].register_forward_pre_hook(lambda module, x: joined.append(tuple(x[0].shape[1:])))
    net.head.register_forward_hook(lambda module, x, y: made.append(tuple(y.shape)))
    assert net(inputs(h, w)[:, :1]).shape == (1, 2, h, w)
    _, *skips, _ = TAPS[encoder]
    below = [8, 7, 6][-len(skips) :] if len(skips) == 3 else [8, 6]
    wanted = [
        (c + skips[level][1], h >> (level + 2), w >> (level + 2))
        for c, level in zip(below, reversed(range(len(skips))), strict=True)
    ]
    assert joined == wanted and made == [(1, 2, h // 4, w // 4)]
    assert net.multiple == 2 ** len(TAPS[encoder])


def test_a_level_is_a_1x1_and_a_3x3_of_half_the_parameters():
    with torch.device("meta"):
        light, full = (build_generator(LITE0 | {"light": light}) for light in (True, False))
    for up in light.up:
        convs = [m for m in up.modules() if isinstance(m, nn.Conv2d)]
        assert [c.kernel_size for c in convs] == [(1, 1), (3, 3)]
    sizes = [
        sum(p.numel() for m in (net.squeeze, net.up, net.head) for p in m.parameters())
        for net in (light, full)
    ]
    # 1280 x 256; then (256 + 112) x 192, (192 + 40) x 128 and (128 + 24) x 64 by 1x1, and 3x3
    by_hand = 1280 * 256 + 368 * 192 + 232 * 128 + 152 * 64 + 9 * (192**2 + 128**2 + 64**2)
    norms = 2 * (256 + 2 * (192 + 128 + 64))
    assert sizes[0] == by_hand + norms + 64 * 2 + 2
    assert sizes[0] < 0.52 * sizes[1]


def test_the_answer_is_the_quarters_enlarged():
    net, x = build_generator(SMALL).eval(), inputs()[:, :1]
    *_, quarter = net._maps(x)
    ab = torch.tanh(net.head(quarter))
    assert ab.shape == (1, 2, 16, 24)
    wanted = nn.functional.interpolate(ab, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(net(x), wanted)


def test_the_encoder_sees_gray_as_it_was_trained():
    net, x, seen = build_generator(SMALL).eval(), inputs(), []
    net.encoder[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net(x[:, :1])
    assert torch.equal(seen[0], gray_for("efficientnet_lite0", x[:, :1]))


def test_both_heads_see_the_same_map():
    net = build_generator(FULL).eval()
    seen = []
    for head in (net.head, net.bins.conv):
        head.register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    ab, logits = net.heads(inputs())
    assert torch.equal(*seen) and seen[0].shape == (1, 8, 16, 24)
    assert ab.shape == (1, 2, 64, 96) and logits.shape == (1, len(net.bins.colors), 16, 24)
    assert net.heads(inputs(), stride=2)[1].shape[2:] == (8, 12)


def test_hints_reach_every_level_and_attention_the_lowest():
    net, x = build_generator(FULL).eval(), inputs()
    assert [conv.out_channels for conv in net.told] == [16, 16, 16, 8]
    assert net.attention.norm.normalized_shape == (16,)
    assert torch.equal(net.heads(x)[0], net.heads(x[:, :1])[0])  # deaf at first
    net.heads(x)[0].square().sum().backward()
    assert all(conv.weight.grad.abs().sum() > 0 for conv in net.told)
    for conv in net.told:
        nn.init.normal_(conv.weight)
    assert not torch.allclose(net(x), net(x[:, :1]))


@pytest.mark.slow
def test_it_learns_from_hinted_photos_with_its_encoder_frozen():
    recipe = build("hints", generator=FULL | {"frozen": 5}, lr=1e-2, keep_norms=False)
    x = inputs(64, 64)
    truth = torch.zeros(1, 2, 64, 64)
    truth[:, 0, :32], truth[:, 1, 32:] = 0.3, -0.3
    batch = Batch(x[:, :1], truth, None, x[:, 1:])
    optimizer, _ = recipe.optimizers()
    before = {k: v.clone() for k, v in recipe.generator.encoder.state_dict().items()}
    losses = []
    for _ in range(30):
        fake = recipe.train()(batch)
        loss = recipe.generator_loss(batch, fake, adversarial=False)["l1"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    after = recipe.generator.encoder.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())


def test_its_weights_come_back(tmp_path):
    net = build_generator(FULL).eval()
    path = tmp_path / "net.safetensors"
    weights.save(path, net, weights.Header(config_of(net)), dtype=torch.float32)
    again, header = weights.load(path)
    assert header.generator["light"] is True
    x = inputs()
    torch.testing.assert_close(again(x), net(x))


def test_nets_of_before_are_not_light(tmp_path):
    """Headers and checkpoints from before the setting."""
    old = {k: v for k, v in FULL.items() if k != "light"}
    net = build_generator(old).eval()
    header = weights.Header({k: v for k, v in config_of(net).items() if k != "light"})
    weights.save(tmp_path / "old.safetensors", net, header, dtype=torch.float32)
    again, _ = weights.load(tmp_path / "old.safetensors")
    assert again.light is False and config_of(again)["light"] is False
    x = inputs()
    torch.testing.assert_close(again(x), net(x))
    assert upgraded(old)["light"] is False and upgraded(FULL)["light"] is True
    assert renamed({"target": "hinted.Hinted", "generator": old})["generator"]["light"] is False


def test_decoders_of_too_few_levels_are_refused():
    with pytest.raises(ValueError, match=r"decoder=\(8, 8, 8\): efficientnet_lite0 needs 4 levels"):
        BackboneUNet(encoder="efficientnet_lite0", decoder=(8, 8, 8), light=True)


def test_its_name_in_the_registry():
    config = read_generator("efficientnet_lite0_light")
    hints = read_generator("mobilenet_hints")
    assert config == hints | {"encoder": "efficientnet_lite0", "light": True}
