"""The command line as people and scripts meet it: outputs, lines, records, exit status."""

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import warm
from PIL import Image
from test_colorize_folders import ODD_NAMES
from test_download import DATA, PICTURES, serve

import pix2pix
from pix2pix import cli
from pix2pix.cli import console, options
from pix2pix.cli.__main__ import app
from pix2pix.errors import WeightsError

HEAVY = ("torch", "lightning", "gradio", "torchvision", "torchmetrics", "PIL", "numpy", "hydra")
COMMAND = [sys.executable, "-m", "pix2pix.cli"]
PHOTO = skimage.data.astronaut()[:120, 180:300]


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> str:
    """A tiny random net that takes a moment a photo."""
    import torch

    from pix2pix.nets import build_generator
    from pix2pix.weights import Header, save

    torch.manual_seed(0)
    net = build_generator({"net": "UNet", "width": 4, "depth": 3})
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save(path, net, Header(name="tiny", generator=net.config, area=32 * 32))
    return str(path)


def photo(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PHOTO).convert("L").resize(size).save(path)
    return path


def colorize(weights: str, *arguments: str | Path) -> int:
    return cli.main(["colorize", "--weights", weights, "--device", "cpu", *map(str, arguments)])


def tidy(captured: str) -> list[str]:
    return captured.splitlines()


@pytest.mark.parametrize("module", ["pix2pix", "pix2pix.cli"])
def test_importing_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_help_and_version_answer_at_once():
    def processor_seconds() -> float:  # which other work on the machine does not stretch
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    for arguments in (["--help"], ["--version"], ["colorize", "--help"], ["translate", "-h"]):
        start = processor_seconds()
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
        assert processor_seconds() - start < 1  # the bar is 0.5 s; 0.15 s measured
        assert done.stdout
    assert pix2pix.__version__ in subprocess.check_output([*COMMAND, "--version"], text=True)


def test_colorize_a_file(weights, tmp_path, capsys):
    source = photo(tmp_path / "a.jpg")
    assert colorize(weights, source) == 0
    with Image.open(tmp_path / "a.color.jpg") as image:
        assert image.size == (40, 30)
        assert b"compositeWithTrainedAlgorithmicMedia" in image.info["xmp"]
        assert b"tiny" in image.info["xmp"]
    out, err = capsys.readouterr()
    assert (out, tidy(err)) == ("", ["1 colored, 0 skipped (already there), 0 failed"])


def test_colorize_is_what_the_colorizer_does(weights, tmp_path):
    from pix2pix.colorize import Colorizer

    source = photo(tmp_path / "a.png")
    rgb = np.asarray(Image.open(source).convert("RGB"))
    for saturation in (1.0, 0.0, 2.0):
        assert colorize(weights, source, "--overwrite", "--saturation", str(saturation)) == 0
        expected = Colorizer.from_pretrained(weights, device="cpu").rgb(rgb, saturation=saturation)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.color.png")), expected)


def test_hints_and_takes_reach_the_colorizer(weights, tmp_path, monkeypatch):
    from pix2pix.colorize import Colorizer

    source, told = photo(tmp_path / "a.png"), []

    def color(self, rgb, wish):
        told.append(wish)
        return rgb

    monkeypatch.setattr(Colorizer, "color", color)
    assert colorize(weights, source, "--hint", "3,4,#ff0080", "--hint", "5,6,000000") == 0
    assert told[0].hints == [(3, 4, (255, 0, 128)), (5, 6, (0, 0, 0))]
    assert told[0].seed is None
    assert colorize(weights, source, "--overwrite", "--take", "2") == 0
    assert told[1].seed == 2 and told[1].hints == []
    assert colorize(weights, source, "--overwrite", "--temperature", "-7.5") == 0
    assert [wish.temperature for wish in told] == [0, 0, -7.5]


def test_the_engine_that_is_asked_for_reaches_the_model(weights, tmp_path, monkeypatch):
    from pix2pix.app.service import server
    from pix2pix.colorize import Colorizer, Translator

    asked = []

    def load(source, *, device, engine):
        asked.append(engine)
        raise WeightsError("that is all")

    monkeypatch.setattr(server, "run_service", lambda load, settings: load())
    for kind in (Colorizer, Translator):
        monkeypatch.setattr(kind, "from_pretrained", load)
    source = photo(tmp_path / "a.png")
    for more, engine in (([], "auto"), (["--engine", "onnx"], "onnx")):
        assert colorize(weights, source, *more) == 1
        assert cli.main(["translate", str(source), "--weights", weights, *more]) == 1
        with pytest.raises(WeightsError):
            cli.main(["serve", "--no-page", *more])
        assert [asked.pop() for _ in range(3)] == [engine] * 3
    assert colorize(weights, source, "--engine", "abacus") == 1 and not asked


