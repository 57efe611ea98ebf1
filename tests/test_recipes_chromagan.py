"""ChromaGAN: its net at any size, each loss by hand, the penalty, the teachers."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_runs import losses_of, make_photos
from torch import nn

from pix2pix import recipes
from pix2pix.batch import Batch
from pix2pix.data.labels import Labels, tiny_imagenet
from pix2pix.errors import DataError, SettingError
from pix2pix.nets.backbones import gray_for_imagenet
from pix2pix.nets.chroma_net import ChromaNet
from pix2pix.nets.variants import BarePatchGAN
from pix2pix.recipes.chromagan import ChromaGAN, gradient_penalty
from pix2pix.recipes.teacher import Teacher


class Fixed(nn.Module):
    """A generator whose answer is set: ab and logits of three classes."""

    def __init__(self, classes=3):
        super().__init__()
        self.classes = classes


class Sum(nn.Module):
    """A critic whose score is `slope` times the sum over one picture."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return self.slope * x.sum((1, 2, 3), keepdim=True)


def batch(labels=None):
    ab = torch.full((2, 2, 8, 8), 0.5)
    return Batch(torch.full((2, 1, 8, 8), 0.1), ab, np.arange(2), labels=labels)


# ---- the net


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (72, 40)])
def test_any_size_comes_out_as_it_went_in(size):
    net = ChromaNet(width=2, classes=5)
    ab, logits = net.heads(torch.rand(2, 1, *size))
    assert ab.shape == (2, 2, *size) and logits.shape == (2, 5)
    assert ab.abs().max() <= 1
    with pytest.raises(ValueError, match="multiples of 8"):
        net(torch.rand(1, 1, 12, 8))


def test_the_trunk_is_vggs_first_ten_convolutions():
    net = ChromaNet(width=64, classes=1000)
    convs = [m for m in net.encoder if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64, 64, 128, 128, 256, 256, 256, 512, 512, 512]
    # the original's trunk, as Keras counts it
    assert sum(p.numel() for p in net.encoder.parameters()) == 7_635_264


def test_the_whole_picture_reaches_every_place():
    """What is in one corner changes the color of the other, through the vector."""
    torch.manual_seed(0)
    net = ChromaNet(width=8, classes=4).eval()
    L = torch.rand(1, 1, 256, 256)
    L.requires_grad_(True)
    net(L)[0, :, :8, :8].sum().backward()
    assert L.grad[..., 200:, 200:].abs().max() > 0


def test_pretrained_weights_fit_a_width_of_64_only(tmp_path):
    save_file(ChromaNet(width=64).encoder.state_dict(), tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="no weights of vgg16"):  # ten of thirteen convolutions
        ChromaNet(weights=str(tmp_path / "part.safetensors"))


# ---- losses


def test_losses_by_hand():
    recipe = ChromaGAN(Fixed(), l2=2, gan=0.5, kl=0.1, penalty=10, teacher="labels", critic_width=1)
    recipe.critic = Sum(0.25)
    some = batch(labels=torch.tensor([2, 0]))
    fake = torch.full_like(some.ab, 0.1), torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    terms = {k: v.item() for k, v in recipe.generator_loss(some, fake, adversarial=True).items()}
    # L 0.1 and twice ab 0.1 over 64 pixels, times the slope
    score = 0.25 * 64 * (0.1 + 2 * 0.1)
    log_q = torch.tensor([0.0, 0.0, 1.0]).log_softmax(0)
    wanted = {"l2": 2 * 0.4**2, "wasserstein": -0.5 * score, "kl": -0.1 * (log_q[2] + log_q[0]) / 2}
    assert terms == pytest.approx({k: float(v) for k, v in wanted.items()}, rel=1e-4)
    told = {k: v.item() for k, v in recipe.critic_loss(some, fake).items()}
    real = 0.25 * 64 * (0.1 + 2 * 0.5)
    slope = 0.25 * np.sqrt(3 * 64)
    assert told == pytest.approx(
        {"critic": score - real, "penalty": 10 * (slope - 1) ** 2}, rel=1e-4
    )
    alone = recipe.generator_loss(some, fake, adversarial=False)
    assert set(alone) == {"l2", "kl"}


def test_the_penalty_vanishes_at_slope_one_and_teaches_the_critic():
    real, fake = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 8, 8)
    one = Sum(1 / np.sqrt(3 * 64))
    assert gradient_penalty(one, real, fake).item() == pytest.approx(0, abs=1e-9)
    steep = Sum(0.5)
    gradient_penalty(steep, real, fake).backward()
    assert steep.slope.grad > 0  # a smaller slope is a smaller penalty


def test_the_penalty_is_float32_under_autocast():
    critic, seen = BarePatchGAN(width=2), []
    for module in critic.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, given, out: seen.append(out.dtype))
    real, fake = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        critic(real)
        assert set(seen) == {torch.bfloat16}
        seen.clear()
        gradient_penalty(critic, real, fake).backward()
    assert set(seen) == {torch.float32}


def test_the_critic_has_no_norm_and_no_sigmoid():
    critic = ChromaGAN(Fixed()).critic
    kinds = {type(m) for m in critic.modules()}
    assert not kinds & {nn.InstanceNorm2d, nn.BatchNorm2d, nn.Sigmoid}
    assert sum(p.numel() for p in critic.parameters()) == 2_764_737  # as the original's


