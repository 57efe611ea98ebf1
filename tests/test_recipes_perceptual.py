"""The perceptual loss: against a plain computation of it, and its place in a recipe."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from tiny_runs import make_photos, make_recipe, train
from torchvision import models

from pix2pix.batch import Batch
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.nets.backbones import TAPS, build_backbone
from pix2pix.recipes import build
from pix2pix.recipes.perceptual import Perceptual

SMALL = {"width": 2, "depth": 2}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("perceptual") / "mobilenet.safetensors"
    save_file(build_backbone("mobilenet_v2").state_dict(), path)
    return str(path)


def photos():
    """Two crops of a photo: L (2, 1, 64, 64), ab (2, 2, 64, 64)."""
    rgb = torch.from_numpy(data.astronaut()[:64, 160:288].copy()).permute(2, 0, 1)[None] / 255
    return rgb_to_net(torch.cat(rgb.split(64, 3)))


def test_it_is_the_normalized_difference_of_torchvisions_features(path):
    L, ab = photos()
    whole = models.mobilenet_v2(weights=None).eval()
    state = Perceptual(weights=path).net.state_dict()
    whole.features.load_state_dict(state)
    normalize = models.MobileNet_V2_Weights.DEFAULT.transforms()

    def features(ab):
        x = net_to_rgb(L, ab)
        x = (x - torch.tensor(normalize.mean).view(3, 1, 1)) / torch.tensor(normalize.std).view(
            3, 1, 1
        )
        return [whole.features[: i + 1](x) for i, _ in TAPS["mobilenet_v2"]]

    wanted = []
    for mine, its in zip(features(0 * ab), features(ab), strict=True):
        for k in range(2):  # photo by photo: accumulation over micro-batches changes nothing
            wanted.append(((mine[k] - its[k]) ** 2).mean() / (its[k] ** 2).mean())
    found = Perceptual(weights=path)(L, 0 * ab, ab)
    assert found.item() == pytest.approx(sum(wanted).item() / len(wanted), rel=1e-4)
    assert found > 0.001


def test_equal_photos_do_not_differ_and_grayer_ones_differ_more(path):
    (L, ab), teacher = photos(), Perceptual(weights=path)
    assert teacher(L, ab, ab) == 0
    half, gray = teacher(L, ab / 2, ab), teacher(L, ab * 0, ab)
    assert 0 < half < gray


def test_features_of_nothing_do_not_differ(path):
    (L, ab), teacher = photos(), Perceptual(weights=path)
    teacher.features = lambda rgb: [torch.zeros(2, 8, 4, 4)]
    assert teacher(L, ab * 0, ab) == 0


def test_its_gradient_reaches_ab_alone_and_is_finite_from_black_to_white(path):
    L, ab = photos()
    L = torch.linspace(-1, 1, 64).expand_as(L)
    fake, teacher = (ab * 0.5).requires_grad_(), Perceptual(weights=path)
    before = {k: v.clone() for k, v in teacher.net.state_dict().items()}
    teacher(L, fake, ab).backward()
    assert fake.grad.isfinite().all() and fake.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in teacher.net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in teacher.net.state_dict().items())


@pytest.mark.slow
def test_descending_it_brings_the_color_back(path):
    (L, ab), teacher = photos(), Perceptual(weights=path)
    fake = torch.zeros_like(ab).requires_grad_()
    optimizer = torch.optim.Adam([fake], lr=0.01)
    first = teacher(L, fake, ab).item()
    for _ in range(8):
        optimizer.zero_grad()
        teacher(L, fake, ab).backward()
        optimizer.step()
    assert teacher(L, fake, ab).item() < 0.7 * first


@pytest.mark.parametrize("name", ["unet_l1", "hints"])
def test_a_recipe_weighs_it_and_does_not_own_it(name, path):
    plain = build(name, generator={"net": "DoubleConvUNet", **SMALL})
    recipe = build(
        name,
        generator={"net": "DoubleConvUNet", **SMALL},
        perceptual=0.5,
        perceptual_weights=path,
    )
    assert list(recipe.state_dict()) == list(plain.state_dict())
    assert len(list(recipe.buffers())) == len(list(plain.buffers()))
    counts = [
        sum(len(g["params"]) for g in r.optimizers()[0].param_groups) for r in (recipe, plain)
    ]
    assert counts[0] == counts[1]
    L, ab = photos()
    batch = Batch(L, ab, np.arange(2))
    recipe.train()
    assert not any(module.training for module in recipe.teacher.net.modules())
    fake = recipe(batch)
    terms = recipe.generator_loss(batch, fake, adversarial=False)
    alone = recipe.teacher(L, fake[0] if name == "hints" else fake, ab)
    assert terms["perceptual"].item() == pytest.approx(0.5 * alone.item())
    assert "perceptual" not in plain.generator_loss(batch, fake, adversarial=False)


def test_the_teacher_follows_the_photos_to_their_device(path):
    teacher = Perceptual(weights=path)
    L, ab = (t.to("meta") for t in photos())
    with pytest.raises((NotImplementedError, RuntimeError)):  # meta has no values to compare
        teacher(L, ab, ab).item()
    assert {p.device.type for p in teacher.net.parameters()} == {"meta"}


def test_it_is_float32_under_autocast(path):
    (L, ab), teacher = photos(), Perceptual(weights=path)
    exact = teacher(L, ab * 0.5, ab)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = teacher(L, ab.bfloat16() * 0.5, ab)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.1)


def test_without_weights_it_is_refused(path, tmp_path):
    with pytest.raises(ValueError, match="perceptual needs perceptual_weights: download, or"):
        build("unet_l1", generator=SMALL, perceptual=0.1)
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"w\.safetensors: no weights of mobilenet_v2"):
        Perceptual(weights=str(tmp_path / "w.safetensors"))
    assert build("unet_l1", generator=SMALL, perceptual_weights="unused").teacher is None


@pytest.mark.slow
def test_a_run_with_it_survives_its_configuration_and_a_checkpoint(path, tmp_path):
    pictures = make_photos(tmp_path / "photos", count=8)
    config = {
        "target": "unet_l1.UNetL1",
        "perceptual": 0.1,
        "perceptual_weights": path,
        "generator": {"net": "DoubleConvUNet", **SMALL},
    }
    config = json.loads(json.dumps(config))
    assert (make_recipe(config).perceptual, make_recipe(config).teacher is None) == (0.1, False)
    settings = {"schedule": "constant", "batch": 2}
    whole = train(config, pictures, tmp_path / "whole", steps=3, **settings)
    train(config, pictures, tmp_path / "cut", steps=1, **settings)
    again = train(config, pictures, tmp_path / "cut", steps=3, ckpt_path="last", **settings)
    its = again.recipe.state_dict()
    assert all(torch.equal(v, its[k]) for k, v in whole.recipe.state_dict().items())
    assert "perceptual" in (tmp_path / "whole" / "metrics.csv").read_text().splitlines()[0]
