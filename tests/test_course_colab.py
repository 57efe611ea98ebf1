"""The course's twin for Colab and Kaggle: what its own cells run and print on every host.

Colab, Kaggle, git and pip are stand-ins: modules of their names in a folder that is all a fresh
Python sees beside its standard library.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import make_colab
import pytest
from nbformat import NotebookNode, v4, writes
from small_course import PACKAGE, code, side_course, small_course

VERSIONS = {"torch": "2.11.0+cu128", "torchvision": "0.26.0", "gradio": "5.50.0", "numpy": "2.0.2"}
PIP = """
import json, os, pathlib, sys
here = pathlib.Path(os.environ["SITE"])
constraints = sys.argv[sys.argv.index("-c") + 1] if "-c" in sys.argv else os.devnull
pins = pathlib.Path(constraints).read_text().split()
(here / "pip.json").write_text(json.dumps({"argv": sys.argv[1:], "pins": pins}))
assert os.path.isdir(next(need for need in sys.argv if need.endswith("[train]"))[:-7])
if "PIP_FAILS" in os.environ:
    sys.exit("Could not resolve host: github.com")
(here / "pix2pix").mkdir(exist_ok=True)
(here / "pix2pix" / "__init__.py").touch()
new = here / "pix2pix_color-0.1.0.dist-info"
new.mkdir(exist_ok=True)
(new / "METADATA").write_text("Name: pix2pix-color\\nVersion: 0.1.0\\n")
if any(need.startswith("gradio") for need in sys.argv):
    (here / "gradio.dist-info" / "METADATA").write_text("Name: gradio\\nVersion: 6.31.0\\n")
"""
GIT = """#!/bin/sh
echo "$@" >> "$SITE/git.txt"
case "$GIT_FAILS" in ?*) echo "fatal: repository not found" >&2; exit 128;; esac
for clone; do :; done
mkdir -p "$clone/pix2pix" "$clone/resources/course"; touch "$clone/pix2pix/__init__.py"
"""
TORCH = """
import os
class cuda:
    def is_available(): return "GPU" in os.environ
    def get_device_name(i): return "Tesla T4"
    def get_device_properties(i): return type("P", (), {"total_memory": 15 * 2**30})
"""
SECRET = """
import os
def get(name):
    if name != "HF_TOKEN" or "SECRET" not in os.environ:
        raise KeyError(name)
    return os.environ["SECRET"]
"""
RUN = """
import json, os, sys
state = {"__name__": "__main__"}
for source in json.load(sys.stdin):
    exec(source, state)
state["CWD"] = os.getcwd()
state["HF_TOKEN"] = os.environ.get("HF_TOKEN")
print(json.dumps([state[n] for n in ("MODE", "OUT", "HF_TOKEN", "DATA", "CWD")]))
"""

RUN_ALONE = """
import json, sys
state = {"__name__": "__main__"}
for source in json.load(sys.stdin):
    exec(source, state)
print(state["RESOURCES"])
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of stand-ins, as a host's site-packages."""
    files = {"pip/__init__.py": "", "pip/__main__.py": PIP, "torch/__init__.py": TORCH}
    files["gradio/__init__.py"] = ""
    files["google/auth.py"] = ""  # other packages share that name
    for name, version in VERSIONS.items():
        files[f"{name}.dist-info/METADATA"] = f"Name: {name}\nVersion: {version}\n"
        files[f"{name}.dist-info/top_level.txt"] = name
    put(tmp_path / "bin", {"git": GIT})
    (tmp_path / "bin" / "git").chmod(0o755)
    (tmp_path / "temp").mkdir()
    return put(tmp_path / "site", files)


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def as_colab(site: Path) -> None:
    drive = "def mount(where): print('mounted', where)\n"
    put(site / "google/colab", {"__init__.py": "", "userdata.py": SECRET, "drive.py": drive})


def as_kaggle(site: Path) -> None:
    as_colab(site)  # Kaggle's images are made from Colab's
    client = "\nclass UserSecretsClient:\n    def get_secret(self, name): return get(name)\n"
    put(site, {"kaggle_secrets.py": SECRET + client})


