"""Running, cleaning and judging notebooks: on a course in miniature, and on broken ones."""

import copy
from pathlib import Path

import nbformat
import notebook_checks
import notebook_outputs
import notebook_rules
import places
import pytest
import run_notebook
from nbformat import NotebookNode, v4
from notebook_outputs import NotFit, last_state
from small_course import ANSWER, SHOW, code, markdown, small_course

WIDGET = notebook_outputs.WIDGET
ROOT = str(places.ROOT)
DOT = "iVBORw0KGgo="


def shown(data: dict, **metadata: object) -> NotebookNode:
    return v4.new_output("display_data", data=data, metadata=metadata)


def printed(text: str, name: str = "stdout") -> NotebookNode:
    return v4.new_output("stream", name=name, text=text)


def with_outputs(*outputs: NotebookNode, source: str = "run()") -> NotebookNode:
    cell = v4.new_code_cell(source, outputs=list(outputs), execution_count=9)
    return v4.new_notebook(cells=[cell])


# -- running


@pytest.fixture(scope="module")
def answered() -> NotebookNode:
    """The small course after a run with its checks filled in."""
    nb = notebook_checks.expanded(small_course())
    nb = run_notebook.with_parameters(nb, MODE="tiny", DATA="it's")
    run_notebook.execute(nb, timeout=60)
    return nb


@pytest.mark.slow
def test_parameters_reach_the_cells(answered: NotebookNode) -> None:
    cell = next(c for c in answered.cells if c.source.startswith("print(MODE"))
    assert cell.outputs[0].text == "tiny it's runs/course\n"
    written = run_notebook.without_parameters(answered)
    assert not any("it's" in c.source for c in written.cells)


@pytest.mark.slow
def test_checks_run_answered_wrong_and_as_they_stand(answered: NotebookNode) -> None:
    kinds = [c.metadata["check"]["kind"] for c in answered.cells if "check" in c.metadata]
    assert kinds == ["answer", "wrong", "wrong", "unanswered"]
    assert notebook_checks.failures(answered) == []
    told = [c.outputs[0].text.strip() for c in answered.cells if "check" in c.metadata]
    assert told == ["Right.", "Not yet. Divide.", "Not yet. Divide.", "Your turn."]


def spoiled(answered: NotebookNode, kind: str, *outputs: NotebookNode) -> list[str]:
    """What is said when the first cell of a kind has other outputs."""
    nb = copy.deepcopy(answered)
    cell = next(c for c in nb.cells if c.metadata.get("check", {}).get("kind") == kind)
    cell.outputs = list(outputs)
    return notebook_checks.failures(nb)


def error(name: str, value: str) -> NotebookNode:
    return v4.new_output("error", ename=name, evalue=value, traceback=[])


@pytest.mark.slow
def test_checks_that_do_not_hold_are_named(answered: NotebookNode) -> None:
    half = "cell-4: 'half = 2\\n': "
    assert spoiled(answered, "wrong") == [f"{half}wrong is told nothing, not Not yet."]
    right = spoiled(answered, "wrong", printed("Right.\n"))
    assert right == [f"{half}wrong is told Right., not Not yet."]
    assert spoiled(answered, "wrong", printed("Not yet.\n")) == [
        f"{half}no hint for a wrong answer"
    ]
    raised = spoiled(answered, "wrong", printed("Not yet. X."), error("NameError", "x"))
    assert raised == [f"{half}wrong raises NameError: x"]
    told = spoiled(answered, "answer", printed("Not yet. Divide.\n"))
    assert told == ["cell-4: answer is told Not yet. Divide., not Right."]
    assert "answer is told Your turn" in spoiled(answered, "answer", printed("Your turn."))[0]
    assert "answer is told Right. Right." in spoiled(answered, "answer", printed("Right.\n" * 2))[0]
    assert "unanswered is told Right." in spoiled(answered, "unanswered", printed("Right."))[0]


