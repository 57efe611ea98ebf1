"""Which engine runs which weights, and what an .onnx file says of itself."""

import hashlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_graphs import write_convolutions, write_graph

from pix2pix import nets
from pix2pix.colorize import Colorizer, Translator
from pix2pix.colorize.engines import choose, graph
from pix2pix.colorize.engines.batching import BatchingEngine
from pix2pix.errors import WeightsError
from pix2pix.weights import Header, save

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def kind(source, **options) -> str:
    return Colorizer.from_pretrained(source, **options).engine.kind


@pytest.fixture
def plain(monkeypatch):
    """A machine without GPU and without OpenVINO."""
    monkeypatch.setattr(choose, "may_have_gpu", lambda: False)
    monkeypatch.setattr(choose, "has_fast_openvino", lambda: False)


@pytest.fixture
def weights(tmp_path) -> Path:
    net = nets.build_generator({"net": "UNet", "width": 2, "depth": 2})
    path = tmp_path / "mine.safetensors"
    save(path, net, Header(generator=nets.config_of(net), name="mine", area=32 * 32))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_graph_colors_without_torch(tmp_path, plain):
    colorizer = Colorizer.from_pretrained(write_graph(tmp_path / "tiny.onnx"))
    assert (colorizer.engine.kind, colorizer.device, colorizer.name) == ("onnx", "cpu", "tiny")
    ab = colorizer.predict(np.full((64, 64, 3), 255, np.uint8))  # L is 1
    np.testing.assert_allclose(ab[0], 0.5, atol=1e-5)
    np.testing.assert_allclose(ab[1], -0.5, atol=1e-5)
    with pytest.raises(AttributeError):
        colorizer.generator  # noqa: B018


def test_weights_without_a_graph_are_torchs(weights, plain):
    assert kind(weights) == "torch"
    with pytest.raises(WeightsError, match=r"no \.onnx file; `pix2pix export`"):
        kind(weights, engine="onnx")


def test_a_graph_beside_the_weights_is_taken_where_it_was_made_of_them(weights, plain):
    beside = weights.with_suffix(".onnx")
    write_graph(beside, metadata={"weights_sha256": sha256(weights)})
    assert kind(weights) == "onnx"
    assert kind(weights, engine="torch") == kind(weights, device="cpu", engine="torch") == "torch"
    write_graph(beside, metadata={"weights_sha256": "0" * 64})
    assert kind(weights) == "torch"
    with pytest.raises(WeightsError, match="made of others"):
        kind(weights, engine="onnx")
    assert kind(beside) == "onnx"  # by its own name it is what it is


def test_a_gpu_gets_torch_and_batches(weights, monkeypatch):
    write_graph(weights.with_suffix(".onnx"), metadata={"weights_sha256": sha256(weights)})
    monkeypatch.setattr(choose, "may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose.on_gpu() and not choose.on_gpu("cpu") and choose.on_gpu("cuda:1")
    monkeypatch.setattr(nets.UNet, "to", lambda self, *place, **how: self)  # there is none here
    colorizer = Colorizer.from_pretrained(weights)
    assert isinstance(colorizer.engine, BatchingEngine) and colorizer.device == "mps"
    assert isinstance(colorizer.generator, nets.UNet)


def test_without_a_driver_torch_is_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(choose, "_DRIVERS", ("/no/such/driver",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not choose.on_gpu()
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert choose.may_have_gpu()


def test_without_torch_its_weights_say_what_to_install(weights, plain, monkeypatch):
    monkeypatch.setattr(
        choose, "find_spec", lambda name: None if name == "torch" else find_spec(name)
    )
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pix2pix-color\[torch\]'"):
        kind(weights)
    with pytest.raises(WeightsError, match="no such weights"):
        kind(weights.with_name("gone.safetensors"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "tensorrt"}, "one of auto, onnx, openvino, torch"),
        ({"engine": "onnx", "device": "cuda"}, "onnx runs on the CPU"),
        ({"engine": "openvino", "device": "mps"}, "openvino runs on the CPU"),
    ],
)
def test_engines_that_cannot_be_had_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        Colorizer.from_pretrained("default", **options)


def test_a_graph_is_for_the_cpu_and_its_task(tmp_path, plain):
    path = write_graph(tmp_path / "tiny.onnx")
    with pytest.raises(WeightsError, match="runs on the CPU"):
        kind(path, engine="torch")
    with pytest.raises(WeightsError, match="`pix2pix colorize`"):
        Translator.from_pretrained(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"no model", b"\x00" * 100, b"\xff" * 100, bytes(range(256))],
    ids=["empty", "text", "zeros", "ones", "all"],
)
def test_what_is_no_graph_is_named(content, tmp_path, plain):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"bad\.onnx: not an ONNX file"):
        kind(path)