def run(site: Path, *, edits: dict[str, str] | None = None, **env: str) -> tuple[list, str, dict]:
    """([MODE, OUT, HF_TOKEN, DATA, cwd], what was printed, what pip was asked) by its own cells."""
    nb = make_colab.twin(small_course())
    wanted = [
        c.source for c in nb.cells if {"host", "parameters"} & set(c.metadata.get("tags", []))
    ]
    for old, new in (edits or {}).items():
        assert sum(old in source for source in wanted) == 1, old
        wanted = [source.replace(old, new) for source in wanted]
    path = f"{site.parent / 'bin'}:{os.environ['PATH']}"
    own = {"PYTHONPATH": str(site), "SITE": str(site), "TMPDIR": str(site.parent / "temp")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", RUN],
        input=json.dumps(wanted),
        env={**own, "PATH": path, **env},
        capture_output=True,
        text=True,
        cwd=site.parent,
    )
    assert done.returncode == 0, done.stderr
    *printed, state = done.stdout.splitlines()
    asked = site / "pip.json"
    return (
        json.loads(state),
        "\n".join(printed),
        json.loads(asked.read_text() if asked.exists() else "{}"),
    )


def test_colab_with_a_gpu(site: Path) -> None:
    as_colab(site)
    state, printed, pip = run(site, GPU="1", SECRET="hf_secret")
    clone = str(site.parent / "temp" / "pix2pixcolor")
    assert state == ["full", "/content/course", "hf_secret", "", clone]
    asked = (site / "git.txt").read_text()
    assert asked == f"clone -q --depth 1 {make_colab.repository()} {clone}\n"
    assert pip["argv"][:3] == ["install", "-q", "-c"]
    assert pip["argv"][4:] == [f"{clone}[train]", "ipywidgets", "matplotlib", "scikit-image"]
    assert pip["pins"] == ["gradio==5.50.0", "torch==2.11.0+cu128", "torchvision==0.26.0"]
    assert re.search(r"^pix2pix-color +- -> 0.1.0$", printed, re.MULTILINE)
    assert "Tesla T4, 15 GB" in printed and "tick DRIVE" in printed
    assert "hf_secret" not in printed and "numpy" not in printed and "Restart" not in printed


def test_colab_without_gpu_and_secret(site: Path) -> None:
    as_colab(site)
    (mode, _, token, *_), printed, _ = run(site)
    assert (mode, token) == ("laptop", None)
    assert "Runtime > Change runtime type > T4 GPU" in printed and "Kaggle" not in printed
    assert "Hub" not in printed


def test_colab_with_drive(site: Path) -> None:
    as_colab(site)
    drive = {"DRIVE = False": "DRIVE = True"}
    (_, out, *_), printed, _ = run(site, edits=drive)
    assert out == "/content/drive/MyDrive/Pix2PixColor"
    assert "mounted /content/drive" in printed and "tick DRIVE" not in printed


@pytest.mark.parametrize(("mode", "gpu"), [("tiny", {"GPU": "1"}), ("laptop", {}), ("tiny", {})])
def test_own_choices_are_kept(site: Path, mode: str, gpu: dict[str, str]) -> None:
    as_colab(site)
    edits = {'MODE = "full" ': f'MODE = "{mode}" ', 'OUT = "runs/course" ': 'OUT = "mine" '}
    edits['DATA = "" '] = 'DATA = "photos" '
    (found, out, _, data, _), _, _ = run(site, edits=edits, **gpu)
    assert (found, out, data) == (mode, "/content/mine", "/content/photos")
    edits['DATA = "" '] = 'DATA = "/kaggle/input/x" '  # an absolute one stays
    assert run(site, edits=edits, **gpu)[0][3] == "/kaggle/input/x"
    assert (site / "git.txt").read_text().count("clone -q") == 1  # what is there is used again


def test_kaggle(site: Path) -> None:
    as_kaggle(site)
    state, printed, pip = run(site, KAGGLE_KERNEL_RUN_TYPE="Interactive", SECRET="hf_secret")
    assert state[:3] == ["laptop", "/kaggle/working/course", "hf_secret"]
    assert pip["pins"] == ["torch==2.11.0+cu128", "torchvision==0.26.0"]
    needs = pip["argv"][4:]
    assert any(n.startswith("gradio>=6") for n in needs)
    assert any(n.startswith("huggingface_hub>=1.16") for n in needs)
    assert re.search(r"^gradio +5.50.0 -> 6.31.0$", printed, re.MULTILINE)
    assert "Session options > Accelerator > GPU T4 x2" in printed and "Runtime >" not in printed


def test_kaggle_says_when_a_package_in_use_was_changed(site: Path) -> None:
    as_kaggle(site)
    edits = {"# @title Which host is this?": "import gradio"}
    _, printed, _ = run(site, edits=edits, KAGGLE_KERNEL_RUN_TYPE="Batch")
    assert "Restart the session, then run all: in use before the change: gradio" in printed


