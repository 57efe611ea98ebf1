"""What app.py runs: the page with its model, on one's own machine or as a Hugging Face Space.

On one's own machine it is `pix2pix serve` with the page's weights. A Space on ZeroGPU needs
Gradio's own `launch`, where `spaces` begins its work; the same edge, door and protocol stand before
that.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pix2pix.colorize import Colorizer
from pix2pix.serve import Hosts, Limits, run
from pix2pix.serve.printed import nothing_printed, say
from pix2pix.storage import Storage
from pix2pix.temporary import own_uploads, uploads_folder
from pix2pix.weights import bundled

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pix2pix.serve.protocol import Protocol


def main(
    weights: str | None = None,
    *,
    host: str,
    port: int,
    lend_gpu: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
    allow_hosts: Sequence[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve the page with `weights`, beside the course's model to compare with.

    `lend_gpu` wraps the functions that need a GPU, as `spaces.GPU` does on ZeroGPU. `allow_hosts`
    are names that it answers to, as for `pix2pix serve --allow-host`; a Space (SPACE_ID is set)
    answers to any: its name is its proxy's affair, and it is public. Raises WeightsError.
    """
    colorizer = Colorizer.from_pretrained(*[weights] if weights else [])
    course = None
    if "pix2pix" in bundled() and colorizer.name != "pix2pix":
        course = Colorizer.from_pretrained("pix2pix")
    limits = limits or Limits()
    space = "SPACE_ID" in os.environ
    allow_hosts = ["*"] if space else [name for name in allow_hosts if name]
    if lend_gpu is None and not space:
        run(
            lambda: colorizer,
            host=host,
            port=port,
            load_course=lambda: course,
            limits=limits,
            allow_hosts=allow_hosts,
        )
        return
    if lend_gpu is not None:
        for each in filter(None, [colorizer, course]):
            each.rgb = lend_gpu(each.rgb)  # type: ignore[method-assign]
            each.suggest = lend_gpu(each.suggest)  # type: ignore[method-assign]
            each.unsure = lend_gpu(each.unsure)  # type: ignore[method-assign]
    _launch(
        colorizer, course, host=host, port=port, hosts=Hosts.of(host, allow_hosts), limits=limits
    )


@nothing_printed()
@own_uploads()
def _launch(
    colorizer: Colorizer,
    course: Colorizer | None,
    *,
    host: str,
    port: int,
    hosts: Hosts,
    limits: Limits,
) -> None:
    """Serve the page by Gradio's own server until Ctrl-C. Raises OSError when the port is taken."""
    from starlette.middleware import Middleware
    from uvicorn.config import HTTP_PROTOCOLS

    from pix2pix.page import LOOK, build_page, new_shelf
    from pix2pix.serve.door import Door
    from pix2pix.serve.edge import Edge
    from pix2pix.serve.logs import Figures, set_up_logging

    set_up_logging()
    storage = Storage(limits.stored_bytes, uploads_folder)

    @asynccontextmanager
    async def lifespan(app: "FastAPI") -> AsyncIterator[None]:
        assert app.middleware_stack is not None
        # around what Gradio adds itself, too
        app.middleware_stack = Edge(
            app.middleware_stack,
            limits=limits,
            figures=Figures(None),
            hosts=hosts,
            storage=storage,
        )
        yield

    shelf = new_shelf()
    page = build_page(
        colorizer,
        course=course,
        max_pixels=limits.max_pixels,
        shelf=shelf,
        check_room=storage.check,
    )
    HTTP_PROTOCOLS["auto"] = _timed(limits)  # type: ignore[assignment]
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        app_kwargs={
            "middleware": [Middleware(Door, page=page, shelf=shelf, launched=True)],
            "lifespan": lifespan,
        },
        max_file_size=limits.max_bytes,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        **LOOK,
    )
    say(f"The page is at {address} (Ctrl-C ends it)")
    page.block_thread()


def _timed(limits: Limits) -> "type[Protocol]":
    """The protocol that closes slow sockets, with these limits."""
    from pix2pix.serve.protocol import Protocol

    return type("Timed", (Protocol,), {"limits": limits})
