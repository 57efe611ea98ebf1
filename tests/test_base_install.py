"""What `pip install pix2pix-color` gives: photos are colored without torch, the rest is one line.

Every command runs in a real virtual environment with the base dependencies alone.
"""

import io
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from base_install import BaseInstall, install
from PIL import Image
from places import ROOT

from pix2pix.cli.__main__ import app

pytestmark = pytest.mark.slow
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
MOST = 300e6  # [bytes] of site-packages
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseInstall]:
    yield install(tmp_path_factory.mktemp("base"))


@pytest.fixture
def pix2pix(base: BaseInstall, tmp_path: Path):
    """Run the installed command in an empty folder -> (status, stdout, lines of stderr)."""

    def run(*arguments: str | Path, data: bytes = b"") -> tuple[int, bytes, list[str]]:
        done = base.run("pix2pix", *arguments, cwd=tmp_path, data=data)
        err = done.stderr.decode()
        assert not os.listdir(base.home)  # where ONNX Runtime keeps what it tells its makers
        assert "Traceback" not in err and "Traceback" not in done.stdout.decode("latin-1"), err
        return done.returncode, done.stdout, err.splitlines()

    return run


def photo(path: Path, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(skimage.data.camera()).resize(size).save(path)
    return path


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def is_in_color(path: Path | io.BytesIO) -> bool:
    with Image.open(path) as image:
        assert image.size == (96, 64)
        extrema = [image.convert("YCbCr").getchannel(i).getextrema() for i in (1, 2)]
    return any(high - low > 5 for low, high in extrema)


# ---- what is installed


def test_it_is_small_and_without_torch(base: BaseInstall, tmp_path: Path) -> None:
    size = sum(p.lstat().st_size for p in base.packages.rglob("*"))
    assert size <= MOST, f"{size / 1e6:.0f} MB"
    names = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in PROJECT["dependencies"]}
    installed = {p.name.partition("-")[0].lower() for p in base.packages.glob("*.dist-info")}
    assert {n.lower() for n in names} <= installed
    for heavy in ("torch", "torchvision", "gradio", "huggingface_hub", "matplotlib", "jinja2"):
        done = base.run("python", "-c", f"import {heavy}", cwd=tmp_path)
        assert done.returncode == 1 and b"ModuleNotFoundError" in done.stderr, heavy


def test_the_wheel_holds_the_weights_that_color_and_nothing_for_the_course(
    base: BaseInstall,
) -> None:
    names = base.in_wheel()
    kept = {p.name for p in (ROOT / "pix2pix" / "pretrained").glob("default.*")} | {"README.md"}
    pretrained = {n.rpartition("/")[2] for n in names if n.startswith("pix2pix/pretrained/")}
    assert "default.safetensors" in kept and pretrained - {"__init__.py"} == kept
    assert not [n for n in names if "test" in n.lower() or "__pycache__" in n]
    assert {n.partition("/")[0] for n in names if "dist-info" not in n} == {"pix2pix"}
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "pix2pix").rglob("*.py")}
    assert code <= set(names)
    data = {".yaml", ".html", ".css", ".js", ".md", ".csv"}
    rest = {p for p in (ROOT / "pix2pix").rglob("*") if p.suffix in data}
    assert {str(p.relative_to(ROOT)) for p in rest} <= set(names)


def test_both_names_of_the_command_are_there(base: BaseInstall, tmp_path: Path) -> None:
    said = {base.run(n, "--version", cwd=tmp_path).stdout for n in ("pix2pix", "pix2pix-color")}
    assert said == {f"pix2pix {PROJECT['version']}\n".encode()}


# ---- every command, with and without what it asks for


@pytest.mark.parametrize("command", sorted(COMMANDS - {"train"}))
def test_help_needs_no_extra(pix2pix, command: str) -> None:
    status, out, err = pix2pix(command, "--help")
    assert (status, err) == (0, []) and f"pix2pix {command} ".encode() in out


def test_help_names_every_command(pix2pix) -> None:
    status, out, err = pix2pix("--help")
    assert (status, err) == (0, [])
    assert set(re.findall(r"^  ([a-z]+)  ", out.decode(), re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS - {"train", "serve", "doctor"}))
def test_a_command_without_its_arguments_says_how_it_is_used(pix2pix, command: str) -> None:
    status, out, err = pix2pix(command)
    assert (status, out) == (1, b"")
    assert err[0].startswith(f"Usage: pix2pix {command}") and err[-1].startswith("Error: ")


