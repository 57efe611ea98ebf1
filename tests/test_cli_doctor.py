"""`pix2pix doctor`: the engine that it names, and what it says of engines that are broken."""

import json
import sys
import types

import pytest

from pix2pix import cli
from pix2pix.cli import doctor

CPU = {"version": "1", "devices": ["cpu"]}
BROKEN = {"error": "no such instruction"}


@pytest.mark.parametrize(
    ("onnx", "openvino", "torch", "chosen"),
    [
        (CPU, None, None, "onnx"),
        (CPU, None, CPU, "onnx"),
        (CPU, CPU | {"bf16": True}, CPU, "openvino"),
        (CPU, CPU | {"bf16": False}, CPU, "onnx"),
        (CPU, CPU | {"bf16": True}, CPU | {"devices": ["cpu", "cuda:0"]}, "torch"),
        (CPU, None, CPU | {"devices": ["cpu", "mps"]}, "torch"),
        (CPU, BROKEN, BROKEN, "onnx"),
        (BROKEN, None, CPU, "torch"),
        (None, None, None, None),
    ],
)
def test_the_engine_that_auto_takes(monkeypatch, capsys, onnx, openvino, torch, chosen):
    for name, engine in {"_onnx": onnx, "_openvino": openvino, "_torch": torch}.items():
        monkeypatch.setattr(doctor, name, lambda engine=engine: engine)
    assert cli.main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["engine"] == chosen and facts["why"]
    assert facts["engines"] == {"onnx": onnx, "openvino": openvino, "torch": torch}
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"auto takes  {chosen or 'none'}: " in out
    assert ("does not load: no such instruction" in out) == (BROKEN in (onnx, openvino, torch))


@pytest.mark.slow
def test_the_engine_that_it_names_is_the_one_that_colors():
    from pix2pix import Colorizer

    assert Colorizer.from_pretrained().engine.kind == doctor.examine()["engine"]


@pytest.mark.parametrize(
    ("module", "found"),
    [
        (types.SimpleNamespace(), {"error": "driver too old"}),
        (None, None),  # not installed
    ],
)
def test_an_engine_that_does_not_load_is_a_fact(monkeypatch, module, found):
    def fail(_):
        raise RuntimeError("driver too old\nand a trace")

    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    assert doctor._engine("onnxruntime", fail) == found


def test_formats_that_pillow_lacks_are_named(monkeypatch, capsys):
    from PIL import features

    monkeypatch.setattr(doctor, "_torch", lambda: None)
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    reads, writes = (next(x for x in lines if x.startswith(w)) for w in ("reads", "writes"))
    assert reads.endswith("; not AVIF") and writes.endswith("; not AVIF")
    assert "HEIF" in reads and "HEIF" not in writes


def test_a_copy_that_was_never_installed_has_no_extras(monkeypatch, capsys):
    from pix2pix.cli import packages

    monkeypatch.setattr(doctor, "_torch", lambda: None)
    monkeypatch.setattr(packages, "_requirements", list)
    packages.extras.cache_clear()
    try:
        assert cli.main(["doctor"]) == 0
    finally:
        packages.extras.cache_clear()
    assert "extras      unknown: this copy was not installed by pip" in capsys.readouterr().out


def test_it_says_the_engine_that_auto_really_takes():
    from pix2pix import Colorizer

    facts = doctor.examine()
    assert facts["engine"] == Colorizer.from_pretrained().engine.kind