def test_a_reference_reaches_the_colorizer_for_every_photo(weights, tmp_path, monkeypatch, capsys):
    from pix2pix.colorize import Colorizer
    from pix2pix.colorize.reference import Reference

    told = []
    monkeypatch.setattr(Colorizer, "color", lambda self, rgb, wish: told.append(wish) or rgb)
    for name in ("a.png", "b.png"):
        photo(tmp_path / "roll" / name)
    Image.fromarray(PHOTO).save(tmp_path / "like.png")
    asked = (tmp_path / "roll", "--like", tmp_path / "like.png", "--json")
    assert colorize(weights, *asked) == 0
    assert [wish.like for wish in told] == [Reference.of(PHOTO)] * 2
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["status"] for r in records if "status" in r][:2] == ["colored", "colored"]
    assert colorize(weights, *asked) == 0 and len(told) == 2  # what is there stays


def test_a_reference_that_is_none_is_one_line(weights, tmp_path, capsys):
    source, like = photo(tmp_path / "a.png"), tmp_path / "like.png"
    for make, code in ((lambda: None, "unreadable"), (lambda: photo(like), "reference")):
        make()
        assert colorize(weights, source, "--like", like) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{like}: {code}: ")
    assert not (tmp_path / "a.color.png").exists()


def test_a_net_without_features_takes_no_reference(weights, tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    Image.fromarray(PHOTO).save(tmp_path / "like.png")
    assert colorize(weights, source, "--like", tmp_path / "like.png") == 1
    assert "a.png: reference: tiny takes no reference" in capsys.readouterr().err


def test_a_net_without_hints_is_one_line(weights, tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    assert colorize(weights, source, "--hint", "3,4,#ff0080") == 1
    assert "a.png: hint: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("good", "bad", "there", "status"),
    [(2, 0, 0, 0), (1, 1, 0, 2), (0, 2, 0, 1), (0, 1, 1, 2), (0, 0, 2, 0)],
)
def test_exit_status(weights, tmp_path, capsys, good, bad, there, status):
    for i in range(good):
        photo(tmp_path / f"good{i}.png")
    for i in range(bad):
        (tmp_path / f"bad{i}.png").write_bytes(b"")
    for i in range(there):
        photo(tmp_path / f"there{i}.png")
        photo(tmp_path / f"there{i}.color.png")
    assert colorize(weights, tmp_path) == status
    lines = tidy(capsys.readouterr().err)
    assert lines[-1] == f"{good} colored, {there} skipped (already there), {bad} failed"
    assert len(lines) == 1 + bad


def test_what_is_passed_over_is_said_and_nothing_at_all_is_no_success(weights, tmp_path, capsys):
    names = ("a.xyz1", "b.pdf", "c.PDF", "scan", "b.xmp", ".hidden", "Thumbs.db", "@eaDir/a.jpg")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    passed = "4 files of other kinds: .pdf 2, .xyz1 1, without extension 1"
    passed += "; thumbnails and trash: @eaDir 1"
    assert colorize(weights, tmp_path, "--json") == 1
    out, err = capsys.readouterr()
    reason = f"nothing to color, no photo in it; passed over: {passed}"
    assert tidy(err) == [f"{tmp_path}: {reason}"]
    record = {"path": str(tmp_path), "status": "passed_over", "reason": reason, "warnings": []}
    assert [json.loads(line) for line in tidy(out)] == [record]
    photo(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    assert colorize(weights, tmp_path, tmp_path / "empty") == 0
    assert tidy(capsys.readouterr().err) == [
        f"{tmp_path}: passed over: {passed}",
        f"{tmp_path}/empty: nothing to color, no photo in it",
        "1 colored, 0 skipped (already there), 0 failed",
    ]


def test_an_empty_shard_is_a_success(weights, tmp_path, capsys):
    photo(tmp_path / "a.png")
    statuses = [colorize(weights, tmp_path, "--shard", f"{i}/3") for i in (1, 2, 3)]
    assert statuses == [0, 0, 0]


def test_a_folder_of_outputs_alone_says_so(weights, tmp_path, capsys):
    photo(tmp_path / "a.color.png")
    assert colorize(weights, tmp_path) == 1
    (line,) = tidy(capsys.readouterr().err)
    assert line.endswith("no photo in it; passed over: outputs of earlier runs: 1")


def test_kinds_and_names_that_are_told_are_limited(weights, tmp_path, capsys):
    for i in range(300):
        (tmp_path / f"a.{i}x").touch()
    assert colorize(weights, tmp_path) == 1
    (line,) = tidy(capsys.readouterr().err)
    assert "300 files of other kinds: others 100, " in line and len(line) < 400


def test_what_is_made_anew_or_ignored_is_said(weights, tmp_path, capsys):
    for i in range(5):
        Image.fromarray(PHOTO).save(tmp_path / f"color{i}.png")
    photo(tmp_path / "a.png")
    (tmp_path / "a.color.png").touch()
    assert colorize(weights, tmp_path, "--skip-color", "--json") == 0
    out, err = capsys.readouterr()
    lines = tidy(err)
    assert lines[0] == "1 colored, 0 skipped (already there), 0 failed, 5 ignored"
    assert lines[1] == "1 made anew: the output was empty"
    assert lines[2].startswith(f"ignored, already in color: {tmp_path}/color")
    assert lines[2].endswith(" and 2 more")
    reasons = [json.loads(line).get("reason") for line in tidy(out)]
    assert sorted(reasons) == ["already in color"] * 5 + ["made anew: the output was empty"]


@pytest.mark.parametrize("out", ["scans.1912", "2024.05.01", "St. Ives", "scans", "scans.d/"])
def test_one_photo_goes_into_a_folder_whose_name_has_dots(weights, tmp_path, monkeypatch, out):
    photo(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert colorize(weights, "a.png", "-o", out) == 0
    assert os.listdir(out) == ["a.color.png"]


def test_an_extension_that_is_not_written_names_the_way_to_a_folder(weights, tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    assert colorize(weights, source, "-o", tmp_path / "x.xyz") == 1
    assert f"a folder of this name is {tmp_path}/x.xyz/" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="no such names here")
def test_pipes_by_name_are_refused_with_their_right_name(weights, tmp_path, capsys):
    source = photo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    assert colorize(weights, tmp_path / "pipe") == 1
    assert "a named pipe, not a file; give - to read a photo" in capsys.readouterr().err
    for out in ("pipe", "pipe.png"):
        assert colorize(weights, source, "-o", tmp_path / out) == 1
        assert "-o - writes into a pipe" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.png", "pipe", "pipe.png"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_private_photo_through_stdin_stays_private(weights, tmp_path, monkeypatch):
    source = photo(tmp_path / "a.png")
    source.chmod(0o600)
    with source.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert colorize(weights, "-", "-o", tmp_path / "b.png") == 0
    assert (tmp_path / "b.png").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b.png").stat().st_mtime_ns == source.stat().st_mtime_ns


def test_a_library_s_error_in_a_pipe_is_one_line(weights, tmp_path, monkeypatch, capsys):
    from pix2pix import images

    def fail(*_, **__):
        raise RuntimeError("broken inside")

    source = photo(tmp_path / "a.png")
    monkeypatch.setattr(images, "write", fail)
    assert colorize(weights, source, "-o", "-") == 1
    assert "a.png: error: RuntimeError: broken inside" in capsys.readouterr().err


def test_rerun_does_no_work_and_overwrite_does(weights, tmp_path, capsys):
    photo(tmp_path / "a.png")
    for arguments, expected in (
        ([], "1 colored, 0 skipped"),
        ([], "0 colored, 1 skipped"),
        (["--overwrite"], "1 colored, 0 skipped"),
    ):
        assert colorize(weights, tmp_path, *arguments) == 0
        assert capsys.readouterr().err.startswith(expected)
    assert colorize("no such weights", tmp_path) == 0  # none is loaded


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_name_is_one_line_and_one_record(weights, tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"no picture")
    assert colorize(weights, "--json", "--", name) == 1
    out, err = capsys.readouterr()
    lines = tidy(err)
    assert len(lines) == 2
    assert ": unsupported_format: " in lines[0]
    assert lines[0].isprintable()
    (record,) = map(json.loads, tidy(out))
    assert record["path"] == name
    assert record["code"] == "unsupported_format"
    assert out.isascii()
    photo(tmp_path / "good.png").replace(name)
    assert colorize(weights, "--", name) == 0
    assert len(os.listdir()) == 2


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a\nb\t", r"a\nb\t"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\u202egnp", r"a\u202egnp"),
        (os.fsdecode(b"a\xff"), r"a\xff"),
        ("写真 é 'x' \"y\" \\", "写真 é 'x' \"y\" \\"),
        ("\u2028\x85\u200b", r"\u2028\x85\u200b"),
    ],
)
def test_control_characters_are_escaped(path, line):
    assert console.escape(path) == line


