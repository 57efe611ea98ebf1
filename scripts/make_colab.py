"""Make the course run on Colab and Kaggle, at the address that pyproject.toml names.

notebook-colab.ipynb is made out of Pix2PixColor.ipynb. The notebooks of course/ get badges that
open them alone, and a cell that fetches the package there. `python scripts/make_colab.py` writes
all of it; `--check` exits with 1 when a file is not current.
"""

import argparse
import copy
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import notebook_checks
from nbformat import NotebookNode, v4

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "Pix2PixColor.ipynb"
TWIN = ROOT / "notebook-colab.ipynb"
SIDE = ROOT / "course"
BRANCH = "main"
# Colab selects the GPU and shows the contents by these.
METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": [], "toc_visible": True},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

WELCOME = """\
{badges}

This is the course as Google Colab and Kaggle run it. Choose a GPU first (Colab: *Runtime > Change \
runtime type > T4 GPU*; Kaggle: *Session options > Accelerator > GPU T4 x2*, and *Internet > On*), \
then run the cells from top to bottom. Without a GPU everything runs, on smaller training runs."""

HOST = """\
# @title Which host is this?
import os
from importlib.metadata import distributions
from importlib.util import find_spec

KAGGLE = "KAGGLE_KERNEL_RUN_TYPE" in os.environ  # first: its images hold google.colab, too
COLAB = not KAGGLE and bool(find_spec("google")) and bool(find_spec("google.colab"))
found = reversed(list(distributions()))  # of two with one name, Python imports the first
before = {d.metadata["Name"]: d.version for d in found if d.metadata["Name"]}
HOST = "/kaggle/working" if KAGGLE else "/content" if COLAB else ""  # where your files are
print("Kaggle" if KAGGLE else "Colab" if COLAB else "Neither: nothing is installed here.")"""

INSTALL = """\
# @title Install the package (2 minutes)
import subprocess
import sys
import tempfile

REPOSITORY = "{repository}"  # @param {{type: "string"}}
clone = os.path.join(tempfile.gettempdir(), "pix2pixcolor")
needs = [f"{{clone}}[train]", "ipywidgets", "matplotlib", "scikit-image"]
kept = ["torch", "torchvision"]  # they fit the host's GPU driver as they are
if KAGGLE:
    needs += {upgraded}
else:
    kept += ["gradio", "huggingface_hub"]
pins = [f"{{n}}=={{v}}\\n" for n, v in before.items() if n.lower().replace("-", "_") in kept]
with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as constraints:
    constraints.writelines(sorted(pins))
git = ["git", "clone", "-q", "--depth", "1", REPOSITORY, clone]
pip = [sys.executable, "-m", "pip", "install", "-q", "-c", constraints.name, *needs]
if HOST:
    for command in [pip] if os.path.isdir(clone) else [git, pip]:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        hint = "Is REPOSITORY this fork's address? On Kaggle: Session options > Internet > On"
        assert done.returncode == 0, "\\n".join([done.stdout[-2000:], done.stderr[-2000:], hint])
    os.chdir(clone)  # the course's pictures lie there"""

CHANGED = """\
# @title What the installation changed
import importlib
from importlib.metadata import packages_distributions

importlib.invalidate_caches()
found = reversed(list(distributions()))
after = {d.metadata["Name"]: d.version for d in found if d.metadata["Name"]}
changed = sorted((n for n in after if before.get(n) != after[n]), key=str.lower)
for name in changed:
    print(f"{name:28} {before.get(name, '-'):>14} -> {after[name]}")
owners = packages_distributions()
stale = {d for module in set(sys.modules) for d in owners.get(module, ())} & set(changed)
if stale:
    print("Restart the session, then run all: in use before the change:", ", ".join(sorted(stale)))
elif not changed:
    print("Nothing was changed.")
if find_spec("pix2pix") is None:
    print("pix2pix is not installed: the README says how.")"""

GPU = """\
# @title Is there a GPU?
import torch

GPU = torch.cuda.is_available()
if GPU:
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    print(f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB: ready for a real training.")
else:
    print('No GPU: MODE "full" falls back to "laptop", which takes minutes and teaches the same.')
    if COLAB:
        print("To get one: Runtime > Change runtime type > T4 GPU > Save, then Runtime > Run all.")
    if KAGGLE:
        print("To get one: Session options > Accelerator > GPU T4 x2, then Run All. Kaggle asks")
        print("for a verified phone number first: Settings > Phone verification.")"""