def test_a_course_with_its_answers_filled_in() -> None:
    nb = notebook_checks.answered(small_course())
    sources = [c.source for c in nb.cells if "check" in c.metadata]
    assert sources == ['half = 1 / 2\nshow.check(half, 0.5, "Divide.")']
    nb.cells[4].outputs = [printed("Not yet. Divide.")]
    assert len(notebook_checks.failures(nb)) == 1


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("a = ...", False),
        ("a = [..., ...]\nb = x[..., 0]", False),
        ("def f(x):\n    return ...", True),
        ("def f(x):\n    return x[..., 0]\n\n\na = ...", False),
        ("class A:\n    def f(self):\n        return x[g(...)]", True),
        ("for i in range(3):\n    a = ...", True),
    ],
)
def test_checks_that_ask_for_code(part: str, code: bool) -> None:
    check = notebook_checks.Check("a", part, "show.check(a, 1)", "a = 1", ["a = 2"])
    assert notebook_checks.asks_for_code(check) == code


@pytest.mark.slow
def test_command_line_writes_clean_outputs_and_a_static_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")  # as on a server: plots are there all the same
    path, page = tmp_path / "a.ipynb", tmp_path / "a.html"
    nb = small_course()
    plot = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.show()"
    widget = f"display({{'{WIDGET}': {{}}, 'image/png': '{DOT}'}}, raw=True)"
    nb.cells += [code(plot), code(widget), code("import sys\n\nsys.executable[:0] + '$x^2$'")]
    path.write_text(nbformat.writes(nb))
    arguments = [str(path), "--mode", "tiny", "--write", "--html", str(page.parent)]
    assert run_notebook.main(arguments) == 0
    out = capsys.readouterr().out
    assert "all 8 code cells" in out and "MB" in out
    written = nbformat.read(path, as_version=4)
    assert [c.source for c in written.cells] == [c.source for c in nb.cells]
    code_cells = [c for c in written.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code_cells] == [1, 2, 3, 4, 5, 6, 7]
    assert "image/png" in code_cells[4].outputs[-1].data
    assert dict(code_cells[5].outputs[0].data) == {"image/png": DOT}
    assert written.metadata == notebook_outputs.METADATA
    assert not any("execution" in c.metadata for c in written.cells)
    html = page.read_text()
    assert html.count("data:image/png") >= 3 and "resources/results.png" not in html
    (line,) = [line for line in out.splitlines() if line.startswith(str(page))]
    assert line.endswith("loads from elsewhere: nothing")
    assert "mermaid.esm" not in html and "require.min" not in html and "mathjax" not in html.lower()


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nb = small_course()
    nb.cells += [code("half = 1\nhalf / 0"), code("print('not reached')")]
    path = tmp_path / "a.ipynb"
    path.write_text(nbformat.writes(nb))
    before = path.read_bytes()
    assert run_notebook.main([str(path), "--mode", "tiny", "--write"]) == 1
    told = capsys.readouterr().err
    assert "cell 8 (half = 1) failed:\n\nhalf = 1\nhalf / 0\n" in told
    assert "ZeroDivisionError: division by zero" in told and "\x1b" not in told
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_cell_past_its_time_is_named() -> None:
    nb = v4.new_notebook(cells=[code("1"), code("import time\n\ntime.sleep(60)")])
    with pytest.raises(run_notebook.Failed, match=r"cell 2 \(import time\)"):
        run_notebook.execute(nb, timeout=2)


def test_parameters_that_are_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match="sets no SIZE"):
        run_notebook.with_parameters(small_course(), SIZE="3")
    with pytest.raises(ValueError, match="0 cells are tagged"):
        run_notebook.with_parameters(v4.new_notebook(), MODE="tiny")


# -- cleaning


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("a\nb\n", "a\nb\n"),
        ("\r 0%|  | 0/2\r 50%|# | 1/2\r100%|##| 2/2\nend\n", "100%|##| 2/2\nend\n"),
        ("long line\rshort", "shortline"),
        ("50%\r        \r", ""),
        ("a\n50%\r   \rb\n", "a\nb\n"),
        ("\x1b[Aup \x1b[31mred\x1b[0m", "up \x1b[31mred\x1b[0m"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
    ],
)
def test_last_state(text: str, last: str) -> None:
    assert last_state(text) == last


