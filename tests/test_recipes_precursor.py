"""The two toys before the U-Net: that they learn, what they show, and that none is a colorizer."""

import numpy as np
import pytest
import torch
from tiny_runs import losses_of, make_photos, train

from pix2pix import Colorizer, weights
from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.nets.toys import Autoencoder, MeanNet
from pix2pix.recipes import build
from pix2pix.recipes.precursor import Brightness, SamePicture

BRIGHTNESS = {"target": "precursor.Brightness", "generator": {"net": "MeanNet", "width": 8}}
SAME = {"target": "precursor.SamePicture", "generator": {"net": "Autoencoder", "width": 8}}


def photos(count=3, side=16):
    torch.manual_seed(0)
    rgb = torch.rand(count, 3, 1, 1).expand(-1, -1, side, side) * 0.8 + 0.1
    return rgb, Batch(*rgb_to_net(rgb), np.arange(count))


def test_brightness_by_hand():
    recipe = Brightness(MeanNet(width=2))
    _, batch = photos()
    wanted = batch.L.mean((1, 2, 3))[:, None]
    terms = recipe.generator_loss(batch, wanted + 0.3, adversarial=False)
    assert {k: v.item() for k, v in terms.items()} == pytest.approx({"mse": 0.09})
    shown = recipe.picture(batch, wanted)  # one level of gray, as bright as the photo
    assert torch.allclose(rgb_to_net(shown)[0], batch.L, atol=1e-3)
    assert rgb_to_net(shown)[1].abs().max() < 1e-3


def test_the_same_picture_by_hand():
    recipe = SamePicture(Autoencoder(width=2))
    rgb, batch = photos()
    seen = recipe.input(batch)
    assert torch.allclose(seen, rgb * 2 - 1, atol=2e-3)
    terms = recipe.generator_loss(batch, seen - 0.2, adversarial=False)
    assert terms["l1"].item() == pytest.approx(0.2)
    assert torch.allclose(recipe.picture(batch, seen), rgb, atol=1e-3)
    assert recipe(batch).shape == rgb.shape


@pytest.mark.slow
@pytest.mark.parametrize(("config", "term"), [(BRIGHTNESS, "mse"), (SAME, "l1")])
def test_they_learn_through_the_same_loop(config, term, tmp_path):
    folder = make_photos(tmp_path / "photos", count=24)
    state = train(config, folder, tmp_path / "run", steps=60, batch=8, lr=1e-2, ema=0.9)
    losses = [float(row[term]) for row in losses_of(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:3])
    net, header = weights.load(tmp_path / "run" / "last.safetensors")
    assert header.head == state.recipe.head == net.predicts != "ab"
    with pytest.raises(ValueError, match="a colorizer needs 'ab' or 'rgb'"):
        Colorizer(net, header)


def test_the_parameters_are_few():
    assert sum(p.numel() for p in build("precursor").parameters()) < 30_000
    assert sum(p.numel() for p in build("precursor_rgb").parameters()) < 200_000


# ---- the head for rgb of a net that colors


def test_a_head_for_rgb_learns_the_photo_and_colors_with_its_color_alone(tmp_path):
    recipe = build(
        "unet_l1", generator={"net": "DoubleConvUNet", "width": 2, "depth": 2, "out_channels": 3}
    )
    rgb, batch = photos()
    assert recipe.head == "rgb"
    terms = recipe.generator_loss(batch, rgb * 2 - 1 + 0.1, adversarial=False)
    assert terms["l1"].item() == pytest.approx(0.1, abs=2e-3)
    assert torch.allclose(recipe.picture(batch, rgb * 2 - 1), rgb)

    header = weights.Header(recipe.generator.config, head="rgb")
    weights.save(tmp_path / "w.safetensors", recipe.generator, header)
    colorizer = Colorizer.from_pretrained(tmp_path / "w.safetensors", device="cpu")
    photo = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    colored = colorizer(photo)
    assert colored.shape == photo.shape
    before, after = (
        rgb_to_net(torch.from_numpy(p).permute(2, 0, 1)[None] / 255)[0] for p in (photo, colored)
    )
    assert (before - after).abs().max() < 0.03  # the photo's own lightness, not the net's


def test_perceptual_loss_is_for_ab():
    net = {"net": "DoubleConvUNet", "width": 2, "depth": 2, "out_channels": 3}
    with pytest.raises(ValueError, match="perceptual=1: for nets that predict ab"):
        build("unet_l1", generator=net, perceptual=1, perceptual_weights="x")


def test_what_an_rgb_net_predicts_is_its_color(tmp_path):
    """The color of a constant answer: red is red on any photo."""
    net = build(
        "unet_l1", generator={"net": "DoubleConvUNet", "width": 2, "depth": 2, "out_channels": 3}
    ).generator
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias.copy_(torch.tensor([0.8, 0.2, 0.2]).mul(2).sub(1).atanh())
    colorizer = Colorizer(net, weights.Header(net.config, head="rgb"))
    ab = torch.from_numpy(colorizer.predict(np.full((16, 16, 3), 128, np.uint8)))
    wanted = rgb_to_net(torch.tensor([0.8, 0.2, 0.2]).view(1, 3, 1, 1))[1][0]
    assert torch.allclose(ab, wanted.expand_as(ab), atol=1e-3)
    assert net_to_rgb(torch.zeros(1, 1, 1, 1), wanted[None])[0, 0] > 0.5
