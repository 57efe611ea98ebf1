"""The drop zone: a gr.File that hands over uploads unopened and unchanged."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import gradio as gr
from gradio.data_classes import ListFiles

from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.words import MESSAGES, sorry

if TYPE_CHECKING:
    from gradio.data_classes import FileData


def make_upload(
    name: str, shelf: Shelf, *, label: str, multiple: bool = False, **options: Any
) -> gr.File:
    """A gr.File whose value is the path of one file, or a list of paths with `multiple`.

    It takes regular files that visitors have sent, as `shelf` knows them, and nothing else.
    gr.Image would open the file first, and re-encode or refuse it. gr.File leaves an empty
    temporary file behind for each one. Both take any path, look there on the event loop, and fetch
    an address that is sent in place of a file.

    It is to be cleared by the browser alone: as the output of a function gradio would make it anew.
    """
    options["file_count"] = "multiple" if multiple else "single"
    upload = gr.File(elem_id=name, label=label, show_label=False, **options)
    shelf.slots.add(upload._id)

    async def take_file(path: str | Path | None) -> str | None:
        if path is None:
            return None
        if not shelf.has(str(path)) or not await anyio.to_thread.run_sync(shelf.state, path):
            raise sorry(MESSAGES["unreadable"])
        return str(path)

    def sent_path(payload: "FileData | ListFiles | None") -> str | list[str] | None:
        if payload is None:
            return None
        if isinstance(payload, ListFiles):
            return [file.path for file in payload.root]
        return payload.path

    upload.async_move_resource_to_block_cache = take_file  # type: ignore
    upload.preprocess = sent_path  # type: ignore
    return upload