def test_json_gives_a_record_for_every_photo(weights, tmp_path, capsys):
    photo(tmp_path / "a.gif")
    photo(tmp_path / "b.png")
    photo(tmp_path / "b.color.png")
    (tmp_path / "c.png").write_bytes(b"\xff")
    assert colorize(weights, tmp_path, "--json") == 2
    records = {
        os.path.basename(r["path"]): r for r in map(json.loads, tidy(capsys.readouterr().out))
    }
    assert records["a.gif"]["status"] == "colored"
    assert records["a.gif"]["output"] == str(tmp_path / "a.gif.color.png")
    assert records["b.png"]["status"] == "skipped"
    assert (records["c.png"]["status"], records["c.png"]["code"]) == ("failed", "unreadable")
    assert records["c.png"]["reason"]
    assert len(records) == 3


def test_warnings_are_lines_too(weights, tmp_path, capsys):
    frames = [Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert colorize(weights, tmp_path / "a.gif") == 0
    assert f"{tmp_path}/a.gif: warning: 1 further frame" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-such-option", "a.png"],
        ["a.png", "--shard", "3/2"],
        ["a.png", "--shard", "0/2"],
        ["a.png", "--shard", "x"],
        ["a.png", "--saturation", "-1"],
        ["a.png", "--temperature", "31"],
        ["a.png", "--hint", "1,2,red"],
        ["a.png", "b.png", "--hint", "1,2,#ff0000"],
        ["a.png", "--take", "-1"],
        ["a.png", "b.png", "-o", "-"],
        ["-", "b.png"],
        ["-", "--json"],
        [".", "-o", "-"],
    ],
)
def test_wrong_usage_is_exit_1(arguments, capsys):
    assert cli.main(["colorize", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Error: " in err


def test_a_photo_without_a_command_is_colored(tmp_path, monkeypatch):
    given = []
    command = next(c for c in app.registered_commands if c.callback.__name__ == "colorize")

    def colorize(photos: options.Photos, take: options.Take = None) -> None:
        given.append((photos, take))

    monkeypatch.setattr(command, "callback", colorize)
    monkeypatch.chdir(tmp_path)
    names = ("scan", "-a.png", "colorise", "train")
    for name in names:
        photo(tmp_path / "x.png").rename(name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("nothing")
    lines = {
        ("scan",): ["scan"],
        ("colorise", "b.png"): ["colorise", "b.png"],  # a file that is there goes before advice
        ("folder", "--take", "3"): ["folder"],
        ("broken",): ["broken"],
        ("--", "-a.png"): ["-a.png"],
        ("./train",): ["./train"],
        ("missing.jpg",): ["missing.jpg"],
        ("missing/a",): ["missing/a"],
        ("*.png",): ["*.png"],
        ("-",): ["-"],
    }
    for arguments, photos in lines.items():
        assert cli.main([*arguments]) == 0
        assert given.pop() == (photos, 3 if "--take" in arguments else None)
    assert cli.main(["--scan"]) == 1 and not given


def test_unknown_command_and_no_command_are_exit_1(capsys):
    assert cli.main(["colorise"]) == 1
    assert "Did you mean `pix2pix colorize`?" in capsys.readouterr().err
    assert cli.main([]) == 1
    assert "colorize" in "".join(capsys.readouterr())


def test_bad_weights_and_devices_are_one_line(weights, tmp_path, capsys):
    photo(tmp_path / "a.png")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"rubbish")
    for source in (str(tmp_path / "missing.safetensors"), str(broken)):
        assert colorize(source, tmp_path) == 1
        (line,) = tidy(capsys.readouterr().err)
        assert line.startswith(f"{source}: weights: ")
        assert f"weights: {source}" not in line
    assert cli.main(["colorize", str(tmp_path), "--weights", weights, "--device", "abacus"]) == 1
    (line,) = tidy(capsys.readouterr().err)
    assert line.startswith("abacus: device: ")
    assert not (tmp_path / "a.color.png").exists()


def test_weights_that_translate_are_sent_to_their_own_command(tmp_path, capsys, monkeypatch):
    from pix2pix.app.service import server
    from pix2pix.nets import build_generator
    from pix2pix.weights import Header, save

    net = build_generator(
        {"net": "UNet", "width": 2, "depth": 3, "in_channels": 3, "out_channels": 3}
    )
    source = str(tmp_path / "maps.safetensors")
    save(source, net, Header(net.config, name="maps", head="rgb", task="translate"))
    photo(tmp_path / "photos" / "a.png")
    folder, space = str(tmp_path / "photos"), str(tmp_path / "space")
    for arguments in (
        ["colorize", folder, "--weights", source, "--device", "cpu"],
        ["evaluate", folder, "--weights", source],
        ["export", source, "space", space],
        ["export", source, "hub", "owner/name"],
    ):
        assert cli.main(arguments) == 1
        (line,) = tidy(capsys.readouterr().err)
        assert line == (
            f"{source}: weights: these weights do not color: they translate pictures, with "
            "`pix2pix translate`"
        )
    assert not Path(space).exists()
    monkeypatch.setattr(server, "run_service", lambda load, settings: load())
    with pytest.raises(WeightsError, match="maps.safetensors: these weights do not color"):
        cli.main(["serve", "--weights", source, "--device", "cpu"])


def test_options_reach_reader_and_writer(weights, tmp_path, capsys):
    whole = photo(tmp_path / "a.jpg", (200, 100)).read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    assert colorize(weights, tmp_path) == 1
    assert ": truncated: " in capsys.readouterr().err
    assert colorize(weights, tmp_path, "--max-pixels", "100", "--allow-truncated") == 1
    assert ": too_large: " in capsys.readouterr().err
    assert colorize(weights, tmp_path, "--allow-truncated") == 0
    assert "warning" in capsys.readouterr().err


def test_gps_is_kept_only_with_keep_gps_and_by_its_former_name(weights, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a street"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", exif=exif)
    for arguments, kept in (([], False), (["--keep-gps"], True), (["--keep-metadata"], True)):
        assert colorize(weights, tmp_path / "a.jpg", "--overwrite", *arguments) == 0
        found = Image.open(tmp_path / "a.color.jpg").getexif()
        assert found[0x010E] == "a street"
        assert bool(found.get_ifd(0x8825)) is kept


def test_out_all_follow_shard_and_skip_color(weights, tmp_path, capsys):
    photo(tmp_path / "in/b/a.png")
    shutil.copy(photo(tmp_path / "scan.png"), tmp_path / "in/scan")
    (tmp_path / "in/link.png").symlink_to(tmp_path / "scan.png")
    Image.fromarray(PHOTO).save(tmp_path / "in/color.png")
    arguments = [tmp_path / "in", "-o", tmp_path / "out", "--all", "--follow", "--skip-color"]
    for part in ("1/2", "2/2"):
        assert colorize(weights, *arguments, "--shard", part) == 0
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")}
    assert found == {"b/a.color.png", "scan.color.png", "link.color.png"}
    assert "1 ignored" in capsys.readouterr().err


def test_pipes(weights, tmp_path, capsysbinary, monkeypatch):
    source = photo(tmp_path / "a.jpg")
    assert colorize(weights, source) == 0
    capsysbinary.readouterr()
    expected = (tmp_path / "a.color.jpg").read_bytes()
    assert colorize(weights, source, "-o", "-") == 0
    assert capsysbinary.readouterr() == (expected, b"")
    for arguments in (["-"], ["-", "-o", "-"], ["-", "-o", tmp_path / "b.jpg"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source.read_bytes())))
        assert colorize(weights, *arguments) == 0
        assert capsysbinary.readouterr().out == (
            expected if len(arguments) < 3 or arguments[2] == "-" else b""
        )
    assert (tmp_path / "b.jpg").read_bytes() == expected
    for data, code in ((b"", b"unreadable"), (b"no picture", b"unsupported_format")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert colorize(weights, "-") == 1
        out, err = capsysbinary.readouterr()
        assert out == b""
        assert err.startswith(b"-: " + code + b": ")


def test_what_stands_beside_a_photo_goes_through_a_pipe_too(weights, tmp_path, capsysbinary):
    source = photo(tmp_path / "a.jpg")
    rights = b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="box 3"/>'
    space = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    (tmp_path / "a.jpg.xmp").write_bytes(space + rights + b"</rdf:RDF>")
    assert colorize(weights, source) == 0
    expected = (tmp_path / "a.color.jpg").read_bytes()
    assert b"box 3" in expected
    capsysbinary.readouterr()
    for more in ((), ("--pages", "all")):
        assert colorize(weights, source, "-o", "-", *more) == 0
        assert capsysbinary.readouterr().out == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.png", "-o", "-", "--skip-color"],
        ["-", "--sidecars"],
        ["-", "-o", "b.png", "--shard", "1/2"],
    ],
)
def test_what_a_pipe_has_no_place_for_is_said(arguments, capsys):
    assert cli.main(["colorize", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--skip-color, --sidecars and --shard are not for pipes" in err


def test_a_picture_is_not_written_to_a_terminal(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert colorize(weights, photo(tmp_path / "a.png"), "-o", "-") == 1
    assert "terminal" in capsys.readouterr().err


def test_bar_only_on_a_terminal(weights, tmp_path, capsys, monkeypatch):
    for name in "abc":
        photo(tmp_path / f"{name}.png")
    assert colorize(weights, tmp_path) == 0
    assert "photo" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert colorize(weights, tmp_path, "--overwrite") == 0
    assert "3/3" in capsys.readouterr().err


def test_evaluate_prints_the_table_and_writes_json(weights, tmp_path, capsys):
    for i in range(3):
        crop = skimage.data.astronaut()[60 * i : 60 * i + 64, 180:244]
        (tmp_path / "data").mkdir(exist_ok=True)
        Image.fromarray(crop).save(tmp_path / f"data/{i}.png")
    metrics = tmp_path / "metrics.json"
    arguments = ["evaluate", str(tmp_path / "data"), "--weights", weights, "--size", "64"]
    assert cli.main([*arguments, "--json", str(metrics)]) == 0
    out, _ = capsys.readouterr()
    lines = tidy(out)
    assert [line.split()[0] for line in lines[1:9:2]] == ["gray", "sepia", "model", "truth"]
    assert lines[10] == "3 photos at 64 px, model tiny"
    result = json.loads(metrics.read_text())
    assert result["model"] == "tiny"
    assert f"{result['rows']['model']['psnr']:.2f}" in lines[5]
    assert [photo["path"] for photo in result["photos"]] == ["0.png", "1.png", "2.png"]
    (tmp_path / "data/bad.png").write_bytes(b"")
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert tidy(err) == [f"{tmp_path}/data/bad.png: unreadable: the file is empty"]


def test_evaluate_ends_in_one_line(weights, tmp_path, capsys, monkeypatch):
    (tmp_path / "data").mkdir()
    Image.fromarray(PHOTO).save(tmp_path / "data/a.png")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for arguments, start in {
        ("empty",): "empty: unreadable: ",
        ("missing",): "missing: unreadable: ",
        ("data", "--features", "missing.safetensors"): "missing.safetensors: weights: ",
        ("data", "--features", weights): f"{weights}: weights: ",
        ("data", "--json", "no/folder.json"): "no/folder.json: permission: ",
        ("data", "--weights", "nothing"): "nothing: weights: ",
    }.items():
        status = cli.main(["evaluate", "--size", "32", "--weights", weights, *arguments])
        (line,) = tidy(capsys.readouterr().err)
        assert (status, line[: len(start)]) == (1, start)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["recipe=unet_l1", "recipe.l1=30", "+trainer.x='a b'"],
        ["--multirun", "recipe=pix2pix,unet_l1"],
        ["--cfg", "job", "-m", "data=x"],
        ["--help"],
        ["-h"],
        ["x=1", "--config-name", "other", "-cn=y", "--version", "~data.z"],
    ],
)
def test_train_passes_everything_through(arguments, monkeypatch):
    given = []
    train = type(sys)("pix2pix.train.__main__")
    train.main = lambda overrides: given.append(overrides) or 7
    monkeypatch.setitem(sys.modules, train.__name__, train)
    assert cli.main(["train", *arguments]) == 7
    assert given == [arguments]


SOURCE = {"size": len(DATA), "md5": hashlib.md5(DATA).hexdigest(), "md5_bytes": None}
SOURCE |= {"unpacked": 10**5, "pictures": "12 photos", "folder": "set", "terms": "be kind"}


@pytest.fixture
def server(monkeypatch):
    """A server of the source "set"."""
    from pix2pix import download
    from pix2pix.download import SOURCES, Source

    monkeypatch.setattr(download, "MARGIN", 0)
    with serve() as state:
        monkeypatch.setitem(SOURCES, "set", Source(url=state.url, **SOURCE))
        yield state


def test_download_prints_the_terms_and_the_folder(server, tmp_path, capsys):
    for _ in range(2):
        assert cli.main(["download", "set", str(tmp_path)]) == 0
        assert capsys.readouterr() == (f"{tmp_path}/set\n", "set: be kind\n")
    assert len(list((tmp_path / "set").rglob("*.JPEG"))) == len(PICTURES)
    assert len(server.asked) == 1
    other = tmp_path / "b"
    arguments = ["--keep", "--url", f"{server.url}?mirror"]
    assert cli.main(["download", "set", str(other), *arguments]) == 0
    assert (other / "set.tgz").read_bytes() == DATA


def test_download_ends_in_one_line(server, tmp_path, capsys):
    server.statuses = [404]
    for arguments, line in {
        ("imagenet",): "imagenet: download: no such source; there are imagenette, coco, "
        "coco2017, photochrom, tiny_imagenet, cifar10, flowers, facades, maps, edges2shoes, set",
        ("set",): f"set: download: {server.url}: HTTP 404 Not Found",
        ("set", "--url", "file:///x\ny"): "set: download: file:///x\\ny: not an address of the web",
    }.items():
        name, *options = arguments
        assert cli.main(["download", name, str(tmp_path), *options]) == 1
        out, err = capsys.readouterr()
        lines = [each for each in tidy(err) if each != "set: be kind"]
        assert (out, len(lines)) == ("", 1)
        assert lines[0].startswith(line)
    assert cli.main(["download", "set"]) == 1


def test_download_help_lists_the_registry(server, capsys):
    from pix2pix.download import SOURCES

    assert cli.main(["download", "--help"]) == 0
    out, _ = capsys.readouterr()
    archives = {"imagenette", "coco", "coco2017", "tiny_imagenet", "cifar10", "flowers", "set"}
    assert archives | {"photochrom", "facades", "maps", "edges2shoes"} == set(SOURCES)
    for name, source in SOURCES.items():
        line = f"{name}: {source.pictures} ({source.size / 1e9:.2f} GB). Terms: {source.terms}."
        assert "".join(line.split()) in "".join(out.split())  # wherever the lines are broken


@pytest.mark.slow
def test_ctrl_c_in_a_download_leaves_something_to_go_on_from(server, tmp_path, capsys):
    server.pause = threading.Event()
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pix2pix import cli, download; from pix2pix.download import SOURCES, Source\n"
        "download.MARGIN = 0\n"
        f"SOURCES['set'] = Source(url={server.url!r}, **{SOURCE!r})\n"
        f"sys.exit(cli.main(['download', 'set', {str(tmp_path)!r}]))"
    )
    process = subprocess.Popen([warm.python(), "-c", code], stderr=subprocess.PIPE, text=True)
    part, until = tmp_path / ".set.tgz.part.json", time.monotonic() + 60
    while not part.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)  # for the first half to arrive
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    server.pause.set()
    assert process.returncode == 130
    assert tidy(err) == ["set: be kind", "set: stopped; the same command goes on from here"]
    assert (tmp_path / ".set.tgz.part").read_bytes() == DATA[: len(DATA) // 2]
    server.pause = None
    assert cli.main(["download", "set", str(tmp_path)]) == 0
    assert server.asked[-1]["Range"] == f"bytes={len(DATA) // 2}-"


def start(weights: str, folder: Path, *arguments: str) -> subprocess.Popen:
    def hear_ctrl_c() -> None:  # which shells silence for what runs in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [warm.python(), *COMMAND[1:], "colorize", str(folder), "--weights", weights]
    command += ["--device", "cpu", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)


def outputs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.color.*"))


def assert_whole(paths: list[Path], size: tuple[int, int]) -> None:
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.size == size


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "ctrl-c"])
def test_a_killed_run_leaves_no_truncated_output_and_is_continued(weights, tmp_path, sign):
    size, count = (640, 480), 30
    first = photo(tmp_path / "in/000.png", size)
    for i in range(1, count):
        shutil.copy(first, tmp_path / f"in/{i:03}.png")
    out = tmp_path / "out"
    for done in (1, 5, 14):
        process = start(weights, tmp_path / "in", "-o", str(out))
        until = time.monotonic() + 300
        while len(outputs(out)) < done and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(sign)
        _, err = process.communicate(timeout=300)
        assert process.returncode == (-9 if sign == signal.SIGKILL else 130)
        assert "Traceback" not in err
        assert done <= len(outputs(out)) < count
        assert_whole(outputs(out), size)
        if sign == signal.SIGINT:
            assert not list(out.rglob("*.tmp"))
            assert "colored" in err
    before = len(outputs(out))
    process = start(weights, tmp_path / "in", "-o", str(out))
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert err.startswith(f"{count - before} colored, {before} skipped")
    assert len(outputs(out)) == count
    assert_whole(outputs(out), size)


