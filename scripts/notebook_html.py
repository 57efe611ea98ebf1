"""Notebooks as HTML: formulas drawn, pictures inside, nothing loaded from elsewhere.

Pages are made of the outputs that a notebook holds; nothing runs. Formulas become SVG in the color
of the text, by matplotlib's mathtext, so that no page needs MathJax.
"""

import html
import re
from base64 import b64encode
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets.config import Config

ROOT = Path(__file__).resolve().parent.parent
REMOTE = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?:[^"]+)""")
_ADDRESS = re.compile(r"""(<(?:img|source)\b[^>]*?\b(?:src|srcset)=["'])([^"']+)""")
# The lab template loads these from a CDN; no page of ours needs them.
_UNUSED = re.compile(
    r'<script src="">\s*</script>|<script type="module">(?:(?!</script>).)*mermaid.*?</script>'
    r"|<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->",
    re.DOTALL,
)
# What mathtext has no word for, and what says the same.
_SAME = (
    (re.compile(r"\\[td]?frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    *(
        (re.compile(rf"\\{word}(?![a-zA-Z])"), same)
        for word, same in (
            ("[td]frac", r"\\frac"),
            ("[lr]?Vert", r"\\|"),
            ("[lr]vert", "|"),
            ("[bB]igg?[lrm]?", ""),
            ("dots", r"\\ldots"),
            ("(le|ge|ne)", r"\\\1q"),
            ("lt", "<"),
            ("gt", ">"),
        )
    ),
)


class Unreadable(ValueError):
    """A formula that mathtext cannot draw."""


_ROWS = re.compile(r"\\begin\{(cases|align(?:ed)?\*?)\}(.*?)\\end\{\1\}", re.DOTALL)


def formula(tex: str, *, display: bool = False) -> str:
    """TeX as SVG, in the text's color and size; `cases` and `aligned` as a grid of such pieces.

    Raises Unreadable for what mathtext lacks.
    """
    found = _ROWS.search(tex)
    if not found:
        return f'<span class="formula">{_drawn(tex)}</span>' if display else _drawn(tex)
    kind, body = found.groups()
    rows = [row.split("&") for row in body.strip().removesuffix("\\\\").split("\\\\")]
    cells = "".join(
        f'<span style="justify-self:{"end" if kind != "cases" and not i else "start"}">'
        f"{_drawn(cell) if cell.strip() else ''}</span>"
        for row in rows
        for i, cell in enumerate(row)
    )
    columns = max(map(len, rows))
    gap = "0.4em 1em" if kind == "cases" else "0.4em 0"
    grid = f"display:inline-grid;grid-template-columns:repeat({columns},auto);gap:{gap}"
    brace = ""
    if kind == "cases":
        size = f"height:{2 * len(rows)}em;width:0.6em;vertical-align:middle"
        brace = re.sub('style="[^"]*"', f'style="{size}" preserveAspectRatio="none"', _drawn(r"\{"))
    around = [
        _drawn(part) if part.strip() else ""
        for part in _ROWS.split(tex)[:: len(found.groups()) + 1]
    ]
    grid = f'<span style="{grid};align-items:center;vertical-align:middle">{cells}</span>'
    return f'<span class="formula">{around[0]} {brace}{grid}{around[1]}</span>'


@cache
def _drawn(tex: str) -> str:
    """One piece of TeX as SVG."""
    from matplotlib import rc_context
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path as Outline
    from matplotlib.textpath import text_to_path

    known = " ".join(tex.split())
    for pattern, same in _SAME:
        known = pattern.sub(same, known)
    try:
        with rc_context({"mathtext.fontset": "stix"}):
            font = FontProperties(size=100)  # 1 em is 100 units
            measured = text_to_path.get_text_width_height_descent(f"${known}$", font, True)
            points, codes = text_to_path.get_text_path(font, f"${known}$", ismath=True)
    except ValueError as error:
        raise Unreadable(f"{tex}: {str(error).splitlines()[-1]}") from None
    letters = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    drawn, previous = [], None
    for (x, y), code in zip(points, codes, strict=True):
        if code == Outline.CLOSEPOLY:
            drawn.append("Z")
        else:
            curve = code in (Outline.CURVE3, Outline.CURVE4) and code == previous
            drawn.append(f"{'' if curve else letters[code]}{x:.0f} {-y:.0f}")
        previous = code
    width, height, depth = (round(value) for value in measured)
    box = f"-2 {depth - height - 2} {width + 4} {height + 4}"
    style = f"height:{(height + 4) / 100:.2f}em;vertical-align:{-(depth + 2) / 100:.2f}em"
    return (
        f'<svg role="img" aria-label="{html.escape(known)}" viewBox="{box}" style="{style}" '
        f'fill="currentColor"><path d="{_joined(drawn)}"/></svg>'
    )


def _joined(drawn: list[str]) -> str:
    text = drawn[0] if drawn else ""
    for piece in drawn[1:]:
        text += piece if piece[0].isalpha() else f" {piece}"
    return text


class Renderer(IPythonRenderer):
    """nbconvert's Markdown with drawn formulas and, in <picture>, embedded sources."""

    def heading(self, text: str, level: int, **attrs: object) -> str:
        """A heading that links can name."""
        words = re.findall(r"\w+", html.unescape(re.sub(r"<[^>]+>", "", text)).lower()) or ["x"]
        name = "-".join(["chapter"] * words[0].isdigit() + words)  # themes select by it
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def block_math(self, body: str) -> str:
        """A formula on a line of its own."""
        return formula(body, display=True)

    def inline_math(self, body: str) -> str:
        """A formula in the text."""
        return formula(body)

    def latex_environment(self, name: str, body: str) -> str:
        """An environment outside of dollars."""
        return formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def _src_to_base64(self, src: str) -> str | None:
        # nbconvert's own refuses ../, by which a notebook of course/ names what lies in resources/
        path = Path(self.path, src)
        if re.match(r"[a-z]+:", src) or not path.is_file():
            return None
        return f"data:{guess_type(path)[0]};base64,{b64encode(path.read_bytes()).decode()}"

    def _html_embed_images(self, markup: str) -> str:
        # by words: a parser would close the <details> that a piece of HTML begins
        def embedded(found: re.Match[str]) -> str:
            address = self._src_to_base64(html.unescape(found[2]))
            return f"{found[1]}{address}" if address else found[0]

        return _ADDRESS.sub(embedded, markup)


class Exporter(HTMLExporter):
    """nbconvert's HTML with our Markdown."""

    @pass_context
    def markdown2html(self, context, source):
        """Markdown -> HTML, for cells and for outputs."""
        renderer = Renderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def folder_of(path: Path) -> Path:
    """Where the pictures of a notebook lie: beside it, or as in the repository for a copy of it."""
    folder = path.resolve().parent
    return folder if folder.is_relative_to(ROOT) else ROOT


def fragment(nb: NotebookNode, folder: Path, *, without_code: str = "") -> str:
    """The cells of a notebook as HTML to put into a page; `folder` is where its pictures lie.

    Cells tagged `without_code` show their outputs alone.
    """
    config = Config(
        TagRemovePreprocessor={"enabled": bool(without_code), "remove_input_tags": {without_code}}
    )
    exporter = Exporter(
        config, template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    return exporter.from_notebook_node(nb, {"metadata": {"path": str(folder)}})[0]


def page(nb: NotebookNode, title: str, folder: Path) -> tuple[str, list[str]]:
    """(A whole page, the addresses that it loads, which should be none)."""
    exporter = Exporter(template_name="lab")
    exporter.require_js_url = exporter.jquery_url = exporter.mermaid_js_url = ""
    resources = {"metadata": {"name": title, "path": str(folder)}}
    markup = _UNUSED.sub("", exporter.from_notebook_node(nb, resources)[0])
    return markup, sorted(set(REMOTE.findall(markup)))
