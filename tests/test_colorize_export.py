"""Exported nets: ONNX Runtime gives what torch gives, of the same weights, and says whose it is."""

import hashlib
import json
import os
import subprocess
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import warm
from onnx import numpy_helper
from places import SCRIPTS
from safetensors import safe_open
from torch import nn

from pix2pix import cli, weights
from pix2pix.colorize.engines import export
from pix2pix.colorize.engines.chance import draw, from_json
from pix2pix.colorize.engines.export import export_onnx
from pix2pix.colorize.engines.torch import TorchEngine
from pix2pix.errors import ExportError
from pix2pix.nets import GENERATORS, build_generator, follow_hints

pytestmark = pytest.mark.slow

SQUEEZE = {"net": "BackboneUNet", "encoder": "squeezenet1_1", "decoder": [4, 8, 4], "frozen": 0}
TINY = {
    "unet": {"net": "UNet", "width": 2, "depth": 4, "noise": 2},
    "encdec": {"net": "UNet", "width": 2, "depth": 2, "skips": False},
    "rgb_to_rgb": {"net": "UNet", "width": 2, "depth": 3, "in_channels": 3, "out_channels": 3},
    "variant": {"net": "UNetVariant", "width": 2, "depth": 3, "norm": "batch", "leaky_skips": True},
    "reflect": {"net": "UNetVariant", "width": 2, "depth": 2, "padding": "reflect"},
    "double_conv": {"net": "DoubleConvUNet", "width": 2, "depth": 2, "out_channels": 3},
    "chroma_net": {"net": "ChromaNet", "width": 2, "classes": 3},
    "squeezenet1_1": {**SQUEEZE, "dropout": 0.5, "up": "bilinear"},
    "hints": {
        **{**SQUEEZE, "in_channels": 4, "bins": 20, "blend": 0.5, "vivid": 1.3, "attention": 2},
        "tells_negatives": True,
    },
    "mobilenet_v2": {"net": "BackboneUNet", "decoder": [4, 4, 4, 4], "bottleneck": 8},
    "resnet18": {"net": "BackboneUNet", "encoder": "resnet18", "decoder": [4, 4, 4, 4]},
    "convnext_tiny": {"net": "BackboneUNet", "encoder": "convnext_tiny", "decoder": [4, 4, 4, 4]},
}


