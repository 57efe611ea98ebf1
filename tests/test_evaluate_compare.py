"""Two models compared, another tool's results scored, and what `evaluate` says of each photo."""

import json

import numpy as np
import pytest
import torch
from paint import Paint, crops
from PIL import Image

from pix2pix.errors import DataError
from pix2pix.evaluate import evaluate, format_table
from pix2pix.evaluate.compare import BETTER, compare
from pix2pix.evaluate.curves import FilmCurve, SizeCurve


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return crops(tmp_path_factory.mktemp("photos") / "in", 8)


# ---- compare


def test_the_better_of_two_is_better_everywhere(photos):
    result = evaluate(photos, Paint(0.9, "good"), other=Paint(0.3, "poor"), size=64)
    assert list(result["rows"]) == ["gray", "sepia", "model", "other", "truth"]
    compared = result["compare"]
    for metric in ("psnr", "ssim", "delta_e2000", "colorfulness_error"):
        row = compared["rows"][metric]
        expected = result["rows"]["model"][metric] - result["rows"]["other"][metric]
        assert row["difference"] == pytest.approx(expected, abs=1e-5)
        assert row["share_better"] == 1
        low, high = compared["intervals"][metric]["difference"]
        assert low <= row["difference"] <= high
        assert (low > 0) == (metric in ("psnr", "ssim")) and (low > 0) == (high > 0)
    assert len(compared["gains"]) == 5 and compared["losses"] == []
    gains = [photo["psnr"] for photo in compared["gains"]]
    assert gains == sorted(gains, reverse=True)
    by_name = {p["path"]: p["rows"] for p in result["photos"]}
    for photo in compared["gains"]:
        rows = by_name[photo["path"]]
        assert photo["psnr"] == pytest.approx(rows["model"]["psnr"] - rows["other"]["psnr"])
    text = format_table(result)
    assert "A good, B poor" in text and "100.0%" in text
    assert [line.split()[0] for line in text.splitlines()[5:9:2]] == ["A", "B"]


def test_a_model_is_as_good_as_itself(photos):
    compared = evaluate(photos, Paint(0.5), other=Paint(0.5), size=64)["compare"]
    assert compared["rows"]["psnr"] == {"difference": 0, "share_better": 0.5}
    assert compared["gains"] == compared["losses"] == []


def test_which_way_each_metric_is_better():
    ones, none = ({metric: torch.full((3,), value) for metric in BETTER} for value in (1.0, 0.0))
    rows = compare(ones, none, ["a", "b", "c"])["rows"]
    shares = {metric: row["share_better"] for metric, row in rows.items()}
    more, less = ("psnr", "ssim"), ("delta_e2000", "colorfulness_error", "lpips_like", "lpips")
    assert shares == dict.fromkeys(more, 1) | dict.fromkeys(less, 0)


def test_the_five_largest_gains_and_losses_are_named_in_order():
    gain = [3.0, -1, 0, 5, -4, 1, 3, 9, 4, -2, -3, -6, -5]
    none = torch.zeros(len(gain))
    compared = compare({"psnr": torch.tensor(gain)}, {"psnr": none}, [*"abcdefghijklm"])
    names = {side: "".join(p["path"] for p in compared[side]) for side in ("gains", "losses")}
    assert names == {"gains": "hdiag", "losses": "lmekj"}
    assert [photo["psnr"] for photo in compared["losses"]] == [-6, -5, -4, -3, -2]
    few = compare({"psnr": none[:3] + 1}, {"psnr": torch.tensor([0.0, 1, 2])}, [*"abc"])
    assert few["gains"] == [{"path": "a", "psnr": 1}]
    assert few["losses"] == [{"path": "c", "psnr": -1}]


# ---- against


