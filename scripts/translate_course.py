"""The course in other languages: text cells by their ids in a .po file, code shared.

    python scripts/translate_course.py update de   # takes new and changed cells into de.po
    python scripts/translate_course.py build de    # build/course/Pix2PixColor.de.ipynb

course/translations/de.po holds an entry a text cell: its context is the cell's id, its text the
whole cell, so that any editor of .po files shows both side by side. A cell that was changed keeps
its old translation and is marked fuzzy until someone has looked at it. What is not translated stays
English. Pictures, outputs and code are the course's own.
"""

import argparse
import copy
import re
import sys
from pathlib import Path

import make_colab
import nbformat
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from nbformat import NotebookNode

from pix2pix.files import write_bytes

TRANSLATIONS = make_colab.SIDE / "translations"
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"\]\(([^)\s]+)|\bsrc(?:set)?=[\"']([^\"']+)|\bhref=[\"']([^\"']+)")
_FORMULA = re.compile(r"\$\$.+?\$\$|(?<![\\$\w])\$[^$\n]+?\$", re.DOTALL)


def update(nb: NotebookNode, old: Catalog) -> Catalog:
    """The catalog with an entry for every text cell, in their order.

    Translations are kept; those of changed cells are fuzzy, those of cells that went are obsolete.
    """
    new = Catalog(locale=old.locale, project="Pix2PixColor", header_comment=_header(old))
    known = {message.context: message for message in old if message.id}
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        message = known.pop(cell.id, None)
        text = str(message.string) if message else ""
        changed = bool(text) and message is not None and message.id != cell.source
        flags = ["fuzzy"] if changed or (message and message.fuzzy) else []
        new.add(cell.source, text, flags=flags, context=cell.id)
    for message in known.values():
        if message.string:
            new.obsolete[message.id, message.context] = message
    return new


def translated(nb: NotebookNode, catalog: Catalog) -> NotebookNode:
    """The notebook with its text in another language, where there is a translation."""
    nb = copy.deepcopy(nb)
    texts = {message.context: str(message.string) for message in catalog if message.string}
    for cell in nb.cells:
        if cell.cell_type == "markdown" and cell.id in texts:
            cell.source = texts[cell.id]
    return nb


def complaints(nb: NotebookNode, catalog: Catalog) -> list[str]:
    """What keeps a translation from fitting the notebook, one line each.

    Every text cell has an entry of its text, and a translation has the code, the formulas and the
    link targets of its cell.
    """
    found = []
    entries = {message.context: message for message in catalog if message.id}
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        message = entries.pop(cell.id, None)
        if message is None:
            found.append(f"{cell.id}: no entry")
        elif message.id != cell.source:
            found.append(f"{cell.id}: the course says something else by now")
        elif message.string:
            if message.fuzzy:
                found.append(f"{cell.id}: the translation is of an earlier text (fuzzy)")
            found += [f"{cell.id}: {what}" for what in _differences(message)]
    found += [f"{context}: no such cell" for context in entries]
    return found


def coverage(nb: NotebookNode, catalog: Catalog, prefix: str = "") -> tuple[int, int]:
    """(Text cells with a translation, text cells) among those whose id begins with `prefix`."""
    done = {message.context for message in catalog if message.string and not message.fuzzy}
    ids = [c.id for c in nb.cells if c.cell_type == "markdown" and c.id.startswith(prefix)]
    return sum(cell_id in done for cell_id in ids), len(ids)


def read(path: Path) -> Catalog:
    """A .po file; an empty catalog of its language where there is none yet."""
    if not path.exists():
        return Catalog(locale=path.stem)
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, abort_invalid=True)


def write(catalog: Catalog, path: Path) -> None:
    """Write a .po file, without the date of the day, so that it changes with its texts alone."""
    from io import BytesIO

    buffer = BytesIO()
    write_po(buffer, catalog, width=0, omit_header=True, ignore_obsolete=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'# {_header(catalog)}\nmsgid ""\nmsgstr ""\n'
    for name, value in (
        ("Language", str(catalog.locale)),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ):
        head += f'"{name}: {value}\\n"\n'
    write_bytes(head.encode() + b"\n" + buffer.getvalue(), path)


def _header(catalog: Catalog) -> str:
    return f"The course in another language ({catalog.locale}): scripts/translate_course.py."


def _differences(message: Message) -> list[str]:
    """What code, formulas and links a text and its translation do not share."""
    told = []
    mine, its = (_fixed(str(text)) for text in (message.string, message.id))
    for what in its:
        if apart := mine[what] ^ its[what]:
            told.append(f"other {what}: {' '.join(sorted(apart))[:80]}")
    return told


def _fixed(text: str) -> dict[str, set[str]]:
    """What is the same in every language."""
    prose = _CODE.sub(" ", text)
    return {
        "code": set(_CODE.findall(text)),
        "formulas": set(_FORMULA.findall(prose)),
        "links": {"".join(groups) for groups in _TARGET.findall(prose)},
    }


def main(argv: list[str] | None = None) -> int:
    """Exit status 1 when a translation does not fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("update", "build", "check"))
    parser.add_argument("language", help="such as de")
    parser.add_argument("--notebook", type=Path, default=make_colab.NOTEBOOK)
    parser.add_argument("--po", type=Path, help="default: course/translations/LANGUAGE.po")
    parser.add_argument("--out", type=Path, default=Path("build/course"), metavar="FOLDER")
    args = parser.parse_args(argv)
    po = args.po or TRANSLATIONS / f"{args.language}.po"
    nb = nbformat.read(args.notebook, as_version=4)
    catalog = read(po)
    if args.what == "update":
        write(update(nb, catalog), po)
        catalog = read(po)
    done, texts = coverage(nb, catalog)
    print(f"{po.name}: {done} of {texts} text cells are translated")
    told = complaints(nb, catalog)
    print("\n".join(told), end="\n" if told else "", file=sys.stderr)
    if args.what == "build" and not told:
        file = args.out / f"{args.notebook.stem}.{args.language}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes((nbformat.writes(translated(nb, catalog)) + "\n").encode(), file)
        print(file)
    return bool(told) and args.what != "update"


if __name__ == "__main__":
    sys.exit(main())
