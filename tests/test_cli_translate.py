"""`pix2pix translate`: files, folders, pipes, bad files, weights of another task, reruns."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import warm
from PIL import Image
from test_cli import assert_whole
from test_colorize_folders import files, photo
from test_colorize_translator import make_weights, picture

from pix2pix import Translator, cli, images
from pix2pix.images.metadata import exif


@pytest.fixture(scope="session")
def net(tmp_path_factory) -> str:
    """Weights of a tiny random net with dropout, RGB to RGB."""
    return make_weights(tmp_path_factory.mktemp("weights") / "facades.safetensors")


def save(path: Path, size: tuple[int, int] = (40, 30), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(size[1], size[0])).save(path, **options)
    return path


def translate(net: str, *arguments: str | Path) -> int:
    return cli.main(["translate", "--weights", net, "--device", "cpu", *map(str, arguments)])


def said(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def hashes(folder: Path) -> dict[str, str]:
    found = folder.rglob("*.translated.*")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def test_a_file_is_what_the_translator_makes_of_it(net, tmp_path, capsys):
    source = save(tmp_path / "a.png")
    assert translate(net, source) == 0
    expected = Translator.from_pretrained(net, device="cpu")(picture(30, 40))
    made = np.asarray(Image.open(tmp_path / "a.translated.png"))
    np.testing.assert_array_equal(made, expected)
    assert said(capsys) == ["1 translated, 0 skipped (already there), 0 failed"]


def test_its_metadata_say_that_a_net_translated_it_and_keep_what_the_picture_said(net, tmp_path):
    said = Image.Exif()
    said[0x010E], said[0x0132] = "Rue de Rivoli", "1912:05:01 12:00:00"
    said.get_ifd(0x8825)[1] = "N"
    source = save(tmp_path / "a.jpg", exif=said, comment="from an album", quality=95)
    for options, gps in (([], False), (["--keep-gps"], True)):
        assert translate(net, source, "--overwrite", *options) == 0
        made = images.read(tmp_path / "a.translated.jpg")
        block = exif.parse(made.exif)
        assert block.main[0x010E].data == b"Rue de Rivoli\0" and bool(block.gps) is gps
        assert [text.text for text in made.texts] == ["from an album"]
        packet = made.xmp.decode()
        assert 'digitalsourcetype/trainedAlgorithmicMedia"' in packet
        assert 'AISystemUsed="Pix2PixColor, translated by tiny"' in packet
        assert "composite" not in packet


def test_colors_of_a_translated_jpeg_are_as_sharp_as_its_light(net, tmp_path):
    gray = Image.fromarray(picture(30, 40)).convert("L")
    gray.save(tmp_path / "a.jpg")
    assert translate(net, tmp_path / "a.jpg") == 0
    with Image.open(tmp_path / "a.translated.jpg") as made:
        assert [layer[1:3] for layer in made.layer] == [(1, 1)] * 3


def test_folders_keep_their_structure_and_outputs_are_no_inputs(net, tmp_path, capsys):
    for name in ("a.png", "b/c.jpg", "b/d/e.tif", "b/notes.txt", ".hidden.png"):
        photo(tmp_path / "in" / name)
    out = tmp_path / "out"
    assert translate(net, tmp_path / "in", "-o", out) == 0
    made = ["a.translated.png", "b/c.translated.jpg", "b/d/e.translated.tif"]
    assert files(out) == made
    assert said(capsys)[-1] == "3 translated, 0 skipped (already there), 0 failed"
    for _ in range(2):  # in place, too
        photo(tmp_path / "in/b/f.color.png")
        assert translate(net, tmp_path / "in") == 0
    assert said(capsys)[-1] == "0 translated, 3 skipped (already there), 0 failed"
    assert {name for name in files(tmp_path / "in") if "translated" in name} == set(made)
    assert cli.main(["colorize", str(out)]) == 1  # its pictures are outputs of ours
    assert "outputs of earlier runs: 3" in said(capsys)[-1]


def test_rerun_does_what_is_new_and_overwrite_all(net, tmp_path, capsys):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    (tmp_path / "b.translated.png").touch()
    for arguments, lines in (
        ([], ["2 translated, 0 skipped", "1 made anew: the output was empty"]),
        ([], ["0 translated, 2 skipped"]),
        (["--overwrite"], ["2 translated, 0 skipped"]),
    ):
        assert translate(net, tmp_path, *arguments) == 0
        assert [line.split(" (")[0] for line in said(capsys)] == lines
    assert translate("no such weights", tmp_path) == 0  # none is loaded


def test_pipes(net, tmp_path, capsysbinary, monkeypatch):
    source = save(tmp_path / "a.jpg")
    assert translate(net, source) == 0
    expected = (tmp_path / "a.translated.jpg").read_bytes()
    capsysbinary.readouterr()
    assert translate(net, source, "-o", "-") == 0
    assert capsysbinary.readouterr() == (expected, b"")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source.read_bytes())))
    assert translate(net, "-", "-o", tmp_path / "b.jpg") == 0
    assert (tmp_path / "b.jpg").read_bytes() == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    assert translate(net, "-") == 1
    out, err = capsysbinary.readouterr()
    assert out == b"" and err.startswith(b"-: unsupported_format: ")


def test_bad_files_are_one_line_each_and_stop_no_other(net, tmp_path, capsys):
    save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    whole = save(tmp_path / "cut.jpg", (200, 100)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert translate(net, tmp_path, "--json") == 2
    out, err = capsys.readouterr()
    records = {os.path.basename(r["path"]): r for r in map(json.loads, out.splitlines())}
    assert {name: r.get("code", r["status"]) for name, r in records.items()} == {
        "good.png": "translated",
        "empty.png": "unreadable",
        "none.jpg": "unsupported_format",
        "cut.jpg": "truncated",
    }
    assert records["good.png"]["output"] == str(tmp_path / "good.translated.png")
    assert len(err.splitlines()) == 4
    (tmp_path / "good.png").unlink()
    (tmp_path / "good.translated.png").unlink()
    assert translate(net, tmp_path) == 1
    assert translate(net, tmp_path / "cut.jpg", "--allow-truncated") == 0
    (tmp_path / "folder").mkdir()
    capsys.readouterr()
    assert translate(net, tmp_path / "folder") == 1
    assert said(capsys) == [f"{tmp_path}/folder: nothing to translate, no photo in it"]


def test_two_inputs_of_one_output_are_told_apart(net, tmp_path, capsys):
    for folder in ("a", "b"):
        save(tmp_path / folder / "x.png")
    assert translate(net, tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out") == 2
    assert "is that of another input too; translate them separately" in said(capsys)[0]


def test_weights_of_another_task_are_one_line_with_the_right_command(net, tmp_path, capsys):
    save(tmp_path / "a.png")
    for command, wrong, right in (
        ("translate", "default", "pix2pix colorize"),
        ("colorize", net, "pix2pix translate"),
    ):
        assert cli.main([command, str(tmp_path), "--weights", wrong, "--device", "cpu"]) == 1
        (line,) = said(capsys)
        assert line.startswith(f"{wrong}: weights: ") and right in line
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    "option", ["--saturation=1", "--hint=1,1,#ffffff", "--take=1", "--skip-color"]
)
def test_options_of_color_are_not_there(net, tmp_path, capsys, option):
    assert translate(net, save(tmp_path / "a.png"), option) == 1
    assert "No such option" in capsys.readouterr().err


def test_weights_must_be_named(tmp_path, capsys):
    assert cli.main(["translate", str(save(tmp_path / "a.png"))]) == 1
    assert "--weights" in capsys.readouterr().err


def test_the_same_bytes_twice_and_others_by_another_seed(net, tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.jpg", (200, 120))
    made = []
    for arguments in ([], [], ["--seed", "1"], ["--seed", "1"], ["--seed", "2"]):
        assert translate(net, tmp_path, "--overwrite", *arguments) == 0
        made.append(hashes(tmp_path))
    assert made[0] == made[1] and made[2] == made[3]
    for i, j in ((0, 2), (2, 4), (0, 4)):
        assert all(made[i][name] != made[j][name] for name in made[i])


def test_sidecars_say_so_too(net, tmp_path):
    source = save(tmp_path / "a.png")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Paris"/></rdf:RDF>'
        "</x:xmpmeta>"
    )
    (tmp_path / "a.png.xmp").write_text(packet)
    assert translate(net, source, "--sidecars") == 0
    copied = (tmp_path / "a.translated.png.xmp").read_text()
    assert "Paris" in copied and "Pix2PixColor, translated by tiny" in copied


def start(net: str, folder: Path, out: Path) -> subprocess.Popen:
    command = [
        warm.python(),
        "-m",
        "pix2pix.cli",
        "translate",
        str(folder),
        "--weights",
        net,
        "--device",
        "cpu",
    ]
    return subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_run_leaves_no_part_of_a_file_and_is_continued(net, tmp_path):
    size, count, out = (640, 480), 12, tmp_path / "out"
    first = save(tmp_path / "in/00.png", size)
    for i in range(1, count):
        (tmp_path / f"in/{i:02}.png").write_bytes(first.read_bytes())
    process = start(net, tmp_path / "in", out)
    until = time.monotonic() + 300
    while len(hashes(out)) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    before = hashes(out)
    assert 2 <= len(before) < count
    assert_whole([out / name for name in before], size)
    process = start(net, tmp_path / "in", out)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert err.startswith(f"{count - len(before)} translated, {len(before)} skipped")
    assert len(hashes(out)) == count and len(set(hashes(out).values())) == 1
