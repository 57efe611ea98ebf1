"""Templates: values are text in every page, and the package ships the files of other languages."""

import re
import tomllib
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from paint import Paint, crops

from pix2pix.app.service.docs import as_page
from pix2pix.evaluate import evaluate
from pix2pix.report.blind import build_blind_test
from pix2pix.report.evaluation_page import build_evaluation_page
from pix2pix.report.layers import Layer
from pix2pix.report.plot import Drawn
from pix2pix.report.run_page import Report, build_run_page
from pix2pix.templates import render
from pix2pix.weights import Header
from pix2pix.weights.header import COURSE

ROOT = Path(__file__).parents[1]
STRANGE = "<img src=x onerror=alert(1)>"
OPENED = re.compile(r"<img src=x|<script>alert|onerror=alert\(1\)>")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo with a name of HTML, and a file of such a name that is none."""
    folder = crops(tmp_path_factory.mktemp("photos") / "in", 2)
    (folder / "a0.png").rename(folder / f"{STRANGE}.png")
    (folder / f"broken {STRANGE}.png").write_bytes(b"")
    return folder


def test_a_value_is_text_in_html_and_as_it_is_elsewhere(tmp_path: Path) -> None:
    for name in ("a.html", "a.md"):
        (tmp_path / name).write_text("{{ name }}\n")
    assert render(tmp_path / "a.html", name="<b>") == "&lt;b&gt;\n"
    assert render(tmp_path / "a.md", name="<b>") == "<b>\n"
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        render(tmp_path / "a.html")


def test_names_are_text_on_the_page_of_an_evaluation(photos: Path) -> None:
    models = [Paint(0.5, STRANGE), Paint(0.2, STRANGE)]
    found = evaluate(photos, models[0], other=models[1], size=64)
    document = build_evaluation_page(found, models)
    assert document.count("&lt;img src=x onerror=alert(1)&gt;") > 10
    assert not OPENED.search(document)


def test_names_are_text_on_the_page_of_a_blind_test(photos: Path) -> None:
    document = build_blind_test(str(photos), Paint(0.5, STRANGE), [])
    assert "\\u003cimg src=x onerror=alert(1)\\u003e.png" in document
    assert "&lt;img src=x onerror=alert(1)&gt; colored it" in document
    assert not OPENED.search(document)


def test_names_are_text_on_the_page_of_a_run() -> None:
    layer = Layer(STRANGE, STRANGE, STRANGE, 1, 1.0, 1.0, 1, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = Report(STRANGE, is_run=True, config=STRANGE, notes=[STRANGE], layers=[layer])
    found.headers = {STRANGE: Header(generator={"net": STRANGE}, name=STRANGE)}
    found.history.series[STRANGE] = ([1], [0.5])
    found.drawn = dict.fromkeys(("layers", "weights", "curves"), Drawn("<svg></svg>", b""))
    document = build_run_page(found)
    assert document.count("&lt;img src=x onerror=alert(1)&gt;") == 11
    assert document.count("<svg></svg>") == 3 and not OPENED.search(document)


def test_addresses_are_text_in_the_description_of_the_service() -> None:
    operation = {"description": STRANGE, "responses": {"200": {"description": STRANGE}}}
    schema = {"info": {"title": "a", "version": "1"}, "paths": {f"/{STRANGE}": {"get": operation}}}
    document = as_page(schema, STRANGE, f'"{STRANGE}')
    assert document.count("&lt;img src=x onerror=alert(1)&gt;") == 5
    assert 'href="&#34;&lt;' in document and not OPENED.search(document)


def test_the_package_ships_every_file_beside_its_modules() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    package = ROOT / "pix2pix"
    patterns = project["tool"]["setuptools"]["package-data"]["pix2pix"]
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    other = {
        path for path in package.rglob("*.*") if path.is_file() and "__pycache__" not in str(path)
    }
    course = {path for path in other if path.stem in COURSE}  # whose weights stay in the repository
    assert {path for path in other - shipped - course if path.suffix != ".py"} == set()
    assert {path.suffix for path in shipped} >= {".html", ".css", ".js", ".md", ".yaml"}
