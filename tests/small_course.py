"""A course in miniature, built as the real one is: the notebook scripts are tested on it."""

from nbformat import NotebookNode, v4

PARAMETERS = """\
MODE = "laptop"  # @param ["tiny", "laptop", "full"]
DATA = ""  # @param {type: "string"}
OUT = "runs/course"  # @param {type: "string"}"""
PACKAGE = """\
REPOSITORY = "https://example.org/of/nobody"  # of a fork: its own address"""
SHOW = """\
class show:
    def check(answer, truth, hint):
        if answer is ...:
            return print("Your turn.")
        print("Right." if answer == truth else f"Not yet. {hint}")"""
ANSWER = "<details><summary>Answer</summary>\n\n```python\n{}\n```\n\n</details>"


def markdown(source: str, **metadata: object) -> NotebookNode:
    return v4.new_markdown_cell(source, metadata=metadata)


def code(source: str, *tags: str) -> NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def small_course() -> NotebookNode:
    """Parameters, a cell that prints them, one check with its answer, one cell of questions."""
    cells = [
        markdown("# Course\n\n![results](resources/results.png)"),
        code(SHOW),
        code(PARAMETERS, "parameters"),
        code("print(MODE, DATA, OUT)"),
        code('half = ...\nshow.check(half, 0.5, "Divide.")', "check"),
        markdown(ANSWER.format("half = 1 / 2"), wrong=["half = 2", "half = -0.5"]),
        markdown("<details><summary>Why?</summary>So it is.</details>", tags=["questions"]),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return v4.new_notebook(cells=cells)


def side_course() -> NotebookNode:
    """A notebook of course/: a title, the package's cell, parameters."""
    cells = [markdown("# Beside"), code(PACKAGE, "package"), code(PARAMETERS, "parameters")]
    for number, cell in enumerate(cells):
        cell.id = f"side-{number}"
    return v4.new_notebook(cells=cells)
