"""Nets in 8 bits: the same inputs, outputs and metadata, nearly the same colors, or no file."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from photo_sets import colored, fill
from tiny_graphs import write_graph

from pix2pix import cli
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.compress import gates, int8, int8_graph
from pix2pix.colorize.compress.photos import inputs_of
from pix2pix.colorize.engines.graph import metadata, read_graph
from pix2pix.colorize.engines.onnx import OnnxEngine
from pix2pix.errors import ExportError
from pix2pix.weights import Header

PHOTOS = [np.asarray(colored(i, 64, 64)) for i in range(6)]
RNG = np.random.default_rng(0)


def weights(name, c_out, c_in, side=3, *, size=1.0):
    values = RNG.normal(0, size * (2 / (c_in * side * side)) ** 0.5, (c_out, c_in, side, side))
    return numpy_helper.from_array(values.astype(np.float32), name)


def vector(name, values):
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def conv(source, name, target, side=3):
    pads = [side // 2] * 4
    return helper.make_node("Conv", [source, name], [target], name, pads=pads)


def skip_net(path, *, deep=0.02):
    """Write a net with a skip connection whose deep side is `deep` times as large as the other.

    The deep side starts with a sum of two convolutions and its BatchNorm, as levels with hints do.
    """
    nodes = [
        conv("source", "stem", "raw"),
        helper.make_node("Relu", ["raw"], ["near"]),
        conv("near", "left", "l"),
        conv("near", "right", "r", 1),
        helper.make_node("Add", ["l", "r"], ["sum"]),
        helper.make_node("BatchNormalization", ["sum", "g", "b", "m", "v"], ["normed"], "norm"),
        helper.make_node("Relu", ["normed"], ["far"]),
        helper.make_node("Concat", ["far", "near"], ["both"], axis=1),
        conv("both", "join", "j"),
        helper.make_node("Relu", ["j"], ["joined"]),
        conv("joined", "head", "h", 1),
        helper.make_node("Tanh", ["h"], ["answer"]),
    ]
    join = numpy_helper.to_array(weights("join", 16, 24)).copy()
    join[:, :16] /= deep  # what is small counts as much
    tensors = [
        weights("stem", 8, 1),
        weights("left", 16, 8),
        weights("right", 16, 8, 1),
        vector("g", RNG.uniform(0.5, 1.5, 16) * deep),
        vector("b", RNG.normal(0, 0.3, 16) * deep),
        vector("m", RNG.normal(0, 0.3, 16)),
        vector("v", RNG.uniform(0.5, 1.5, 16)),
        numpy_helper.from_array(join, "join"),
        weights("head", 2, 16, 1, size=0.05),
    ]
    made = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", c, "height", "width"])
        for name, c in (("source", 1), ("answer", 2))
    ]
    graph = helper.make_graph(nodes, "skip", made[:1], made[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    header = Header(generator={}, name="skip", area=64 * 64)
    said = {
        "pix2pix": json.dumps(dataclasses.asdict(header)),
        "chances": "[]",
        "multiple": "16",
        "weights_sha256": "abc",
    }
    helper.set_model_props(model, said)
    onnx.save(model, path)
    return path


@pytest.fixture
def net(tmp_path):
    return skip_net(tmp_path / "net.onnx")


def answers(model, inputs):
    session = int8_graph.open_session(model)
    return np.concatenate([session.run(["answer"], values)[0] for values in inputs])


def inputs():
    return [{"source": RNG.uniform(-1, 1, (1, 1, 32, 48)).astype(np.float32)} for _ in range(4)]


def count(model, kind):
    return sum(node.op_type == kind for node in model.graph.node)


def test_folding_leaves_no_norm_and_changes_nothing(net):
    model, given = onnx.load(net), inputs()
    folded = int8_graph.fold(model)
    assert count(model, "BatchNormalization") == 1
    assert count(folded, "BatchNormalization") == 0
    np.testing.assert_allclose(answers(folded, given), answers(model, given), atol=1e-5)


def test_the_first_and_the_last_convolution_stay(net):
    names = int8_graph.convolutions(int8_graph.fold(onnx.load(net)))
    assert sorted(names) == ["join", "left", "right"]
    assert names[-1] == "join"


def test_evened_out_skips_lose_less_and_change_nothing_before(net):
    model, given = int8_graph.fold(onnx.load(net)), inputs()
    evened = onnx.ModelProto.FromString(model.SerializeToString())
    int8_graph.equalize(evened, {"join"}, given)
    truth = answers(model, given)
    np.testing.assert_allclose(answers(evened, given), truth, atol=1e-5)
    plain, even = (
        np.abs(answers(int8_graph.to_int8(m, {"join"}, given), given) - truth).mean()
        for m in (model, evened)
    )
    assert even < plain / 3


def test_a_net_in_8_bits_says_and_takes_the_same(net, tmp_path):
    done = int8.quantize(net, tmp_path / "int8.onnx", PHOTOS[:3], PHOTOS[3:], force=True)
    before, after = (onnx.load(path) for path in (net, tmp_path / "int8.onnx"))
    assert list(before.graph.input) == list(after.graph.input)
    assert list(before.graph.output) == list(after.graph.output)
    assert count(after, "QuantizeLinear") >= done.convolutions[0] > 0
    assert done.convolutions[1] == count(after, "Conv") == 5
    said = [metadata(path.read_bytes()) for path in (net, tmp_path / "int8.onnx")]
    headers = [json.loads(one.pop("pix2pix")) for one in said]
    assert said[0] == said[1]
    assert headers[1].pop("saturation") == pytest.approx(done.saturation, abs=1e-3)
    assert headers[0].pop("saturation") == 1
    assert headers[0] == headers[1]
    models = [Colorizer.from_pretrained(path, engine="onnx") for path in (net, done_at(tmp_path))]
    assert models[1].rgb(PHOTOS[0]).shape == PHOTOS[0].shape
    wide = inputs_of(models[0], [np.asarray(colored(9, 48, 96))] * 2)
    ours, theirs = (
        OnnxEngine(read_graph(path)).run(np.repeat(wide[0]["source"], 2, 0))["answer"]
        for path in (net, done_at(tmp_path))
    )
    np.testing.assert_allclose(ours, theirs, atol=0.05)
    assert done.gates.passed


def done_at(folder):
    return folder / "int8.onnx"


def test_saturation_brings_back_the_chroma_that_was_lost(net, tmp_path, monkeypatch):
    in_8_bits = int8_graph.to_int8
    monkeypatch.setattr(int8, "_EIGHTHS", [0])
    dest = tmp_path / "int8.onnx"
    plain = int8.quantize(net, dest, PHOTOS[:3], PHOTOS[3:], force=True)

    def dulling(model, names, inputs):
        """As from 8 bits, but 5 % duller."""
        made = in_8_bits(model, names, inputs)
        made.graph.node[-1].output[0] = "bright"
        made.graph.initializer.append(vector("dull", [0.95]))
        made.graph.node.append(helper.make_node("Mul", ["bright", "dull"], ["answer"]))
        return made

    monkeypatch.setattr(int8_graph, "to_int8", dulling)
    done = int8.quantize(net, dest, PHOTOS[:3], PHOTOS[3:], force=True)
    assert done.saturation == pytest.approx(plain.saturation / 0.95)
    assert done.gates.chroma == pytest.approx(plain.gates.chroma, abs=0.003)


def test_a_net_that_fails_the_gates_is_not_kept_but_by_force(net, tmp_path, monkeypatch):
    def broken(model, names, inputs):
        turned = onnx.ModelProto.FromString(model.SerializeToString())
        turned.graph.node[-1].op_type = "Neg"
        return turned

    monkeypatch.setattr(int8_graph, "to_int8", broken)
    dest = tmp_path / "int8.onnx"
    done = int8.quantize(net, dest, PHOTOS[:3], PHOTOS[3:])
    assert not (done.kept or done.gates.passed or dest.exists())
    assert int8.quantize(net, dest, PHOTOS[:3], PHOTOS[3:], force=True).kept
    assert dest.exists()


def test_the_command_says_what_became_of_the_net(net, tmp_path, capsys, monkeypatch):
    photos, dest = fill(tmp_path / "photos", 6), tmp_path / "int8.onnx"
    command = ["export", str(net), "onnx", str(dest), "--int8", "--data", str(photos)]
    assert cli.main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(dest)
    assert [line.split()[0] for line in said[3:6]] == ["chroma", "CIEDE2000", "PSNR"]
    assert cli.main(command) == 1
    assert "this file exists" in capsys.readouterr().err
    assert cli.main(command[:-2]) == 1
    assert "--data" in capsys.readouterr().err
    monkeypatch.setattr(int8, "_EIGHTHS", [0])
    monkeypatch.setattr(gates, "DELTA_E", 0.0)
    dest.unlink()
    assert cli.main(command) == 1
    assert "not kept" in capsys.readouterr().err
    assert not dest.exists()


def test_a_net_of_too_few_channels_is_refused(tmp_path):
    with pytest.raises(ExportError, match="8 bits"):
        int8.quantize(write_graph(tmp_path / "a.onnx"), tmp_path / "b.onnx", PHOTOS, PHOTOS)
