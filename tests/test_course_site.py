"""Notebooks as pages: formulas drawn, pictures inside, links and sliders that work."""

import base64
import re
from pathlib import Path
from types import SimpleNamespace

import bs4
import course_site
import make_colab
import nbformat
import notebook_html
import notebook_rules
import pytest
import translate_course
from nbformat import NotebookNode, v4
from small_course import code, markdown, small_course

from pix2pix import show

pytest_plugins = ["running_page"]
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><title>{}</title></svg>"


# formulas ---------------------------------------------------------------------------------------


def parts(markup: str) -> list[str]:
    """What the drawings of some HTML stand for."""
    found = bs4.BeautifulSoup(markup, "html.parser").find_all("svg", role="img")
    assert all(svg.path["d"].startswith("M") for svg in found)
    return [str(svg["aria-label"]) for svg in found]


@pytest.mark.slow
@pytest.mark.parametrize(
    "tex",
    [
        r"\mathcal{L}_{L1} = \mathbb{E}\,\lVert ab - \hat{ab} \rVert_1",
        r"\tfrac12 (D(x) - 1)^2 + \dfrac{a}{b}",
        r"G^* = \arg\min_G \max_D \; \log D(x) \le 0, \dots, \lambda \cdot \bigl(x\bigr)",
        r"\sum_{i=1}^{n} \sqrt{x_i} \quad \text{for all } i \in \{1, 2\}",
    ],
)
def test_formulas_are_drawn_in_the_color_of_the_text(tex: str) -> None:
    inline, display = notebook_html.formula(tex), notebook_html.formula(tex, display=True)
    assert len(parts(inline)) == 1 and 'fill="currentColor"' in inline
    assert display == f'<span class="formula">{inline}</span>'
    assert len(inline) < 20_000


def test_a_formula_stands_on_the_line_and_is_as_large_as_the_text() -> None:
    def style(tex: str) -> list[float]:
        found = re.search(
            r"height:([\d.]+)em;vertical-align:(-?[\d.]+)em", notebook_html.formula(tex)
        )
        assert found
        return [float(value) for value in found.groups()]

    (x, x_depth), (y, y_depth) = style("x"), style("y")
    assert 0.4 < x < 0.6 and x < y < 0.9 and y_depth < -0.15 < x_depth < 0


def test_cases_and_aligned_rows_are_grids() -> None:
    cases = notebook_html.formula(
        r"\ell = \begin{cases} c & c \le 1 \\ c^2 & \text{else} \end{cases}"
    )
    assert [p.strip() for p in parts(cases)] == [
        r"\ell =",
        r"\{",
        "c",
        r"c \leq 1",
        "c^2",
        r"\text{else}",
    ]
    assert "repeat(2,auto)" in cases and cases.startswith('<span class="formula">')
    aligned = notebook_html.formula(r"\begin{aligned} a &= b \\ &= c \end{aligned}")
    assert len(parts(aligned)) == 3 and aligned.count("justify-self:end") == 2


def test_a_formula_that_cannot_be_drawn_is_named() -> None:
    with pytest.raises(notebook_html.Unreadable, match="nosuchword"):
        notebook_html.formula(r"a + \nosuchword{b}")


# pages ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for a notebook: course/, with pictures in resources/ beside it."""
    (tmp_path / "course").mkdir()
    (tmp_path / "resources").mkdir()
    for name in ("light", "dark"):
        (tmp_path / "resources" / f"{name}.svg").write_text(SVG.format(name))
    return tmp_path / "course"


def embedded(address: str) -> str:
    assert address.startswith("data:image/svg+xml;base64,")
    return base64.b64decode(address.partition(",")[2]).decode()


def test_pictures_for_light_and_dark_are_inside(folder: Path) -> None:
    source = '<source media="(prefers-color-scheme: dark)" srcset="../resources/dark.svg">'
    picture = f'<picture>{source}<img alt="a U" src="../resources/light.svg"></picture>'
    cells = [markdown(picture), markdown("![plain](../resources/light.svg) $x^2$ ![no](gone.png)")]
    soup = bs4.BeautifulSoup(
        notebook_html.fragment(v4.new_notebook(cells=cells), folder), "html.parser"
    )
    assert "dark" in embedded(str(soup.source["srcset"]))
    images = soup.find_all("img")
    assert [i["alt"] for i in images] == ["a U", "plain", "no"]
    assert all("light" in embedded(str(i["src"])) for i in images[:2])
    assert images[2]["src"] == "gone.png" and soup.find("svg", role="img")


def test_what_is_folded_stays_folded(folder: Path) -> None:
    inside = "So `it` is.\n\n```python\na = 1\n```"
    text = f"<details><summary>Why?</summary>\n\n{inside}\n</details>\n\nGo on."
    cells = [markdown(text)]
    soup = bs4.BeautifulSoup(
        notebook_html.fragment(v4.new_notebook(cells=cells), folder), "html.parser"
    )
    assert soup.details and soup.details.code and soup.details.pre
    assert "Go on." not in soup.details.text and "Go on." in soup.text


def explorer() -> NotebookNode:
    """A cell that holds what show.explore publishes."""
    found = []

    def draw(level: int) -> show.Picture:
        import numpy as np

        return show.grid([np.full((20, 30, 3), level, np.uint8)], side=20)

    patch = pytest.MonkeyPatch()
    patch.setattr("IPython.display.display", lambda bundle, raw: found.append(bundle))
    show.explore(draw, level=(0, 250, 100))
    patch.undo()
    cell = code("show.explore(draw, level=(0, 250, 100))")
    cell.outputs = [v4.new_output("display_data", data={"text/html": found[0]["text/html"]})]
    return cell


