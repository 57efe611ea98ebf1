"""Failures: what the API and the page answer to whatever was refused, as {"code", "reason"}."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from pix2pix.app.service.parameters import reason
from pix2pix.app.service.refusal import Refusal


def answer_failures(app: FastAPI) -> None:
    """Have `app` answer its refusals and faults."""
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(Exception, _answer_failure)


async def _answer(request: Request, error: Exception) -> Response:
    """Refusals, and what Starlette refuses on its own (404, 405), as {"code", "reason"}."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method"}
    code = error.code if isinstance(error, Refusal) else codes.get(error.status_code, "refused")
    request.state.code = code
    content = {"code": code, "reason": error.detail}
    headers = dict(error.headers or {})
    if error.status_code == 400:
        headers["connection"] = "close"
    return JSONResponse(content, error.status_code, headers)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    request.state.code = "parameter"
    return JSONResponse({"code": "parameter", "reason": reason(error.errors()[0])}, 422)


def answer_as_the_api(app: FastAPI) -> None:
    """Have what is mounted in `app` say 404 and 405 in the API's way, without names of files."""
    for route in app.router.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            for status in (404, 405):
                route.app.add_exception_handler(status, _answer_elsewhere)


async def _answer_elsewhere(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = {404: "no such page", 405: f"{request.method[:20]} is not answered here"}
    return await _answer(
        request, HTTPException(error.status_code, reason[error.status_code], error.headers)
    )


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Answer for a fault of ours; the error goes on to uvicorn, which logs it."""
    request.state.code = "error"
    return JSONResponse({"code": "error", "reason": "the server failed; its log says where"}, 500)


def came_too_late(error: BaseException | None) -> bool:
    """Whether a failure is a refusal that was raised when the answer had begun.

    Gradio does so for the queue of a visitor who is gone: it has told the stream already.
    """
    while error is not None and not isinstance(error, HTTPException):
        error = error.__cause__
    return isinstance(error, HTTPException) and error.status_code < 500
