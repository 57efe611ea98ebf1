"""Error responses of the API and of the page: {"code", "reason"}."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from pix2pix.app.service.parameters import reason
from pix2pix.app.service.refusal import FAULT, Refusal


def answer_failures(app: FastAPI) -> None:
    """Install the exception handlers of `app`."""
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_failure)


async def _answer(request: Request, error: Exception) -> Response:
    """Refusals, and what Starlette refuses on its own (404, 405), as {"code", "reason"}."""
    assert isinstance(error, HTTPException)
    if not isinstance(error, Refusal):
        code = {404: "not_found", 405: "method"}.get(error.status_code, "refused")
        error = Refusal(error.status_code, code, error.detail, headers=error.headers)
    return error.answer(request.scope)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await _answer(request, Refusal(422, "parameter", reason(error.errors()[0])))


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Answer for a fault of ours; the error goes on to uvicorn, which logs it."""
    return await _answer(request, Refusal(500, "error", FAULT))


def answer_as_the_api(app: FastAPI) -> None:
    """Install those of what is mounted in `app`, for 404 and 405, without names of files."""
    for route in app.router.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            for status in (404, 405):
                route.app.add_exception_handler(status, _answer_elsewhere)


async def _answer_elsewhere(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = {404: "no such page", 405: f"{request.method[:20]} is not answered here"}
    error.detail = reason[error.status_code]
    return await _answer(request, error)


def came_too_late(error: BaseException | None) -> bool:
    """Whether a failure is a refusal that was raised when the answer had begun.

    Gradio does so for the queue of a visitor who is gone: its stream has begun already.
    """
    while error is not None and not isinstance(error, HTTPException):
        error = error.__cause__
    return isinstance(error, HTTPException) and error.status_code < 500
