"""A Space: a folder that Hugging Face serves as the page, and that runs as it stands anywhere.

It holds the package itself, which is on no registry. `app/` of the repository is this folder's own
part of it, and a test holds the two together.
"""

import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from pix2pix.export.errors import ExportError
from pix2pix.weights import bundled, find, read_header

TESTED_GRADIO = "6.31.0"
_PACKAGE = Path(str(files("pix2pix")))
_RESOURCES = _PACKAGE.parent / "resources"  # of a checkout; an installed package has none
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")

_CARD = """---
title: Pix2PixColor
emoji: 📷
colorFrom: gray
colorTo: yellow
sdk: gradio
sdk_version: {gradio}
python_version: "3.12"
app_file: app.py
suggested_hardware: cpu-basic
license: mit
short_description: See your black-and-white photo in color
{models}tags:
  - image-to-image
  - colorization
  - pix2pix
---

# Pix2PixColor

Drop in a black-and-white photo, drag the handle to compare, take the colored photo home at its full
size, in its own format. The colors are a guess: likely ones, not the true ones.

Photos are deleted after an hour. The place where they were taken (GPS) is left out of the download;
the rest of their metadata stays, and the file says that its colors come from a model.

## What this Space is made of

`pix2pix export WEIGHTS space DIR` writes it:

| here | what |
|---|---|
| `app.py`, `requirements.txt`, this card | the Space's own part |
| `pix2pix/` | the package, with its bundled weights in `pix2pix/pretrained/` |
| `model.safetensors` | the weights, where they are others than the bundled `default` |
| `resources/` | photographs to try |

`python app.py` serves the same page on your own machine, at http://127.0.0.1:7860, once
`pip install gradio -r requirements.txt` is done; `python app.py my.safetensors` does with weights
of your own. `GRADIO_SERVER_PORT` sets another port; `PIX2PIX_ALLOW_HOSTS` are names, with commas
between, under which it is asked from elsewhere. On ZeroGPU each photo borrows a GPU.
"""

APP = '''"""The page as an app: `python app.py [WEIGHTS]`, here or as a Hugging Face Space."""

import os
import sys
from pathlib import Path

try:
    import spaces  # on ZeroGPU, which lends a GPU a call at a time; it must come before torch
except ModuleNotFoundError:
    spaces = None

from pix2pix.serve.app import main

if __name__ == "__main__":
    own = Path(__file__).resolve().parent / "model.safetensors"
    main(
        *(sys.argv[1:2] or ([str(own)] if own.exists() else [])),
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        lend_gpu=spaces and spaces.GPU(duration=30),
        allow_hosts=os.environ.get("PIX2PIX_ALLOW_HOSTS", "").split(","),
    )
'''

REQUIREMENTS = """\
# What the package needs, torch among the versions that ZeroGPU offers (its list ends at 2.11.0).
# Gradio comes with the Space, in the version of its card.
torch>=2.10,<2.12
torchvision>=0.25,<0.27
numpy>=2.0
pillow>=11.1,<14
safetensors>=0.5
huggingface_hub>=1.16,<3
filelock>=3.16
tqdm>=4.67
typer>=0.20
pyyaml>=6.0
prometheus_client>=0.22
# photos as iPhones keep them
pi-heif>=1.1
"""


def card(*, model: str | None = None) -> str:
    """The Space's README.md with its front matter; `model` is the Hub repo of its weights, if any.

    Keys: https://huggingface.co/docs/hub/spaces-config-reference
    """
    try:
        gradio = version("gradio")
    except PackageNotFoundError:
        gradio = TESTED_GRADIO
    return _CARD.format(gradio=gradio, models=f"models:\n  - {model}\n" if model else "")


def write_space(source: str | Path, dest: str | Path, *, overwrite: bool = False) -> Path:
    """Write the Space that colors with `source` (see `weights.find`) into the folder `dest`.

    Raises ExportError when `dest` is in use and `overwrite` is not set, WeightsError for weights
    that cannot be used, OSError when a file cannot be written. `overwrite` replaces the Space's own
    files and leaves others (`.git`) alone.
    """
    dest, weights = Path(dest), find(source)
    read_header(weights)
    if dest.exists() and not dest.is_dir():
        raise ExportError("it is a file; give a folder")
    if dest.is_dir() and any(dest.iterdir()) and not overwrite:
        raise ExportError("it is in use; give an empty folder, or --overwrite")
    if dest.resolve().is_relative_to(_PACKAGE) or _PACKAGE.is_relative_to(dest.resolve()):
        raise ExportError("the package itself is there; give another folder")
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
    from_hub = str(source) not in bundled() and not Path(source).is_file()
    (dest / "README.md").write_text(card(model=str(source) if from_hub else None), "utf-8")
    (dest / "app.py").write_text(APP, "utf-8")
    (dest / "requirements.txt").write_text(REQUIREMENTS, "utf-8")
    # the Hub takes files of more than 10 MB through LFS only
    attributes = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
    (dest / ".gitattributes").write_text(attributes, "utf-8")
    return dest


def _copy_resources(dest: Path) -> None:
    samples = _RESOURCES / "samples"
    if not samples.is_dir():
        return
    shutil.copytree(samples, dest / "resources" / "samples", dirs_exist_ok=True, ignore=_IGNORED)
    picture = _RESOURCES / "results.png"
    if picture.is_file():
        shutil.copyfile(picture, dest / "resources" / picture.name)
    license = _PACKAGE.parent / "LICENSE"
    if license.is_file():
        shutil.copyfile(license, dest / "LICENSE")