# ---- teachers


def test_teachers_that_cannot_be_are_told(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="UNet tells no classes"):
        recipes.build("chromagan", generator={"net": "UNet", "width": 2, "depth": 3})
    (tmp_path / "t.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"t\.safetensors cannot be had .*; give labels"):
        ChromaGAN(Fixed(1000), teacher=str(tmp_path / "t.safetensors"))

    def refuse(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(ValueError, match="teacher=vgg16 cannot be had .no network.; give labels"):
        ChromaGAN(Fixed(1000), teacher="vgg16")
    with pytest.raises(ValueError, match="data.labels=folders"):
        recipe = ChromaGAN(Fixed(), teacher="labels")
        fake = torch.zeros(2, 2, 8, 8), torch.zeros(2, 3)
        recipe.generator_loss(batch(), fake, adversarial=False)


def test_a_teacher_of_other_classes_is_refused(monkeypatch):
    monkeypatch.setattr(Teacher, "__init__", lambda self, *, weights: None)
    with pytest.raises(ValueError, match="knows 1000 classes"):
        ChromaGAN(Fixed(200), teacher="vgg16")


def test_the_teacher_sees_what_vgg_was_trained_on(monkeypatch):
    """Gray, 224 px, normalized as ImageNet; its shares are what the net is compared with."""
    seen = []

    class Net(nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.arange(1000.0).expand(len(x), -1)

    teacher = Teacher.__new__(Teacher)
    teacher.net = Net()
    recipe = ChromaGAN(Fixed(1000))
    recipe.teacher = teacher
    some = batch()
    shares = recipe.class_distribution(some)
    assert seen[0].shape == (2, 3, 224, 224)
    assert torch.allclose(seen[0], gray_for_imagenet(torch.full((2, 1, 224, 224), 0.1)))
    assert torch.allclose(shares.sum(1), torch.ones(2)) and shares[0].argmax() == 999
    same = torch.arange(1000.0).expand(2, -1)
    terms = recipe.generator_loss(some, (some.ab, same), adversarial=False)
    assert terms["kl"].item() == pytest.approx(0, abs=1e-6)


# ---- labels


def test_tiny_imagenets_classes_have_imagenets_numbers():
    from torchvision.models._meta import _IMAGENET_CATEGORIES as names

    known = tiny_imagenet()
    assert len(known) == 200 and list(known.values()) == sorted(set(known.values()))
    some = {"n01443537": "goldfish", "n02123394": "Persian cat", "n04008634": "projectile"}
    some |= {"n07875152": "potpie", "n12267677": "acorn", "n02963159": "cardigan"}
    assert {wnid: names[known[wnid]] for wnid in some} == some


def test_labels_are_the_folders():
    labels = Labels(["train/b/1.png", "train/a/2.png", "a/3.png"], "folders")
    assert labels.count == 2 and labels.of(["x/b/9.png", "a/1.png"]).tolist() == [1, 0]
    known = Labels(["val/n01443537/1.png"], "imagenet")
    assert known.count == 1000 and known.of(["n01443537/2.png"]).tolist() == [1]
    with pytest.raises(DataError, match="'cats' is no class"):
        Labels(["cats/1.png"], "imagenet")
    with pytest.raises(DataError, match="one for each class"):
        Labels(["1.png", "2.png"], "folders")
    with pytest.raises(ValueError, match="one of folders, imagenet"):
        Labels([], "wordnet")


def settings(tmp_path, photos, **recipe):
    from test_train_config import composed

    from pix2pix.train.config import plain

    config = composed(
        "recipe=chromagan",
        "recipe.generator.width=2",
        "recipe.critic_width=2",
        f"data.path={photos}",
        f"data.cache={tmp_path / 'cache'}",
        "data.size=32",
        "trainer={steps: 2, batch: 2, workers: 0, accelerator: cpu, precision: fp32, log_every: 1}",
        "logger.tensorboard=false",
        *(f"{key}={value}" for key, value in recipe.items()),
    )
    return plain(config) | {"run_dir": str(tmp_path / "run")}


@pytest.mark.slow
def test_labels_reach_the_loss_through_the_loop(tmp_path):
    from omegaconf import OmegaConf

    for name in ("cats", "dogs", "owls"):
        make_photos(tmp_path / "photos" / name, count=3)
    told = {"recipe.teacher": "labels", "data.labels": "folders"}
    from pix2pix.train.__main__ import fit_configured

    wrong = settings(tmp_path, tmp_path / "photos", **told)
    with pytest.raises(SettingError, match="wants 1000 classes, these photos have 3"):
        fit_configured(
            OmegaConf.create(wrong), recipe_name="chromagan", run_dir=str(tmp_path / "run")
        )
    right = settings(tmp_path, tmp_path / "photos", **told, **{"recipe.generator.classes": 3})
    state = fit_configured(
        OmegaConf.create(right), recipe_name="chromagan", run_dir=str(tmp_path / "run")
    )
    assert state.step == 2
    row = losses_of(tmp_path / "run")[0]
    assert float(row["kl"]) == pytest.approx(0.003 * np.log(3), rel=0.2)
    assert {"l2", "wasserstein", "critic", "penalty"} <= row.keys()
