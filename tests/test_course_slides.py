"""Slides of notebooks: which cells are on them, and a page that turns without a network."""

from pathlib import Path

import bs4
import make_slides
import nbformat
import pytest
from nbformat import NotebookNode, v4
from small_course import code, markdown

pytest_plugins = ["running_page"]


def talk() -> NotebookNode:
    """Two slides; a cell with output beside its code, one with output alone, one left out."""
    shown = code("print('seen')", "on-slide")
    shown.outputs = [v4.new_output("stream", text="seen\n")]
    alone = code("print('alone')", "slide", "only-output")
    alone.outputs = [v4.new_output("stream", text="by itself\n")]
    first = markdown("## 1. One\n\n$x^2$", tags=["slide"])
    return v4.new_notebook(cells=[markdown("# Title"), first, code("left = out"), shown, alone])


def test_tags_say_what_is_on_a_slide() -> None:
    nb = talk()
    found = [[cell.source for cell in cells] for cells in make_slides.slides(nb)]
    assert found == [["## 1. One\n\n$x^2$", "print('seen')"], ["print('alone')"]]
    kinds = [c.metadata.slideshow.slide_type for c in make_slides.with_types(nb).cells]
    assert kinds == ["skip", "slide", "skip", "-", "slide"]
    assert "slideshow" not in nb.cells[1].metadata


def test_jupyters_own_metadata_goes_first() -> None:
    nb = talk()
    nb.cells[2].metadata["slideshow"] = NotebookNode(slide_type="subslide")
    nb.cells[3].metadata["slideshow"] = NotebookNode(slide_type="fragment")
    found = [[cell.source for cell in cells] for cells in make_slides.slides(nb)]
    assert found[1] == ["left = out", "print('seen')"] and len(found) == 3


def test_a_cell_that_goes_on_with_nothing_is_named() -> None:
    nb = talk()
    nb.cells[0].metadata["tags"] = ["on-slide"]
    with pytest.raises(ValueError, match=f"cell {nb.cells[0].id} goes on"):
        make_slides.slides(nb)


@pytest.fixture
def page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "talk.ipynb").write_text(nbformat.writes(talk()))
    (tmp_path / "none.ipynb").write_text(nbformat.writes(v4.new_notebook()))
    books = [str(tmp_path / name) for name in ("talk.ipynb", "none.ipynb")]
    assert make_slides.main([*books, "--out", str(tmp_path / "out")]) == 0
    assert "talk.html: 2 slides" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["talk.html"]
    return tmp_path / "out" / "talk.html"


def test_the_page_is_alone(page: Path) -> None:
    soup = bs4.BeautifulSoup(page.read_text(), "html.parser")
    assert soup.title and soup.title.string == "Title"
    assert not soup.find_all(src=True) and not soup.find_all("link")
    first, second = soup.find_all("section")
    assert first.find("svg") and "print" in first.text and "seen" in first.text
    assert "by itself" in second.text and "print" not in second.text
    assert first.select(".input_area") and not second.select(".input_area")
    assert second.footer and second.footer.text == "2 / 2"


def test_a_notebook_without_slides_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.ipynb").write_text(nbformat.writes(v4.new_notebook()))
    assert make_slides.main([str(tmp_path / "none.ipynb"), "--out", str(tmp_path)]) == 1
    assert "no notebook has a cell tagged `slide`" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.browser
def test_keys_turn_the_slides_and_tall_ones_shrink(page: Path, browser) -> None:
    tall = page.read_text().replace("by itself", "by itself\n" * 200)
    page.write_text(tall)
    tab = browser.new_page(viewport={"width": 1000, "height": 600}, color_scheme="dark")
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("Math.round(scrollY) === 600")
    assert tab.url.endswith("#2")
    box = tab.locator("section").nth(1).locator(".slide").bounding_box()
    assert box and box["height"] <= 600
    tab.keyboard.press("Home")
    tab.wait_for_function("Math.round(scrollY) === 0")
    assert (
        tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        != "rgb(255, 255, 255)"
    )
    tab.close()
    assert errors == []