def test_kaggle_without_internet(site: Path) -> None:
    as_kaggle(site)
    with pytest.raises(
        AssertionError, match=r"(?s)Could not resolve host.*Session options > Internet"
    ):
        run(site, KAGGLE_KERNEL_RUN_TYPE="Interactive", PIP_FAILS="1")


def test_a_fork_is_told_which_line_to_edit(site: Path) -> None:
    as_colab(site)
    with pytest.raises(AssertionError, match="(?s)not found.*Is REPOSITORY this fork's address"):
        run(site, GIT_FAILS="1")
    mine = {f'"{make_colab.repository()}"': '"https://github.com/me/fork"'}
    run(site, edits=mine)
    assert " https://github.com/me/fork " in (site / "git.txt").read_text().splitlines()[-1]


def test_elsewhere_nothing_is_installed(site: Path) -> None:
    state, printed, pip = run(site, GPU="1", SECRET="hf_secret")
    assert state == ["full", "runs/course", None, "", str(site.parent)]
    assert pip == {} and not (site / "git.txt").exists()
    assert "Neither: nothing is installed" in printed and "Nothing was changed." in printed
    assert "pix2pix is not installed" in printed


# -- the notebooks of course/


def run_alone(site: Path, **env: str) -> tuple[str, dict]:
    """(RESOURCES, what pip was asked) after the first cells of a notebook of course/."""
    nb = make_colab.hosted(side_course(), make_colab.SIDE / "a.ipynb")
    sources = [c.source for c in nb.cells if c.cell_type == "code"]
    path = f"{site.parent / 'bin'}:{os.environ['PATH']}"
    own = {"PYTHONPATH": str(site), "SITE": str(site), "TMPDIR": str(site.parent / "temp")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", RUN_ALONE],
        input=json.dumps(sources),
        env={**own, "PATH": path, **env},
        capture_output=True,
        text=True,
        cwd=site.parent,
    )
    assert done.returncode == 0, done.stderr
    asked = site / "pip.json"
    return done.stdout.strip(), json.loads(asked.read_text() if asked.exists() else "{}")


@pytest.mark.parametrize("host", [as_colab, as_kaggle])
def test_a_notebook_alone_fetches_the_package(host, site: Path) -> None:
    host(site)
    env = {"KAGGLE_KERNEL_RUN_TYPE": "Batch"} if host is as_kaggle else {}
    clone = site.parent / "temp" / "pix2pixcolor"
    resources, pip = run_alone(site, **env)
    assert resources == str(clone / "resources")
    assert (
        site / "git.txt"
    ).read_text() == f"clone -q --depth 1 {make_colab.repository()} {clone}\n"
    needs = [f"{clone}[train]", "ipywidgets", "matplotlib", "scikit-image"]
    kept = ["torch==2.11.0+cu128", "torchvision==0.26.0"]
    assert pip["argv"] == ["install", "-q", *needs, *kept]
    (site / "pip.json").unlink()
    assert run_alone(site, **env) == (resources, {})  # what is there is used again


def test_a_notebook_alone_that_cannot_fetch_it_says_what_to_do(site: Path) -> None:
    with pytest.raises(AssertionError, match=r"git clone https://\S+; make setup; open me"):
        run_alone(site)
    as_colab(site)
    with pytest.raises(AssertionError, match="(?s)not found.*Is REPOSITORY right. A fork"):
        run_alone(site, GIT_FAILS="1")
    with pytest.raises(AssertionError, match="(?s)Could not resolve.*Is the internet on"):
        run_alone(site, PIP_FAILS="1")


@pytest.mark.parametrize("place", ["resources", "../resources"])
def test_a_notebook_in_the_repository_finds_its_resources(place: str, site: Path) -> None:
    put(site, {"pix2pix/__init__.py": ""})
    (site.parent / place / "course").mkdir(parents=True)
    assert run_alone(site) == (place, {})


def test_badges_and_the_cell_are_put_in_once() -> None:
    path = make_colab.SIDE / "a.ipynb"
    nb = side_course()
    nb.cells[1].outputs = [v4.new_output("stream", text="x")]
    once = make_colab.hosted(nb, path)
    assert [c.id for c in once.cells] == ["side-0", "host-badges", "side-1", "side-2"]
    assert once.cells[1].source.count("/blob/main/course/a.ipynb") == 2
    assert once.cells[2].outputs and nb.cells[1].source == PACKAGE
    assert len(once.cells[2].source.splitlines()) <= 25
    assert writes(make_colab.hosted(once, path)) == writes(once)
    nb.cells[1].metadata.tags = []
    with pytest.raises(ValueError, match="0 cells are tagged `package`"):
        make_colab.hosted(nb, path)


