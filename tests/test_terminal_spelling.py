"""Lines in any encoding: our own signs are spelled, other letters escaped, and nothing fails."""

import io
import json
import os
import subprocess
import sys

import pytest
from paint import crops

from pix2pix import cli
from pix2pix.terminal import put, spell

ENCODINGS = ("cp1252", "iso-8859-1", "ascii", "cp932", "utf-8")


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("ΔE ±0.1", "ascii", "deltaE +-0.1"),
        ("ΔE ±0.1", "cp1252", "deltaE ±0.1"),
        ("ΔE ±0.1 Fréchet", "cp932", "ΔE ±0.1 Frechet"),
        ("Fréchet × 中", "ascii", "Frechet x \\u4e2d"),
        ("a\udcff", "utf-8", "a\\udcff"),  # a byte of a name that is no UTF-8
        ("中 Δ é", "utf-8", "中 Δ é"),
        ("中 Δ é", None, "中 Δ é"),
    ],
)
def test_what_an_encoding_lacks_is_spelled(text, encoding, expected):
    assert spell(text, encoding) == expected


def test_no_character_at_all_fails():
    everything = "".join(map(chr, range(0x3000)))
    for encoding in ENCODINGS:
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        put(everything, file)
    put("Δ", io.StringIO())
    before, sys.stdout = sys.stdout, None  # as under pythonw
    try:
        put("Δ")
    finally:
        sys.stdout = before


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return str(crops(tmp_path_factory.mktemp("spelled") / "in", 2))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from pix2pix.nets import build_generator
    from pix2pix.weights import Header, save

    net = build_generator({"net": "UNet", "width": 4, "depth": 3})
    path = tmp_path_factory.mktemp("net") / "net.safetensors"
    save(path, net, Header(name="net", generator=net.config, area=32 * 32))
    return str(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_evaluate_prints_and_writes_in_every_encoding(encoding, photos, net, tmp_path, monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    files = ["--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html")]
    assert cli.main(["evaluate", photos, "--weights", net, "--size", "32", *files]) == 0
    lines = out.getvalue().decode(encoding).splitlines()
    assert lines[0].split()[3] == ("deltaE2000", "ΔE2000")[encoding in ("cp932", "utf-8")]
    assert "95 % bootstrap" in "\n".join(lines)
    ends = {len(line) for line in lines[:6] if line.startswith(("gray", "sepia", "model"))}
    assert len(ends) == 1  # aligned, whatever the spelling
    assert json.loads((tmp_path / "a.json").read_text())["pictures"] == 2
    assert (tmp_path / "a.html").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252"])
def test_a_real_process_with_a_code_page(encoding, photos, net, tmp_path):
    table = tmp_path / "table.txt"
    command = [sys.executable, "-m", "pix2pix.cli", "evaluate", photos, "--weights", net]
    command += ["--size", "32", "--json", str(tmp_path / "a.json")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    with table.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, env=environment)
    assert done.returncode == 0, done.stderr
    assert "deltaE2000" in table.read_text(encoding=encoding)
    assert json.loads((tmp_path / "a.json").read_text())["rows"]


def test_a_terminal_that_fails_and_a_disk_that_is_full_cost_only_themselves(
    photos, net, tmp_path, monkeypatch, capsys
):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    command = ["evaluate", photos, "--weights", net, "--size", "32", "--json"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        assert cli.main([*command, str(tmp_path / "a.json")]) == 1
    assert "Input/output error" in capsys.readouterr().err
    assert json.loads((tmp_path / "a.json").read_text())["pictures"] == 2
    assert cli.main([*command, str(tmp_path / "missing" / "a.json")]) == 1
    told = capsys.readouterr()
    assert "sepia" in told.out and "missing" in told.err