@pytest.fixture
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two notebooks, which refer to each other; the folder that holds course/."""
    root = folder.parent
    first = small_course()
    links = "[clinic](course/clinic.ipynb#sick) [card](pix2pix/x.md) [top](#a) [w](https://w.org)"
    badge = "[![Open in Colab](https://c.org/badge.svg)](https://c.org/x)"
    first.cells += [markdown(f"## 0. Zero\n\n{links} {badge}\n\n### More"), explorer()]
    second = v4.new_notebook(cells=[markdown("# Clinic\n\n[back](../main.ipynb) [x](../LICENSE)")])
    paths = {"course/index.md": root / "main.ipynb", "course/clinic.md": folder / "clinic.ipynb"}
    for path, nb in zip(paths.values(), (first, second), strict=True):
        path.write_text(nbformat.writes(nb))
    books = {uri: course_site.Book(path) for uri, path in paths.items()}
    monkeypatch.setattr(course_site, "ROOT", root)
    monkeypatch.setattr(course_site, "PAGES", books)
    return root


def made(uri: str) -> SimpleNamespace:
    """A page as the hooks leave it: its HTML, and its table of contents."""
    page = SimpleNamespace(file=SimpleNamespace(src_uri=uri), toc=None)
    body = course_site.on_page_content("<h1>x</h1>", page, None, None)
    whole = f"<html><head><title>x</title></head><body>{body}</body></html>"
    page.html = course_site.on_post_page(whole, page, None)
    return page


@pytest.mark.slow
def test_links_lead_to_pages_or_to_the_repository(site: Path) -> None:
    def targets(uri: str) -> list[str]:
        return [a["href"] for a in bs4.BeautifulSoup(made(uri).html, "html.parser").find_all("a")]

    blob = f"{make_colab.repository()}/blob/main"
    assert targets("course/index.md") == [
        "clinic/#sick",
        f"{blob}/pix2pix/x.md",
        "#a",
        "https://w.org",
        "https://c.org/x",
    ]
    assert targets("course/clinic.md") == [".././", f"{blob}/LICENSE"]


def test_a_page_loads_nothing_and_holds_the_sliders_script_once(site: Path) -> None:
    html = made("course/index.md").html
    assert "badge.svg" not in html and ">Open in Colab</a>" in html
    assert html.count(course_site.SLIDERS.read_text()) == 1 == html.count('pix2pix-frames"')
    assert html.index('pix2pix-frames"') < html.index(course_site.SLIDERS.read_text())
    assert html.index("prefers-color-scheme") < html.index("<body>")
    other = made("course/clinic.md").html
    assert "prefers-color-scheme" in other


def test_pages_of_others_are_left_as_they_are(site: Path) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri="data.md"))
    assert course_site.on_page_content("<p>x</p>", page, None, None) == "<p>x</p>"
    assert "pix2pix-frames" not in course_site.on_post_page("<body></body>", page, None)


def test_headings_are_the_contents(site: Path) -> None:
    def listed(items) -> list:
        return [(item.title, item.id, listed(item.children)) for item in items]

    more = ("More", "more", [])
    assert listed(made("course/index.md").toc) == [
        ("Course", "course", [("0. Zero", "chapter-0-zero", [more])])
    ]


def test_the_menu_names_every_notebook(site: Path) -> None:
    config = SimpleNamespace(nav=[{"Start": "index.md"}, {"Data": "data.md"}])
    course_site.on_config(config)
    assert config.nav[1] == {
        "Course": [{"Course": "course/index.md"}, {"Clinic": "course/clinic.md"}]
    }


def test_a_translation_is_a_page_with_the_courses_code(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate_course, "TRANSLATIONS", site)
    monkeypatch.setattr(notebook_rules, "notebooks", lambda: [site / "main.ipynb"])
    nb = course_site.Book(site / "main.ipynb").read()
    catalog = translate_course.update(nb, translate_course.Catalog(locale="de"))
    catalog.get(nb.cells[0].source, "cell-0").string = "# Kurs"
    translate_course.write(catalog, site / "de.po")
    monkeypatch.setattr(course_site, "PAGES", course_site.pages())
    assert list(course_site.PAGES) == ["course/index.md", "course/de.md"]
    html = made("course/de.md").html
    assert '<div class="notebook" lang="de">' in html and ">Kurs</h1>" in html
    assert "explore" in html and "pix2pix-frames" in html


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_moves_its_frames_and_raises_no_errors(site: Path, browser) -> None:
    (site / "page.html").write_text(made("course/index.md").html)
    page = browser.new_page(color_scheme="dark")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "page.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    row = page.locator(".pix2pix-frames label")
    row.locator("input").fill("0")
    assert row.inner_text() == "level\n0"
    page.close()
    assert errors == []


# the real ones ----------------------------------------------------------------------------------


def test_every_notebook_has_a_page_named_after_its_title() -> None:
    assert list(course_site.PAGES)[0] == "course/index.md"
    paths = [book.path for book in course_site.PAGES.values() if not book.language]
    assert paths == notebook_rules.notebooks()
    for book in course_site.PAGES.values():
        assert course_site.title(book.read()) != "Untitled", book