# -- the files


def test_cells_are_short_and_in_order() -> None:
    nb = make_colab.twin(small_course())
    own = [c for c in nb.cells if c.id.startswith("host-")]
    assert max(len(c.source.splitlines()) for c in own) < 25
    ids = [c.id for c in nb.cells]
    hosts = ["host-detect", "host-install", "host-changed", "host-gpu", "host-login"]
    assert ids[:2] == ["host-welcome", "cell-0"] and ids[2:7] == hosts
    assert ids[7:] == ["cell-1", "cell-2", "host-folder", *(f"cell-{i}" for i in range(3, 7))]
    assert nb.cells[0].source.startswith(make_colab.badges())


def test_it_is_the_same_every_time_and_holds_no_outputs() -> None:
    nb = small_course()
    before = writes(make_colab.twin(nb))
    nb.cells[3].outputs = [{"output_type": "stream", "name": "stdout", "text": "laptop"}]
    nb.cells[3].execution_count = 7
    nb.metadata["widgets"] = {"state": {}}
    assert writes(make_colab.twin(nb)) == before
    assert nb.cells[3].outputs  # the course itself is not touched


RAW = "https://raw.githubusercontent.com/pix2pixcolor/pix2pixcolor/main/"
PAGE = "https://github.com/pix2pixcolor/pix2pixcolor/blob/main/"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("![a b](resources/a.png)", f"![a b]({RAW}resources/a.png)"),
        ('![](./a.png "t")', f'![]({RAW}a.png "t")'),
        ('<img width=9 src="a.png">', f'<img width=9 src="{RAW}a.png">'),
        ("[card](pix2pix/x.md#y)", f"[card]({PAGE}pix2pix/x.md#y)"),
        ('<a href="x.md">', f'<a href="{PAGE}x.md">'),
        ("[![a](a.png)](x.md)", f"[![a]({RAW}a.png)]({PAGE}x.md)"),
        *[
            (same, same)
            for same in (
                "[top](#top) [w](https://x.org/a.png) ![](data:image/png;base64,AA==)",
                "![](attachment:a.png) `![](a.png)`",
                "```\n![](a.png)\n```",
                "plain text (a.png) [b]",
            )
        ],
    ],
)
def test_addresses(before: str, after: str) -> None:
    assert make_colab.with_addresses(before) == after


def broken(cell: NotebookNode) -> NotebookNode:
    nb = small_course()
    nb.cells.append(cell)
    return nb


def test_refuses_what_cannot_work_there() -> None:
    with pytest.raises(ValueError, match="2 cells are tagged"):
        make_colab.twin(broken(code("MODE = 1", "parameters")))
    nb = small_course()
    nb.cells[2].source = nb.cells[2].source.replace("laptop", "tiny", 1)
    with pytest.raises(ValueError, match="no line MODE"):
        make_colab.twin(nb)


def test_check_tells_when_a_file_is_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_colab, "ROOT", tmp_path)
    monkeypatch.setattr(make_colab, "NOTEBOOK", tmp_path / "a.ipynb")
    monkeypatch.setattr(make_colab, "TWIN", tmp_path / "b.ipynb")
    monkeypatch.setattr(make_colab, "SIDE", tmp_path / "course")
    extras = "optional-dependencies.app=[]\noptional-dependencies.torch=[]"
    pyproject = f'[project]\n{extras}\nurls.Repository="https://github.com/x/y/"'
    put(tmp_path, {"pyproject.toml": pyproject, "course/c.ipynb": writes(side_course())})
    (tmp_path / "a.ipynb").write_text(writes(broken(code(PACKAGE, "package"))))
    assert make_colab.main(["--check"]) == 1
    assert "not current: a.ipynb, b.ipynb, course/c.ipynb; run python" in capsys.readouterr().err
    assert make_colab.main([]) == 0
    assert make_colab.main(["--check"]) == 0
    for name in ("a.ipynb", "b.ipynb", "course/c.ipynb"):
        text = (tmp_path / name).read_text()
        assert "https://github.com/x/y" in text and "of/nobody" not in text
    (tmp_path / "a.ipynb").write_text(writes(broken(code("1"))))
    assert make_colab.main(["--check"]) == 1
    assert "not current: a.ipynb, b.ipynb; run" in capsys.readouterr().err
