"""The service: the API, the page and their workers in one process, behind hard limits.

`run` serves until it is told to stop; `build` makes the ASGI application that it serves.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

try:
    import uvicorn
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from pix2pix.serve.address import Address, parse_root
    from pix2pix.serve.api import build_api
    from pix2pix.serve.cors import Cors, parse_origin
    from pix2pix.serve.edge import Edge
    from pix2pix.serve.failures import answer_as_the_api
    from pix2pix.serve.hosts import Hosts
    from pix2pix.serve.logs import Figures, log, set_up_logging
    from pix2pix.serve.printed import nothing_printed, say
    from pix2pix.serve.protocol import Protocol
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("the service needs: pip install 'pix2pix-color[serve]'") from error

from pix2pix.colorize import Colorizer
from pix2pix.serve.limits import Limits
from pix2pix.storage import Storage
from pix2pix.temporary import own_uploads, uploads_folder
from pix2pix.workers import Workers

__all__ = ["Hosts", "Limits", "build", "parse_origin", "parse_root", "run"]


def build(
    workers: Workers | None,
    colorizer: Colorizer | None,
    *,
    course: Colorizer | None = None,
    limits: Limits | None = None,
    page: bool = True,
    hosts: Hosts | None = None,
    metrics: bool = False,
    root_path: str = "",
    cors: Sequence[str] = (),
) -> ASGIApp:
    """The application. `workers` and `colorizer` are None where the model is missing.

    `root_path` is the path under which a proxy shows it, such as /photos, and `cors` are the
    origins whose pages may call the API.

    `page=False` leaves out the Gradio page, which takes seconds to import; `course` is the other
    model that it compares with. `hosts` and `metrics` are as for `Edge`.
    """
    limits = limits or Limits()
    figures = Figures(workers)
    storage = Storage(limits.stored_bytes, uploads_folder)
    app = build_api(workers, limits=limits, figures=figures, root=root_path)
    if page and colorizer is not None:
        _mount_page(app, workers, colorizer, course, limits, storage, root_path)
    edge = Edge(app, limits=limits, figures=figures, storage=storage, hosts=hosts, metrics=metrics)
    return Address(Cors(edge, cors), root_path)


@nothing_printed()
@own_uploads()
def run(
    load: Callable[[], Colorizer],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    workers: int | None = None,
    load_course: Callable[[], Colorizer | None] = lambda: None,
    limits: Limits | None = None,
    page: bool = True,
    allow_hosts: Sequence[str] = (),
    metrics: bool = False,
    root_path: str = "",
    cors: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what runs. Port 0 takes a free one.

    It answers to the loopback's names, to `host` and to `allow_hosts` (see `Hosts.of`), and shows
    /metrics where `metrics` says so.

    `load` gives the model; where it raises, the service says that it is not ready, and why in its
    log. `load_course` gives the model that the page compares with. The address is printed once it
    answers. Ends by SystemExit when the port is taken. Raises ValueError for a name in
    `allow_hosts` that is none.
    """
    limits, hosts = limits or Limits(), Hosts.of(host, allow_hosts)
    set_up_logging()
    colorizer = pool = course = None
    try:
        colorizer = load()
        course = load_course() if page else None
        pool = Workers(colorizer, count=workers, waiting=limits.waiting)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        log.error("no model", extra={"fields": {"reason": reason}})
    app = build(
        pool,
        colorizer,
        course=course,
        limits=limits,
        page=page,
        hosts=hosts,
        metrics=metrics,
        root_path=root_path,
        cors=cors,
    )
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=type("Timed", (Protocol,), {"limits": limits}),
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.shutdown,
    )
    try:
        _Server(config, pool).run()
    finally:
        if pool is not None:
            pool.close()


class _Server(uvicorn.Server):
    """Says where it is, and does not wait for open pages when it stops."""

    def __init__(self, config: uvicorn.Config, workers: Workers | None):
        super().__init__(config)
        self.workers = workers

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        for listener in (listener for server in self.servers for listener in server.sockets):
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
            say(f"Serving {url} (Ctrl-C ends it)")

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        leaving = asyncio.ensure_future(self._leave_pages())
        await super().shutdown(sockets)
        leaving.cancel()

    async def _leave_pages(self) -> None:
        """Close the streams that every open page holds, once the photos are done."""
        while self.workers is not None and (self.workers.running or self.workers.queued):
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)  # for the last result to arrive
        for connection in list(self.server_state.connections):
            assert isinstance(connection, Protocol)
            if connection.scope is None or not connection.scope["path"].startswith("/api/"):
                connection.transport.close()


def _mount_page(
    app: FastAPI,
    workers: Workers | None,
    colorizer: Colorizer,
    course: Colorizer | None,
    limits: Limits,
    storage: Storage,
    root_path: str,
) -> None:
    import gradio as gr
    from starlette.middleware import Middleware

    from pix2pix.page import LOOK, build_page, new_shelf
    from pix2pix.serve.door import Door

    shelf = new_shelf()
    page = build_page(
        colorizer,
        workers,
        course=course,
        max_pixels=limits.max_pixels,
        shelf=shelf,
        check_room=storage.check,
    )
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs={"middleware": [Middleware(Door, page=page, shelf=shelf)]},
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        show_error=False,  # of faults, which may name files; the page's own messages are shown
        max_file_size=limits.max_bytes,
        root_path=root_path or None,
        **LOOK,
    )
    answer_as_the_api(app)
