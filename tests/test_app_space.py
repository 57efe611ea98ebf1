"""The exported Space: complete, refused where a folder is in use, and running as it stands."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from gradio_client import Client, handle_file
from PIL import Image
from places import ROOT
from running_page import free_port, tiny_weights, wait_for
from skimage import data

from pix2pix import images
from pix2pix.app import space
from pix2pix.cli import main
from pix2pix.colorize import Colorizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Space with small weights."""
    folder = tmp_path_factory.mktemp("export")
    tiny_weights(folder / "tiny.safetensors")
    assert main(["export", str(folder / "tiny.safetensors"), "space", str(folder / "space")]) == 0
    return folder / "space"


def test_space_is_complete(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    own = {"README.md", "app.py", "requirements.txt", "model.safetensors", ".gitattributes"}
    assert names == own | {"pix2pix", "resources", "LICENSE"}
    assert not list(folder.rglob("__pycache__"))
    packaged = {p.relative_to(ROOT) for p in (ROOT / "pix2pix").rglob("*.py")}
    assert packaged <= {p.relative_to(folder) for p in folder.rglob("*.py")}
    assert (folder / "pix2pix" / "pretrained" / "default.safetensors").exists()
    large = {f"*{p.suffix}" for p in folder.rglob("*") if p.stat().st_size > 5e6}
    lines = (folder / ".gitattributes").read_text().splitlines()
    assert large == {line.split()[0] for line in lines if " filter=lfs " in line}


def test_card(folder: Path) -> None:
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    pins = (ROOT / "requirements.txt").read_text()
    assert front["sdk"] == "gradio" and f"gradio=={front['sdk_version']}\n" in pins
    assert front["python_version"] == "3.12" and front["app_file"] == "app.py"
    assert len(front["short_description"]) <= 60 and "models" not in front
    assert yaml.safe_load(space.card(model="a/b").split("---\n")[1])["models"] == ["a/b"]


def test_requirements_are_the_packages_own_within_what_zerogpu_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "app" / "requirements.txt").read_text()  # which is what is exported
    lines = [x for x in text.splitlines() if not x.startswith("#")]
    extras = project["optional-dependencies"]
    expected = project["dependencies"] + [
        line + {"torch": ",<2.12", "torchvision": ",<0.27"}.get(line.split(">=")[0], "")
        for line in extras["torch"]
    ]
    # of the service's own needs, what does not come with Gradio
    expected += [line for line in extras["api"] if line.startswith("prometheus")]
    assert lines == expected and not any("gradio" in line for line in lines)


def test_app_of_the_repository_is_what_is_exported(folder: Path) -> None:
    for name in ("app.py", "README.md", "requirements.txt"):
        assert (ROOT / "app" / name).read_bytes() == (folder / name).read_bytes(), name


def test_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_weights(tmp_path / "tiny.safetensors")
    dest = tmp_path / "space"
    (dest / "pix2pix").mkdir(parents=True)
    (dest / "pix2pix" / "old.py").write_text("")
    (dest / "mine.txt").write_text("mine")
    command = ["export", str(tmp_path / "tiny.safetensors"), "space", str(dest)]
    assert main(command) == 1
    line = f"{dest}: export: it is in use; give an empty folder, or --overwrite\n"
    assert capsys.readouterr().err == line
    assert sorted(path.name for path in dest.iterdir()) == ["mine.txt", "pix2pix"]
    assert main([*command, "--overwrite"]) == 0
    assert (dest / "mine.txt").read_text() == "mine" and (dest / "app.py").exists()
    assert not (dest / "pix2pix" / "old.py").exists()  # no module of another version
    assert main(["export", "default", "space", str(dest), "--overwrite"]) == 0
    assert not (dest / "model.safetensors").exists()  # or it would be served for ever


@pytest.mark.parametrize(
    ("weights", "dest", "expected"),
    [
        ("none.safetensors", "space", "weights: no such weights"),
        ("default", str(ROOT / "pix2pix"), "export: it is in use"),
        ("default", str(ROOT / "pix2pix" / "space"), "export: the package itself is there"),
        ("default", str(ROOT / "LICENSE"), "export: it is a file"),
    ],
)
def test_refused(
    weights: str, dest: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", weights, "space", os.path.join(tmp_path, dest)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert not (ROOT / "pix2pix" / "space").exists()


_SPACES = """import os, sys
asked = []
def GPU(duration):
    asked.append(duration)
    def lend(function):
        def lent(*arguments, **options):
            print("lent for", asked[0], function.__name__, file=sys.__stdout__, flush=True)
            return function(*arguments, **options)
        return lent
    return lend
"""


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[tuple[str, Path]]:
    """The Space, started as it stands: nothing of this checkout is on its path."""
    (folder / "spaces.py").write_text(_SPACES)  # stands in for ZeroGPU's package
    url = f"http://127.0.0.1:{free_port()}/"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {
        "GRADIO_SERVER_PORT": re.findall(r":(\d+)/", url)[0],
        "GRADIO_TEMP_DIR": str(folder.parent / "cache"),
    }
    start = (
        "import runpy, sys; sys.meta_path[:] = [f for f in sys.meta_path"
        " if 'editable' not in getattr(f, '__module__', '') + getattr(f, '__name__', '')];"
        f"sys.path.insert(0, {str(folder)!r}); import pix2pix; print(pix2pix.__file__, flush=True);"
        "sys.argv[:] = ['app.py']; runpy.run_path('app.py', run_name='__main__')"
    )
    log = folder.parent / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", start], cwd=folder, env=environment, stdout=out, stderr=out
        )
    try:
        wait_for(url, process, log)
        yield url, log
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def old_photo(tmp_path: Path) -> Path:
    Image.fromarray(data.astronaut()[:200, :300]).convert("L").save(tmp_path / "old.png")
    return tmp_path / "old.png"


def test_space_runs_as_it_stands(
    running: tuple[str, Path], folder: Path, old_photo: Path, tmp_path: Path
) -> None:
    url, log = running
    client = Client(url, verbose=False, download_files=str(tmp_path / "down"))
    result = client.predict(handle_file(old_photo), 1.0, api_name="/colorize")
    assert log.read_text().splitlines()[0] == str(folder / "pix2pix" / "__init__.py")
    photo, colored = images.read(old_photo), images.read(result)
    colorizer = Colorizer.from_pretrained(folder / "model.safetensors", device="cpu")
    expected = colorizer.rgb(photo.rgb)
    assert np.ptp(expected.astype(int), axis=2).mean() > 10
    assert np.abs(colored.rgb.astype(int) - expected).max() <= 2
    assert "lent for 30 color" in log.read_text()  # each photo borrows the GPU


def test_readme_snippet(
    running: tuple[str, Path], old_photo: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (code,) = re.findall(r"```py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert "http://127.0.0.1:7860" in code
    monkeypatch.chdir(old_photo.parent)
    Image.open(old_photo).save("old.jpg")
    exec(compile(code.replace("http://127.0.0.1:7860", running[0]), "README.md", "exec"), {})
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert path.name == "old.color.jpg"
    assert np.ptp(images.read(path).rgb.astype(int), axis=2).max() > 10
