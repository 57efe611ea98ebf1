"""A Space: a folder that Hugging Face serves as the page, and that runs as it stands anywhere.

It holds the package itself, which is on no registry. `app/` of the repository is this folder's own
part of it, and a test holds the two together.
"""

import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from pix2pix.errors import ExportError
from pix2pix.templates import render
from pix2pix.weights.header import bundled, check_task, find, read_header

TESTED_GRADIO = "6.31.0"
_PACKAGE = Path(str(files("pix2pix")))
_TEMPLATES = Path(__file__).with_name("space_template")
_RESOURCES = _PACKAGE.parent / "resources"  # of a checkout; an installed package has none
_LARGE = ("onnx", "safetensors")  # files of weights
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def card(*, model: str | None = None) -> str:
    """The Space's README.md with its front matter; `model` is the Hub repo of its weights, if any.

    Keys: https://huggingface.co/docs/hub/spaces-config-reference
    """
    try:
        gradio = version("gradio")
    except PackageNotFoundError:
        gradio = TESTED_GRADIO
    return render(_TEMPLATES / "README.md", gradio=gradio, model=model)


def write_space(source: str | Path, dest: str | Path, *, overwrite: bool = False) -> Path:
    """Write the Space that colors with `source` (see `weights.find`) into the folder `dest`.

    Raises ExportError when `dest` is in use and `overwrite` is not set, WeightsError for weights
    that cannot be used, OSError when a file cannot be written. `overwrite` replaces the Space's own
    files and leaves others (`.git`) alone.
    """
    dest, weights = Path(dest), find(source)
    check_task(read_header(weights), "color", source)
    if dest.exists() and not dest.is_dir():
        raise ExportError("it is a file; give a folder")
    if dest.is_dir() and any(dest.iterdir()) and not overwrite:
        raise ExportError("it is in use; give an empty folder, or --overwrite")
    if dest.resolve().is_relative_to(_PACKAGE) or _PACKAGE.is_relative_to(dest.resolve()):
        raise ExportError("the package itself is there; give another folder")
    from_hub = str(source) not in bundled() and not Path(source).is_file()
    readme = card(model=str(source) if from_hub else None)  # first: it may miss a package
    dest.mkdir(parents=True, exist_ok=True)
    own = dest / "model.safetensors"
    if str(source) == "default":
        own.unlink(missing_ok=True)
    else:
        shutil.copyfile(weights, own)
    vendored = dest / "pix2pix"
    if vendored.is_dir():  # modules of another version must not stay
        shutil.rmtree(vendored)
    shutil.copytree(_PACKAGE, vendored, ignore=_IGNORED)
    _copy_resources(dest)
    (dest / "README.md").write_text(readme, "utf-8")
    for name in ("app.py", "requirements.txt"):
        shutil.copyfile(_TEMPLATES / name, dest / name)
    # the Hub takes files of more than 10 MB through LFS only
    attributes = (f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in _LARGE)
    (dest / ".gitattributes").write_text("".join(attributes), "utf-8")
    return dest


def _copy_resources(dest: Path) -> None:
    samples = _RESOURCES / "samples"
    if not samples.is_dir():
        return
    shutil.copytree(samples, dest / "resources" / "samples", dirs_exist_ok=True, ignore=_IGNORED)
    for name in ("resources/results.png", "LICENSE"):
        if (_PACKAGE.parent / name).is_file():
            shutil.copyfile(_PACKAGE.parent / name, dest / name)