def test_a_cut_graph_is_named(tmp_path, plain):
    path = write_graph(tmp_path / "cut.onnx")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"cut\.onnx"):
            kind(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("pix2pix", "{", "header cannot be read"),
        ("pix2pix", json.dumps({"generator": {}, "area": 10**9}), "header says area"),
        ("chances", "[1]", "metadata cannot be read"),
        ("chances", '[{"kind": "luck"}]', "metadata cannot be read"),
        ("multiple", "0", "metadata cannot be read"),
        ("multiple", "many", "metadata cannot be read"),
    ],
)
def test_what_a_graph_says_wrongly_is_named(key, value, words, tmp_path, plain):
    path = write_graph(tmp_path / "odd.onnx", metadata={key: value})
    with pytest.raises(WeightsError, match=words):
        kind(path)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_graph_without_the_outputs_that_it_promises_is_named(engine, tmp_path, plain):
    header = json.dumps({"generator": {"bins": 10, "in_channels": 1}})
    path = write_graph(tmp_path / "odd.onnx", metadata={"pix2pix": header})
    with pytest.raises(WeightsError, match="lacks the outputs ab, logits"):
        kind(path, engine=engine)


def test_a_broken_graph_beside_good_weights_does_not_hide_them(weights, plain):
    beside = weights.with_suffix(".onnx")
    beside.write_bytes(b"another project's")
    assert kind(weights) == "torch"
    with pytest.raises(WeightsError, match="not an ONNX file that"):
        kind(weights, engine="onnx")


def test_weights_of_any_name_are_taken(weights, plain, tmp_path):
    odd = weights.rename(tmp_path / "mine.bin")
    assert kind(odd) == "torch"


def test_a_graph_is_taken_on_a_machine_with_a_gpu_too(tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "on_gpu", lambda device="auto": True)
    monkeypatch.setattr(choose, "has_fast_openvino", lambda: False)
    assert kind(write_graph(tmp_path / "tiny.onnx")) == "onnx"


def test_an_openvino_that_does_not_load_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "pix2pix.colorize.engines.openvino", None)
    assert not choose.has_fast_openvino()


def test_a_graph_that_does_not_run_is_its_weights_fault(tmp_path, plain):
    path = write_graph(tmp_path / "tiny.onnx")
    model = Colorizer.from_pretrained(path, engine="onnx")
    with pytest.raises(WeightsError, match="its graph does not run"):
        model.engine.run(np.zeros((1, 3, 16, 16), np.float32))


@pytest.mark.slow
def test_openvino_leaves_a_stream_open_that_stood_for_stderr():
    """In a process of its own: a program that captures stderr, and configures logging later."""
    code = """
import io, logging.config, sys
sys.stderr = captured = io.StringIO()
import pix2pix.colorize.engines.openvino
sys.stderr = sys.__stderr__
logging.config.dictConfig({"version": 1})
assert "absl.logging" in sys.modules and not captured.closed
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_metadata_are_what_the_library_wrote(tmp_path):
    import onnx

    path = write_graph(tmp_path / "tiny.onnx", metadata={"odd key": "ä\n" * 1000})
    model = onnx.load(path)
    wanted = {entry.key: entry.value for entry in model.metadata_props}
    assert graph.metadata(path.read_bytes()) == wanted and len(wanted) == 5


def test_halves_meet_whatever_their_tensors_are_called(tmp_path, plain, monkeypatch):
    """Names that stand before `cut0` in the alphabet are not taken for it."""
    path = write_convolutions(tmp_path / "named.onnx")
    source = np.random.default_rng(0).uniform(-1, 1, (1, 1, 32, 32)).astype(np.float32)
    expected = Colorizer.from_pretrained(path, engine="onnx").engine.run(source)["answer"]
    found = Colorizer.from_pretrained(path, engine="openvino").engine.run(source)["answer"]
    assert found.shape == expected.shape == (1, 2, 32, 32)
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())
