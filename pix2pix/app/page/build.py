"""The page as a whole: its three tabs, its queue, and its one call for programs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder

from pix2pix.app.limits import PAGE_AT_ONCE, PAGE_KEPT, PAGE_QUEUE, PAGE_SWEEP, Limits
from pix2pix.app.page.about import about_tab
from pix2pix.app.page.coloring import Coloring
from pix2pix.app.page.many import many_tab
from pix2pix.app.page.photo import photo_tab
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.page.upload import make_upload
from pix2pix.colorize.wish import MOST_TEMPERATURE, Wish
from pix2pix.colorize.workers import Workers

if TYPE_CHECKING:
    from pix2pix.colorize.colorizer import Colorizer

_RESOURCES = Path(__file__).resolve().parents[3] / "resources"
SAMPLES = _RESOURCES / "samples"


def new_shelf() -> Shelf:
    """The registry of files for the folder into which Gradio puts uploads."""
    return Shelf(Path(get_upload_folder()), PAGE_KEPT + PAGE_SWEEP)


def build_page(
    colorizer: "Colorizer",
    workers: Workers | None = None,
    *,
    course: "Colorizer | None" = None,
    max_pixels: int = Limits.max_pixels,
    samples: Path = SAMPLES,
    shelf: Shelf | None = None,
    check_room: Callable[[], None] = lambda: None,
) -> gr.Blocks:
    """Build the Gradio page around `colorizer`; serve it with LOOK.

    With `workers` all coloring goes through them, and a full queue is a message to the visitor;
    without, photos are colored one at a time. `course` is another model to compare with.
    `max_pixels` bounds a photo, checked before it is decoded. `samples` is a folder of JPEG files
    to try; where it is missing or empty, the page has none. `shelf` knows what visitors have sent;
    a page whose server puts nothing there takes no files. `check_room` raises NoSpace where the
    disk has no room for another result.
    """
    shelf = shelf or new_shelf()
    with gr.Blocks(
        title="Pix2PixColor", delete_cache=(PAGE_SWEEP, PAGE_KEPT), analytics_enabled=False
    ) as page:
        # in turn without workers; with them, their queue is the limit
        turns: dict[str, Any] = {"concurrency_limit": 1 if workers is None else PAGE_AT_ONCE}
        own = turns | {"api_visibility": "private"}  # the page's own calls are no public interface
        coloring = Coloring(colorizer, shelf.folder, max_pixels, workers, course, check_room)
        page.temp_file_sets.append(coloring.files)  # gradio deletes them in time, seen or not
        with gr.Column(elem_id="page"), gr.Tabs():
            with gr.Tab("One photo"):
                photo_tab(coloring, shelf, samples, own | {"concurrency_id": "photo"})
            with gr.Tab("Many photos", elem_id="many"):
                many_tab(coloring, shelf, own | {"concurrency_id": "many"})
            with gr.Tab("About"):
                about_tab(_RESOURCES / "results.png")
        _for_programs(coloring, shelf, turns | {"concurrency_id": "programs"})
    # else Gradio checks no path that a call names; only its own launch() says so by itself (6.31)
    page.has_launched = True
    return page.queue(max_size=PAGE_QUEUE, default_concurrency_limit=1)


def _for_programs(coloring: Coloring, shelf: Shelf, event: dict[str, Any]) -> None:
    """The one public call, for gradio_client: a file and numbers in, the colored file out."""
    file = make_upload("file", shelf, label="Photo", visible=False)
    saturation = gr.Number(1, minimum=0, label="Saturation", visible=False)
    least, most = -MOST_TEMPERATURE, MOST_TEMPERATURE
    temperature = gr.Number(0, minimum=least, maximum=most, label="Temperature", visible=False)
    colored = gr.File(label="Photo in color", visible=False)

    def colorize(path: str, saturation: float, temperature: float) -> str:
        wish = Wish(saturation, temperature=temperature)
        return coloring.ask(lambda c: coloring.save(c, path, wish))

    gr.Button(visible=False).click(
        colorize, [file, saturation, temperature], colored, api_name="colorize", **event
    )
