"""The API: one photo in, the same photo in color out; health checks and metrics."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, NamedTuple

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import ClientDisconnect

from pix2pix import __version__, images
from pix2pix.app.limits import WARNING_LENGTH, WARNINGS_LENGTH, Limits
from pix2pix.app.service.bodies import Uploads
from pix2pix.app.service.docs import ANSWERS, BODY, TYPES, as_page
from pix2pix.app.service.failures import answer_failures
from pix2pix.app.service.forms import LIKE
from pix2pix.app.service.logs import Metrics, log
from pix2pix.app.service.parameters import Parameters, gather
from pix2pix.app.service.refusal import Refusal
from pix2pix.app.service.routes import API_ROUTES
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.copies import color_photo
from pix2pix.colorize.reference import Reference
from pix2pix.colorize.wish import Wish
from pix2pix.colorize.workers import Busy, Late, Workers, check
from pix2pix.errors import PhotoError
from pix2pix.images.names import output_name

_STATUS = {
    "hint": 400,
    "too_large": 413,
    "unsupported_format": 415,
    "unsupported_mode": 415,
}  # else 422


def build_api(
    workers: Workers | None, *, limits: Limits, metrics: Metrics, root: str = ""
) -> FastAPI:
    """Build the API application; `workers` is None where the model is missing.

    `root` is the path at which others find it, which only its description shows.
    """
    app = FastAPI(
        title="Pix2PixColor",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        servers=[{"url": root}] if root else None,
    )
    answer_failures(app)
    app.include_router(_photos(workers, limits))
    app.include_router(_operations(app, workers, metrics.registry, root))
    return app


def _photos(workers: Workers | None, limits: Limits) -> APIRouter:
    router, uploads = APIRouter(), Uploads(limits)

    @router.post(
        "/api/colorize",
        response_class=Response,
        responses=ANSWERS,
        openapi_extra={"requestBody": BODY},
    )
    async def colorize(request: Request, asked: Annotated[Parameters, Query()]) -> Response:
        """Color one photo: the body, or the file of a form. It keeps its size and its format.

        The parameters may be fields of the form instead. A name that is none of them is refused.
        A second file, in the field `like`, is a photo in color of the same place, people or roll,
        whose colors are taken where both look alike; any other one may mislead. It has the same
        limits.

        Its metadata stay, except for the place where it was taken (GPS) and for what is no longer
        true, such as sizes and previews. `X-Warnings` is a JSON list of what was lost on the way,
        such as further frames, or captions that the answer's format has no place for. It says, too,
        that the photo was in color already, toned, or a negative.
        """
        query = request.query_params.multi_items()
        gather(query, []).wish()  # refuses what is given twice, and a broken hint, before the photo
        if workers is None:
            raise Refusal(503, "weights", "the model is missing", retry_after=60)
        if workers.full:
            raise Refusal(429, "busy", "too many photos are waiting", retry_after=2)
        try:
            async with uploads.receive(request) as upload:
                asked = gather(query, upload.fields)
                work = partial(
                    _color,
                    data=upload.photo,
                    wish=asked.wish(),
                    like=upload.like,
                    format=asked.format,
                    max_pixels=limits.max_pixels,
                )
                answer = await _result(workers, work, request, limits.process)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        name = output_name(f"photo.{answer.format.lower()}")
        return Response(
            answer.photo,
            media_type=TYPES[answer.format],
            headers={
                "content-disposition": f'attachment; filename="{name}"',
                "cache-control": "no-store",
                **({"x-warnings": _as_header(answer.warnings)} if answer.warnings else {}),
            },
        )

    return router


class _Answer(NamedTuple):
    photo: bytes  # of the colored file
    format: str
    warnings: list[str]


def _color(
    colorizer: Colorizer,
    *,
    data: bytes,
    wish: Wish,
    like: bytes | None,
    format: str | None,
    max_pixels: int,
) -> _Answer:
    """Color a file; the job of a worker."""
    if like is not None:
        wish = replace(wish, like=_reference(like, max_pixels))
        check()
    photo = images.read(data, max_pixels=max_pixels)
    check()
    colored = color_photo(photo, colorizer, wish)
    del photo  # whose pixels take memory
    check()
    format = (format or images.output_format(colored.photo)[0]).upper()
    content, warnings = colored.encode(format)
    return _Answer(content, format, warnings)


def _reference(data: bytes, max_pixels: int) -> Reference:
    """Read the file `like`. Raises PhotoError, which names it."""
    try:
        return Reference.of(data, max_pixels=max_pixels)
    except PhotoError as error:
        error.reason = f"{LIKE}: {error.reason}"
        raise


def _as_header(warnings: list[str]) -> str:
    """Warnings as a JSON list: the first of them, each cut, so that all fit a header."""
    shown: list[str] = []
    for warning in warnings:
        cut = f"{warning[: WARNING_LENGTH - 3]}..."
        short = warning if len(warning) <= WARNING_LENGTH else cut
        if len(json.dumps([*shown, short])) > WARNINGS_LENGTH:
            shown.append(f"{len(warnings) - len(shown)} more")
            break
        shown.append(short)
    return json.dumps(shown)


async def _result(
    workers: Workers, work: Callable[[Colorizer], _Answer], request: Request, deadline: float
) -> _Answer:
    """Run `work` on a worker -> its result. Raises Refusal, and ClientDisconnect."""
    try:
        future = workers.submit(work, deadline=deadline)
    except Busy as error:
        raise Refusal(429, "busy", str(error), retry_after=error.retry_after) from error
    except RuntimeError as error:
        raise Refusal(503, "busy", "the service is stopping", retry_after=10) from error
    running = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(_until_gone(request))
    either: set[asyncio.Future[_Answer] | asyncio.Future[None]] = {running, gone}
    try:
        await asyncio.wait(either, timeout=deadline, return_when="FIRST_COMPLETED")
        if running.done():
            return running.result()
        if gone.done():
            raise ClientDisconnect
        raise Late(f"not done within {deadline:g} s", started=future.running())
    except Late as error:
        if error.started:
            raise Refusal(504, error.code, error.reason) from error
        raise Refusal(503, error.code, "too many photos were waiting", retry_after=5) from error
    except PhotoError as error:
        raise Refusal(_STATUS.get(error.code, 422), error.code, error.reason) from None
    except MemoryError as error:
        log.exception("out of memory")
        raise Refusal(503, "busy", "out of memory; try a smaller photo", retry_after=5) from error
    finally:
        running.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _operations(
    app: FastAPI, workers: Workers | None, registry: CollectorRegistry, root: str
) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    get = partial(router.api_route, methods=["GET", "HEAD"])

    @get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @get("/readyz")
    async def readyz() -> JSONResponse:
        if workers is None:
            return JSONResponse({"status": "no model"}, 503)
        return JSONResponse({"status": "ready"})

    @get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    @get("/api")
    async def documentation(request: Request) -> HTMLResponse:
        secure = request.headers.get("x-forwarded-proto") == "https"  # for an example alone
        scheme = "https" if secure else request.url.scheme
        address = f"{scheme}://{request.url.netloc}{root}"
        return HTMLResponse(as_page(app.openapi(), address, root))

    for path, methods in API_ROUTES.items():
        allow = {"allow": ", ".join(methods)}
        router.add_api_route(path, partial(_options, allow), methods=["OPTIONS"])
    return router


async def _options(allow: dict[str, str]) -> Response:
    return Response(status_code=204, headers=allow)
