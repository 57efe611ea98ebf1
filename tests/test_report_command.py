"""`pix2pix evaluate` and `pix2pix report` as commands: options, files, lines, exit status."""

import io
import json
import math
import os
import re
import sys
from pathlib import Path

import pytest
from paint import crops
from PIL import Image
from squeeze import save_features, save_heads

from pix2pix import cli
from pix2pix import evaluate as evaluation


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> list[str]:
    """Two tiny random nets, in one folder."""
    import torch

    from pix2pix.nets import build_generator
    from pix2pix.weights import Header, save

    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        net = build_generator({"net": "UNet", "width": 4, "depth": 3})
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter, std=0.2)  # as initialised, it would color nothing
        path = tmp_path_factory.getbasetemp() / f"net{seed}.safetensors"
        save(path, net, Header(name=f"net{seed}", generator=net.config, area=32 * 32))
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> str:
    return str(crops(tmp_path_factory.mktemp("photos") / "in", 4))


def evaluate(*arguments: str | Path) -> int:
    return cli.main(["evaluate", "--size", "48", "--device", "cpu", *map(str, arguments)])


@pytest.mark.slow
def test_every_option_reaches_the_result_the_table_and_the_files(nets, photos, tmp_path, capsys):
    features = save_features(tmp_path / "squeeze.safetensors")
    heads = save_heads(tmp_path / "heads.safetensors")
    out, html = tmp_path / "out.json", tmp_path / "out.html"
    arguments = [photos, "--weights", nets[0], "--features", features, "--heads", heads]
    arguments += [
        "--film",
        "--sizes",
        "--takes",
        "--saturations",
        "1.5,0",
        "--frontier",
        "--against",
        photos,
        "--json",
        out,
        "--html",
        html,
    ]
    assert evaluate(*arguments) == 0
    text, err = capsys.readouterr()
    assert err == ""
    result = json.loads(out.read_text())
    assert list(result["rows"]) == ["gray", "sepia", "model", "against", "truth"]
    assert {"lpips_like", "kid", "frechet", "share_closed"} <= result["rows"]["model"].keys()
    assert result["rows"]["against"]["psnr"] == 100  # they are the photos
    assert len(result["photos"]) == result["pictures"] == 4
    curves = {"film", "sizes", "takes", "saturations", "frontier"}
    assert curves | {"rows"} <= result["photos"][0].keys()
    words = ("~LPIPS", "KID", "orthochromatic", "1.41", "over sepia", "against", "over gray")
    for word in (*words, "62% color"):
        assert word in text
    assert list(result["saturations"]["rows"]) == ["0", "1.5"]
    assert max(len(line) for line in text.splitlines() if photos not in line) <= 100
    assert f"{result['rows']['model']['psnr']:.2f}" in html.read_text()


def test_numbers_that_are_none_are_null_in_json(nets, photos, tmp_path, monkeypatch):
    measured, out = evaluation.evaluate, tmp_path / "out.json"
    odd = {"odd": [math.nan, -math.inf, 1.5]}
    monkeypatch.setattr(evaluation, "evaluate", lambda *a, **b: measured(*a, **b) | odd)
    assert evaluate(photos, "--weights", nets[0], "--json", out) == 0
    assert json.loads(out.read_text())["odd"] == [None, None, 1.5]


def test_two_models_are_compared(nets, photos, tmp_path, capsys):
    assert evaluate(photos, "--compare", *nets, "--json", tmp_path / "out.json") == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert (result["model"], result["other"]) == ("net0", "net1")
    assert result["rows"]["model"] != result["rows"]["other"]
    assert "A net0, B net1" in capsys.readouterr().out


def test_hints_of_a_net_that_takes_none_are_one_line(nets, photos, capsys):
    assert evaluate(photos, "--weights", nets[0], "--hints", "1,10") == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{photos}: hint: net0 takes no hints: leave --hints out\n")


def test_hints_reach_a_net_that_takes_them(photos, tmp_path, monkeypatch, capsys):
    from paint import Paint

    from pix2pix.colorize import Colorizer

    monkeypatch.setattr(Colorizer, "from_pretrained", lambda *_, **__: Paint(0.2))
    assert evaluate(photos, "--hints", "1, 4", "--json", tmp_path / "out.json") == 0
    rows = json.loads((tmp_path / "out.json").read_text())["hints"]["rows"]
    assert list(rows) == ["1", "4"] and rows["4"]["psnr_gain"] > 0
    assert "95th percentile" in capsys.readouterr().out


def test_what_is_missing_is_named_and_is_exit_2(nets, photos, tmp_path, capsys):
    Image.open(f"{photos}/a1.png").save(tmp_path / "a1.jpg")
    assert evaluate(photos, "--weights", nets[0], "--against", tmp_path) == 2
    out, err = capsys.readouterr()
    assert [line.split(": ")[:2] for line in err.splitlines()] == [
        [f"a{i}.png", "missing"] for i in (0, 2, 3)
    ]
    assert "on 1 of them" in out


