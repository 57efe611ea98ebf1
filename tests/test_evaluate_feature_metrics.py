"""Distances that nets measure, in `evaluate`; what is fetched has stand-ins here."""

import urllib.error

import numpy as np
import pytest
import torch
import torchmetrics.image.fid as fid
from paint import Paint, crops
from squeeze import CHANNELS, save_features, save_heads
from torchmetrics.functional.image import lpips

from pix2pix import metrics
from pix2pix.evaluate import evaluate, format_table
from pix2pix.evaluate.feature_metrics import (
    FeatureMetricError,
    PerceptualDistance,
    SqueezeFeatures,
    SqueezeNetMetrics,
    TorchMetrics,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return crops(tmp_path_factory.mktemp("photos") / "in", 8)


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nets")
    return {
        "features": save_features(folder / "squeeze.safetensors"),
        "heads": save_heads(folder / "heads.safetensors"),
    }


def test_a_better_model_is_nearer_by_every_metric(photos, nets):
    squeezenet = [SqueezeNetMetrics(**nets)]
    half = evaluate(photos, Paint(0.5), size=64, feature_metrics=squeezenet)
    full = evaluate(photos, Paint(0.95), size=64, feature_metrics=squeezenet)["rows"]
    rows = half["rows"]
    for metric in ("lpips_like", "kid", "frechet"):
        assert rows["gray"][metric] > rows["model"][metric] > full["model"][metric]
    assert full["model"]["kid"] == pytest.approx(0, abs=0.1 * rows["gray"]["kid"])
    values = [photo["rows"]["model"]["lpips_like"] for photo in half["photos"]]
    assert rows["model"]["lpips_like"] == pytest.approx(np.mean(values), rel=1e-5)
    low, high = half["intervals"]["model"]["lpips_like"]
    assert low < rows["model"]["lpips_like"] < high
    for metric in ("frechet", "share_closed", "kid"):
        low, high = half["intervals"]["model"][metric]
        assert low < rows["model"][metric] < high
    text = format_table(half)
    assert "~LPIPS" in text and "KID" in text
    assert max(map(len, text.splitlines())) <= 100


def test_against_is_measured_on_the_photos_it_has(photos, nets, tmp_path):
    """The row of a tool that has four of the photos is that of a folder of these four alone."""
    few = crops(tmp_path / "few", 4)
    options = {"size": 64, "against": few, "feature_metrics": [SqueezeNetMetrics(**nets)]}
    result = evaluate(photos, Paint(0.5), **options)["rows"]["against"]
    alone = evaluate(few, Paint(0.5), **options)["rows"]["against"]
    assert alone["frechet"] == pytest.approx(0, abs=1e-3)  # they are the truth
    for metric in ("frechet", "share_closed", "kid", "lpips_like"):
        assert result[metric] == pytest.approx(alone[metric], abs=1e-3)


@pytest.mark.parametrize("count", [12, 40])  # fewer photos than features, and more
def test_distances_of_some_photos_are_those_of_their_features_alone(count):
    """What is shared between rows and sets of photos changes nothing, for equal sets either."""
    generator = torch.Generator().manual_seed(5)
    truth = torch.randn(count, 20, generator=generator) + 1
    rows = {"gray": 0.3 * truth, "model": truth + 0.2 * truth[torch.randperm(count)], "same": truth}
    summary = SqueezeNetMetrics.summarize(None, {**rows, "truth": truth})
    for places in (torch.arange(count), torch.arange(count).flip(0)[:7], torch.tensor([3, 8])):
        got, real = summary(places), truth[places]
        assert list(got) == ["gray", "model", "same"]
        for name, row in rows.items():
            some, gray = row[places], rows["gray"][places]
            frechet = metrics.frechet_distance(some, real)
            assert got[name]["frechet"] == pytest.approx(frechet, rel=1e-9, abs=1e-9)
            closed = metrics.share_closed(some, real, gray)
            assert got[name]["share_closed"] == pytest.approx(closed, rel=1e-9, abs=1e-9)
            kid = metrics.kernel_distance(some, real, paired=True)
            assert got[name]["kid"] == pytest.approx(kid, rel=1e-9, abs=1e-9)
        assert got["same"]["kid"] == pytest.approx(0, abs=1e-12)
    none = SqueezeNetMetrics.summarize(None, {"gray": truth, "truth": truth})(torch.arange(count))
    assert none["gray"]["share_closed"] is None


def test_lpips_like_of_all_rows_are_those_of_each_pair(nets):
    """The truth's maps are shared between the rows, whatever the tensors' memory format."""
    generator = torch.Generator().manual_seed(6)
    truth, model, gray = torch.rand(3, 2, 3, 64, 64, generator=generator)
    metric = SqueezeNetMetrics(**nets)
    swapped = model.contiguous(memory_format=torch.channels_last)
    table = metric.measure({"gray": gray, "model": swapped, "truth": truth})
    for name, rgb in (("gray", gray), ("model", model)):
        expected = metric.distance(metric.network.maps(rgb), metric.network.maps(truth))
        torch.testing.assert_close(table[name]["lpips_like"], expected)
        torch.testing.assert_close(table[name]["features"], metric.network(rgb))
    assert "lpips_like" not in table["truth"]


def test_files_that_are_no_nets_are_named(nets, tmp_path):
    for pair in ((tmp_path / "no", None), (nets["heads"], None), (nets["features"], "/no")):
        with pytest.raises(FeatureMetricError) as caught:
            SqueezeNetMetrics(*pair)
        assert caught.value.path == str(pair[1] or pair[0])
        assert caught.value.reason


# ---- SqueezeNet and its heads


def test_squeeze_features_take_bgr_less_the_means(tmp_path):
    from safetensors.torch import save_file
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    net = squeezenet1_1(weights=None).eval()
    state = {k: v for k, v in net.state_dict().items() if k.startswith("features.")}
    save_file(state, tmp_path / "squeeze.safetensors")
    rgb = torch.rand(2, 3, 64, 48)
    bgr = torch.stack([rgb[:, 2] * 255, rgb[:, 1] * 255, rgb[:, 0] * 255], 1)
    bgr = bgr - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    expected = net.features(bgr).mean((2, 3)).detach()
    got = SqueezeFeatures(tmp_path / "squeeze.safetensors")(rgb)
    assert got.shape == (2, 512)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * expected.max().item())