def test_streams_are_joined_before_their_last_state_is_taken() -> None:
    nb = with_outputs(printed("\r 1%", "stderr"), printed("\r99%", "stderr"), printed("out"))
    notebook_outputs.clean(nb)
    assert [(o.name, o.text) for o in nb.cells[0].outputs] == [("stderr", "99%"), ("stdout", "out")]


def test_widgets_keep_only_their_picture() -> None:
    view = {WIDGET: {"model_id": "1"}, "text/plain": "VBox(...)"}
    nb = with_outputs(shown({**view, "image/jpeg": DOT}, **{WIDGET: {}}))
    nb.metadata["widgets"] = {"state": {}}
    notebook_outputs.clean(nb)
    assert nb.cells[0].outputs == [shown({"image/jpeg": DOT})]
    assert "widgets" not in nb.metadata
    with pytest.raises(NotFit, match=r"cell 1 \(run\(\)\): a widget without a static picture"):
        notebook_outputs.clean(with_outputs(shown(view)))


@pytest.mark.parametrize(
    "path",
    [
        f"{ROOT}/runs",
        ROOT,
        "/tmp/ipykernel_12/3.py:1: UserWarning",
        "'/home/ann/photos'",
        "file:///root/x",
        "C:\\Users\\ann",
        "/content/x",
        str(Path.home()),
    ],
)
def test_paths_of_the_machine_are_refused(path: str) -> None:
    for output in (printed(f"see {path}"), shown({"text/html": f"<b>{path}</b>"})):
        with pytest.raises(NotFit, match=r"cell 1 \(run\(\)\): an absolute path"):
            notebook_outputs.clean(with_outputs(output))


@pytest.mark.parametrize(
    "text",
    [
        "https://x.org/home/ann",
        "runs/tmp/a ./tmp/b ~/tmp/c",
        "data:image/png;base64,AA+/tmp/aa+/root/",
        "and/or 1/2 /rooted",
    ],
)
def test_what_is_no_path_passes(text: str) -> None:
    cleaned = with_outputs(shown({"text/html": text}), shown({"image/png": "/tmp/"}))
    notebook_outputs.clean(cleaned)
    html, png = cleaned.cells[-1].outputs
    assert (html.data["text/html"], png.data["image/png"]) == (text, "/tmp/")


def test_size_is_limited_and_the_largest_cells_named() -> None:
    nb = with_outputs(shown({"image/png": "A" * 1_300_000}), source="large()")
    with pytest.raises(NotFit, match=r"1.30 MB, more than 1.20 MB; largest: cell 1 \(large\(\)\)"):
        notebook_outputs.clean(nb)


# -- check cells


@pytest.mark.parametrize(
    ("source", "answer", "wrong", "complaint"),
    [
        ("a = 1\nshow.check(a, 1)", "a = 1", ["a = 2"], "no dots"),
        ("a = ...\nif a: show.check(a, 1)", "a = 1", ["a = 2"], "0 lines begin"),
        ("a = ...\nshow.check(a)\nshow.check(a)", "a = 1", ["a = 2"], "2 lines begin"),
        ("a = ...\nshow.check(a, 1)", "a = 1", [], "no wrong answers"),
        ("a = ...\nshow.check(a, 1)", "a = 1", ["a = 1 "], "among the wrong ones"),
        ("a = ...\nshow.check(a, 1)", "a = ...", ["a = 2"], "is the unanswered part"),
        ("a = x[..., 0]\nshow.check(a, 1)", "a = 1", ["a = 2"], "no dots"),
    ],
)
def test_check_cells_not_built_as_agreed(source, answer, wrong, complaint) -> None:
    cells = [code(source, "check"), markdown(ANSWER.format(answer), wrong=wrong)]
    with pytest.raises(ValueError, match=complaint):
        list(notebook_checks.checks(v4.new_notebook(cells=cells)))


