"""Launch the page with its model, on one's own machine or as a Hugging Face Space, for app.py.

On one's own machine it is `pix2pix serve` with the page's weights. A Space on ZeroGPU needs
Gradio's own `launch`, where `spaces` begins its work; the same edge, door and protocol stand before
that.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pix2pix.app.service.models import load_course
from pix2pix.app.service.printed import nothing_printed, say
from pix2pix.app.service.server import Settings, run_service
from pix2pix.app.storage import Storage
from pix2pix.app.temporary import own_uploads, uploads_folder
from pix2pix.colorize.colorizer import Colorizer

if TYPE_CHECKING:
    from fastapi import FastAPI

Lend = Callable[[Callable[..., Any]], Callable[..., Any]]


def main(
    weights: str = "default",
    *,
    host: str,
    port: int,
    lend_gpu: Lend | None = None,
    allow_hosts: Sequence[str] = (),
) -> None:
    """Serve the page with `weights`, beside the course's model to compare with.

    `lend_gpu` wraps the functions that need a GPU, as `spaces.GPU` does on ZeroGPU. `allow_hosts`
    are names that it answers to, as for `pix2pix serve --allow-host`; a Space (SPACE_ID is set)
    answers to any: its name is its proxy's affair, and it is public. Raises WeightsError.
    """
    colorizer = Colorizer.from_pretrained(weights)
    space = "SPACE_ID" in os.environ
    names = ["*"] if space else [name for name in allow_hosts if name]
    settings = Settings(host=host, port=port, allow_hosts=names)
    if lend_gpu is None and not space:
        run_service(lambda: colorizer, settings)
    else:
        launch(colorizer, settings, lend_gpu)


@nothing_printed()
@own_uploads()
def launch(colorizer: Colorizer, settings: Settings, lend_gpu: Lend | None = None) -> None:
    """Serve the page by Gradio's own server until Ctrl-C. Raises OSError when the port is taken."""
    from uvicorn.config import HTTP_PROTOCOLS

    from pix2pix.app.service.edge import Edge
    from pix2pix.app.service.logs import Metrics, set_up_logging
    from pix2pix.app.service.page_server import guarded_page
    from pix2pix.app.service.protocol import Protocol

    set_up_logging()
    limits = Protocol.limits = settings.limits
    course = load_course(colorizer) if settings.compare else None
    if lend_gpu is not None:
        for model in filter(None, [colorizer, course]):
            for method in ("color", "suggest", "unsure"):
                setattr(model, method, lend_gpu(getattr(model, method)))
    storage = Storage(limits.stored_bytes, uploads_folder)

    @asynccontextmanager
    async def lifespan(app: "FastAPI") -> AsyncIterator[None]:
        assert app.middleware_stack is not None
        # around what Gradio adds itself, too
        app.middleware_stack = Edge(
            app.middleware_stack,
            limits=limits,
            metrics=Metrics(None),
            hosts=settings.hosts,
            storage=storage,
        )
        yield

    page, options = guarded_page(
        colorizer, None, course=course, limits=limits, storage=storage, launched=True
    )
    options["app_kwargs"]["lifespan"] = lifespan
    HTTP_PROTOCOLS["auto"] = Protocol  # type: ignore[assignment]
    _, address, _ = page.launch(
        server_name=settings.host,
        server_port=settings.port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        **options,
    )
    say(f"The page is at {address} (Ctrl-C ends it)")
    page.block_thread()
