"""CORS: lets pages of the given origins call the API from a browser.

Starlette's own middleware refuses foreign preflights, which go on to the application here, and
knows no paths: the page is nobody else's. https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_READABLE = "Content-Disposition, Retry-After, X-Warnings"
_KEPT = "600"  # [s] that a browser may remember an answer to its question


def parse_origin(text: str) -> str:
    """`https://Example.org/` -> `https://example.org`. Raises ValueError for what is no origin."""
    origin = text.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{text}: give an origin such as https://example.org")
    return origin


class Cors:
    """ASGI middleware: answers of the API may be read by pages of `origins`, never with cookies.

    It stands outside of what refuses, so that a refusal can be read, too. The application does not
    see the Origin of those that it knows.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]):
        self.app, self.origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        known = origin in self.origins
        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if known:
            scope["headers"] = [h for h in scope["headers"] if h[0] != b"origin"]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields = MutableHeaders(scope=message)
                fields.add_vary_header("Origin")
                if known:
                    fields["access-control-allow-origin"] = origin
                    fields["access-control-expose-headers"] = _READABLE
                if known and asks:
                    fields["access-control-allow-methods"] = fields.get("allow", "GET, POST")
                    fields["access-control-allow-headers"] = "Content-Type"
                    fields["access-control-max-age"] = _KEPT
            await send(message)

        await self.app(scope, receive, answer)
