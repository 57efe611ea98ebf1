"""Make slides of a notebook: build/slides/NAME.html, one file that loads nothing.

    python scripts/make_slides.py [NOTEBOOK ...] [--out build/slides]

A cell tagged `slide` begins one, cells tagged `on-slide` follow on it; all others are left out, and
so is the code of cells that are also tagged `only-output`. The tags become the `slideshow` metadata
that Jupyter's own slides go by, too. Outputs are those that the notebook holds.
"""

import argparse
import copy
import sys
from pathlib import Path

import course_site
import nbformat
import notebook_html
import notebook_rules
from nbformat import NotebookNode

from pix2pix.files import write_bytes
from pix2pix.templates import render

TEMPLATE = Path(__file__).with_name("slides") / "slides.html"


def with_types(nb: NotebookNode) -> NotebookNode:
    """A copy whose cells have `slideshow` metadata: what they already have, or what tags say."""
    nb = copy.deepcopy(nb)
    for cell in nb.cells:
        tags = cell.metadata.get("tags", ())
        said = "slide" if "slide" in tags else "-" if "on-slide" in tags else "skip"
        cell.metadata.setdefault("slideshow", NotebookNode(slide_type=said))
    return nb


def slides(nb: NotebookNode) -> list[list[NotebookNode]]:
    """The cells of each slide.

    Raises ValueError for a cell that goes on where no slide has begun.
    """
    found: list[list[NotebookNode]] = []
    for cell in with_types(nb).cells:
        kind = cell.metadata.slideshow.slide_type
        if kind in ("slide", "subslide"):
            found.append([cell])
        elif kind in ("-", "fragment"):
            if not found:
                raise ValueError(f"cell {cell.id} goes on with a slide, and none has begun")
            found[-1].append(cell)
    return found


def page(nb: NotebookNode, title: str, folder: Path) -> str:
    """All slides as one HTML page."""
    made = []
    for cells in slides(nb):
        one = nbformat.v4.new_notebook(cells=cells, metadata=nb.metadata)
        made.append(notebook_html.fragment(one, folder, without_code="only-output"))
    return render(
        TEMPLATE,
        title=title,
        slides=made,
        colors=course_site.code_colors(),
        ground=course_site.GROUND.read_text(),
    )


def main(argv: list[str] | None = None) -> int:
    """Exit status 1 when no notebook has slides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", type=Path, nargs="*", metavar="NOTEBOOK")
    parser.add_argument("--out", type=Path, default=Path("build/slides"), metavar="FOLDER")
    args = parser.parse_args(argv)
    written = 0
    for path in args.notebooks or notebook_rules.notebooks():
        nb = nbformat.read(path, as_version=4)
        count = len(slides(nb))
        if not count:
            continue
        file = args.out / f"{path.stem}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        html = page(nb, course_site.title(nb), notebook_html.folder_of(path))
        write_bytes(html.encode(), file)
        print(f"{file}: {count} slides, {file.stat().st_size / 1e6:.2f} MB")
        written += 1
    if not written:
        print("no notebook has a cell tagged `slide`", file=sys.stderr)
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())
