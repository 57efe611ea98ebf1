"""A photograph of the reader's own: a button where there is a page to press it, else a default."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_ENDINGS = ".avif .bmp .heic .jpeg .jpg .jp2 .png .tif .tiff .webp".split()


class Upload:
    """The photograph chosen last, `photo`: the bytes of a file, or a path while none was chosen."""

    def __init__(self, default: str | Path):
        self.photo: bytes | Path = Path(default)
        self.name = self.photo.name

    def take(self, name: str, content: bytes) -> None:
        """Go on with the bytes of a file."""
        self.photo, self.name = bytes(content), name


def upload(default: str | Path, *, path: str = "", ask: bool = False) -> Upload:
    """Let the reader choose a photograph; until then its `photo` is the file `default`.

    In Jupyter a button is shown, and what is chosen later replaces the photo. Colab's own button
    waits for an answer, so it comes only with `ask`. A `path` to a photograph, or to a folder whose
    first one is taken, replaces `default` everywhere. One line says what it goes on with.
    """
    chosen = Upload(_first(Path(path).expanduser()) or default if path else default)
    if path and chosen.photo == Path(default):
        print(f"No photograph at {path}.")
    if _on_colab():
        if ask:
            _ask_colab(chosen)
        else:
            print("Set UPLOAD to True and run this cell again to choose a photograph.")
    elif find_spec("ipywidgets"):
        _show_button(chosen)
    else:
        print("Put the path of a photograph into DATA (a button needs the package ipywidgets).")
    print(f"Going on with {chosen.name}.")
    return chosen


def _first(path: Path) -> Path | None:
    """A photograph itself, the first one of a folder, or None."""
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    return next((p for p in found if p.suffix.lower() in _ENDINGS and p.is_file()), None)


def _on_colab() -> bool:
    """Whether this is Colab; Kaggle's images hold its package, too."""
    kaggle = "KAGGLE_KERNEL_RUN_TYPE" in os.environ
    return not kaggle and bool(find_spec("google")) and bool(find_spec("google.colab"))


def _ask_colab(chosen: Upload) -> None:
    from google.colab import files

    for name, content in files.upload().items():  # none when canceled
        chosen.take(name, content)


def _show_button(chosen: Upload) -> None:
    """A button of ipywidgets 8; pages without a kernel show a line in its place."""
    import ipywidgets
    from IPython.display import display

    button = ipywidgets.FileUpload(accept="image/*,.heic", description="Your photograph")
    told = ipywidgets.Label()

    def take(change: dict[str, Any]) -> None:
        for file in change["new"]:
            chosen.take(file["name"], file["content"])
            told.value = f"{chosen.name} is here: run the cells below."

    button.observe(take, names="value")
    bundle = dict(ipywidgets.HBox([button, told])._repr_mimebundle_())
    line = "<em>In a running notebook, a button here lets you choose a photograph.</em>"
    display({**bundle, "text/html": line}, raw=True)
