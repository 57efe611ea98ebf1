"""The third tab: what the page does, what to expect of it, and what becomes of a photo."""

from pathlib import Path

import gradio as gr

from pix2pix.templates import render

REPOSITORY = "https://github.com/pix2pixcolor/pix2pixcolor"
_HERE = Path(__file__).parent


def about_tab(picture: Path) -> None:
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
            gr.Markdown("*Above in gray, in the middle as this page colors it, below as it was.*")
        gr.Markdown((_HERE / "about_limits.md").read_text("utf-8"))
        gr.Markdown(render(_HERE / "about_visitors.md", repository=REPOSITORY))
