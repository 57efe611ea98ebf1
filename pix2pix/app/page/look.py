"""How the page looks: theme and style sheets. LOOK is what the server of the page needs."""

from pathlib import Path
from typing import Any

import gradio as gr

from pix2pix.app.page.script import ON_LOAD, REFUSALS

_HERE = Path(__file__).parent

LOOK: dict[str, Any] = {
    "theme": gr.themes.Default(
        primary_hue="orange",
        neutral_hue="stone",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(  # white on it has a contrast of 5.2, on the paler 600 one of 3.6
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
    ),
    "css": "".join(_HERE.joinpath(name).read_text("utf-8") for name in ("page.css", "touch.css")),
    "js": ON_LOAD,
    "head": REFUSALS,
}
"""Theme, style sheets and script, for `launch` or `gr.mount_gradio_app`."""
