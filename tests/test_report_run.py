"""`pix2pix report RUN_OR_WEIGHTS DEST`: what it counts, reads, draws and writes."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from pix2pix import cli
from pix2pix.errors import DataError
from pix2pix.nets import build_generator
from pix2pix.report import charts, evaluation, folder, grids, histograms, layers, source
from pix2pix.report.plot import Drawn, Palette
from pix2pix.train import history
from pix2pix.weights import Header, save

COLORS = Palette("#000000", "#777777", "#ff0000", "#0000ff", "#ffffff")
METRICS = """step,l1,grad_norm,images_per_second,val_psnr,val_psnr_gray,val_l1,val_colorfulness
10,0.5,2,,,,,
20,0.25,nan,11.5,20.5,19.25,0.125,0.5
30,0.001,1,12.5,,,,
40,0.125,1.5,13.5,22.5,19.25,0.0625,0.75
60,0.375,1.25,9.5,22.5,19.25,0.25,0.625
"""
SIDE = 8


def picture(step: int, photos: int = 0) -> np.ndarray:
    """A grid of two photos: gray, colored (another color every step), and true."""
    rows = [(40 + photos,) * 3, (step, 100, 50), (200, 10 + photos, 30)]
    return np.concatenate([np.full((SIDE, 2 * SIDE, 3), row, np.uint8) for row in rows])


def weights_file(path: Path, **header) -> Path:
    torch.manual_seed(0)
    net = build_generator({"net": "UNet", "width": 4, "depth": 2})
    save(path, net, Header(name="tiny", generator=net.config, **header))
    return path


@pytest.fixture
def run(tmp_path) -> Path:
    """A finished run of 60 steps, validated at four of them."""
    run = tmp_path / "run"
    (run / "grids").mkdir(parents=True)
    (run / "config.yaml").write_text("recipe:\n  name: <b>&\n")
    (run / "metrics.csv").write_text(METRICS)
    for step in (20, 30, 40, 60):
        Image.fromarray(picture(step)).save(run / f"grids/val-{step:07}.png")
    weights_file(run / "last.safetensors", steps=60)
    weights_file(run / "best.safetensors", steps=40)
    return run


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are not drawn, which takes most of a report's time."""
    monkeypatch.setattr(folder, "draw", lambda make, label: Drawn("<svg></svg>", b"PNG"))


def report(*arguments: object) -> int:
    return cli.main(["report", *map(str, arguments)])


def photos_json(path: Path) -> Path:
    def rows(psnr, colorfulness):
        metrics = {"psnr": psnr, "delta_e2000": 5.0, "colorfulness": colorfulness}
        return {
            "gray": metrics | {"psnr": 20.0, "colorfulness": 0.5},
            "sepia": metrics | {"psnr": 19.0},
            "model": metrics,
            "truth": {"colorfulness": 40.0},
        }

    photos = [{"path": f"{i}<i>.png", "rows": rows(20 + i, 10.0 * i)} for i in range(5)]
    photos[4]["rows"]["truth"]["colorfulness"] = 0.0  # no ratio to it
    photos[3]["rows"]["model"]["psnr"] = None
    result = {"folder": "in", "model": "$tiny$", "size": 64, "photos": photos}
    path.write_text(json.dumps(result))
    return path


# ---- layers


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.small = nn.Conv2d(1, 2, 3)  # 18 + 2
        self.norm = nn.BatchNorm2d(2)  # 2 + 2, and buffers
        self.large = nn.Linear(5, 15)  # 75 + 15
        self.alone = nn.Parameter(torch.zeros(6))


def test_layers_are_those_counted_by_hand():
    found = layers.measure_layers(Net())
    assert [(x.name, x.kind, x.shape, x.parameters, x.place) for x in found] == [
        ("large", "Linear", "15x5", 90, 4),
        ("small", "Conv2d", "2x1x3x3", 20, 2),
        ("(net)", "Net", "6", 6, 1),
        ("norm", "BatchNorm2d", "2", 4, 3),
    ]
    assert [x.share for x in found] == [90 / 120, 20 / 120, 6 / 120, 4 / 120]
    assert [x.cumulative_share for x in found] == [90 / 120, 110 / 120, 116 / 120, 1]


