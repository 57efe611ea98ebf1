"""The page with the options that serve it behind door.py and within the limits."""

from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from pix2pix.app.limits import Limits
from pix2pix.app.page import LOOK, build_page, new_shelf
from pix2pix.app.service.door import Door
from pix2pix.app.storage import Storage
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.workers import Workers


def guarded_page(
    colorizer: Colorizer,
    workers: Workers | None,
    *,
    course: Colorizer | None,
    limits: Limits,
    storage: Storage,
    launched: bool = False,
) -> tuple[gr.Blocks, dict[str, Any]]:
    """Build the page -> it, and what `launch` and `gr.mount_gradio_app` both take for it.

    `launched` is as for `Door`.
    """
    shelf = new_shelf()
    page = build_page(
        colorizer,
        workers,
        course=course,
        max_pixels=limits.max_pixels,
        shelf=shelf,
        check_room=storage.check,
    )
    door = Middleware(Door, page=page, shelf=shelf, launched=launched)
    options: dict[str, Any] = {
        "app_kwargs": {"middleware": [door]},
        "footer_links": [],
        "run_history": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "show_error": False,  # of faults, which may name files; the page's own messages are shown
        "max_file_size": limits.max_bytes,
    }
    return page, options | LOOK
