"""The benchmarks measure what they say; how fast it is, only a quiet machine can tell."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import engines
import harness
import numpy as np
import peers
import pytest
import reel
import still
import torch
import warm
from clips import Painted
from harness import SMALLEST, Figure, Process, Times
from pictures import make_jpeg, sides
from places import BENCHMARKS, ROOT
from sections import bucket, cold, file, film, floor, folder, nets, training
from sections import peers as beside

from pix2pix.nets import UNet

# GFLOPs at 256x256 of the authors' own code, by torch's counter
AUTHORS = {"U-Net of 54.4 M": 12.0, "ECCV16": 83.5, "SIGGRAPH17": 150.4, "DDColor-tiny": 50.3}
MILLIONS = {"U-Net of 54.4 M": 54.4, **peers.MILLIONS}


@pytest.fixture
def warmed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a section starts need not import torch again; torch keeps its threads."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "executable", warm.python())
    yield
    engines.use_threads(threads)


def named(figures: Iterator[Figure]) -> dict[str, Figure]:
    found = {figure.name: figure for figure in figures}
    for figure in found.values():
        numbers = [x for x in (figure.value, figure.ratio) if x is not None]
        assert all(0 < x < float("inf") for x in numbers), figure
        assert (figure.ratio is None) == (not figure.of), figure
    return found


@pytest.mark.parametrize("name", beside.PEERS)
def test_a_peer_has_its_published_size(name: str) -> None:
    kind, channels = beside.PEERS[name]
    with torch.device("meta"):
        net = kind().eval()
    parameters = sum(p.numel() for p in net.parameters()) / 1e6
    assert parameters == pytest.approx(MILLIONS[name], rel=0.02)
    assert nets.flops(net, (1, channels, 256, 256)) / 1e9 == pytest.approx(AUTHORS[name], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [peers.ECCV16, peers.SIGGRAPH17, peers.DDColorTiny])
@torch.no_grad()
def test_a_peer_colors_what_it_sees(kind: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    net = kind()
    for norm in net.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None  # all at once: signals at random weights would fade out
    channels = next(c for k, c in beside.PEERS.values() if k is kind)
    one, other = torch.randn(2, channels, 64, 96)
    net.train()(torch.stack([one, other]))
    net.eval()
    ab = net(torch.stack([one, other]))
    assert ab.shape == (2, 2, 64, 96) and ab.isfinite().all()
    torch.testing.assert_close(ab[:1], net(one[None]), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(ab[0], ab[1])


def test_flops_are_twice_the_multiplications() -> None:
    net = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert nets.flops(net, (2, 3, 8, 9)) == 2 * 2 * (3 * 9) * 5 * 8 * 9


def test_a_product_by_onnxruntime() -> None:
    pytest.importorskip("onnx")
    product = floor.by_onnxruntime(16)
    assert product is not None
    given = product.args[1]  # type: ignore[attr-defined]
    np.testing.assert_allclose(product()[0], given["a"] @ given["b"], rtol=1e-5)  # type: ignore[index]


@torch.no_grad()
def test_a_net_on_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    net, shape = engines.nets("pix2pix")[engines.COURSE]
    found = engines.runs(engines.COURSE, net)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
    assert list(found) == ["torch"] and found["torch"] is not None
    torch.testing.assert_close(found["torch"](x), net(torch.from_numpy(x)), rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(engines, "open_engine", None)
    absent = [name for name, run in engines.runs("pix2pix", net).items() if run is None]
    assert absent == ["onnx", "openvino fp32", "openvino bf16"]


def test_the_ratio_is_that_of_each_round() -> None:
    ours, theirs = Times([2, 40, 6]), Times([1, 10, 4])  # the second round met other work
    assert ours.ratio(theirs) == 2
    assert ours.median() / theirs.median() == 1.5


def test_works_take_turns_after_a_round_that_warms_up() -> None:
    done: list[str] = []
    times = harness.turns({name: lambda name=name: done.append(name) for name in "ab"}, 3)
    assert "".join(done) == "ab" + 3 * "aabb"  # what is short is done before it is timed
    assert [len(each.wall) for each in times.values()] == [3, 3]


def test_a_process_is_measured() -> None:
    code = "import time; x = bytearray(80_000_000); time.sleep(.2); sum(range(3_000_000))"
    took = harness.process([sys.executable, "-c", code])
    assert took.wall > 0.2 and 0.01 < took.cpu < took.wall and took.peak > 80
    with pytest.raises(RuntimeError, match="no such thing"):
        harness.process([sys.executable, "-c", "raise SystemExit('no such thing')"])


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", 3, "s", bar=2), False),
        (Figure("a", 3, "s", bar=2, least=True), True),
        (Figure("a", 3, "s", 1.5, "b", bar=2), True),
        (Figure("a", 3, "s", 1.5, "b", bar=2, least=True), False),
        (Figure("a", bar=2), None),
        (Figure("a", 3, "s"), None),
    ],
)
def test_a_bar_is_on_the_ratio_where_there_is_one(figure: Figure, met: bool | None) -> None:
    assert figure.met is met
    assert ("MISSED" in harness.table([figure])) == (met is False)


@pytest.mark.slow
def test_a_peer_beside_ours(monkeypatch: pytest.MonkeyPatch, warmed: None) -> None:
    monkeypatch.setattr(beside, "PEERS", {"SIGGRAPH17": beside.PEERS["SIGGRAPH17"]})
    found = named(beside.run(SMALLEST))
    assert found["pix2pix in torch, 64 px"].ratio == 1
    assert found["SIGGRAPH17, 64 px"].ratio > 1  # type: ignore[operator]
    assert found["SIGGRAPH17, FLOPs at 256x256"].value == pytest.approx(150.4, rel=0.02)


@pytest.mark.slow
def test_a_file(warmed: None) -> None:
    found = named(file.run(SMALLEST))
    for kind in ("RGB", "gray"):
        assert found[f"1 MP {kind}, wall time"].of == "Pillow"
        assert found[f"1 MP {kind}, memory above idle"].value < 60  # type: ignore[operator]


def test_the_pictures_are_of_their_size_and_differ(tmp_path: Path) -> None:
    width, height = sides(12)
    assert 11.9e6 < width * height <= 12e6
    files = []
    for i in range(2):
        make_jpeg(tmp_path / f"{i}.jpg", 256, 192, gray=bool(i), offset=i)
        with floor.Image.open(tmp_path / f"{i}.jpg") as image:
            assert image.size == (256, 192) and image.mode == ("L" if i else "RGB")
            files.append(np.asarray(image.convert("L")).astype(int))
    assert abs(files[0] - files[1]).mean() > 10
    assert 0.2 < (tmp_path / "0.jpg").stat().st_size / (256 * 192) < 1  # as cameras write them


def test_processes_are_set_beside_torch() -> None:
    took = {
        cold.EMPTY: [Process(0.1, 0.02, 10)],
        "torch": [Process(2, 3, 700), Process(2, 2, 700), Process(9, 9, 700)],
        "onnx": [Process(0.5, 0.6, 150)],
    }
    found = {figure.name: figure for figure in cold.figures(took)}
    one = "pix2pix colorize one.jpg"
    assert found[f"{one}, torch, to onnx"].ratio == pytest.approx(5)
    assert found[f"{one}, torch, to onnx"].met is False
    assert found[f"{one}, onnx, processor time"].met is False
    assert found[f"{one}, onnx, peak"].met is True
    assert found[f"{one}, openvino"].value is None


@pytest.mark.slow
def test_the_stages_of_a_folder(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    for i in range(2):
        make_jpeg(tmp_path / f"{i}.jpg", 64, 64, offset=i)
    seconds = folder.stages("pix2pix", tmp_path)
    engines.use_threads(threads)
    assert list(seconds) == ["read", "color", "write"]
    assert seconds["color"] > seconds["read"] > 0
    assert len(list(tmp_path.iterdir())) == 2


def test_a_bucket_is_set_beside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        (tmp_path / "many").mkdir(exist_ok=True)
        make_jpeg(tmp_path / "many" / f"{i}.jpg", 8, 8)
    took = {"one": (1.0, 1.0), f"{tmp_path}/many": (3.0, 5.0), "s3://scans/many": (5.0, 7.0)}

    def color(source: str, *_: object) -> Process:
        return Process(*next(both for name, both in took.items() if source.endswith(name)), 100)

    seconds = iter([0.0, 7.0, 7.5])  # of the server; of a folder it knows nothing
    monkeypatch.setattr(bucket, "color", color)
    monkeypatch.setattr(bucket, "served", lambda _: next(seconds))
    found = named(bucket.beside(tmp_path, "5 photos", "default", None))  # type: ignore[arg-type]
    assert found["5 photos, from folder to folder"].value == 2
    assert found["5 photos, S3 to S3"].ratio == 0.5 and not found["5 photos, S3 to S3"].met
    assert found["5 photos, processor time"].ratio == 1.5
    assert found["5 photos, the server's"].value == 100


def test_a_film_is_set_beside_its_net() -> None:
    start, whole = Process(2.0, 3.0, 100), Process(12.0, 21.0, 300)
    found = named(film.of_frames("4 s", 101, start, whole, 0.09))
    assert found["4 s, after start-up"].value == 10 and found["4 s, after start-up"].met
    assert found["4 s, processor time"].value == 180
    assert found["4 s, processor time"].ratio == pytest.approx(2)
    assert found["4 s, beside the net"].ratio == pytest.approx(0.9 / harness.cores())
    growing = [*range(100, 400)]
    assert named(film.of_memory(growing))["peak of the last third"].met is False
    assert named(film.of_memory([100] * 300))["peak of the last third"].met is True
    (moved,) = film.of_sound([3.0, 4.0], [3.0, 46.0])
    assert moved.value == 42 and moved.met is False
    colors = {"by_frame": 0.9, "kept": 0.45, "left": 0.2}
    assert [figure.met for figure in film.of_colors(colors)] == [None, False, False]


def test_a_reel_flashes_when_it_beeps(tmp_path: Path) -> None:
    reel.make(tmp_path / "a.mp4", 24)
    said = reel.look(tmp_path / "a.mp4")
    assert said["frames"] == 24
    assert len(said["apart"]) == 1 and abs(said["apart"][0]) < film.FRAME  # type: ignore[arg-type]


class Fixed(still.Watched):
    """Keeps its first colors, whatever moves."""

    def next(self, ab: np.ndarray, small: object, *, cut: bool) -> np.ndarray:
        self.by_frame.append(ab)
        self.kept.append(self.by_frame[0])
        return self.by_frame[0]


class Unsteady(still.Watched):
    """Keeps nothing."""

    def next(self, ab: np.ndarray, small: object, *, cut: bool) -> np.ndarray:
        self.by_frame.append(ab)
        self.kept.append(ab)
        return ab


def test_stillness_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = still.measured(Painted(), 10)  # type: ignore[arg-type]
    assert 0 < found["kept"] < found["by_frame"] / 3 and abs(found["left"]) < 0.1
    monkeypatch.setattr(still, "Watched", Fixed)
    found = still.measured(Painted(), 10)  # type: ignore[arg-type]
    assert found["kept"] == 0 and found["left"] > 0.5
    monkeypatch.setattr(still, "Watched", Unsteady)
    found = still.measured(Painted(), 10)  # type: ignore[arg-type]
    assert found["kept"] == found["by_frame"] and found["left"] == 0


@pytest.mark.slow
def test_training() -> None:
    found = named(training.run(SMALLEST))
    assert found["fit, to the loop"].bar == 0.85
    with torch.device("meta"):
        net = UNet(width=32, depth=7)
    needed = found["FLOPs of an image, there and back"].value
    assert needed == pytest.approx(3e-9 * nets.flops(net, (1, 1, 128, 128)))


@pytest.mark.slow
def test_one_table_and_json(tmp_path: Path) -> None:
    out = tmp_path / "new" / "bench.json"
    sections = ["floor", "nets", "cold"]
    command = [warm.python(), BENCHMARKS / "run.py", "--plan", "smallest"]
    done = subprocess.run(
        [*map(str, command), "--only", *sections, "--json", str(out)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(out.read_text())
    assert said["plan"] == "smallest" and said["failed"] == [] and said["machine"]["cores"] >= 1
    assert list(said["seconds"]) == sections
    keys = {"section", "name", "value", "unit", "ratio", "of", "bar", "least", "met"}
    lines = done.stdout.splitlines()
    for figure in said["figures"]:
        assert figure.keys() == keys
        shown = "-" if figure["value"] is None else f"{harness.short(figure['value'])} "
        assert any(line.startswith(f"  {figure['name']} ") and shown in line for line in lines), (
            figure
        )
        if figure["ratio"] is not None:
            assert f"{harness.short(figure['ratio'])} x {figure['of']}" in done.stdout
    assert f"{len(said['figures'])} figures" in lines[-1]
    found = {figure["name"]: figure for figure in said["figures"]}
    assert {"GEMM bf16, 1 thread", "memory copy, 1 thread", "pix2pix, parameters"} <= found.keys()
    assert found["pix2pix, torch, batch 8, 1 thread"]["of"] == "GEMM fp32"
    assert any(re.fullmatch(r"pix2pix colorize one\.jpg, \w+, peak", name) for name in found)


def test_a_section_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import run

    def fail(section: str, plan: str) -> list[Figure]:
        if section == "cold":
            raise subprocess.CalledProcessError(1, "")
        return [Figure("a", 1.0, "s", section=section)]

    monkeypatch.setattr(run, "measure", fail)
    out = tmp_path / "bench.json"
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "cold", "floor", "--json", str(out)])
    assert run.main() == 1
    said = json.loads(out.read_text())
    assert said["failed"] == ["cold"] and [f["section"] for f in said["figures"]] == ["floor"]
