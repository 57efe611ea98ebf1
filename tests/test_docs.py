"""The site builds without network, and what its pages say runs."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import notebook_rules
import numpy as np
import pytest
import skimage.data
import warm
import yaml
from PIL import Image
from places import DOCS, ROOT
from serving import photo, running
from shell import BIN, run

from pix2pix import recipes
from pix2pix.app.service.server import Limits

PAGES = sorted(page.name for page in DOCS.glob("*.md"))
RUN_HERE = [page for page in PAGES if page != "archives.md"]  # that has a test file of its own


def text(page: str) -> str:
    return (DOCS / page).read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text(page), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder: old.jpg and photos/."""
    Image.fromarray(skimage.data.camera()).resize((96, 64)).save(tmp_path / "old.jpg")
    (tmp_path / "photos").mkdir()
    for i in range(6):
        piece = np.roll(skimage.data.astronaut(), 60 * i, axis=1)[:300, :300]
        Image.fromarray(piece).save(tmp_path / "photos" / f"{i}.jpg")
    return tmp_path


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {page: re.findall(r"^```(\S+)$", text(page), re.MULTILINE) for page in PAGES}
    assert {page: set(found) for page, found in kinds.items() if found} == {
        "archives.md": {"bash", "python"},  # which test_archives_page.py runs
        "data.md": {"python"},
        "recipes.md": {"python"},
        "service.md": {"sh"},
        "training.md": {"bash"},
    }


@pytest.mark.parametrize("page", [page for page in RUN_HERE if blocks(page, "python")])
def test_python(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN_HERE if blocks(page, "bash")])
def test_commands_in_their_order(page: str, folder: Path) -> None:
    lines = "".join(blocks(page, "bash")).splitlines()
    assert lines
    for line in lines:
        run(line, folder)
    assert Image.open(folder / "old.color.jpg").size == (96, 64)


@pytest.mark.slow
def test_the_services_commands(tmp_path: Path) -> None:
    start, ask = blocks("service.md", "sh")
    process = subprocess.Popen(
        [warm.pix2pix(), *start.split()[1:], "--weights", "pix2pix", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.match(r"Serving http://127\.0\.0\.1:(\d+)/ ", process.stdout.readline())
        assert found
        for line in ask.splitlines():
            line = line.replace(":7861", f":{found[1]}")
            subprocess.run(["sh", "-c", line], check=True, capture_output=True, timeout=60)
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_the_services_refusals(tmp_path: Path) -> None:
    said = set(re.findall(r"^\| (\d{3}) \|", text("service.md"), re.MULTILINE))
    with running(tmp_path) as service:
        address = f"http://127.0.0.1:{service.port}/api/colorize"
        (tmp_path / "ok.jpg").write_bytes(photo())
        (tmp_path / "cut.jpg").write_bytes(photo()[:40])
        (tmp_path / "large").write_bytes(b"\xff\xd8" + bytes(3_000_000))
        seen = {}
        for name, wanted in (("ok.jpg?saturation=9", 422), ("cut.jpg", 422), ("large", 413)):
            file, _, query = name.partition("?")
            seen[name] = wanted, status(f"{address}?{query}", tmp_path / file)
        seen["text"] = 415, status(address, tmp_path / "ok.jpg", kind="text/plain")
    assert all(wanted == found for wanted, found in seen.values()), seen
    assert {str(wanted) for wanted, _ in seen.values()} <= said


def status(address: str, file: Path, *, kind: str = "image/jpeg") -> int:
    line = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", f"@{file}"]
    done = subprocess.run(
        [*line, "-H", f"Content-Type: {kind}", address], capture_output=True, timeout=60
    )
    return int(done.stdout)


def test_what_the_service_page_says_of_the_limits() -> None:
    limits, words = Limits(), " ".join(text("service.md").split())
    assert f"have {limits.page_bytes // 10**6} MB, and {limits.page_uploads} come" in words
    assert f"share {limits.held_bytes // 10**6} MB of memory" in words
    assert f"closes after {limits.idle} s" in words and f"takes {limits.shutdown} s" in words


def test_the_recipes_page_names_all_that_there_is() -> None:
    first, second = text("recipes.md").split("| generator |")
    assert sorted(re.findall(r"^\| `(\w+)` \|", first, re.MULTILINE)) == recipes.names()
    assert sorted(re.findall(r"^\| `(\w+)` \|", second, re.MULTILINE)) == recipes.generators()


def test_every_page_is_in_the_menu() -> None:
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(page for entry in menu for page in entry.values()) == PAGES


class Fetched(HTMLParser):
    """Collects what a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        link = given.get("href") if tag == "link" and given.get("rel") != "canonical" else None
        self.found += [x for x in (given.get("src"), link) if x]


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text())
        assert parser.found
        assert not [x for x in parser.found if re.match(r"(https?:)?//", x)], page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text()), sheet
    api = (tmp_path / "api" / "index.html").read_text()
    assert "position in an endless sequence" in api  # a docstring's own words
    for path in notebook_rules.notebooks():
        name = "" if path.parent == ROOT else f"{path.stem}/"
        course = (tmp_path / "course" / name / "index.html").read_text()
        cells = nbformat.read(path, as_version=4).cells
        assert course.count("code_cell") == sum(cell.cell_type == "code" for cell in cells)
