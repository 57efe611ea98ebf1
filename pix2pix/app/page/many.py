"""The second tab: up to 50 photos in, one ZIP out, and a list of what failed and why."""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from pix2pix.app.limits import PAGE_PATIENCE, PAGE_PHOTOS
from pix2pix.app.page.coloring import Coloring, flat
from pix2pix.app.page.handlers import Update
from pix2pix.app.page.script import NOTHING
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.upload import make_upload
from pix2pix.app.page.words import message, plain_words
from pix2pix.colorize.copies import color_photo
from pix2pix.colorize.workers import Busy
from pix2pix.images.names import MARK
from pix2pix.templates import render

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer

PICTURE_SIDE = 192  # [px] of the small picture of a photo that is done


def many_tab(coloring: Coloring, shelf: Shelf, event: dict[str, Any]) -> None:
    """Build the tab."""
    gr.Markdown("# Color many photos at once.", elem_id="many-title")
    gr.Markdown(
        f"Up to {PAGE_PHOTOS} photos, in one ZIP file. Each keeps its own name, size and format.",
        elem_id="many-note",
    )
    progress = gr.HTML(elem_id="progress", visible=False, padding=True)
    download = gr.DownloadButton(
        "Download the ZIP file",
        variant="primary",
        elem_id="download-zip",
        interactive=False,
        visible=False,
    )
    uploads = make_upload("uploads", shelf, label="Photos", multiple=True)
    handle = ManyHandler(coloring)
    asked = uploads.upload(
        handle.color, uploads, [progress, download], show_progress="hidden", **event
    )
    asked.then(None, js=NOTHING, outputs=uploads)


class ManyHandler:
    """Colors one photo after the other into a ZIP file; one that fails is a line, not the end."""

    def __init__(self, coloring: Coloring, *, patience: float = PAGE_PATIENCE):
        self.coloring = coloring
        self.patience = patience

    def color(self, paths: list[str] | None) -> Iterator[tuple[Update, Update]]:
        """Paths of files -> the progress so far, again and again; at last the ZIP."""
        given = paths or []
        paths, count = given[:PAGE_PHOTOS], min(len(given), PAGE_PHOTOS)
        failed = [
            (Path(path).name, f"Only {PAGE_PHOTOS} at a time.") for path in given[PAGE_PHOTOS:]
        ]
        with plain_words():
            archive = self.coloring.new(f"photos{MARK}.zip")
        names: set[str] = set()
        pictures: list[tuple[str, str]] = []
        # a ZIP adds nothing but the names: photos are compressed already
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            for i, path in enumerate(paths):
                now = f"Photo {i + 1} of {count}: {Path(path).name}"
                yield _progress(now, i, count, pictures, failed), gr.update(visible=False)
                try:
                    name, content, picture = self._one(path)
                except Exception as error:  # whatever it is, the other photos go on
                    failed.append((Path(path).name, message(error)))
                else:
                    file.writestr(_unused(name, names), content)
                    pictures.append((Path(path).name, picture))
        told = f"{len(names)} of {len(given)} are in color."
        done = _progress(told, count, count, pictures, failed)
        yield done, gr.update(value=str(archive), interactive=True, visible=bool(names))

    def _one(self, path: str) -> tuple[str, bytes, str]:
        """One photo -> name and bytes of its colored file, and the path of a small picture."""
        self.coloring.check_room()  # for its part of the ZIP file

        def job(colorizer: "Colorizer") -> tuple[str, bytes, str]:
            colored = color_photo(self.coloring.read(path), colorizer)
            content, _ = colored.encode()
            small = flat(colored.photo)
            small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
            return colored.file_name(path), content, self.coloring.preview(small, "small")

        end = time.monotonic() + self.patience
        while True:
            try:
                return self.coloring.run(job)
            except Busy as error:
                if time.monotonic() > end:
                    raise
                time.sleep(min(error.retry_after, max(self.patience, 0.01)))


def _unused(name: str, names: set[str]) -> str:
    """A unique name: `a.color.jpg`, then `a (2).color.jpg`; upper case does not count (Windows)."""
    stem, mark, suffix = name.rpartition(MARK)
    result, i = name, 1
    while result.lower() in names:
        i += 1
        result = f"{stem} ({i}){mark}{suffix}"
    names.add(result.lower())
    return result


def _progress(
    text: str,
    done: int,
    count: int,
    pictures: list[tuple[str, str]],
    failed: list[tuple[str, str]],
) -> Update:
    """A bar, a sentence, small pictures, and what failed; file names are a stranger's text.

    `pictures` are names and paths, `failed` names and reasons.
    """
    page = Path(__file__).with_name("progress.html")
    value = render(page, text=text, done=done, count=count, pictures=pictures, failed=failed)
    return gr.update(value=value, visible=True)
