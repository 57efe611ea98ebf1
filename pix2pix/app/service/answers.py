"""Responses of the page's server, rewritten: public names in place of the server's paths."""

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

from starlette.types import Message, Send

from pix2pix.app.page.shelf import PUBLIC, Shelf
from pix2pix.app.service.card import with_card

_TEXT = (b"application/json", b"text/html", b"text/event-stream", b"text/plain")


class Answers:
    """Sends one response on. `visitor` is who asked, None where all get the same.

    With `publishes` the answer is the page's own: whoever gets it may fetch the files in it. A
    stream is rewritten message by message, as Gradio sends them; anything else as a whole.
    """

    def __init__(self, shelf: Shelf, send: Send, visitor: str | None, *, publishes: bool):
        self.shelf, self._send, self.visitor = shelf, send, visitor
        self.publishes = publishes
        self.cookie = b""
        self.card_at: str | None = None  # the page's address, where it is HTML with a card
        self.upload = False  # the answer lists the paths of what was sent
        self._start: Message = {}
        self._kind = b""
        self._body = bytearray()
        self._paths = _paths(shelf.folder)

    async def send(self, message: Message) -> None:
        """Send an ASGI message, rewritten."""
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", []))
            self._kind = headers.get(b"content-type", b"").partition(b";")[0]
            self._start = message
            if self._kind not in _TEXT or self._kind == b"text/event-stream":
                await self._send(self._head(None))
            return
        if self._kind not in _TEXT:
            await self._send(message)
        elif self._kind == b"text/event-stream":
            await self._send({**message, "body": self._rewrite(message.get("body", b""))})
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                body = self._whole()
                await self._send(self._head(len(body)))
                await self._send({"type": "http.response.body", "body": body})

    def _head(self, length: int | None) -> Message:
        headers = list(self._start.get("headers", []))
        if length is not None:
            headers = [h for h in headers if h[0] != b"content-length"]
            headers.append((b"content-length", str(length).encode()))
        if self.cookie:
            headers += [(b"set-cookie", self.cookie), (b"cache-control", b"private, no-cache")]
        return {**self._start, "headers": headers}

    def _whole(self) -> bytes:
        body = bytes(self._body)
        if self.upload and self._start["status"] == 200:
            names = [self.shelf.put(path, self.visitor or "") for path in json.loads(body)]
            return json.dumps(names).encode()
        if self.card_at is not None and self._kind == b"text/html":
            body = with_card(body, self.card_at)
        return self._rewrite(body)

    def _rewrite(self, text: bytes) -> bytes:
        """Replace paths by public names."""
        status = self._start["status"]

        def public(match: re.Match[bytes]) -> bytes:
            if match["folder"] is None:
                return PUBLIC.encode()
            if self.publishes and status == 200:
                self.shelf.publish(match["folder"].decode(), self.visitor)
            return PUBLIC.encode() + b"/" + match["folder"]

        return self._paths.sub(public, text)


def _paths(folder: Path) -> re.Pattern[bytes]:
    """Finds the folder, and the folder below it, in JSON and in addresses."""
    spelled = set()
    for path in {str(folder), os.path.realpath(folder)}:
        for one in (path, json.dumps(path)[1:-1], json.dumps(path, ensure_ascii=False)[1:-1]):
            spelled |= {one, quote(one), quote(one, safe="")}
    longest = sorted((re.escape(s.encode()) for s in spelled), key=len, reverse=True)
    return re.compile(rb"(?:%s)(?:(?:/|\\\\|%%2F)(?P<folder>\w+))?" % b"|".join(longest))
