"""`evaluate` against metrics computed by hand, on pictures that ship with skimage."""

import json
import time

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from skimage.color import lab2rgb, rgb2gray, rgb2lab
from skimage.metrics import peak_signal_noise_ratio
from squeeze import save_features

from pix2pix.errors import DataError
from pix2pix.evaluate import evaluate, format_table
from pix2pix.evaluate.feature_metrics import SqueezeNetMetrics
from pix2pix.evaluate.photos import find_photos


class Paint:
    """A colorizer that knows the answer: the true colors at a share of their chroma."""

    name = "paint"

    def __init__(self, share: float):
        self.share = share

    def rgb(self, rgb: np.ndarray) -> np.ndarray:
        lab = rgb2lab(rgb)
        lab[..., 1:] *= self.share
        return (lab2rgb(lab) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten photos, two in a folder below, and a broken file; all 64x64 but two."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    astronaut, coffee = skimage.data.astronaut(), skimage.data.coffee()
    for i in range(5):
        crop = astronaut[50 * i : 50 * i + 64, 200:264]
        Image.fromarray(crop).save(folder / f"a{i}.png")
        crop = coffee[50 * i : 50 * i + 64, 250:314]
        Image.fromarray(crop).save(folder / ("more" if i > 2 else "") / f"c{i}.PNG")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_rows_are_those_computed_by_hand(photos):
    result = evaluate(photos, Paint(1.0), size=64)
    assert result["pictures"] == 10
    assert [(s["path"], s["code"]) for s in result["skipped"]] == [
        (str(photos / "broken.png"), result["skipped"][0]["code"])
    ]
    rows = result["rows"]
    truth = [
        np.asarray(Image.open(p)) for p in photos.rglob("*.[pP][nN][gG]") if "n.p" not in p.name
    ]
    for row, tint in (("gray", (0, 0)), ("sepia", (-2.4, 11.0))):
        scores = []
        for rgb in truth:
            lab = rgb2lab(rgb)
            lab[..., 1:] = tint
            flat = (lab2rgb(lab) * 255).round().astype(np.uint8)
            scores.append(peak_signal_noise_ratio(rgb, flat))
        assert rows[row]["psnr"] == pytest.approx(np.mean(scores), abs=0.1)
    assert rows["model"]["psnr"] > 50
    assert rows["model"]["ssim"] > 0.999
    assert rows["model"]["delta_e2000"] < 0.2
    assert rows["model"]["colorfulness_ratio"] == pytest.approx(1, abs=0.01)
    assert rows["model"]["colorfulness_error"] < 0.5
    assert rows["gray"]["colorfulness"] < 1
    assert "psnr" not in rows["truth"]


def test_metrics_see_half_the_chroma(photos):
    rows = evaluate(photos, Paint(0.5), size=64)["rows"]
    true = rows["truth"]["colorfulness"]
    assert rows["model"]["colorfulness_ratio"] == pytest.approx(0.5, abs=0.1)
    assert rows["model"]["colorfulness_error"] == pytest.approx(0.5 * true, rel=0.2)
    assert rows["gray"]["psnr"] < rows["model"]["psnr"] < 50
    assert rows["gray"]["delta_e2000"] > rows["model"]["delta_e2000"] > 1


def test_photos_are_resized_to_the_short_side_and_cropped(tmp_path):
    wide = skimage.data.astronaut()[:200, :300]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    seen = []

    class Spy(Paint):
        def rgb(self, rgb):
            seen.append(rgb)
            return super().rgb(rgb)

    evaluate(tmp_path, Spy(1), size=50)
    expected = Image.fromarray(wide).resize((75, 50), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(seen[0], np.asarray(expected)[:, 12:62])
    evaluate(tmp_path, Spy(1), size=200)
    np.testing.assert_array_equal(seen[1], wide[:, 50:250])


@pytest.mark.slow
def test_features_add_the_frechet_distance(photos, tmp_path):
    nets = [SqueezeNetMetrics(save_features(tmp_path / "squeeze.safetensors"))]
    half = evaluate(photos, Paint(0.5), size=64, feature_metrics=nets)["rows"]
    full = evaluate(photos, Paint(1.0), size=64, feature_metrics=nets)["rows"]
    assert half["gray"]["share_closed"] == 0
    assert 0.2 < half["model"]["share_closed"] < full["model"]["share_closed"]
    assert full["model"]["share_closed"] > 0.98
    assert half["gray"]["frechet"] > half["model"]["frechet"] > full["model"]["frechet"] >= 0


def test_table_has_a_line_a_row_and_survives_json(photos):
    result = evaluate(photos, Paint(0.5), size=64)
    lines = format_table(json.loads(json.dumps(result))).splitlines()
    assert [line.split()[0] for line in lines[1:9:2]] == ["gray", "sepia", "model", "truth"]
    assert f"{result['rows']['sepia']['psnr']:.2f}" in lines[3]
    low, high = result["intervals"]["sepia"]["psnr"]
    assert lines[4].split()[0] == f"±{(high - low) / 2:.2f}"
    assert lines[10] == "10 photos at 64 px, model paint; 1 files skipped"
    assert max(map(len, lines)) <= 100


def test_a_slow_photo_does_not_change_the_order(photos):
    """Photos are measured by several threads; results are in the order of the files."""

    class Slow(Paint):
        def rgb(self, rgb):
            time.sleep(0.05 * (rgb[0, 0, 0] % 3))
            return super().rgb(rgb)

    result = evaluate(photos, Slow(0.5), size=64)
    assert [p["path"] for p in result["photos"]] == [
        str(path.relative_to(photos)) for path in find_photos(photos) if path.name != "broken.png"
    ]
    plain = evaluate(photos, Paint(0.5), size=64)
    assert {**result, "skipped": []} == {**plain, "skipped": []}


def test_what_a_model_raises_reaches_the_caller(photos):
    class Broken(Paint):
        def rgb(self, rgb):
            raise RuntimeError("out of memory")

    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="out of memory"):
        evaluate(photos, Broken(1), size=64)
    assert torch.get_num_threads() == threads


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(DataError, match="No photo"):
        evaluate(tmp_path, Paint(1))
    with pytest.raises(DataError, match="no folder"):
        evaluate(tmp_path / "missing", Paint(1))


def test_thumbnails_and_outputs_are_no_photos(tmp_path):
    photo = Image.fromarray(skimage.data.astronaut()[:64, 200:264])
    for name in ("a.png", "a.color.png", "@eaDir/a.png/THUMB.png", ".b.png", "#recycle/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(tmp_path / name)
    assert [p["path"] for p in evaluate(tmp_path, Paint(1))["photos"]] == ["a.png"]
    others = [
        path.name for path in find_photos(tmp_path, outputs=True)
    ]  # another run's are looked for
    assert others == ["a.color.png", "a.png"]


def test_gray_photos_are_refused(tmp_path):
    gray = (rgb2gray(skimage.data.astronaut()[:64, :64]) * 255).astype(np.uint8)
    for i in range(2):
        Image.fromarray(gray).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="gray"):
        evaluate(tmp_path, Paint(1), size=64)