NEEDS = [
    (["train"], "train"),
    (["train", "--help"], "train"),
    (["train", "data.path=photos", "recipe=pix2pix"], "train"),
    (["serve"], "app"),
    (["serve", "--port", "0", "--metrics"], "app"),
    (["serve", "--no-page", "--port", "0"], "api"),
    (["evaluate", "photos"], "torch"),
    (["evaluate", "photos", "--html", "page.html"], "train"),
    (["evaluate", "photos", "--torchmetrics"], "train"),
    (["report", "default", "report"], "train"),
    (["report", "--sheet", "photos", "-o", "sheet.png"], "train"),
    (["report", "--blind", "photos", "-o", "page.html"], "train"),
    (["convert", "theirs.pth", "--recipe", "unet_large"], "torch"),
    (["download", "flowers", "data"], "train"),
    (["export", "default", "space", "space"], "torch"),
    (["export", "default", "hub", "owner/name"], "torch"),
    (["export", "default", "onnx", "default.onnx"], "train"),
    (["export", "default", "onnx", "a.onnx", "--int8", "--data", "photos"], "train"),
    (["prune", "default", "small.safetensors", "--data", "photos"], "train"),
    (["gates", "default", "default", "--data", "photos"], "torch"),
    (["translate", "a.png", "--weights", "theirs.safetensors"], "torch"),
    (["translate", "photos", "-o", "out", "--weights", "theirs.safetensors"], "torch"),
    (["translate", "a.png", "--weights", "owner/name"], "torch"),
    (["colorize", "a.png", "--weights", "theirs.safetensors"], "torch"),
    (["colorize", "photos", "-o", "out", "--weights", "theirs.safetensors"], "torch"),
    (["colorize", "a.png", "-o", "-", "--weights", "theirs.safetensors"], "torch"),
    (["colorize", "a.png", "--weights", "owner/name"], "torch"),
    (["colorize", "a.png", "--engine", "torch"], "torch"),
    (["colorize", "a.png", "--engine", "openvino"], "fast"),
]


@pytest.mark.parametrize(("arguments", "extra"), NEEDS, ids=[" ".join(a) for a, _ in NEEDS])
def test_a_missing_extra_is_one_line(pix2pix, tmp_path, arguments: list[str], extra: str) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "photos" / "b.png")
    weights = ROOT / "pix2pix" / "pretrained" / "pix2pix.safetensors"
    (tmp_path / "theirs.safetensors").symlink_to(weights)
    (tmp_path / "theirs.pth").write_bytes(b"")
    before = files_in(tmp_path)
    status, out, err = pix2pix(*arguments)
    assert (status, out) == (1, b"")
    (line,) = err
    assert re.findall(r"pip install 'pix2pix-color\[(\w+)\]'", line) == [extra]
    assert extra in EXTRAS
    assert files_in(tmp_path) == before  # nothing half made


def test_a_module_as_a_program_is_one_line_too(base: BaseInstall, tmp_path: Path) -> None:
    done = base.run("python", "-m", "pix2pix.train", cwd=tmp_path)
    needs = b"pix2pix train: training needs: pip install 'pix2pix-color[train]'\n"
    assert (done.returncode, done.stderr) == (1, needs)


@pytest.mark.parametrize("name", ["pix2pix", "pix2pix-l1"])
def test_the_course_s_weights_are_one_line(pix2pix, tmp_path: Path, name: str) -> None:
    photo(tmp_path / "a.png")
    status, out, (line,) = pix2pix("colorize", "a.png", "--weights", name)
    assert (status, out) == (1, b"")
    assert line.startswith(f"{name}: weights: not in this package; give the path of a file of ")
    assert line.endswith("/pix2pix/pretrained, with the extra torch")


# ---- the doctor


def test_the_doctor_says_what_is_here(pix2pix) -> None:
    status, out, err = pix2pix("doctor", "--json")
    assert (status, err) == (0, [])
    facts = json.loads(out)
    assert facts["version"] == PROJECT["version"]
    assert facts["engines"]["openvino"] is None and facts["engines"]["torch"] is None
    assert facts["engine"] == "onnx" and facts["engines"]["onnx"]["devices"] == ["cpu"]
    assert all(facts["reads"].values()) and {"HEIF", "AVIF", "JPEG2000"} <= set(facts["reads"])
    assert facts["writes"]["JPEG"] and "HEIF" not in facts["writes"]
    assert list(facts["weights"]) == ["default"]
    assert set(facts["extras"]) == set(EXTRAS)
    for name, extra in facts["extras"].items():
        assert extra["missing"], name
        assert extra["install"] == f"pip install 'pix2pix-color[{name}]'"
    status, out, err = pix2pix("doctor")
    assert (status, err) == (0, [])
    text = out.decode()
    assert re.search(r"^auto takes  onnx: ", text, re.MULTILINE)
    assert "openvino: not installed" in text and "torch: pip install 'pix2pix-color[torch]'" in text
    assert len(text.splitlines()) < 30