def test_check_cells_without_their_answer() -> None:
    cells = [code("a = ...\nshow.check(a, 1)", "check")]
    with pytest.raises(ValueError, match="no markdown cell"):
        list(notebook_checks.checks(v4.new_notebook(cells=cells)))
    cells.append(markdown("It is 1.", wrong=["a = 2"]))
    with pytest.raises(ValueError, match="0 folded answers"):
        list(notebook_checks.checks(v4.new_notebook(cells=cells)))


# -- rules


MAIN, SIDE = notebook_rules.MAIN, notebook_rules.SIDE
FUNCTION = "def f{0}(x):\n    return ...\n\n\nshow.check(f{0}, {0})"


def full_course() -> NotebookNode:
    """A course in miniature that keeps every rule, as if it had been run."""
    cells = [c for c in small_course().cells if c.source != SHOW][:3]
    cells[1:1] = [code("from pix2pix import show")]
    for n in range(8):
        cells += [markdown(f"## {n}. Chapter", tags=["slide"]), code(f"show.explore({n})")]
        cells += [code(f"show.grid({n})", "slide") for _ in range(4)]
        for k in (f"{n}", f"1{n}"):
            cells += [code(FUNCTION.format(k), "check")]
            answer = f"def f{k}(x):\n    return {n}"
            cells += [markdown(ANSWER.format(answer), wrong=[answer + " + 1"])]
        asked = [f"<details><summary>{n} {q}?</summary>\n\nSo it is.</details>" for q in range(4)]
        cells += [markdown("\n".join(asked), tags=["questions"])]
    number = 0
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            cell.outputs = [shown({"image/png": DOT})] if "show.g" in cell.source else []
            if "explore" in cell.source:
                cell.outputs = [shown({"text/html": f'<img src="data:image/webp;base64,{DOT}">'})]
    return v4.new_notebook(cells=cells)


@pytest.mark.slow
@pytest.mark.parametrize("rule", notebook_rules.RULES, ids=lambda rule: rule.__name__)
def test_rules_hold_for_a_course_that_keeps_them(rule) -> None:
    assert list(rule(full_course(), MAIN)) == []


def edit(find: str, replace: str, times: int = -1):
    def change(nb: NotebookNode) -> None:
        for cell in nb.cells:
            cell.source = cell.source.replace(find, replace, times)

    return change


def output(*outputs: NotebookNode):
    def change(nb: NotebookNode) -> None:
        next(c for c in nb.cells if "show.grid" in c.source).outputs = list(outputs)

    return change


def drop(kind: str, keep: int = 0):
    """Leave only the first `keep` code cells that show `kind` with their outputs."""

    def change(nb: NotebookNode) -> None:
        for cell in [c for c in nb.cells if kind in c.source and c.get("outputs")][keep:]:
            cell.outputs = []

    return change


