"""The page as a whole: its three tabs, its queue, its call for programs, and a server for it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from pix2pix.page.about import about_tab
from pix2pix.page.coloring import Coloring, Wish, Workers
from pix2pix.page.look import LOOK
from pix2pix.page.many import many_tab
from pix2pix.page.photo import KEPT, photo_tab
from pix2pix.page.upload import make_upload
from pix2pix.temporary import own_uploads

if TYPE_CHECKING:
    from pix2pix.colorize import Colorizer

_RESOURCES = Path(__file__).resolve().parents[2] / "resources"
SAMPLES = _RESOURCES / "samples"


def build_page(
    colorizer: "Colorizer",
    workers: Workers | None = None,
    *,
    course: "Colorizer | None" = None,
    max_pixels: int = 50_000_000,
    samples: Path = SAMPLES,
    check_room: Callable[[], None] = lambda: None,
) -> gr.Blocks:
    """The page around `colorizer`; serve it with LOOK.

    With `workers` all coloring goes through them, and a full queue is told to the visitor; without,
    photos are colored one at a time. `course` is another model to compare with. `max_pixels` bounds
    a photo, checked before it is decoded. `samples` is a folder of JPEG files to try; where it is
    missing or empty, the page has none. `check_room` raises NoSpace where the disk has no room for
    another result.
    """
    with gr.Blocks(title="Pix2PixColor", delete_cache=(600, KEPT), analytics_enabled=False) as page:
        # in turn without workers; with them, their queue is the limit
        turns: dict[str, Any] = {"concurrency_limit": 1 if workers is None else 16}
        own = turns | {"api_visibility": "private"}  # the page's own calls are no public interface
        folder = Path(gr.File(visible=False).GRADIO_CACHE)
        coloring = Coloring(colorizer, folder, max_pixels, workers, course, check_room)
        page.temp_file_sets.append(coloring.files)  # also those that no visitor came to see
        with gr.Column(elem_id="page"), gr.Tabs():
            with gr.Tab("One photo"):
                photo_tab(coloring, samples, own | {"concurrency_id": "photo"})
            with gr.Tab("Many photos"):
                many_tab(coloring, own | {"concurrency_id": "many"})
            with gr.Tab("About"):
                about_tab(coloring, _RESOURCES / "results.png")
        _for_programs(coloring, turns | {"concurrency_id": "programs"})
    return page.queue(max_size=32, default_concurrency_limit=1)


def _for_programs(coloring: Coloring, event: dict[str, Any]) -> None:
    """The one public call, for gradio_client: a file and a saturation in, the colored file out."""
    file = make_upload("file", label="Photo", visible=False)
    saturation = gr.Number(1, minimum=0, label="Saturation", visible=False)
    colored = gr.File(label="Photo in color", visible=False)

    def colorize(path: str, saturation: float) -> str:
        return coloring.ask(lambda c: coloring.save(c, path, wish=Wish(saturation)))

    gr.Button(visible=False).click(
        colorize, [file, saturation], colored, api_name="colorize", **event
    )


def launch_page(
    colorizer: "Colorizer",
    *,
    course: "Colorizer | None" = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_pixels: int = 50_000_000,
    max_megabytes: int = 50,
) -> None:
    """Serve the page until Ctrl-C. A photo of more than `max_megabytes` is refused while it comes.

    Raises OSError when the port is taken.
    """
    page = build_page(colorizer, course=course, max_pixels=max_pixels)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        max_file_size=f"{max_megabytes}mb",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        **LOOK,
    )
    print(f"The page is at {address} (Ctrl-C ends it)", flush=True)
    page.block_thread()


def main(
    weights: str | None = None,
    *,
    host: str,
    port: int,
    lend_gpu: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
) -> None:
    """What app.py runs: the page with `weights`, beside the course's model to compare with.

    `lend_gpu` wraps the functions that need a GPU, as `spaces.GPU` does on ZeroGPU.
    """
    from pix2pix.colorize import Colorizer
    from pix2pix.weights import bundled

    colorizer = Colorizer.from_pretrained(*[weights] if weights else [])
    course = None
    if "pix2pix" in bundled() and colorizer.name != "pix2pix":
        course = Colorizer.from_pretrained("pix2pix")
    if lend_gpu is not None:
        for each in filter(None, [colorizer, course]):
            each.rgb = lend_gpu(each.rgb)  # type: ignore[method-assign]
            each.suggest = lend_gpu(each.suggest)  # type: ignore[method-assign]
            each.unsure = lend_gpu(each.unsure)  # type: ignore[method-assign]
    with own_uploads():
        launch_page(colorizer, course=course, host=host, port=port)
