"""The third tab: how it works, what it cannot do, and where the course and the code are."""

from pathlib import Path

import gradio as gr

from pix2pix.page.coloring import Coloring
from pix2pix.weights import BUNDLED, bundled

REPOSITORY = "https://github.com/pix2pixcolor/pix2pixcolor"

_TEXT = """## How it works

A black-and-white photo has kept how light every point was, and lost what color it had. A neural
network looks at a small copy of your photo and predicts a color for each part of it. It learned
that from many thousands of color photographs, which it was shown in gray and had to color. The
predicted color is enlarged and laid over your photo's own light and dark, so every detail stays as
sharp as it was. Where several colors are likely, the network picks something between them, which
is often brown.
"""
_AFTER = """## Your photos

They are deleted after an hour, nobody looks at them, and nothing is counted or sent elsewhere. The
place where a photo was taken (GPS) is left out of the download; the rest of what the file says
stays, and the file says that its colors come from a model.

## Learn how to build it

- [The notebook]({repository}/blob/main/Pix2PixColor.ipynb): the course that builds this
- [The repository]({repository}): the code, the command line, the service
"""


def about_tab(coloring: Coloring, picture: Path) -> None:
    """Build the tab; `picture` shows rows of gray photos and their colors, if the file is there."""
    with gr.Column(elem_id="about"):
        gr.Markdown(_TEXT)
        if picture.is_file():
            gr.Image(
                str(picture),
                elem_id="how-picture",
                show_label=False,
                format="png",
                interactive=False,
                buttons=[],
            )
            gr.Markdown("*In gray, colored by the network, and the original.*")
        limits = model_limits(coloring.colorizer.name)
        if limits:
            gr.Markdown(f"## What it cannot do\n\n{limits}")
        gr.Markdown(_AFTER.format(repository=REPOSITORY))


def model_limits(name: str) -> str:
    """The model card's "Known failures" as Markdown; "" for weights without a card here."""
    card = BUNDLED / "README.md"
    if name not in bundled() or not card.is_file():
        return ""
    _, _, after = card.read_text().partition("## Known failures\n")
    return after.partition("\n## ")[0].strip()
