"""Standard streams that are closed, broken or old, and packages that are missing: no traceback."""

import importlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import COMMAND, photo, tidy, weights  # noqa: F401

from pix2pix import cli, terminal
from pix2pix.cli import packages

posix = pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
    """As at home: without a buffer nothing is left in it that could fail again at the end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def shell(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script in sh; `$0` is Python, `$@` the arguments."""
    command = ["sh", "-c", script, sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_do_no_harm(weights, tmp_path, closed):  # noqa: F811
    source = photo(tmp_path / "a.png")
    colorize = f'"$0" -m pix2pix.cli colorize "$1" --weights "$2" --device cpu {closed}'
    done = shell(colorize, source, weights)
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(os.listdir(tmp_path)) == ["a.color.png", "a.png"]
    assert (tmp_path / "a.color.png").read_bytes()[:4] == b"\x89PNG"  # nothing was printed into it
    missing = shell(f'"$0" -m pix2pix.cli colorize "$1" --json {closed}', tmp_path / "no.png")
    assert missing.returncode == 1
    assert "Traceback" not in missing.stdout + missing.stderr


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    code = "import os; from pix2pix import terminal; terminal.prepare(); "
    code += "print(os.open(os.devnull, os.O_RDONLY), file=open('out', 'w'))"
    command = f"cd '{tmp_path}' && '{sys.executable}' -c \"{code}\" <&- >&- 2>&-"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    subprocess.run(["sh", "-c", command], check=True, env=environment)
    assert int((tmp_path / "out").read_text()) > 2


def test_python_without_a_console_has_no_streams(monkeypatch):
    """As pythonw on Windows."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert cli.main(["--version"]) == 0
    assert cli.main(["colorize", "no/such.png"]) == 1


@pytest.mark.slow
@posix
@pytest.mark.parametrize("stream", ["", "2>&1"])
def test_a_reader_that_has_seen_enough_is_no_traceback(tmp_path, stream):
    for i in range(40):
        (tmp_path / f"{i}.png").touch()
    command = f'"$0" -m pix2pix.cli colorize --json "$1" {stream} | head -1'
    done = shell(command, tmp_path)
    assert len(tidy(done.stdout)) == 1
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.slow
@posix
def test_a_reader_that_is_gone_from_the_start_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "--version"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")
def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "--version"], stdout=full, stderr=-1, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and len(tidy(done.stderr)) == 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "iso-8859-1", "cp932"])
def test_names_that_an_encoding_lacks_are_escaped(monkeypatch, encoding):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    terminal.prepare()
    for stream in (out, err):
        print("写真 ΔE \udcff é", file=stream, flush=True)
        assert stream.buffer.getvalue().decode(encoding)
    assert cli.main(["colorize", "写真 Δ é.png"]) == 1


class Hidden:
    """What makes packages unfindable, as on a machine without them."""

    def __init__(self, *names: str):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def hide(monkeypatch):
    """A function that hides packages, and forgets what of ours was imported with them."""

    def hide(*names: str) -> None:
        for name in list(sys.modules):
            first, _, rest = name.partition(".")
            ours = ("app.service", "app.page", "train", "report.evaluation_page", "report.charts")
            if first in names or first == "pix2pix" and rest.startswith(ours):
                monkeypatch.delitem(sys.modules, name)
        for name in ("app.service", "app.page", "train"):
            monkeypatch.delattr(f"pix2pix.{name}", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Hidden(*names), *sys.meta_path])
        importlib.invalidate_caches()

    return hide


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "hidden", "advice"),
    [
        (["train", "--help"], "lightning", "pip install 'pix2pix-color[train]'"),
        (["train", "--help"], "hydra", "pip install 'pix2pix-color[train]'"),
        (["train", "--help"], "omegaconf", "pip install 'pix2pix-color[train]'"),
        (["serve"], "fastapi", "pip install 'pix2pix-color[api]'"),
        (["serve"], "uvicorn", "pip install 'pix2pix-color[api]'"),
    ],
)
def test_a_command_without_its_packages_says_so(hide, capsys, arguments, hidden, advice):
    hide(hidden)
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err
    assert advice in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("module", "hidden", "extra"),
    [("train.loop", "lightning", "train"), ("app.service.server", "fastapi", "api")],
)
def test_a_module_without_its_packages_says_so(hide, module, hidden, extra):
    hide(hidden)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'pix2pix-color\[{extra}\]'"):
        importlib.import_module(f"pix2pix.{module}")


@pytest.mark.slow
def test_a_service_whose_weights_need_a_package_ends_and_says_so(monkeypatch, capsys):
    from pix2pix.colorize import Colorizer

    def miss(*_, **__):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(Colorizer, "from_pretrained", miss)
    assert cli.main(["serve", "--no-page", "--port", "0"]) == 1
    (line,) = tidy(capsys.readouterr().err)
    assert line.endswith(
        "package torch, which is not installed: pip install 'pix2pix-color[torch]'"
    )


@pytest.mark.parametrize("command", ["colorize", "evaluate", "report", "convert", "export"])
@pytest.mark.parametrize("module", ["huggingface_hub", "matplotlib", "gradio", "tensorboard"])
def test_any_command_that_misses_a_package_is_one_line(monkeypatch, capsys, command, module):
    def miss(*_, **__):
        raise ModuleNotFoundError(f"No module named '{module}.x'", name=f"{module}.x")

    monkeypatch.setattr("pix2pix.cli.__main__.app", miss)
    assert cli.main([command]) == 1
    (line,) = tidy(capsys.readouterr().err)
    assert line.startswith(f"this needs the package {module}, which is not installed: pip install ")


def test_a_missing_module_of_our_own_is_a_fault(monkeypatch):
    def miss(*_, **__):
        raise ModuleNotFoundError("No module named 'pix2pix.no'", name="pix2pix.no")

    monkeypatch.setattr("pix2pix.cli.__main__.app", miss)
    with pytest.raises(ModuleNotFoundError):
        cli.main([])


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("lightning", "train"),
        ("hydra", "train"),
        ("omegaconf", "train"),
        ("matplotlib", "train"),
        ("gradio", "app"),
        ("fastapi", "api"),
        ("python_multipart", "api"),
        ("multipart", "api"),
        ("prometheus_client", "api"),
        ("wandb", "wandb"),
        ("submitit", "slurm"),
        ("torch", "torch"),
        ("huggingface_hub", "torch"),
        ("yaml", "torch"),
        ("filelock", "torch"),
        ("onnxscript", "train"),
        ("skimage", "notebook"),
        ("openvino", "fast"),
        ("pi_heif", None),
        ("onnxruntime", None),
        ("no_such", None),
    ],
)
def test_extras_are_those_of_the_package_s_metadata(module, extra):
    assert packages.extra(module) == extra


@pytest.mark.parametrize(
    ("module", "command", "what"),
    [
        ("torch", "evaluate", "'pix2pix-color[torch]'"),
        ("torch", "train", "'pix2pix-color[train]'"),  # which brings it, by way of [torch]
        ("filelock", "download", "'pix2pix-color[train]'"),
        ("fastapi", "serve", "'pix2pix-color[app]'"),
        ("gradio", "train", "'pix2pix-color[app]'"),  # [train] does not bring it
        ("PIL", "colorize", "pillow"),
    ],
)
def test_a_command_names_the_extra_that_brings_all_it_misses(module, command, what):
    said = packages.line(ModuleNotFoundError("no", name=module), command)
    assert said is not None and said.endswith(f"not installed: pip install {what}")
