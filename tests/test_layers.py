"""Imports point down nine lines, in no circle, and the light entry points load nothing heavy."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

import pix2pix

PACKAGE = Path(pix2pix.__file__).parent

# The plan of the package, from the bottom up: a room imports those of earlier lines, and nothing of
# its own line or of later ones. A folder is one room, and so is a file at the top.
LAYERS = """
    errors terminal
    color strips batch randomness files templates
    images nets metrics show
    data download weights
    recipes
    train colorize
    evaluate app archives film
    report
    cli
"""
LEVEL = {
    name: level for level, line in enumerate(LAYERS.strip().splitlines()) for name in line.split()
}
DATA_ONLY = {"configs", "pretrained"}  # no code but their __init__.py
HEAVY = "torch lightning gradio torchvision torchmetrics hydra matplotlib jinja2".split()


def modules():
    """(name, path) of every source file; those of a folder by the folder's name.

    What has no __init__.py beside it is no module: app.py of the Space is copied, not imported.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.with_name("__init__.py").exists():
            continue
        name = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if name not in DATA_ONLY | {"__init__", "__main__"}:
            yield name, path


def imported(path):
    """Names of this package's modules that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "pix2pix" and len(parts) > 1 and is_module(parts[1]):
                yield parts[1], node.lineno


def is_module(name):
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


@pytest.mark.parametrize("name", sorted({name for name, _ in modules()}))
def test_every_module_has_its_place(name):
    assert name in LEVEL, f"{name}: give it a line in LAYERS of {Path(__file__).name}"


@pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*m, id=str(m[1].relative_to(PACKAGE))) for m in modules()]
)
def test_imports_point_down(name, path):
    for other, line in imported(path):
        if other != name and {other, name} <= LEVEL.keys():
            assert LEVEL[other] < LEVEL[name], f"{path}:{line}: {name} may not import {other}"


def test_no_file_imports_itself_by_way_of_others():
    graph = {}
    for _, path in modules():
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        graph[name.removesuffix(".__init__")] = set(imported_files(path))
    own = {name: others - {name} for name, others in graph.items()}
    assert len(list(TopologicalSorter(own).static_order())) >= len(graph)  # CycleError otherwise


def test_what_is_imported_of_the_package_exists():
    """mypy is told to pass over missing modules, and would pass over ours, too."""
    for _, path in modules():
        for other in imported_files(path):
            assert find_spec(other) is not None, f"{path}: there is no {other}"


def imported_files(path):
    """The package's modules that a file imports, by their whole names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "pix2pix":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                inner = PACKAGE.parent.joinpath(*name.split("."))
                module = inner.is_dir() or inner.with_suffix(".py").exists()
                if module or node.module != "pix2pix":  # names of pix2pix itself load lazily
                    yield name if module else node.module


def test_this_test_sees_imports_wherever_they_stand(tmp_path):
    (tmp_path / "a.py").write_text(
        "import pix2pix.data\nfrom pix2pix import nets, __version__\n"
        "def f():\n    from pix2pix.recipes.base import Recipe\n    from os import path\n"
    )
    assert [name for name, _ in imported(tmp_path / "a.py")] == ["data", "nets", "recipes"]


def loaded_by(code):
    """Heavy packages that a fresh Python has loaded after running `code`."""
    report = f"import sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_the_package_and_its_command_line_loads_nothing_heavy():
    assert loaded_by("import pix2pix, pix2pix.cli.__main__, pix2pix.errors") == []


@pytest.mark.slow
def test_importing_what_colors_and_trains_loads_torch_alone():
    rooms = "nets, recipes, data, weights, metrics, color, images, colorize"
    code = f"from pix2pix import {rooms}; from pix2pix.colorize import colorizer"
    assert loaded_by(code) == ["torch"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    ["import onnxruntime; onnxruntime.SessionOptions()", "import openvino; openvino.Core()"],
    ids=["onnxruntime", "openvino"],
)
def test_engines_tell_their_makers_nothing(code, tmp_path):
    """Both keep a number for each user in the home before they send anything; not in CI, though."""
    start = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-c", f"import pix2pix; {code}"]
    subprocess.run(command, env=start | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []


def test_coloring_loads_few_modules_and_nothing_of_training():
    code = "import sys; from pix2pix import Colorizer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = [name.split(".") for name in done.stdout.split() if name.split(".")[0] == "pix2pix"]
    assert len(own) <= 36, own
    loaded = {name[1] for name in own if len(name) > 1}
    assert {"colorize", "weights", "nets"} <= loaded
    assert not loaded & {"batch", "cache", "data", "film", "labels", "recipes", "train"}


@pytest.mark.slow
def test_a_photo_is_colored_without_torch():
    """With whatever can be asked: hints, a take, how unsure it is, and through the workers."""
    code = """
import numpy as np
from pix2pix import Colorizer
from pix2pix.colorize.workers import Workers
colorizer = Colorizer.from_pretrained(device="cpu")
rgb = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
colorizer.rgb(rgb, hints=[(20, 30, (150, 60, 60))], seed=1)
colorizer.unsure(rgb), colorizer.suggest(rgb, 10, 10)
with Workers(colorizer, count=1) as workers:
    workers.submit(lambda model: model.rgb(rgb)).result()
"""
    assert loaded_by(code) == []


@pytest.mark.slow
def test_the_service_and_what_writes_a_space_load_without_torch():
    assert loaded_by("import pix2pix.app.service.server, pix2pix.app.space") == []


def test_the_public_names_are_there():
    assert set(pix2pix.__all__) <= set(dir(pix2pix))
    assert all(getattr(pix2pix, name) is not None for name in pix2pix.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Colouriser'"):
        pix2pix.Colouriser  # noqa: B018
