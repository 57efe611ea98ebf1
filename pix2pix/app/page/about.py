"""The third tab: how it works, what it cannot do, and where the course and the code are."""

from pathlib import Path

import gradio as gr

from pix2pix.app.page.coloring import Coloring
from pix2pix.templates import render
from pix2pix.weights.header import BUNDLED, bundled

REPOSITORY = "https://github.com/pix2pixcolor/pix2pixcolor"
_HERE = Path(__file__).parent


def about_tab(coloring: Coloring, picture: Path) -> None:
    """Build the tab; `picture` shows rows of gray photos and their colors, if the file is there."""
    with gr.Column(elem_id="about"):
        gr.Markdown((_HERE / "about_method.md").read_text("utf-8"))
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
        gr.Markdown(render(_HERE / "about_visitors.md", repository=REPOSITORY))


def model_limits(name: str) -> str:
    """The model card's "Known failures" as Markdown; "" for weights without a card here."""
    card = BUNDLED / "README.md"
    if name not in bundled() or not card.is_file():
        return ""
    _, _, after = card.read_text().partition("## Known failures\n")
    return after.partition("\n## ")[0].strip()