def test_another_tools_results_are_a_row(photos, tmp_path):
    """One cropped as the truth is, one at the photo's size, in formats and names of their own."""
    wide = tmp_path / "in"
    (wide / "b").mkdir(parents=True)
    for i in range(4):
        crop = Image.open(photos / f"a{i}.png").resize((96, 64), Image.Resampling.BICUBIC)
        crop.save(wide / ("b" if i else "") / f"a{i}.png")
    tool = Paint(0.8)
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    for i, name in enumerate(("a0.bmp", "b/a1.color.png", "b/a2.tif")):
        rgb = np.asarray(Image.open(wide / ("b" if i else "") / f"a{i}.png"))
        colored = tool.rgb(np.ascontiguousarray(rgb[:, 16:80] if i == 0 else rgb))
        Image.fromarray(colored).save(out / name)
    Image.new("RGB", (10, 10)).save(out / "b" / "a3.png")
    result = evaluate(wide, Paint(0.8), against=out, size=64)
    assert result["against"] == {"folder": str(out), "pictures": 3}
    (missing,) = result["missing"]
    assert missing["path"] == str(out / "b/a3.png") and missing["code"] == "size"
    assert "10x10 pixels, not 96x64 or 64x64" in missing["reason"]
    known = [p["rows"] for p in result["photos"]]
    assert known[3]["against"]["psnr"] is None
    assert result["rows"]["against"]["psnr"] == pytest.approx(
        np.mean([row["model"]["psnr"] for row in known[:3]]), abs=0.3
    )
    ratio = sum(row["against"]["colorfulness"] for row in known[:3]) / sum(
        row["truth"]["colorfulness"] for row in known[:3]
    )
    assert result["rows"]["against"]["colorfulness_ratio"] == pytest.approx(ratio, rel=1e-5)
    assert "on 3 of them" in format_table(result)


def test_photos_that_a_tool_has_not_are_listed(photos, tmp_path):
    Image.open(photos / "a0.png").save(tmp_path / "a0.png")
    (tmp_path / "a1.png").write_bytes(b"rubbish")
    missing = evaluate(photos, Paint(1), against=tmp_path, size=64)["missing"]
    assert [one["code"] for one in missing] == ["unsupported_format", *["missing"] * 6]
    assert [one["path"] for one in missing[1:]] == [f"a{i}.png" for i in range(2, 8)]
    (tmp_path / "a0.png").unlink()
    with pytest.raises(DataError, match="no version of any photo"):
        evaluate(photos, Paint(1), against=tmp_path, size=64)


# ---- each photo


def test_means_and_intervals_follow_from_the_photos(photos):
    model = Paint(0.5)
    result = evaluate(photos, model, size=64, curves=[FilmCurve(model), SizeCurve(model)])
    again = json.loads(json.dumps(result, allow_nan=False))
    assert [photo["path"] for photo in again["photos"]] == [f"a{i}.png" for i in range(8)]
    rows = [photo["rows"] for photo in again["photos"]]
    for name, metric in (("model", "psnr"), ("gray", "ssim"), ("model", "colorfulness_error")):
        values = np.array([row[name][metric] for row in rows])
        assert result["rows"][name][metric] == pytest.approx(values.mean(), rel=1e-5)
        rng = np.random.default_rng(0)
        drawn = values[rng.integers(8, size=(1000, 8))].mean(1)
        interval = np.percentile(drawn, [2.5, 97.5])
        assert result["intervals"][name][metric] == pytest.approx(interval, rel=1e-5)
    gains = [row["model"]["psnr"] - row["sepia"]["psnr"] for row in rows]
    over = result["over_sepia"]
    assert list(over["rows"]) == ["model"] and result["sepia"] == [-2.4, 11.0]
    assert over["rows"]["model"]["psnr"] == pytest.approx(np.mean(gains), rel=1e-4)
    assert over["intervals"]["model"]["psnr"][0] >= min(gains)
    lost = [photo["film"]["grainy"]["psnr_lost"] for photo in again["photos"]]
    assert result["film"]["rows"]["grainy"]["psnr_lost"] == pytest.approx(np.mean(lost), abs=1e-5)
    assert again["photos"][0]["sizes"]["0.5"]["delta_e2000"] > 0