LOGIN = """\
# @title Log in to the Hugging Face Hub, if a secret HF_TOKEN is there
# Only the chapter that publishes your weights needs it. Colab: the key symbol on the left;
# Kaggle: Add-ons > Secrets. The token stays in memory and is not saved.
try:
    if COLAB:
        from google.colab import userdata

        token = userdata.get("HF_TOKEN")
    elif KAGGLE:
        from kaggle_secrets import UserSecretsClient

        token = UserSecretsClient().get_secret("HF_TOKEN")
    else:
        token = None
except Exception:  # no such secret, or this notebook may not read it
    token = None
if token:
    os.environ["HF_TOKEN"] = token
    print("Hub: logged in with the secret HF_TOKEN.")
del token"""

FOLDER = """\
# @title Where everything is written
DRIVE = False  # @param {type: "boolean"}
if MODE == "full" and not GPU:
    MODE = "laptop"
if COLAB and DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")
if OUT == "runs/course" and HOST:  # the default; a folder of your own is kept
    OUT = "drive/MyDrive/Pix2PixColor" if COLAB and DRIVE else "course"
OUT, DATA = (path and os.path.join(HOST, path) for path in (OUT, DATA))
print(f"MODE is {MODE}. Everything is written to {OUT}")
if COLAB and not OUT.startswith("/content/drive/"):
    print("That folder goes with the session; tick DRIVE to keep it in your Google Drive.")"""


# The notebooks of course/ fetch the package in one cell of their own.
PACKAGE = """\
# @title The package: fetched on Colab and Kaggle, looked for elsewhere
import os
import subprocess
import sys
import tempfile
from importlib import invalidate_caches, metadata
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = "{repository}"  # of a fork: its own address
clone = Path(tempfile.gettempdir(), "pix2pixcolor")
colab = find_spec("google") and find_spec("google.colab")
if not find_spec("pix2pix") and (colab or "KAGGLE_KERNEL_RUN_TYPE" in os.environ):
    git = ["git", "clone", "-q", "--depth", "1", REPOSITORY, str(clone)]
    needs = [f"{{clone}}[train]", "ipywidgets", "matplotlib", "scikit-image"]
    needs += [f"{{name}}=={{metadata.version(name)}}" for name in ("torch", "torchvision")]
    pip = [sys.executable, "-m", "pip", "install", "-q", *needs]
    for command in [pip] if clone.is_dir() else [git, pip]:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        told = done.stderr[-2000:] + "Is the internet on? Is REPOSITORY right? A fork has its own."
        assert done.returncode == 0, told
    invalidate_caches()
places = (Path("resources"), Path("../resources"), clone / "resources")
RESOURCES = next((place for place in places if (place / "course").is_dir()), None)
assert find_spec("pix2pix") and RESOURCES, f"git clone {{REPOSITORY}}; make setup; open me there"
""".rstrip()
BADGES = """\
{badges}

Alone on Colab or Kaggle, this notebook fetches what it needs; nothing but a GPU has to be chosen, \
and only where `MODE` is `"full"`."""


def project() -> dict:
    """The [project] table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def repository() -> str:
    """The repository's address, as pyproject.toml names it."""
    return project()["urls"]["Repository"].removesuffix("/").removesuffix(".git")


def badges(notebook: Path | None = None) -> str:
    """The two lines of Markdown that open a notebook on Colab and Kaggle; default: the twin."""
    slug = repository().removeprefix("https://github.com/")
    path = f"{slug}/blob/{BRANCH}/{(notebook or TWIN).relative_to(ROOT).as_posix()}"
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{path})\n"
        "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"(https://kaggle.com/kernels/welcome?src=https://github.com/{path})"
    )


def install_cell() -> str:
    """The install cell's source, with names and versions from pyproject.toml."""
    about = project()
    extras = about["optional-dependencies"]
    wanted = [*extras["app"], *extras["torch"]]
    upgraded = [w for w in wanted if re.match(r"gradio\b|huggingface_hub\b", w)]
    quoted = "[" + ", ".join(f'"{w}"' for w in upgraded) + "]"
    return INSTALL.format(repository=repository(), upgraded=quoted)