LONG = "a word too many " * 400
BREACHES = [
    ("parameters", edit('"laptop"  #', '"tiny"  #'), "no line MODE"),
    ("parameters", edit("# @param {", "# {"), "no line DATA"),
    ("cell_lengths", edit("show.grid(3)", "x = 1\n" * 26), "26 lines"),
    ("cell_lengths", edit("show.", "1\n2\n3\n4\n5\n6\nshow."), "median"),
    ("words", edit("## 3. Chapter", f"## 3. Chapter\n\n{LONG}"), "lines of code: 1"),
    ("pictures", drop("show.", 23), "23 pictures"),
    ("explorers", edit("show.explore(", "show.grid("), "0 calls"),
    ("explorers", drop("show.explore", 6), "without a static picture"),
    ("check_cells", edit("show.check(f3,", "print(f3 =="), "0 lines begin"),
    ("check_cells", edit("show.grid(3)", "show.check(3, 3)"), "without the tag"),
    ("questions", edit("So it is.", "<b></b>", 1), "no answer to '0 0?'"),
    ("questions", edit("2 1?", "2 0?"), "asked twice: '2 0?'"),
    ("questions", edit("4 0?</summary>\n\nSo it is.</details>", "4 0?</summary>"), "3 questions"),
    ("folded", edit("</summary>\n\nSo", "</summary>\n`So`"), "no empty line before '0 0?"),
    ("folded", edit("4 0?</summary>", "`4` 0?</summary>"), "no empty line before '`4` 0?"),
    ("chapters", edit("## 7.", "## Seven"), "chapters 0, 1, 2, 3, 4, 5, 6"),
    ("slides", lambda nb: [c.metadata.pop("tags", 0) for c in nb.cells[34:]], "chapter 3 has"),
    ("ids", lambda nb: nb.cells[5].update(id="4f3a"), "the id 4f3a"),
    ("executed", output(error("ValueError", "x")), "an error in its output"),
    ("static", output(shown({WIDGET: {}, "image/png": DOT})), "a widget view"),
    ("static", lambda nb: nb.metadata.update(widgets={}), "widget state"),
    ("static", output(printed("1%\r2%")), "progress bar"),
    ("fit_to_commit", output(printed("in /home/ann/x")), "an absolute path in its output"),
    ("fit_to_commit", edit("show.grid(3)", 'open("/home/ann/x")'), "an absolute path: /home/a"),
    ("fit_to_commit", output(shown({"image/png": "A" * 1_200_001})), "more than 1.20 MB"),
    ("own_definitions", edit("show.grid(3)", "def rgb_to_lab(x): ..."), "as pix2pix/color.py does"),
    ("own_definitions", edit("show.grid(3)", "class UNet: ..."), "defines UNet"),
    ("images", edit("results.png", "result.png"), "no file resources/result.png"),
    ("images", edit("![results](", '<img alt="" src="no.png">('), "no file no.png"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "change", "complaint"), BREACHES)
def test_rules_see_their_breach(name: str, change, complaint: str) -> None:
    nb = full_course()
    change(nb)
    assert any(complaint in breach for breach in getattr(notebook_rules, name)(nb, MAIN))


def test_rules_see_cells_that_were_not_run_or_out_of_order() -> None:
    nb = full_course()
    last = [c for c in nb.cells if c.cell_type == "code"][-1]
    last.execution_count = None
    count = sum(c.cell_type == "code" for c in nb.cells)
    found = list(notebook_rules.executed(nb, MAIN))
    assert f"execution count None, not {count}" in found[0]
    stripped = full_course()
    for cell in stripped.cells:
        cell.pop("outputs", None) if cell.cell_type == "markdown" else cell.update(outputs=[])
    assert list(notebook_rules.executed(stripped, MAIN)) == ["no outputs at all"]


def test_rules_count() -> None:
    short = v4.new_notebook(cells=full_course().cells[:15])
    told = [breach for rule in notebook_rules.RULES for breach in rule(short, MAIN)]
    wanted = {"2 of 2 checks ask for code", "4 questions", "1 calls of show.explore", "chapters 0"}
    assert wanted <= set(told)
    values = full_course()
    for cell in values.cells:
        if "check" in cell.metadata.get("tags", ()):
            cell.source = "a = ...\nshow.check(a, 1)"
    assert "0 of 16 checks ask for code" in list(notebook_rules.check_cells(values, MAIN))


def test_what_learners_write_may_have_our_names() -> None:
    nb = full_course()
    check = next(c for c in nb.cells if "check" in c.metadata.get("tags", ()))
    check.source = check.source.replace("def f0", "def rgb_to_lab")
    assert list(notebook_rules.own_definitions(nb, MAIN)) == []


def test_notebooks_beside_the_course_promise_less_but_stand_alone() -> None:
    nb = v4.new_notebook(cells=full_course().cells[:9])
    assert [breach for rule in notebook_rules.RULES for breach in rule(nb, SIDE)] == [
        "cell 1 (# Course): Colab has no resources/results.png; show it by a code cell"
    ]
    assert notebook_rules.promise(Path("course/color.ipynb")) is SIDE
    assert notebook_rules.promise(Path("Pix2PixColor.ipynb")) is MAIN


@pytest.mark.slow
def test_magics_are_understood() -> None:
    nb = full_course()
    next(
        c for c in nb.cells if "show.grid" in c.source
    ).source = "%matplotlib inline\n!ls\nshow.explore(1)"
    assert list(notebook_rules.own_definitions(nb, MAIN)) == []
