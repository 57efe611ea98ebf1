"""The course in the documentation: a page a notebook, made of the outputs that it holds.

mkdocs calls these hooks (mkdocs.yml). Nothing runs and nothing is fetched: formulas are drawn,
sliders go through the frames that are stored.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath
from typing import Any

import bs4
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import get_toc
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import make_colab  # noqa: E402
import notebook_html  # noqa: E402
import notebook_rules  # noqa: E402
import translate_course  # noqa: E402

GROUND = ROOT / "docs" / "ground.js"
SLIDERS = ROOT / "pix2pix" / "show" / "explore.js"


@dataclass(frozen=True)
class Book:
    """A notebook and the language of its page, English where it is empty."""

    path: Path
    language: str = ""

    def read(self) -> NotebookNode:
        """The notebook, its text in the page's language."""
        nb = nbformat.read(self.path, as_version=4)
        if not self.language:
            return nb
        po = translate_course.TRANSLATIONS / f"{self.language}.po"
        return translate_course.translated(nb, translate_course.read(po))


def title(nb: NotebookNode) -> str:
    """A notebook's first heading."""
    for cell in nb.cells:
        if found := re.search(r"^# (.+)$", cell.source, re.MULTILINE):
            return found[1]
    return "Untitled"


def pages() -> dict[str, Book]:
    """The pages of all notebooks, by their sources' names for mkdocs; then the translations."""
    first, *others = notebook_rules.notebooks()
    found = {"course/index.md": Book(first)}
    found |= {f"course/{path.stem}.md": Book(path) for path in others}
    languages = sorted(po.stem for po in translate_course.TRANSLATIONS.glob("*.po"))
    return found | {f"course/{language}.md": Book(first, language) for language in languages}


PAGES = pages()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the course into the menu, after the start."""
    entries = [{title(book.read()): name} for name, book in PAGES.items()]
    assert config.nav is not None
    config.nav.insert(1, {"Course": entries})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a notebook, and the colors of code."""
    for name, book in PAGES.items():
        files.append(File.generated(config, name, content=f"# {title(book.read())}"))
    files.append(File.generated(config, "code.css", content=code_colors()))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What the page of a notebook shows."""
    book = PAGES.get(page.file.src_uri)
    if book is None:
        return html
    markup = notebook_html.fragment(book.read(), book.path.parent)
    soup = bs4.BeautifulSoup(markup, "html.parser")
    local(soup, page, book.path)
    page.toc = get_toc(contents(soup))
    return f'<div class="notebook" lang="{book.language or "en"}">{soup}</div>'


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Light or dark before anything is seen; the sliders' script after all that it works on."""
    output = output.replace("</title>", f"</title>\n<script>\n{GROUND.read_text()}</script>", 1)
    if page.file.src_uri not in PAGES:
        return output
    return output.replace("</body>", f"<script>\n{SLIDERS.read_text()}</script>\n</body>")


def local(soup: bs4.BeautifulSoup, page: Page, path: Path) -> None:
    """Keep what a page loads here: badges become text, scripts go; links lead where things are."""
    for script in soup.find_all("script"):
        script.decompose()
    for image in soup.find_all("img", src=re.compile(r"^https?:")):
        image.replace_with(image.get("alt", ""))
    for link in soup.find_all("a", href=True):
        target, mark, place = str(link["href"]).partition("#")
        if not target or re.match(r"[a-z]+:|/", target):
            continue
        aim = (path.parent / target).resolve()
        if names := [name for name, book in PAGES.items() if book.path == aim]:
            link["href"] = _between(page.file.src_uri, names[0]) + mark + place
        else:
            inside = normpath((path.parent / target).relative_to(ROOT).as_posix())
            link["href"] = (
                f"{make_colab.repository()}/blob/{make_colab.BRANCH}/{inside}{mark}{place}"
            )


def _between(here: str, there: str) -> str:
    """The address of a page as another one names it: course/index.md is course/."""
    up = "" if here == "course/index.md" else "../"
    return up + ("./" if there == "course/index.md" else f"{Path(there).stem}/")


def contents(soup: bs4.BeautifulSoup) -> list[dict[str, Any]]:
    """The headings as Markdown's `toc` lists them: chapters under the title, parts under them."""
    found: list[dict[str, Any]] = []
    for heading in soup.find_all(["h1", "h2", "h3"]):
        level = int(heading.name[1])
        token = {"level": level, "id": heading.get("id", ""), "name": heading.get_text()}
        token["children"] = []
        above = found
        while above and above[-1]["level"] < level:
            above = above[-1]["children"]
        above.append(token)
    return found


def code_colors() -> str:
    """Pygments' styles for light and dark pages."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=style) for style in ("friendly", "github-dark"))
    on_dark = light.get_style_defs("[data-bs-theme=light] .highlight")
    return on_dark + "\n" + dark.get_style_defs("[data-bs-theme=dark] .highlight")