def test_statistics_are_those_of_the_largest_tensor():
    net = nn.Conv2d(1, 1, (1, 4))
    with torch.no_grad():
        net.weight.copy_(torch.tensor([0.0, 1, 2, 5]).view(1, 1, 1, 4))
        net.bias.fill_(99)
    (one,) = layers.measure_layers(net)
    assert (one.mean, one.min, one.max, one.zeros) == (2, 0, 5, 0.25)
    assert one.std == pytest.approx(np.std([0, 1, 2, 5]))
    assert (
        layers.to_csv([one]).splitlines()[1] == "(net),Conv2d,1x1x1x4,5,1,1,2,1.87082869,0,5,0.25,1"
    )


def test_concentration_counts_the_layers_that_reach_a_share():
    found = layers.measure_layers(Net())
    counts = {share: layers.concentration(found, share) for share in (0.5, 0.75, 0.76, 0.95, 1)}
    assert counts == {0.5: 1, 0.75: 1, 0.76: 2, 0.95: 3, 1: 4}


def test_histograms_count_every_weight_and_no_bias():
    (small, large) = layers.histograms(Net())
    assert (small.name, large.name) == ("small", "large")
    assert (small.counts.sum(), large.counts.sum()) == (18, 75)
    assert len(large.counts) == 80 and len(large.edges) == 81


def test_many_layers_are_grouped_by_how_their_names_begin():
    parts = {name: nn.Sequential(*(nn.Linear(2, 2) for _ in range(9))) for name in "abc"}
    found = layers.histograms(nn.ModuleDict(parts))
    assert [(one.name, one.counts.sum()) for one in found] == [("a", 36), ("b", 36), ("c", 36)]
    assert len(layers.histograms(nn.ModuleDict({"a": parts["a"]}))) == 9


# ---- metrics.csv


