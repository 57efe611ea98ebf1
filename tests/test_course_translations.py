"""Translations of the course: text by cell ids, code shared, what changed is marked."""

from pathlib import Path

import make_colab
import nbformat
import pytest
import translate_course
from babel.messages.catalog import Catalog
from nbformat import NotebookNode, v4
from small_course import markdown, small_course
from translate_course import complaints, coverage, translated, update

GERMAN = {
    "cell-0": "# Kurs\n\n![results](resources/results.png)",
    "cell-6": "<details><summary>Warum?</summary>So ist es.</details>",
}


def german(nb: NotebookNode) -> Catalog:
    """A catalog of the small course with two of its three text cells translated."""
    catalog = update(nb, Catalog(locale="de"))
    for message in catalog:
        if message.context in GERMAN:
            message.string = GERMAN[message.context]
    return catalog


def saved(catalog: Catalog, folder: Path) -> Catalog:
    translate_course.write(catalog, folder / "de.po")
    return translate_course.read(folder / "de.po")


def test_an_entry_a_text_cell(tmp_path: Path) -> None:
    nb = small_course()
    catalog = saved(german(nb), tmp_path)
    entries = [(m.context, m.id, m.string) for m in catalog if m.id]
    texts = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    assert entries == [(c.id, c.source, GERMAN.get(c.id, "")) for c in texts]
    assert complaints(nb, catalog) == [] and coverage(nb, catalog) == (2, 3)
    assert coverage(nb, catalog, "cell-0") == (1, 1)
    text = (tmp_path / "de.po").read_text()
    assert 'msgctxt "cell-6"' in text and "Language: de" in text and "20" not in text  # no dates


def test_the_translated_notebook_shares_code_and_outputs() -> None:
    nb = small_course()
    nb.cells[3].outputs = [v4.new_output("stream", text="tiny")]
    other = translated(nb, german(nb))
    assert [c.source for c in other.cells if c.id in GERMAN] == list(GERMAN.values())
    assert other.cells[5].source == nb.cells[5].source  # not translated yet
    assert [c for c in other.cells if c.cell_type == "code"] == [
        c for c in nb.cells if c.cell_type == "code"
    ]
    assert other.cells[5].metadata == nb.cells[5].metadata  # the wrong answers of a check
    assert nb.cells[0].source.startswith("# Course")


def test_what_changed_is_marked_and_what_went_is_kept(tmp_path: Path) -> None:
    nb = small_course()
    old = saved(german(nb), tmp_path)
    nb.cells[0].source += "\n\nMore."
    del nb.cells[6]
    nb.cells.append(markdown("New.", tags=[]))
    nb.cells[-1].id = "cell-7"
    assert complaints(nb, old) == [
        "cell-0: the course says something else by now",
        "cell-7: no entry",
        "cell-6: no such cell",
    ]
    new = saved(update(nb, old), tmp_path)
    assert complaints(nb, new) == ["cell-0: the translation is of an earlier text (fuzzy)"]
    assert coverage(nb, new) == (0, 3)
    kept = [message.string for message in new.obsolete.values()]
    assert kept == [GERMAN["cell-6"]] and "cell-6" not in [m.context for m in new]
    again = saved(update(nb, new), tmp_path)
    assert [m.string for m in again if m.context == "cell-0"] == [GERMAN["cell-0"]]
    assert complaints(nb, again) == complaints(nb, new)


@pytest.mark.parametrize(
    ("text", "translation", "what"),
    [
        ("Use `a`, $x$.", "Nimm `b`, $x$.", "other code: `a` `b`"),
        ("```python\na = 1\n```", "```python\na = 2\n```", "other code: ```python"),
        ("So $x^2$ and $$y$$.", "Also $x^3$ und $$y$$.", "other formulas: $x^2$ $x^3$"),
        ("[a](b.md)", "[a](c.md)", "other links: b.md c.md"),
        ('<img src="a.svg">', '<img src="b.svg">', "other links: a.svg b.svg"),
        ("Costs `$5` or $6.", "Kostet `$5` oder 6 $.", None),
        ("`b` before `a`, $x$", "`a` nach `b`, $x$ und $x$", None),
    ],
)
def test_code_formulas_and_links_are_the_same(text: str, translation: str, what: str) -> None:
    nb = v4.new_notebook(cells=[markdown(text)])
    nb.cells[0].id = "a"
    catalog = update(nb, Catalog(locale="de"))
    catalog.get(text, "a").string = translation
    told = complaints(nb, catalog)
    assert told == [] if what is None else told[0].startswith(f"a: {what}")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = tmp_path / "a.ipynb"
    book.write_text(nbformat.writes(small_course()))
    common = [
        "--notebook",
        str(book),
        "--po",
        str(tmp_path / "x" / "de.po"),
        "--out",
        str(tmp_path),
    ]
    assert translate_course.main(["check", "de", *common]) == 1
    assert "cell-0: no entry" in capsys.readouterr().err
    assert translate_course.main(["update", "de", *common]) == 0
    assert "0 of 3 text cells" in capsys.readouterr().out
    first = (tmp_path / "x" / "de.po").read_bytes()
    assert translate_course.main(["update", "de", *common]) == 0
    assert (tmp_path / "x" / "de.po").read_bytes() == first
    assert translate_course.main(["build", "de", *common]) == 0
    built = nbformat.read(tmp_path / "a.de.ipynb", as_version=4)
    nbformat.validate(built)
    assert built.cells == small_course().cells


# the real ones ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted(translate_course.TRANSLATIONS.glob("*.po")), ids=lambda path: path.stem
)
def test_a_translation_fits_the_course_and_its_chapters_are_whole(path: Path) -> None:
    nb, catalog = nbformat.read(make_colab.NOTEBOOK, as_version=4), translate_course.read(path)
    assert complaints(nb, catalog) == [], f"scripts/translate_course.py update {path.stem}"
    begun = {str(m.context).partition("-")[0] for m in catalog if m.string}
    assert {"c0", "c2"} <= begun
    for chapter in begun:
        done, texts = coverage(nb, catalog, f"{chapter}-")
        assert done == texts, chapter