@pytest.mark.slow
def test_a_thousand_good_and_a_hundred_bad(weights, tmp_path, capsys):
    rng = np.random.default_rng(0)
    good = [photo(tmp_path / f"seed.{kind}").read_bytes() for kind in ("jpg", "png", "webp", "tif")]
    bad = [b"", b"\xff\xd8", b"no picture", good[0][:300], good[1][:200], rng.bytes(4096)]
    (tmp_path / "in").mkdir()
    for i in range(1000):
        folder = tmp_path / "in" / str(i % 7)
        folder.mkdir(exist_ok=True)
        (folder / f"{i:04}.{('jpg', 'png', 'webp', 'tif')[i % 4]}").write_bytes(good[i % 4])
    for i in range(100):
        (tmp_path / f"in/bad{i:03}.jpg").write_bytes(bad[i % len(bad)])
    out = tmp_path / "out"
    begin = time.perf_counter()
    assert colorize(weights, tmp_path / "in", "-o", out, "--json") == 2
    first = time.perf_counter() - begin
    records = [json.loads(line) for line in tidy(capsys.readouterr().out)]
    assert [r["status"] for r in records].count("colored") == 1000
    assert sum("code" in r for r in records) == 100
    assert len(outputs(out)) == len(list(out.rglob("*.*"))) == 1000
    assert_whole(outputs(out), (40, 30))
    stamps = {p: p.stat().st_mtime_ns for p in outputs(out)}
    begin = time.perf_counter()
    assert colorize(weights, tmp_path / "in", "-o", out) == 2
    again = time.perf_counter() - begin
    err = tidy(capsys.readouterr().err)
    assert err[-1] == "0 colored, 1000 skipped (already there), 100 failed"
    assert len(err) == 101
    assert stamps == {p: p.stat().st_mtime_ns for p in outputs(out)}
    with capsys.disabled():
        print(f"\n1,000 good and 100 bad photos: {first:.1f} s, again {again:.1f} s")


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (["--root-path", "photos"], "photos: give a path such as /photos"),
        (["--cors", "*"], "*: give an origin such as https://example.org"),
        (["--cors", "https://a.org", "--cors", "a.org"], "a.org: give an origin such as"),
    ],
)
def test_serve_says_what_a_place_looks_like(option, reason, capsys):
    assert cli.main(["serve", *option]) == 1
    assert reason in capsys.readouterr().err


def test_serve_passes_on_where_it_is(monkeypatch):
    from pix2pix.app.service import server as serve

    taken = []
    monkeypatch.setattr(serve, "run_service", lambda load, settings: taken.append(settings))
    asked = ["--root-path", "/photos/", "--cors", "https://A.org", "--cors", "http://b.org:8080"]
    assert cli.main(["serve", *asked]) == 0
    assert taken[0].root_path == "/photos"
    assert taken[0].cors == ["https://a.org", "http://b.org:8080"]