def test_a_cut_row_is_ignored(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(METRICS + "80,0.3")
    found = history.read(path)
    assert (len(found.rows), found.last, found.text) == (5, 60, METRICS)
    assert found.series["l1"] == ([10, 20, 30, 40, 60], [0.5, 0.25, 0.001, 0.125, 0.375])
    assert found.series["images_per_second"][0] == [20, 30, 40, 60]


def test_the_best_step_is_the_first_of_the_highest_psnr(run):
    assert history.read(run / "metrics.csv").best == 40


def test_without_validation_there_is_no_best_and_no_chart_of_it(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,l1,val_psnr\n10,0.5,\n20,0.25,\n")
    found = history.read(path)
    assert found.best is None and charts.columns_of(found) == ["l1"]
    path.write_text("")
    assert history.read(path).series == {}


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "step,l1\n1\n", "step,l1\n1,2,3\n", "step,l\n1,x\n"]
)
def test_what_a_run_never_wrote_is_refused(text, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.csv"):
        history.read(path)


def test_what_is_plotted_is_what_the_file_says(run):
    figure = charts.curves(history.read(run / "metrics.csv"), COLORS)
    rows = list(csv.DictReader(io.StringIO(METRICS)))
    plotted = {}
    for axes in figure.axes:
        for line in axes.lines:
            plotted[title(axes), line.get_label()] = line.get_xydata()
    named = {
        ("PSNR, validation photos", "the net"): "val_psnr",
        ("PSNR, validation photos", "gray"): "val_psnr_gray",
        ("Colorfulness, validation photos", "the net"): "val_colorfulness",
        ("L1 of ab, validation photos", "the net"): "val_l1",
        ("Loss term l1", "the net"): "l1",
        ("Norm of the gradient", "the net"): "grad_norm",
        ("Speed", "the net"): "images_per_second",
    }
    for key, column in named.items():
        values = [(float(row["step"]), float(row[column])) for row in rows if row[column]]
        np.testing.assert_array_equal(plotted.pop(key), values)
    assert plotted.pop(("PSNR, validation photos", "best, step 40")).tolist() == [[40, 22.5]]
    assert list(plotted) == [("Colorfulness, validation photos", "the truth")]


def test_series_over_decades_get_a_logarithmic_axis(run):
    figure = charts.curves(history.read(run / "metrics.csv"), COLORS)
    scales = {title(axes): axes.get_yscale() for axes in figure.axes}
    assert scales["Loss term l1"] == "log" and scales["Speed"] == "linear"


# ---- grids


def test_steps_are_first_middle_best_and_last():
    steps = [10, 20, 30, 40, 50]
    assert choose(steps, 20) == {10: "first", 20: "best", 30: "middle", 50: "last"}
    assert choose(steps, 50) == {10: "first", 30: "middle", 50: "best last"}
    assert choose([10], None) == {10: "first last"}
    assert grids.choose_steps([], None) == {}


def title(axes):
    return axes.get_title("left") or axes.get_title()


def choose(steps, best):
    return {step: " ".join(names) for step, names in grids.choose_steps(steps, best).items()}


def test_grids_share_gray_and_truth(run):
    found = source.find_run_or_weights(str(run)).grids
    sheet = grids.sheet(found, best=40, last=60)
    height = SIDE * 14 + 4  # 8 px are enlarged to 112
    assert sheet.shape == (5 * height, 150 + 2 * 14 * SIDE + 4, 3)
    colors = [tuple(sheet[4 + row * height + 50, 200]) for row in range(5)]
    assert colors == [(40,) * 3, (20, 100, 50), (40, 100, 50), (60, 100, 50), (200, 10, 30)]
    labels = [(sheet[4 + row * height :][:112, :150] < 80).any() for row in range(5)]
    assert all(labels)


def test_other_photos_get_their_own_gray_and_truth(run):
    Image.fromarray(picture(60, photos=9)).save(run / "grids/val-0000060.png")
    sheet = grids.sheet(source.find_run_or_weights(str(run)).grids, best=None, last=60)
    first = [int(sheet[4 + row * 116 + 50, 200, 0]) for row in range(len(sheet) // 116)]
    assert first == [40, 20, 40, 200, 49, 60, 200]


def test_pictures_being_written_and_steps_gone_back_behind_are_left_out(run):
    whole = (run / "grids/val-0000060.png").read_bytes()
    (run / "grids/val-0000060.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(picture(90)).save(run / "grids/val-0000090.png")
    found = source.find_run_or_weights(str(run)).grids
    assert list(found) == [20, 30, 40, 60, 90]
    assert list(grids.whole(found, 60)) == [20, 30, 40]


# ---- evaluation


def test_metrics_of_photos_stand_beside_those_of_gray_and_sepia(tmp_path):
    found = evaluation.read_evaluation(photos_json(tmp_path / "e.json"))
    rows = list(csv.DictReader(io.StringIO(evaluation.to_csv(found))))
    assert rows[2]["path"] == "2<i>.png"
    assert (rows[2]["gray_psnr"], rows[2]["sepia_psnr"], rows[2]["model_psnr"]) == (
        "20",
        "19",
        "22",
    )
    assert [row["model_colorfulness_ratio"] for row in rows] == ["0", "0.25", "0.5", "0.75", ""]
    assert rows[3]["model_psnr"] == ""


def test_histograms_of_photos_share_their_bins(tmp_path):
    found = evaluation.read_evaluation(photos_json(tmp_path / "e.json"))
    axes = histograms.photos(found, COLORS).axes[0]
    drawn = {patch.get_label(): patch.get_data() for patch in axes.patches[:3]}
    assert list(drawn) == ["gray", "sepia", r"\$tiny\$"]
    assert [data.values.sum() for data in drawn.values()] == [5, 5, 4]
    for data in drawn.values():
        np.testing.assert_array_equal(data.edges, np.linspace(19, 24, 31))


def test_what_evaluate_did_not_write_is_one_line(run, undrawn, tmp_path, capsys):
    for text in ("{", "[]", '{"photos": []}', '{"photos": [{"rows": {}}], "model": "a"}'):
        (tmp_path / "e.json").write_text(text)
        assert report(run, tmp_path / "out", "--evaluation", tmp_path / "e.json") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{tmp_path}/e.json: unreadable: ")
    assert not (tmp_path / "out").exists()


# ---- the folder


@pytest.mark.slow
def test_a_whole_run_is_one_page_without_network_and_the_same_twice(run, tmp_path):
    json_file = photos_json(tmp_path / "e.json")
    metrics = "step,l1,images_per_second,val_psnr\n30,0.5,,\n40,0.25,12,21\n60,0.125,11.5,20.5\n"
    (run / "metrics.csv").write_text(metrics)
    for name in "ab":
        assert report(run, tmp_path / name, "--evaluation", json_file) == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert sorted(files) == sorted(folder.FILES)
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert files["metrics.csv"] == metrics.encode()
    for name in ("layers", "weights", "curves", "grids", "photos"):
        Image.open(io.BytesIO(files[f"{name}.png"])).verify()
    html = files["index.html"].decode()
    assert "&lt;b&gt;&amp;" in html and "<b>&" not in html
    assert html.count("<svg ") == 4 and html.count("<img ") == 1 and "<script" not in html
    links = re.findall(r"\b(?:src|href|xlink:href)=\"(?!#|data:image)[^\"]*|url\((?!#)[^)]*", html)
    assert links == [] and "@import" not in html
    assert not re.search(r"#(010203|040506|070809|0a0b0c)", html)  # all are the page's own colors
    assert "<td>60</td><td>40</td>" in html  # steps of last and best
    head = html[html.index('"Logged"') :]
    assert "<td>2</td><td>12</td><td>11.5</td><td>11.5</td><td>12</td>" in head


def test_weights_have_layers_alone(undrawn, tmp_path):
    path = weights_file(tmp_path / "w.safetensors")
    assert report(path, tmp_path / "out") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"index.html", "layers.csv", "layers.png", "weights.png"}
    rows = list(csv.DictReader((tmp_path / "out/layers.csv").open()))
    net = build_generator({"net": "UNet", "width": 4, "depth": 2})
    assert sum(int(row["parameters"]) for row in rows) == sum(p.numel() for p in net.parameters())
    assert float(rows[-1]["cumulative_share"]) == 1


def test_a_run_that_has_only_begun_has_a_page(run, tmp_path):
    for path in (run / "last.safetensors", run / "best.safetensors", run / "metrics.csv"):
        path.unlink()
    for path in (run / "grids").iterdir():
        path.unlink()
    files = folder.build_report(source.find_run_or_weights(str(run)))
    assert list(files) == ["index.html"]
    html = files["index.html"].decode()
    assert "No weights yet." in html and "Nothing logged yet." in html


def test_the_best_weights_are_described_where_the_last_are_broken(run, undrawn):
    (run / "last.safetensors").write_bytes(b"x")
    (run / "metrics.csv").unlink()
    files = folder.build_report(source.find_run_or_weights(str(run)))
    assert "layers.csv" in files
    html = files["index.html"].decode()
    assert "not a safetensors file" in html and "best.safetensors" in html


def test_an_earlier_report_is_replaced_only_when_asked(run, undrawn, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "photos.csv").write_text("earlier")
    (out / "mine.txt").write_text("mine")
    weights = run / "last.safetensors"
    assert report(weights, out) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"{out}: exists: holds photos.csv; --overwrite replaces them"
    assert sorted(path.name for path in out.iterdir()) == ["mine.txt", "photos.csv"]
    assert report(weights, out, "--overwrite") == 0
    assert not (out / "photos.csv").exists()  # this report has no photos
    assert (out / "mine.txt").read_text() == "mine" and (out / "index.html").exists()


def test_what_is_no_run_and_what_is_one_are_told_apart(run, undrawn, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    cases = {
        (tmp_path / "empty", tmp_path / "out"): f"{tmp_path}/empty: unreadable: a folder, but not",
        (tmp_path / "no.safetensors", tmp_path / "out"): f"{tmp_path}/no.safetensors: weights: no",
        (tmp_path / "file", tmp_path / "out"): f"{tmp_path}/file: weights: not a safetensors file",
        (run, run): f"{run}: exists: the folder of a run",
        (run, tmp_path / "file"): f"{tmp_path}/file: exists: a file, not a folder",
        (run / "last.safetensors", tmp_path / "file" / "out"): f"{tmp_path}/file/out: ",
    }
    for arguments, start in cases.items():
        assert report(*arguments, "--overwrite") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(start)
    assert not (tmp_path / "out").exists()
    assert (run / "metrics.csv").read_text() == METRICS


@pytest.mark.parametrize(
    "arguments",
    [
        ["a"],
        ["a", "b", "c"],
        ["a", "b", "-o", "x"],
        ["a", "b", "--weights", "default"],
        ["a", "b", "--sheet", "p", "-o", "x", "--overwrite"],
        ["--blind", "p", "-o", "x", "--evaluation", "e.json"],
    ],
)
def test_wrong_usage_is_exit_1(arguments, capsys):
    assert report(*arguments) == 1
    assert "Error: " in capsys.readouterr().err


def test_without_matplotlib_it_is_one_line(run, tmp_path, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "pix2pix.report.folder")
    monkeypatch.delitem(sys.modules, "pix2pix.report.plot")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert report(run, tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path}/out: package: this needs the package matplotlib")
    assert line.endswith("pip install 'pix2pix-color[train]'")


def test_a_destination_that_cannot_be_looked_at_is_one_line(monkeypatch, capsys):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder, "check_destination", refuse)
    assert cli.main(["report", "default", "dest"]) == 1
    assert capsys.readouterr().err.startswith("dest: ")
