"""The edge: checks and limits of every request, before the API or the page sees it.

Ambiguous and oversized requests end here, bodies are counted while they come, and each answer is
counted and logged.
"""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pix2pix.app.limits import FORM_AROUND_BYTES, HEADER_BYTES, LINGER_BYTES, LINGER_SECONDS, Limits
from pix2pix.app.service.failures import came_too_late
from pix2pix.app.service.hosts import Hosts, stranger
from pix2pix.app.service.logs import Metrics, log
from pix2pix.app.service.refusal import FAULT, Refusal
from pix2pix.app.service.routes import API_ROUTES, PAGE_UPLOAD, route_path
from pix2pix.app.storage import Place, Storage
from pix2pix.app.temporary import uploads_folder
from pix2pix.errors import NoSpace

_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
# The page's server would fetch these addresses itself.
_FETCHED = ("/gradio_api/proxy=", "/proxy=", "/gradio_api/file=http", "/file=http")
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Edge:
    """ASGI middleware around the whole application.

    `hosts` are the names that it answers to; by default those of the loopback. `show_metrics` opens
    /metrics to whoever reaches the service.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        metrics: Metrics,
        storage: Storage | None = None,
        hosts: Hosts | None = None,
        show_metrics: bool = False,
    ):
        self.app, self.limits, self.metrics = app, limits, metrics
        self.storage = storage or Storage(limits.stored_bytes, uploads_folder)
        self.hosts, self.show_metrics = hosts or Hosts(), show_metrics
        self.page_uploads = 0  # that are being received

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self.limits, self.metrics)
        self.metrics.in_flight.inc()
        self.page_uploads += exchange.to_page
        try:
            headers = Headers(scope=scope)
            if refusal := stranger(scope, headers, self.hosts):
                raise refusal
            _check_head(scope, headers, exchange.most)
            if route_path(scope) == "/metrics" and not self.show_metrics:
                raise Refusal(404, "not_found", "start with --metrics to open it")
            if exchange.to_page:
                if self.page_uploads > self.limits.page_uploads:
                    raise Refusal(429, "busy", "too many uploads at once", retry_after=5)
                exchange.place = await self.storage.promise(exchange.declared)
            await self.app(_without_origin(scope), exchange.receive, exchange.send)
        except Refusal as error:  # raised here, or within and not answered there
            await exchange.refuse(error)
        except NoSpace as error:
            await exchange.refuse(_full(error))
        except Exception as error:
            if exchange.status is not None:
                if not came_too_late(error):
                    raise
                await exchange.end()
                return
            log.exception("failed")
            await exchange.refuse(Refusal(500, "error", FAULT))
        finally:
            self.metrics.in_flight.dec()
            self.page_uploads -= exchange.to_page
            if exchange.place is not None:
                exchange.place.leave()
            exchange.report()


def _without_origin(scope: Scope) -> Scope:
    """The request as the page's server sees it: it would let any site read its answers.

    Nor does it hear of an address for itself other than its host.
    """
    if route_path(scope) in API_ROUTES:
        return scope
    dropped = (b"origin", b"x-gradio-server")
    return {**scope, "headers": [h for h in scope["headers"] if h[0] not in dropped]}


def _check_head(scope: Scope, headers: Headers, most: int) -> None:
    """Raise Refusal for what is wrong with a request before its body."""
    path = route_path(scope)
    allowed = API_ROUTES.get(path, _METHODS)
    if scope["method"] not in allowed:
        reason = f"{scope['method'][:20]} is not answered here"
        raise Refusal(405, "method", reason, headers={"allow": ", ".join(allowed)})
    if sum(len(name) + len(value) for name, value in headers.raw) > HEADER_BYTES:
        raise Refusal(400, "bad_request", f"more than {HEADER_BYTES:,} bytes of headers")
    lengths = headers.getlist("content-length")
    if len(lengths) > 1 or (lengths and "transfer-encoding" in headers):
        raise Refusal(400, "bad_request", "the request states its length twice")
    if lengths and int(lengths[0]) > most:
        raise Refusal(413, "too_large", f"more than the limit of {most:,} bytes")
    if path.lower().startswith(_FETCHED):
        raise Refusal(403, "forbidden", "no address is fetched for a visitor")
    if "\x00" in path:
        raise Refusal(404, "not_found", "no such page")


def _full(error: NoSpace) -> Refusal:
    return Refusal(507, error.code, error.reason, retry_after=600)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, limits: Limits, metrics: Metrics
    ):
        self.scope, self._receive, self._send = scope, receive, send
        self.limits, self.metrics = limits, metrics
        path = route_path(scope)
        self.to_page = path.startswith(PAGE_UPLOAD)
        self.route = path if path in API_ROUTES else "page"
        self.method = scope["method"] if scope["method"] in _METHODS else "other"
        headers = Headers(scope=scope)
        form = headers.get("content-type", "").startswith("multipart/")
        files = 2 if form else 1  # a photo, and one whose colors it takes
        api_bytes = files * limits.max_bytes + FORM_AROUND_BYTES
        self.most = limits.page_bytes if self.to_page else api_bytes
        # a list of ranges can ask for a file a thousand times over
        if "," in headers.get("range", ""):
            scope["headers"] = [h for h in scope["headers"] if h[0] not in (b"range", b"if-range")]
        length = headers.get("content-length", "0")
        self.declared = int(length) if length.isdecimal() else 0
        # whether part of the body is still to come
        self.unread = "transfer-encoding" in headers or self.declared > 0
        self.place: Place | None = None  # on the disk, of an upload of the page
        self.denied: Refusal | None = None  # while it came; Gradio knows no more than that it ends
        self.ended = False
        self.got = self.sent = 0
        self.status: int | None = None
        self.start = time.monotonic()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._count(message)
            try:
                self._fits()
            except Refusal as refusal:
                if not self.to_page:
                    raise
                self.denied = refusal
                # at this exception alone, Gradio deletes what it has written of an upload (6.31)
                raise MultiPartException(refusal.detail) from refusal
            return message
        if self.to_page and self.unread:
            raise MultiPartException("the upload was broken off")
        self.unread = False
        return message

    def _fits(self) -> None:
        """Raise Refusal when more has come than the limits allow."""
        if self.got > self.most:
            raise Refusal(413, "too_large", f"more than the limit of {self.most:,} bytes")
        try:
            if self.place is not None:
                self.place.grow(self.got)
        except NoSpace as error:
            raise _full(error) from None

    async def send(self, message: Message) -> None:
        if self.ended:
            return
        if self.denied is not None:  # in place of what Gradio says of it
            refusal, self.denied = self.denied, None
            await self.refuse(refusal)
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *_HEADERS]
            if self.unread and (b"connection", b"close") not in headers:
                headers.append((b"connection", b"close"))
            await self._send({**message, "headers": headers})
            return
        self.sent += len(message.get("body", b""))
        if self.unread and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        self.ended = not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End a response that has begun."""
        if not self.ended:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with `refusal`, unless something was answered already."""
        if self.status is None:
            await refusal.answer(self.scope)(self.scope, self.receive, self.send)

    async def _linger(self) -> None:
        """Read on, so that a client that sends first and reads later comes to see its refusal.

        All of a body that keeps to the limit; a little of one that does not, and then a pause.
        """
        patient = self.got <= self.most and self.declared <= self.most
        end = time.monotonic() + (self.limits.receive if patient else LINGER_SECONDS)
        most = self.most if patient else self.got + LINGER_BYTES
        while self.unread and self.got < most and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), left)
            except TimeoutError:
                return
            if message["type"] != "http.request":
                return
            self._count(message)
        if self.unread and not patient:
            await asyncio.sleep(max(0.0, end - time.monotonic()))

    def _count(self, message: Message) -> None:
        count = len(message.get("body", b""))
        self.got += count
        self.metrics.received.inc(count)
        self.unread = message.get("more_body", False)

    def report(self) -> None:
        """Count and log the exchange; where there was no answer, as 499."""
        seconds = time.monotonic() - self.start
        code = self.scope.get("state", {}).get("code")
        status = str(self.status or 499)
        self.metrics.requests.labels(self.route, self.method, status).inc()
        self.metrics.seconds.labels(self.route).observe(seconds)
        if code:
            self.metrics.refused.labels(code).inc()
        fields: dict[str, object] = {
            "route": self.route,
            "method": self.method,
            "status": int(status),
            "ms": round(1000 * seconds, 1),
            "bytes_in": self.got,
            "bytes_out": self.sent,
        }
        log.info("request", extra={"fields": fields | ({"code": code} if code else {})})
