"""The service: the API, the page and their workers in one process, behind hard limits.

`run_service` serves until it is told to stop; `build_app` makes the application that it serves.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

try:
    import uvicorn
    from starlette.types import ASGIApp

    from pix2pix.app.service.api import build_api
    from pix2pix.app.service.cors import Cors, parse_origin
    from pix2pix.app.service.edge import Edge
    from pix2pix.app.service.failures import answer_as_the_api
    from pix2pix.app.service.hosts import Hosts
    from pix2pix.app.service.logs import Metrics, log, set_up_logging
    from pix2pix.app.service.printed import nothing_printed, say
    from pix2pix.app.service.protocol import Protocol
    from pix2pix.app.service.routes import Address, parse_root
except ModuleNotFoundError as error:
    if error.name == "torch":  # which it does without: a fault of ours
        raise
    raise ModuleNotFoundError("the service needs: pip install 'pix2pix-color[api]'") from error

from pix2pix.app.limits import Limits
from pix2pix.app.service.models import load_course
from pix2pix.app.storage import Storage
from pix2pix.app.temporary import own_uploads, uploads_folder
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.workers import Workers
from pix2pix.errors import one_line

__all__ = ["Hosts", "Limits", "Settings", "build_app", "parse_origin", "parse_root", "run_service"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the service is found, whom it answers, and what it shows."""

    host: str = "127.0.0.1"
    port: int = 7860  # 0 takes a free one
    workers: int | None = None  # photos at a time; by default one a core, at most 4
    page: bool = True  # with the Gradio page, which takes seconds to import,
    compare: bool = True  # and there with the course's model to compare with, where it loads
    allow_hosts: Sequence[str] = ()  # names that it answers to, too; "*" is any
    metrics: bool = False  # open /metrics to whoever reaches the service
    root_path: str = ""  # under which a proxy shows it, such as /photos (see `parse_root`)
    cors: Sequence[str] = ()  # origins whose pages may call the API (see `parse_origin`)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        Hosts.of(self.host, self.allow_hosts)  # raises ValueError for an allowed name that is none

    @property
    def hosts(self) -> Hosts:
        """The names that it answers to."""
        return Hosts.of(self.host, self.allow_hosts)


AS_USUAL = Settings()


def build_app(
    workers: Workers | None, settings: Settings, *, course: Colorizer | None = None
) -> ASGIApp:
    """The ASGI application. `workers` is None where the model is missing.

    `course` is the other model that the page compares with.
    """
    limits, root = settings.limits, settings.root_path
    metrics = Metrics(workers)
    storage = Storage(limits.stored_bytes, uploads_folder)
    app = build_api(workers, limits=limits, metrics=metrics, root=root)
    if settings.page and workers is not None:
        import gradio as gr

        from pix2pix.app.service.page_server import guarded_page

        page, options = guarded_page(
            workers.model, workers, course=course, limits=limits, storage=storage
        )
        gr.mount_gradio_app(app, page, path="/", root_path=root or None, **options)
        answer_as_the_api(app)
    edge = Edge(
        app,
        limits=limits,
        metrics=metrics,
        storage=storage,
        hosts=settings.hosts,
        show_metrics=settings.metrics,
    )
    return Address(Cors(edge, settings.cors), root)


@nothing_printed()
@own_uploads()
def run_service(load: Callable[[], Colorizer], settings: Settings = AS_USUAL) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what runs.

    `load` gives the model; where it raises, the service says that it is not ready, and why in its
    log. The address is printed once it answers. Ends by SystemExit when the port is taken, and
    raises ModuleNotFoundError where the weights need a package that is missing.
    """
    limits = Protocol.limits = settings.limits
    set_up_logging()
    workers = course = None
    try:
        workers = Workers(load(), count=settings.workers, waiting=limits.waiting)
    except ModuleNotFoundError:  # which waiting will not bring
        raise
    except Exception as error:
        log.error("no model", extra={"fields": {"reason": one_line(error)}})
    if workers is not None and settings.page and settings.compare:
        course = load_course(workers.model)
    config = uvicorn.Config(
        build_app(workers, settings, course=course),
        host=settings.host,
        port=settings.port,
        http=Protocol,
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
        _Server(config, workers).run()
    finally:
        if workers is not None:
            workers.close()


class _Server(uvicorn.Server):
    """Says where it is, and does not wait for open pages when it stops."""

    def __init__(self, config: uvicorn.Config, workers: Workers | None):
        super().__init__(config)
        self.workers = workers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in (listener for server in self.servers for listener in server.sockets):
            host, port = listener.getsockname()[:2]
            url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
            say(f"Serving {url} (Ctrl-C ends it)")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
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