# ---- without a command: the photo


def test_what_is_no_command_and_no_photo_is_one_message(pix2pix) -> None:
    for word, said in {
        "colorise": "'colorise' is no command, and no file here. Did you mean `pix2pix colorize`?",
        "evalute": "'evalute' is no command, and no file here. Did you mean `pix2pix evaluate`?",
        "quux": "'quux' is no command, and no file here.",
    }.items():
        status, out, err = pix2pix(word)
        assert (status, out, err[-1]) == (1, b"", f"Error: {said}")
    status, _, err = pix2pix("old.jpg")
    assert status == 1 and err[0].startswith("old.jpg: unreadable: ")
    status, _, err = pix2pix("--colorise")
    assert status == 1 and err[-1] == "Error: No such option: --colorise"


# ---- coloring


COLORED = ["1 colored, 0 skipped (already there), 0 failed"]


@pytest.mark.parametrize("command", [["colorize"], []], ids=["colorize", "no command"])
@pytest.mark.parametrize(
    "more", [[], ["--hint", "20,20,#762a28"], ["--take", "2"], ["--engine", "onnx"]], ids=" ".join
)
def test_coloring_a_photo(pix2pix, tmp_path: Path, command: list[str], more: list[str]) -> None:
    photo(tmp_path / "a.jpg")
    assert pix2pix(*command, "a.jpg", *more) == (0, b"", COLORED)
    assert is_in_color(tmp_path / "a.color.jpg")


def test_coloring_with_hints_and_takes_differs(pix2pix, tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    found = set()
    for more in ([], ["--hint", "20,20,#762a28"], ["--take", "1"], ["--take", "2"]):
        assert pix2pix("a.png", "--overwrite", *more)[0] == 0
        found.add((tmp_path / "a.color.png").read_bytes())
    assert len(found) == 4


def test_coloring_a_folder_and_a_glob(pix2pix, tmp_path: Path) -> None:
    for name in ("a.jpg", "b/c.png", "b/d.tif"):
        photo(tmp_path / "scans" / name)
    assert pix2pix("scans", "-o", "out")[0] == 0
    made = sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert [p.name for p in made] == ["a.color.jpg", "c.color.png", "d.color.tif"]
    assert all(map(is_in_color, made))
    assert pix2pix("scans", "-o", "out")[2][-1].startswith("0 colored, 3 skipped")
    assert pix2pix("scans/b/*.png", "-o", "png")[0] == 0
    assert [p.name for p in (tmp_path / "png").iterdir()] == ["c.color.png"]


def test_coloring_in_a_pipe(pix2pix, tmp_path: Path) -> None:
    data = photo(tmp_path / "a.jpg").read_bytes()
    for arguments in (["colorize", "-", "-o", "-"], ["-"], ["-", "-o", "-"]):
        status, out, err = pix2pix(*arguments, data=data)
        assert (status, err) == (0, [])
        assert is_in_color(io.BytesIO(out))


def test_coloring_names_that_begin_with_a_dash_or_are_commands(pix2pix, tmp_path: Path) -> None:
    photo(tmp_path / "-a.png")
    photo(tmp_path / "train" / "b.png")
    assert pix2pix("--", "-a.png") == (0, b"", COLORED)
    assert is_in_color(tmp_path / "-a.color.png")
    assert pix2pix("./train") == (0, b"", COLORED)
    assert is_in_color(tmp_path / "train" / "b.color.png")


def test_coloring_from_python(base: BaseInstall, tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    code = (
        "import sys; from pix2pix import Colorizer; c = Colorizer.from_pretrained();"
        "c('a.jpg', hints=[(20, 20, (118, 42, 40))]).save('b.jpg');"
        "print(sorted(n for n in ('torch', 'typer', 'tqdm', 'pydantic') if n in sys.modules))"
    )
    done = base.run("python", "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"[]\n"), done.stderr
    assert is_in_color(tmp_path / "b.jpg")
