"""Access control of the page's server: the routes that are open, the calls and files in them.

Gradio's server has some fifty routes and takes paths of files from whoever sends them. Here a route
is open or it is not there, a call is read before Gradio reads it, and a file has a public name only
(see `pix2pix.app.page.shelf`). It stands within Gradio's own application, so that it is the same
for `pix2pix serve` and for a Space.
"""

import asyncio
import random
import re
import secrets

import gradio as gr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pix2pix.app.limits import CALL_BYTES, REFUSAL_PAUSE, REFUSED_AT_ONCE
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.service.answers import Answers
from pix2pix.app.service.calls import read_body, read_call, send_file, with_body
from pix2pix.app.service.card import address_of, picture
from pix2pix.app.service.refusal import Refusal
from pix2pix.app.service.routes import route_path

ROUTES = (
    ("page", "GET", r"/|/config/?|/gradio_api/info/?"),  # the same for everybody
    ("picture", "GET", r"/card\.jpg|/icon\.png|/favicon\.ico"),  # of a link to the page
    ("plain", "GET", r"/(gradio_api/)?theme\.css|/robots\.txt"),
    ("plain", "GET", r"/(assets|static)(/(?!\.)[\w.@+-]+)+"),  # of Gradio's package
    ("plain", "GET", r"/gradio_api/heartbeat/[\w-]{1,64}"),
    ("plain", "GET", r"/gradio_api/upload_progress"),
    ("upload", "POST", r"/gradio_api/upload"),
    ("call", "POST", r"/gradio_api/queue/join"),
    ("call", "POST", r"/gradio_api/call/(?P<name>\w+)/?"),
    ("stream", "GET", r"/gradio_api/queue/data"),
    ("stream", "GET", r"/gradio_api/call/\w+/[0-9a-f]{32}"),
    ("small", "POST", r"/gradio_api/(cancel|reset)/?"),
    ("file", "GET", r"/gradio_api/file=(?P<name>.*)"),
)
"""What is open, as kind, method (GET stands for HEAD too) and path; all else is not there."""
_ROUTES = [(kind, method, re.compile(path)) for kind, method, path in ROUTES]
_COOKIE = "pix2pix_visitor"
_VISITOR = re.compile(rf"(?:^|;\s*){_COOKIE}=([0-9a-f]{{32}})(?:;|$)")
_STARTED = "/gradio_api/startup-events"  # launch() asks for it, once


class Door:
    """ASGI middleware around the routes of Gradio's application that serves `page`.

    `launched` says that `page.launch()` serves it, which asks one question of its own first.
    """

    def __init__(self, app: ASGIApp, *, page: gr.Blocks, shelf: Shelf, launched: bool = False):
        self.app, self.page, self.shelf = app, page, shelf
        self.starting = launched
        self.refusing = 0  # requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except Refusal as error:
            self.refusing += 1
            try:
                if self.refusing > REFUSED_AT_ONCE:
                    await asyncio.sleep(random.uniform(0.5, 1.5) * REFUSAL_PAUSE)
                answer = error.answer(scope, detail=error.detail)  # which Gradio's page shows
                await answer(scope, receive, send)
            finally:
                self.refusing -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = route_path(scope)
        kind, name = self._route(scope["method"], path)
        visitor = visitor_of(scope)
        if kind == "file":
            await send_file(name, self.shelf, visitor, scope, receive, send)
            return
        if kind == "picture":
            await picture(path)(scope, receive, send)
            return
        if kind == "plain":
            await self.app(scope, receive, send)
            return
        publishes = kind in ("page", "stream")  # the others may repeat what was asked
        whom = None if kind == "page" else visitor
        answers = Answers(self.shelf, send, whom, publishes=publishes)
        if kind == "page":
            answers.card_at = address_of(scope)
            # a query would have Gradio read a file (deep_link), or show more than it should
            scope = {**scope, "query_string": b""}
            if not visitor and path != "/gradio_api/info":
                answers.cookie = _set_cookie(scope)
        elif kind == "upload":
            answers.upload = True
            if self.shelf.full:
                raise Refusal(429, "busy", "too many uploads at once", retry_after=60)
        elif kind in ("call", "small"):
            # a page of another site can send the other kinds without asking first
            if not Headers(scope=scope).get("content-type", "").startswith("application/json"):
                raise Refusal(415, "unsupported_format", "send JSON, as application/json")
            body = await read_body(receive, CALL_BYTES)
            if kind == "call":
                body = read_call(body, name, self.page, self.shelf, visitor)
            scope, receive = with_body(body, scope, receive)
        await self.app(scope, receive, answers.send)

    def _route(self, method: str, path: str) -> tuple[str, str]:
        """The kind of an open route, and the name in its path. Raises Refusal."""
        if path == _STARTED and self.starting:
            self.starting = False
            return "plain", ""
        for kind, allowed, pattern in _ROUTES:
            match = pattern.fullmatch(path)
            if match and ("GET" if method == "HEAD" else method) == allowed:
                return kind, match.groupdict().get("name", "")
        raise Refusal(404, "not_found", "no such page")


def visitor_of(scope: Scope) -> str:
    """The value of the cookie, which distinguishes visitors and no more. "" without one."""
    match = _VISITOR.search(Headers(scope=scope).get("cookie", ""))
    return match[1] if match else ""


def _set_cookie(scope: Scope) -> bytes:
    """A cookie for the time that the browser is open, unreadable to scripts and other sites."""
    path = scope.get("root_path", "").rstrip("/") or "/"
    return f"{_COOKIE}={secrets.token_hex(16)}; Path={path}; HttpOnly; SameSite=Lax".encode()
