"""The course in the documentation: a page a notebook, made of the outputs that it holds.

mkdocs calls these hooks (mkdocs.yml). Nothing runs and nothing is fetched: formulas are drawn,
sliders go through the frames that are stored.
"""

import re
import sys
from pathlib import Path
from posixpath import normpath
from typing import Any

import bs4
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import get_toc

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import make_colab  # noqa: E402
import notebook_html  # noqa: E402
import notebook_rules  # noqa: E402

GROUND = ROOT / "docs" / "ground.js"
SLIDERS = ROOT / "pix2pix" / "show" / "explore.js"


def uri(path: Path) -> str:
    """The source of a notebook's page, as mkdocs names it."""
    return "course/index.md" if path.parent == ROOT else f"course/{path.stem}.md"


def title(path: Path) -> str:
    """A notebook's first heading."""
    for cell in nbformat.read(path, as_version=4).cells:
        if found := re.search(r"^# (.+)$", cell.source, re.MULTILINE):
            return found[1]
    return path.stem


PAGES = {uri(path): path for path in notebook_rules.notebooks()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the course into the menu, after the start."""
    entries = [{title(path): name} for name, path in PAGES.items()]
    assert config.nav is not None
    config.nav.insert(1, {"Course": entries})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page a notebook, and the colors of code."""
    for name, path in PAGES.items():
        files.append(File.generated(config, name, content=f"# {title(path)}"))
    files.append(File.generated(config, "code.css", content=code_colors()))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What the page of a notebook shows."""
    path = PAGES.get(page.file.src_uri)
    if path is None:
        return html
    soup = bs4.BeautifulSoup(
        notebook_html.fragment(nbformat.read(path, as_version=4), path.parent), "html.parser"
    )
    local(soup, page, path)
    page.toc = get_toc(contents(soup))
    return f'<div class="notebook">{soup}</div>'


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
        if aim in PAGES.values():
            other = {found: name for name, found in PAGES.items()}[aim]
            link["href"] = _between(page.file.src_uri, other) + mark + place
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
