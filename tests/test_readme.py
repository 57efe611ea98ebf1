"""The README's commands and code run as they stand, on small stand-ins for the reader's files."""

import re
import tomllib
from pathlib import Path

import mypy.api
import numpy as np
import pytest
import skimage.data
from clips import Clip
from PIL import Image
from places import ROOT
from shell import run
from test_colorize_translator import make_weights
from torture.bucket import serving

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(blocks("bash")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.startswith("pix2pix ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder: photos, scans/, photos/, and maps/ with weights that translate them."""
    gray = Image.fromarray(skimage.data.camera()).resize((96, 64))
    gray.save(tmp_path / "old.jpg")
    gray.save(tmp_path / "photo.jpg")
    Clip(frames=3).write(tmp_path / "film.mp4")
    (tmp_path / "scans").mkdir()
    gray.save(tmp_path / "scans" / "a.png")
    (tmp_path / "maps").mkdir()
    gray.save(tmp_path / "maps" / "a.png")
    make_weights(tmp_path / "facades.safetensors")
    (tmp_path / "photos").mkdir()
    astronaut = skimage.data.astronaut()
    Image.fromarray(astronaut).save(tmp_path / "color.jpg")
    for i in range(6):
        piece = np.roll(astronaut, 60 * i, axis=1)[:300, :300]
        Image.fromarray(piece).save(tmp_path / "photos" / f"{i}.jpg")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_command(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "weights=download" in command:  # no network in tests: the same net, from random features
        command = command.replace("weights=download", "weights=null")
    if "s3://" in command:
        with serving("scans", "colored") as bucket:
            bucket.client().upload_file(str(folder / "old.jpg"), "scans", "old.jpg")
            run(command, folder, **bucket.environment)
        return
    run(command, folder)
    if "-o -" in command:
        assert Image.open(folder / "new.jpg").size == (96, 64)
    if command.startswith("pix2pix translate"):
        (made,) = folder.rglob("a.translated.png")
        assert Image.open(made).size == (96, 64)


def test_the_first_lines_install_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip, command, uvx = (line.split("  #")[0].split() for line in blocks("bash")[0].splitlines())
    assert pip == ["pip", "install", project["name"]]
    assert command == ["pix2pix", "photo.jpg"] and command[0] in project["scripts"]
    assert uvx == ["uvx", project["name"], "photo.jpg"] and uvx[1] in project["scripts"]
    assert f"pipx run {project['name']} photo.jpg" in blocks("bash")[0]


def test_the_table_of_extras_names_all_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    _, _, table = README.partition("| extra | for |")
    rows = re.findall(r"^\| (`[^|]+) \|", table.partition("\n\n")[0], re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(extras["optional-dependencies"])
    for asked in re.findall(r"pix2pix-color\[(\w+)\]", README):
        assert asked in named


def test_there_are_commands_to_test() -> None:
    found = {c.split()[1] for c in commands()}
    assert {"colorize", "translate", "evaluate", "train"} <= found


@pytest.mark.slow
def test_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert Image.open(folder / "old.color.jpg").size == (96, 64)


@pytest.mark.slow
def test_python_has_the_types_it_says(folder: Path) -> None:
    """As a user's mypy reads it: the package is typed, and a path comes back as a PIL image."""
    code = folder / "readme.py"
    code.write_text("\n".join(blocks("python")) + "reveal_type(photo)\n")
    config = str(ROOT / "pyproject.toml")
    said, _, status = mypy.api.run([str(code), "--config-file", config])
    assert status == 0 and 'Revealed type is "PIL.Image.Image"' in said, said
    assert (ROOT / "pix2pix" / "py.typed").exists()


def test_file_tree_names_what_is_there() -> None:
    tree = next(b for b in blocks("text") if b.startswith("pix2pix/\n"))
    names = re.findall(r"([\w/]+\.py|^\s*[\w/]+/)(?=\s|$)", tree, re.MULTILINE)
    for name in names:
        name = name.strip()
        assert (ROOT / name).exists() or (ROOT / "pix2pix" / name).exists(), name
    assert len(names) > 15


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"and"}  # "make and git"
    assert {"demo", "test", "train", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_six_files_have_the_lines_that_it_says() -> None:
    rows = re.findall(r"^\| \[`(\S+)`\]\((\S+)\) \| (\d+) \|", README, re.MULTILINE)
    assert len(rows) == 6 and all(name == link for name, link, _ in rows)
    lines = {name: len((ROOT / name).read_text().splitlines()) for name, _, _ in rows}
    assert {name: int(count) for name, _, count in rows} == lines
    said = re.findall(r"six\s+files\s+of\s+(\d+)\s+lines", README)
    assert len(said) == 2 and all(int(count) == sum(lines.values()) for count in said)


def test_the_tree_names_every_folder_and_file_at_the_top() -> None:
    (tree,) = blocks("text")
    top = {p.name for p in (ROOT / "pix2pix").iterdir() if not p.name.startswith(("_", "py."))}
    assert len(top) >= 20
    assert {name for name in top if not re.search(rf"\b{re.escape(name)}", tree)} == set()


def test_what_it_says_to_open_is_there() -> None:
    _, _, table = README.partition("| to change or add | open |")
    named = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / "pix2pix" / name).exists()] == []