def twin(nb: NotebookNode) -> NotebookNode:
    """The notebook for Colab and Kaggle, without outputs.

    Raises ValueError without exactly one `parameters` cell, whose MODE is "laptop".
    """
    nb = copy.deepcopy(nb)
    nb.metadata = nbformat.from_dict(METADATA)
    places = [i for i, cell in enumerate(nb.cells) if notebook_checks.tagged(cell, "parameters")]
    if len(places) != 1:
        raise ValueError(f"{len(places)} cells are tagged `parameters`, one should be")
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = with_addresses(cell.source)
            continue
        cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("execution", None)
    parameters = nb.cells[places[0]]
    parameters.source, changes = re.subn(
        r'^MODE = "laptop"', 'MODE = "full"', parameters.source, flags=re.MULTILINE
    )
    if not changes:
        raise ValueError('the cell tagged `parameters` has no line MODE = "laptop"')
    first = next(i for i, cell in enumerate(nb.cells) if cell.cell_type == "code")
    host = [HOST, install_cell(), CHANGED, GPU, LOGIN]
    names = ["detect", "install", "changed", "gpu", "login"]
    welcome = v4.new_markdown_cell(WELCOME.format(badges=badges()), id="host-welcome")
    nb.cells[places[0] + 1 : places[0] + 1] = [_host_cell("folder", FOLDER)]
    nb.cells[first:first] = [_host_cell(n, s) for n, s in zip(names, host, strict=True)]
    nb.cells.insert(0, welcome)
    return nb


def with_addresses(markdown: str) -> str:
    """Markdown whose relative images and links lead to the repository; code stays as it is."""
    pieces = re.split(r"(^```.*?^```|`[^`\n]+`)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(piece if i % 2 else _absolute(piece) for i, piece in enumerate(pieces))


def _absolute(text: str) -> str:
    raw = repository().replace("https://github.com/", "https://raw.githubusercontent.com/")
    raw, page = f"{raw}/{BRANCH}/", f"{repository()}/blob/{BRANCH}/"
    relative = r"(?![a-zA-Z][\w+.-]*:|//|#|/)(?:\./)*"
    text = re.sub(rf"(!\[[^\]]*\]\(<?){relative}(?=[^)\s])", rf"\g<1>{raw}", text)
    text = re.sub(rf"""(<(?:img|source|video)\b[^>]*?\ssrc=["']){relative}""", rf"\g<1>{raw}", text)
    text = re.sub(rf"""(<a\b[^>]*?\shref=["']){relative}""", rf"\g<1>{page}", text)
    # the end of [text](target), also around an image; `](` of images is absolute by now
    return re.sub(rf"(\]\(<?){relative}(?=[^)\s])", rf"\g<1>{page}", text)


def _host_cell(name: str, source: str) -> NotebookNode:
    metadata = {"cellView": "form", "tags": ["host"]}
    return v4.new_code_cell(source, id=f"host-{name}", metadata=metadata)


def hosted(nb: NotebookNode, path: Path) -> NotebookNode:
    """A notebook of course/ with its badges after the title, and the cell `package` as it is here.

    Its outputs stay. Raises ValueError without exactly one cell tagged `package`.
    """
    nb = copy.deepcopy(nb)
    found = [cell for cell in nb.cells if notebook_checks.tagged(cell, "package")]
    if len(found) != 1:
        raise ValueError(f"{path.name}: {len(found)} cells are tagged `package`, one should be")
    found[0].source = PACKAGE.format(repository=repository())
    found[0].metadata["cellView"] = "form"
    nb.cells = [cell for cell in nb.cells if cell.id != "host-badges"]
    text = BADGES.format(badges=badges(path))
    nb.cells.insert(1, v4.new_markdown_cell(text, id="host-badges"))
    return nb


def at_our_address(nb: NotebookNode) -> NotebookNode:
    """A copy whose cell tagged `package` names the repository as pyproject.toml does."""
    nb = copy.deepcopy(nb)
    line, address = r'^REPOSITORY = ".*?"', f'REPOSITORY = "{repository()}"'
    for cell in nb.cells:
        if notebook_checks.tagged(cell, "package"):
            cell.source = re.sub(line, address, cell.source, flags=re.MULTILINE)
    return nb


def made() -> dict[Path, str]:
    """Every file that is made here, and what it should hold."""
    course = at_our_address(nbformat.read(NOTEBOOK, as_version=4))
    files = {NOTEBOOK: course, TWIN: twin(course)}
    for path in sorted(SIDE.glob("*.ipynb")):
        files[path] = hosted(nbformat.read(path, as_version=4), path)
    return {path: nbformat.writes(nb) + "\n" for path, nb in files.items()}


def main(argv: list[str] | None = None) -> int:
    """Write what is made of the notebooks, or check that it is current."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a file is not current")
    args = parser.parse_args(argv)
    old = []
    for path, text in made().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if args.check:
            old.append(path.relative_to(ROOT).as_posix())
        else:
            path.write_text(text, encoding="utf-8")
    if old:
        print(f"not current: {', '.join(old)}; run python scripts/make_colab.py", file=sys.stderr)
    return bool(old)


if __name__ == "__main__":
    sys.exit(main())