def save(folder, config, **header):
    """Weights of a net with hints that count, and norms that are not the identity."""
    torch.manual_seed(0)
    net = build_generator(config)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, std=0.1)
    if getattr(net, "told", None) is not None:
        for layer in net.told:
            nn.init.normal_(layer.weight, std=0.05)
    path = folder / "net.safetensors"
    task = "translate" if config.get("in_channels") == 3 else "color"
    weights.save(path, net, weights.Header(net.config, head=net.predicts, task=task, area=64 * 64))
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """name -> (weights file, ONNX file, what export says), each made once."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            source = save(folder, TINY[name])
            made[name] = source, folder / "net.onnx", export_onnx(source, folder / "net.onnx")
        return made[name]

    return make


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def picture(net, batch, rows, columns):
    shape = (batch, getattr(net, "in_channels", 1), rows * net.multiple, columns * net.multiple)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def test_every_net_of_pictures_is_among_these():
    exportable = {name for name, cls in GENERATORS.items() if cls.predicts in ("ab", "rgb")}
    assert {config["net"] for config in TINY.values()} == exportable


@pytest.mark.parametrize("name", TINY)
def test_it_computes_what_torch_computes(exported, name):
    """At other sizes and batches than those that export compares; with each layer there once."""
    source, path, done = exported(name)
    net, header = weights.load(source)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    kinds = Counter(node.op_type for node in model.graph.node)
    convs = sum(isinstance(m, nn.Conv2d) for m in net.modules())
    rises = sum(isinstance(m, nn.ConvTranspose2d) for m in net.modules())
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert (kinds["Conv"], kinds["ConvTranspose"]) == (convs, rises)
    assert kinds["BatchNormalization"] == norms
    run, chances = session(path), TorchEngine(net).chances
    for size in ((1, 1, 1), (3, 3, 1), (1, 4, 5)):
        x = picture(net, *size)
        if name == "hints":
            x[:, 1:] = 0
        still = {
            f"chance{i}": np.full(c.shape(*x.shape[2:], len(x)), c.value, np.float32)
            for i, c in enumerate(chances)
        }
        (answer,) = run.run(["answer"], {"source": x, **still})
        expected = net(torch.from_numpy(x)).numpy()
        assert answer.shape == expected.shape
        assert np.abs(answer - expected).max() < 1e-4
        assert expected.std() > 1e-4 and done.difference < 1e-4
    assert done.size == path.stat().st_size and done.torch_ms > 0 < done.onnx_ms


@pytest.mark.parametrize("name", ["unet", "hints"])
def test_the_weights_are_those_of_the_file_in_half_the_bytes(exported, name):
    source, path, _ = exported(name)
    net, _ = weights.load(source)
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    state = net.state_dict()  # biases are zeros, which are stored once
    large = {key: x for key, x in state.items() if x.numel() >= 256 and x.ndim > 1}
    assert large
    for key, value in large.items():
        half = stored[f"net.{key}.float16"]
        assert half.dtype == np.float16 and np.array_equal(half, value.numpy())
        assert f"net.{key}" not in stored
    assert path.stat().st_size < source.stat().st_size + 60_000


def test_a_weight_that_float16_does_not_hold_stays_float32(tmp_path):
    torch.manual_seed(0)
    net = build_generator(TINY["encdec"] | {"width": 8})
    source, path = tmp_path / "a.safetensors", tmp_path / "a.onnx"
    weights.save(source, net, weights.Header(net.config, area=64 * 64), dtype=torch.float32)
    export_onnx(source, path)
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    assert np.array_equal(stored["net.down.1.1.weight"], net.state_dict()["down.1.1.weight"])


def test_it_says_whose_it_is(exported):
    source, path, _ = exported("unet")
    model = onnx.load(path)
    notes = {note.key: note.value for note in model.metadata_props}
    with safe_open(source, "np") as file:
        assert notes["pix2pix"] == file.metadata()["pix2pix"]
    assert notes["weights_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert from_json(notes["chances"]) == TorchEngine(weights.load(source)[0]).chances
    assert json.loads(notes["pix2pix"])["generator"]["net"] == "UNet"
    assert b".py" not in path.read_bytes()  # no place in anyone's folders


def test_inputs_and_outputs_have_names_and_free_sizes(exported):
    def sizes(values):
        shapes = {v.name: v.type.tensor_type.shape.dim for v in values}
        return {key: [d.dim_param or d.dim_value for d in shape] for key, shape in shapes.items()}

    graph = onnx.load(exported("unet")[1]).graph
    assert sizes(graph.input) == {
        "source": ["batch", 1, "height", "width"],
        "chance0": ["batch", 2, 1, 1],
        "chance1": ["batch", 4, "height/4", "width/4"],
        "chance2": ["batch", 2, "height/2", "width/2"],
    }
    assert sizes(graph.output) == {"answer": ["batch", 2, "height", "width"]}
    graph = onnx.load(exported("hints")[1]).graph
    assert sizes(graph.input) == {"source": ["batch", 4, "height", "width"]}
    bins = len(weights.load(exported("hints")[0])[0].bins.colors)
    assert sizes(graph.output) == {
        "answer": ["batch", 2, "height", "width"],
        "ab": ["batch", 2, "height", "width"],
        "logits": ["batch", bins, "height/4", "width/4"],
        "features": ["batch", 256 + 512, "height/8", "width/8"],
        "polarity": ["batch", 1, 1, 1],
    }


def test_the_same_weights_give_the_same_bytes(exported, tmp_path):
    source, path, _ = exported("unet")
    export_onnx(source, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == path.read_bytes()


def test_a_take_is_the_same_in_both(exported):
    source, path, _ = exported("unet")
    net, _ = weights.load(source)
    engine, run, x = TorchEngine(net), session(path), picture(net, 1, 2, 3)
    takes = []
    for seed in (1, 2):
        values = draw(engine.chances, *x.shape[2:], seed)
        takes.append(engine.run(x, values)["answer"])
        named = {f"chance{i}": value for i, value in enumerate(values)}
        (other,) = run.run(["answer"], {"source": x, **named})
        np.testing.assert_allclose(takes[-1], other, atol=1e-4)
    assert np.abs(takes[0] - takes[1]).max() > 1e-3


def test_hints_of_one_pixel_and_more(exported):
    """A batch with hints and without, joined, is what the net itself answers."""
    source, path, _ = exported("hints")
    net, _ = weights.load(source)
    run, x = session(path), picture(net, 2, 4, 5)
    x[1, 0] = x[0, 0]
    x[:, 1:] = 0
    unhinted = net(torch.from_numpy(x[1:])).numpy()
    for rows, columns in ((slice(5, 6), slice(7, 8)), (slice(9, 14), slice(31, 37))):
        x[0, 1:, rows, columns] = np.array([0.5, -0.3, 1]).reshape(3, 1, 1)
        ab, answer = run.run(["ab", "answer"], {"source": x})
        joined = follow_hints(ab[:1], ab[1:], answer[1:])
        expected = net(torch.from_numpy(x[:1])).numpy()
        assert np.abs(expected - unhinted).max() > 1e-2
        np.testing.assert_allclose(joined, expected, atol=2e-5)
        unhinted = expected


def test_logits_are_those_of_the_net(exported):
    source, path, _ = exported("hints")
    net, _ = weights.load(source)
    x = picture(net, 1, 2, 3)
    ab, logits = (part.numpy() for part in net.heads(torch.from_numpy(x)))
    found = session(path).run(["ab", "logits"], {"source": x})
    np.testing.assert_allclose(found[0], ab, atol=1e-4)
    np.testing.assert_allclose(found[1], logits, atol=1e-3)


def test_features_are_those_of_the_net_and_take_its_encoder_alone(exported):
    source, path, _ = exported("hints")
    engine = TorchEngine(weights.load(source)[0])
    x = picture(engine.net, 2, 2, 3)
    expected, (found,) = engine.features(x), session(path).run(["features"], {"source": x})
    assert expected.shape == (2, 768, x.shape[2] // 8, x.shape[3] // 8)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found[:, :256], axis=1), 1, atol=1e-3)


def test_polarity_is_that_of_the_net(exported):
    source, path, _ = exported("hints")
    engine = TorchEngine(weights.load(source)[0])
    x = picture(engine.net, 3, 2, 3)
    expected, (found,) = engine.aside("polarity", x), session(path).run(["polarity"], {"source": x})
    assert expected.std() > 1e-3  # and not the same for every picture
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_graph_that_computes_something_else_is_not_kept(tmp_path, monkeypatch):
    """The exporter drops `divisor_override` without a word."""

    def pool(hints, factor):
        sums = nn.functional.avg_pool2d(hints, factor, divisor_override=1)
        return torch.cat([8 * sums[:, :2] / sums[:, 2:].clamp(min=1), sums[:, 2:].clamp(max=1)], 1)

    monkeypatch.setattr("pix2pix.nets.blocks.pool_hints", pool)
    source = save(tmp_path, TINY["hints"] | {"attention": 0})
    with pytest.raises(ExportError, match="ONNX Runtime's .* beside torch's at .*: not kept"):
        export_onnx(source, tmp_path / "net.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"net.safetensors"}


@pytest.mark.parametrize("net", ["MeanNet", "Autoencoder"])
def test_what_makes_no_picture_is_refused(tmp_path, net):
    with pytest.raises(ExportError, match="these weights predict"):
        export_onnx(save(tmp_path, {"net": net, "width": 2}), tmp_path / "net.onnx")


def test_a_net_that_depends_on_its_data_is_refused(tmp_path, monkeypatch):
    def forward(self, x):
        return x[:, :2] if x.sum() > 0 else -x[:, :2]

    source = save(tmp_path, TINY["rgb_to_rgb"])
    monkeypatch.setattr(GENERATORS["UNet"], "forward", forward)
    with pytest.raises(ExportError, match="not exported: "):
        export_onnx(source, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_what_is_there_stays_without_overwrite(tmp_path, capsys):
    source, path = save(tmp_path, TINY["encdec"]), tmp_path / "net.onnx"
    path.write_bytes(b"mine")
    assert cli.main(["export", str(source), "onnx", str(path)]) == 1
    assert capsys.readouterr().err == (
        f"{path}: export: this file exists; give another name, or --overwrite\n"
    )
    assert path.read_bytes() == b"mine"
    with pytest.raises(ExportError, match="it is a folder; give a file"):
        export_onnx(source, tmp_path, overwrite=True)
    assert cli.main(["export", str(source), "onnx", str(path), "--overwrite"]) == 0
    size, times, name = capsys.readouterr().out.splitlines()
    assert size.startswith("0.0 MB; at most ") and size.endswith(" beside PyTorch")
    assert " ms in PyTorch, " in times and " ms in ONNX Runtime (CPU, threads: " in times
    assert name == str(path)
    session(path)


def test_a_missing_package_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["export", "pix2pix", "onnx", str(tmp_path / "a.onnx")]) == 1
    assert capsys.readouterr().err == (
        "export to ONNX needs: pip install onnx onnxscript onnxruntime\n"
    )


def test_the_script_makes_the_file_of_each_weights(tmp_path):
    source = save(tmp_path, TINY["encdec"])
    done = subprocess.run(
        ["bash", str(SCRIPTS / "export_bundled.sh"), str(source)],
        env={**os.environ, "PYTHON": warm.python()},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{tmp_path / 'net.onnx'}\n")
    notes = {note.key: note.value for note in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert notes["weights_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
