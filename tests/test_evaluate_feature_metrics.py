"""Distances that nets measure, in `evaluate`; what is fetched has stand-ins here."""

import urllib.error

import numpy as np
import pytest
import torch
import torchmetrics.image.fid as fid
from paint import Paint, crops
from squeeze import save_features, save_heads
from torchmetrics.functional.image import lpips

from pix2pix import report
from pix2pix.report.yardsticks import Squeeze, TorchMetrics, YardstickError


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


def test_a_better_model_is_nearer_by_every_yardstick(photos, nets):
    half = report.evaluate(photos, Paint(0.5), size=64, **nets)
    full = report.evaluate(photos, Paint(0.95), size=64, **nets)["rows"]
    rows = half["rows"]
    for figure in ("lpips_like", "kid", "frechet"):
        assert rows["gray"][figure] > rows["model"][figure] > full["model"][figure]
    assert full["model"]["kid"] == pytest.approx(0, abs=0.1 * rows["gray"]["kid"])
    values = [photo["rows"]["model"]["lpips_like"] for photo in half["photos"]]
    assert rows["model"]["lpips_like"] == pytest.approx(np.mean(values), rel=1e-5)
    low, high = half["intervals"]["model"]["lpips_like"]
    assert low < rows["model"]["lpips_like"] < high
    for figure in ("frechet", "share_closed", "kid"):
        low, high = half["intervals"]["model"][figure]
        assert low < rows["model"][figure] < high
    text = report.format_table(half)
    assert "~LPIPS" in text and "KID" in text
    assert max(map(len, text.splitlines())) <= 100


def test_against_is_measured_on_the_photos_it_has(photos, nets, tmp_path):
    """The row of a tool that has four of the photos is that of a folder of these four alone."""
    few = crops(tmp_path / "few", 4)
    result = report.evaluate(photos, Paint(0.5), size=64, against=few, **nets)["rows"]["against"]
    alone = report.evaluate(few, Paint(0.5), size=64, against=few, **nets)["rows"]["against"]
    assert alone["frechet"] == pytest.approx(0, abs=1e-3)  # they are the truth
    for figure in ("frechet", "share_closed", "kid", "lpips_like"):
        assert result[figure] == pytest.approx(alone[figure], abs=1e-3)


def test_files_that_are_no_nets_are_named(nets, tmp_path):
    for pair in ((tmp_path / "no", None), (nets["heads"], None), (nets["features"], "/no")):
        with pytest.raises(YardstickError) as caught:
            Squeeze(*pair)
        assert caught.value.source == str(pair[1] or pair[0])
        assert caught.value.reason


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


def test_torchmetrics_adds_lpips_and_fid(fetched, photos):
    result = report.evaluate(photos, Paint(0.5), size=64, torchmetrics=True)
    rows = result["rows"]
    assert rows["gray"]["lpips"] > rows["model"]["lpips"] > 0
    assert rows["gray"]["fid"] > rows["model"]["fid"] > 0
    assert "LPIPS" in report.format_table(result) and "FID" in report.format_table(result)


def test_fid_is_that_of_torchmetrics(fetched):
    """On more photos than features, where theirs bears it too."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    pictures = torch.randint(0, 256, (2, 40, 3, 64, 64)) / 255
    pictures[1] = (255 * pictures[1] ** 1.3).round() / 255
    yardstick = TorchMetrics()
    measured = yardstick.measure({"model": pictures[0], "truth": pictures[1]})
    features = [measured[name]["features"] for name in ("model", "truth")]
    theirs = FrechetInceptionDistance(feature=yardstick.inception)
    for rgb, real in zip(pictures, (False, True), strict=True):
        theirs.update((255 * rgb).round().byte(), real=real)
    got = yardstick.summarize(*features, features[1])["fid"]
    assert got == pytest.approx(theirs.compute().item(), rel=1e-3)
    assert "lpips" not in measured["truth"]
    lpips_of = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)
    lpips_of.net = yardstick.lpips.net
    expected = lpips_of(pictures[0], pictures[1]).item()
    assert measured["model"]["lpips"].mean().item() == pytest.approx(expected, rel=1e-4)


def test_what_cannot_be_fetched_is_one_line(fetched, monkeypatch):
    def offline(*_):
        raise urllib.error.URLError("no\nroute")

    with monkeypatch.context() as patch:
        patch.setattr(lpips, "_get_tv_model_features", offline)
        with pytest.raises(YardstickError, match="could not be fetched.*no route") as caught:
            TorchMetrics()
    assert caught.value.source == "LPIPS"
    monkeypatch.setattr(fid, "_TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(YardstickError, match="not installed.*torch-fidelity") as caught:
        TorchMetrics()
    assert caught.value.source == "FID"
    assert "\n" not in caught.value.reason