def test_squeeze_features_refuse_other_weights(tmp_path):
    from safetensors.torch import save_file

    save_file({"features.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match="features"):
        SqueezeFeatures(tmp_path / "other.safetensors")


@pytest.fixture(scope="module")
def squeeze(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squeeze")
    features = SqueezeFeatures(save_features(folder / "squeeze.safetensors"))
    return features, PerceptualDistance(save_heads(folder / "heads.safetensors"))


def test_perceptual_distance_is_the_formula_by_hand(squeeze):
    _, distance = squeeze
    generator = torch.Generator().manual_seed(8)
    fake, real = ([torch.rand(2, c, 4, 3, generator=generator) for c in CHANNELS] for _ in range(2))
    expected = np.zeros(2)
    for f, r, head in zip(fake, real, distance.heads, strict=True):
        f, r, weight = f.double().numpy(), r.double().numpy(), head.double().numpy()[0, :, 0, 0]
        for photo in range(2):
            for y in range(4):
                for x in range(3):
                    one, other = f[photo, :, y, x], r[photo, :, y, x]
                    difference = one / np.linalg.norm(one) - other / np.linalg.norm(other)
                    expected[photo] += (weight * difference**2).sum() / 12
    np.testing.assert_allclose(distance(fake, real).numpy(), expected, rtol=1e-5)


def test_perceptual_distance_is_lpips_of_torchmetrics_on_the_same_net(squeeze):
    """Theirs gets our random weights and our input: then every value must be the same."""
    from torchmetrics.functional.image import lpips

    network, distance = squeeze
    theirs = lpips._LPIPS(pretrained=False, net="squeeze", pnet_rand=True)
    flat = [layer for part in theirs.net.slices for layer in part]
    for mine, other in zip(network.features, flat, strict=True):
        other.load_state_dict(mine.state_dict())
    for head, lin in zip(distance.heads, theirs.lins, strict=True):
        lin.model[-1].weight.data = head.data
    theirs.scaling_layer = torch.nn.Identity()
    fake, real = torch.rand(2, 3, 3, 64, 48, generator=torch.Generator().manual_seed(9))
    inputs = [255 * x.flip(1) - network.means for x in (fake, real)]
    expected = theirs(*inputs).view(3)
    got = distance(network.maps(fake), network.maps(real))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)
    assert distance(network.maps(real), network.maps(real)).abs().max() == 0
    torch.testing.assert_close(network(real), network.maps(real)[-1].mean((2, 3)))


def test_heads_of_something_else_are_refused(tmp_path):
    with pytest.raises(RuntimeError, match="no heads of LPIPS"):
        PerceptualDistance(save_features(tmp_path / "features.safetensors"))


# ---- torchmetrics


@pytest.fixture
def fetched(monkeypatch):
    """Small nets in place of those that are fetched: AlexNet's features at random, an Inception."""
    torch.manual_seed(0)
    original = lpips._get_tv_model_features
    monkeypatch.setattr(lpips, "_get_tv_model_features", lambda net, _: original(net, False))

    class Inception(torch.nn.Module):
        def __init__(self, **_):
            super().__init__()
            torch.manual_seed(3)
            self.mix = torch.nn.Conv2d(3, 6, 5, stride=4)

        def forward(self, x):
            assert x.dtype == torch.uint8
            return self.mix(x / 255).square().mean((2, 3))

    monkeypatch.setattr(fid, "NoTrainInceptionV3", Inception)
    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", True)


@pytest.mark.slow
def test_torchmetrics_adds_lpips_and_fid(fetched, photos):
    result = evaluate(photos, Paint(0.5), size=64, feature_metrics=[TorchMetrics()])
    rows = result["rows"]
    assert rows["gray"]["lpips"] > rows["model"]["lpips"] > 0
    assert rows["gray"]["fid"] > rows["model"]["fid"] > 0
    assert "LPIPS" in format_table(result) and "FID" in format_table(result)


@pytest.mark.slow
def test_fid_is_that_of_torchmetrics(fetched):
    """On more photos than features, where theirs bears it too."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    pictures = torch.randint(0, 256, (2, 40, 3, 64, 64)) / 255
    pictures[1] = (255 * pictures[1] ** 1.3).round() / 255
    metric = TorchMetrics()
    measured = metric.measure({"model": pictures[0], "truth": pictures[1]})
    features = {name: row["features"] for name, row in measured.items()}
    theirs = FrechetInceptionDistance(feature=metric.inception)
    for rgb, real in zip(pictures, (False, True), strict=True):
        theirs.update((255 * rgb).round().byte(), real=real)
    got = metric.summarize(features)(torch.arange(40))["model"]["fid"]
    assert got == pytest.approx(theirs.compute().item(), rel=1e-3)
    assert "lpips" not in measured["truth"]
    lpips_of = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    lpips_of.net = metric.lpips.net
    expected = lpips_of(pictures[0], pictures[1]).item()
    assert measured["model"]["lpips"].mean().item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_what_cannot_be_fetched_is_one_line(fetched, monkeypatch):
    def offline(*_):
        raise urllib.error.URLError("no\nroute")

    with monkeypatch.context() as patch:
        patch.setattr(lpips, "_get_tv_model_features", offline)
        with pytest.raises(FeatureMetricError, match="could not be fetched.*no route") as caught:
            TorchMetrics()
    assert caught.value.path == "LPIPS"
    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(FeatureMetricError, match="not installed.*torch-fidelity") as caught:
        TorchMetrics()
    assert caught.value.path == "FID"
    assert "\n" not in caught.value.reason