@pytest.mark.parametrize("error", [RuntimeError("CUDA error\nat length"), OSError(5, "a disk")])
def test_what_a_device_or_a_disk_says_is_one_line(nets, photos, monkeypatch, capsys, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(evaluation, "evaluate", fail)
    assert evaluate(photos, "--weights", nets[0]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{photos}: error: {type(error).__name__}: ")


def test_nets_that_cannot_be_fetched_are_one_line(nets, photos, monkeypatch, capsys):
    import urllib.error

    from torchmetrics.functional.image import lpips

    def offline(*_):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(lpips, "_get_tv_model_features", offline)
    assert evaluate(photos, "--weights", nets[0], "--torchmetrics") == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert out == "" and line.startswith("LPIPS: weights: ") and "no route" in line


def test_a_page_without_matplotlib_is_one_line_before_the_work(
    nets, photos, tmp_path, monkeypatch, capsys
):
    for name in ("evaluation_page", "plot"):
        monkeypatch.delitem(sys.modules, f"pix2pix.report.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    html = tmp_path / "out.html"
    assert evaluate(photos, "--weights", nets[0], "--html", html) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"{html}: package: this needs the package matplotlib")
    assert err.endswith("pip install 'pix2pix-color[train]'\n")


def test_files_that_cannot_be_written_are_one_line(nets, photos, capsys):
    for option in ("--json", "--html"):
        assert evaluate(photos, "--weights", nets[0], option, "no/folder.x") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("no/folder.x: permission: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--heads", "x"],
        ["--weights", "a", "--compare", "a", "b"],
        ["--compare", "a", "b", "--film"],
        ["--compare", "a", "b", "--takes"],
        ["--compare", "a", "b", "--hints", "1"],
        ["--compare", "a", "b", "--saturations", "2"],
        ["--compare", "a"],
        ["--hints", "0"],
        ["--hints", "1,x"],
        ["--hints", ""],
        ["--hints", "2001"],
        ["--saturations", "x"],
        ["--saturations", "1,-0.5"],
        ["--saturations", "nan"],
        ["--saturations", "10.1"],
        ["--saturations", "1,"],
    ],
)
def test_wrong_usage_of_evaluate_is_exit_1(arguments, capsys):
    assert cli.main(["evaluate", *arguments, "photos"]) == 1
    assert "Error: " in capsys.readouterr().err


@pytest.mark.slow
def test_names_that_are_no_text_are_escaped(nets, photos, tmp_path, capsys):
    folder = crops(tmp_path / "in", 2)
    os.rename(folder / "a0.png", os.fsencode(folder) + b"/caf\xe9.png")
    html, out = tmp_path / "out.html", str(tmp_path / "x")
    arguments = ["--compare", *nets, "--against", folder, "--html", html]
    assert evaluate(folder, *arguments, "--json", tmp_path / "out.json") == 0
    assert r"caf\xe9.png" in capsys.readouterr().out
    assert r"caf\xe9.png" in html.read_text() and "A net0" in html.read_text()
    for kind in ("--blind", "--sheet"):
        assert cli.main(["report", kind, str(folder), "--weights", nets[0], "-o", out]) == 0


def test_photos_that_vanish_before_the_page_are_one_line(
    nets, photos, tmp_path, monkeypatch, capsys
):
    from pix2pix import images
    from pix2pix.report import evaluation_page as page

    def gone(path):
        return images.read(f"{path}.gone")

    monkeypatch.setattr(page, "images", type(sys)("images"))
    monkeypatch.setattr(page.images, "read", gone, raising=False)
    html = tmp_path / "out.html"
    assert evaluate(photos, "--weights", nets[0], "--html", html) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{html}: unreadable: ") and not html.exists()


# ---- report


def test_blind_page(nets, photos, tmp_path, capsys):
    out = tmp_path / "blind.html"
    assert cli.main(["report", "--blind", photos, "--weights", nets[0], "-o", str(out)]) == 0
    assert capsys.readouterr() == ("", "")
    first = out.read_text()
    assert "net0 colored it" in first and first.count("data:image/jpeg") == 8
    again = ["report", "--blind", photos, "--weights", nets[0], "-o", str(out)]
    assert cli.main([*again, "--seed", "1"]) == 0
    assert out.read_text() != first
    assert cli.main(again) == 0
    assert out.read_text() == first
    assert cli.main([*again, "--count", "3", "--alone"]) == 0
    assert "net0 colored them" in out.read_text()
    assert out.read_text().count("data:image/jpeg") == 3


@pytest.mark.slow
def test_sheet_of_several_weights(nets, photos, tmp_path, capsys):
    """`--weights A B` as well as `--weights A --weights B`."""
    for weights in (["--weights", *nets], ["--weights", nets[0], "--weights", nets[1]]):
        out = tmp_path / "sheet.png"
        assert cli.main(["report", "--sheet", photos, *weights, "-o", str(out)]) == 0
        assert Image.open(io.BytesIO(out.read_bytes())).size == (10 + 3 * 450, 10 + 4 * 366)
    (Path(photos) / "bad.png").write_bytes(b"")
    assert cli.main(["report", "--sheet", photos, "--weights", nets[0], "-o", str(out)]) == 2
    (Path(photos) / "bad.png").unlink()
    assert capsys.readouterr().err == f"{photos}/bad.png: unreadable: the file is empty\n"


def test_a_folder_without_photos_is_one_line(nets, tmp_path, capsys):
    for kind in ("--blind", "--sheet"):
        for folder in (tmp_path, tmp_path / "no"):
            out = str(tmp_path / "x")
            assert cli.main(["report", kind, str(folder), "--weights", nets[0], "-o", out]) == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"{folder}: unreadable: ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--blind", "a"],
        ["--blind", "a", "--sheet", "b", "-o", "x"],
        ["--sheet", "a", "--count", "3", "-o", "x"],
        ["--sheet", "a", "--alone", "-o", "x"],
        ["--blind", "a", "--weights", "default", "pix2pix", "-o", "x"],
    ],
)
def test_wrong_usage_of_report_is_exit_1(arguments, capsys):
    assert cli.main(["report", *arguments]) == 1
    assert "Error: " in capsys.readouterr().err


def test_help_names_every_option(capsys):
    for command, count in (("evaluate", 14), ("report", 6)):
        assert cli.main([command, "--help"]) == 0
        out = capsys.readouterr().out
        options = re.findall(r"^  (?:-\w, )?(--[\w-]+).*?  +\S", out, re.MULTILINE)
        assert len(options) >= count
