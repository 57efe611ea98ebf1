"""Uploads: the bytes of one photo out of a request, in memory, never more than the limit.

Starlette's own form parser would write all of a file to the disk before anybody could say no.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from pix2pix.serve.edge import Refusal
from pix2pix.serve.limits import Limits

_PARTS = 16  # of a form; only one may be a file
_BOUNDARY = 70  # RFC 2046, 5.1.1
_NO_PHOTO = ("application/json", "application/x-www-form-urlencoded", "text/", "multipart/")


class Uploads:
    """Receives uploads; `held` is what they take in memory together."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.held = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[bytes]:
        """The photo's bytes, from a form with one file or from a body that is the photo.

        They count as held until the context ends. Raises Refusal: 413 beyond the limit, 429 when
        others fill the memory, 415 for bodies that hold no photo, 400 for broken forms, 422 for
        none or several files.
        """
        taker, held = self._taker(request), 0
        try:
            async for chunk in request.stream():
                if self.held + len(chunk) > self.limits.held_bytes:
                    raise Refusal(429, "busy", "too many uploads at once", retry_after=5)
                self.held += len(chunk)
                held += len(chunk)
                if chunk:
                    taker.take(chunk)
            photo = taker.photo()
            del taker
            yield photo
        finally:
            self.held -= held

    def _taker(self, request: Request) -> "_Raw":
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "unsupported_format", "send the body without content encoding")
        if kind == b"multipart/form-data":
            return _Form(options.get(b"boundary", b""), self.limits.max_bytes)
        if kind.decode("latin-1").startswith(_NO_PHOTO):
            reason = "send the photo as the body, or as a form with one file"
            raise Refusal(415, "unsupported_format", reason)
        return _Raw(self.limits.max_bytes)


class _Raw:
    """A body that is the photo itself."""

    def __init__(self, most: int):
        self.most = most
        self.data = bytearray()

    def take(self, chunk: bytes) -> None:
        if len(self.data) + len(chunk) > self.most:
            raise Refusal(413, "too_large", f"more than the limit of {self.most:,} bytes")
        self.data += chunk

    def photo(self) -> bytes:
        if not self.data:
            raise Refusal(422, "unreadable", "the file is empty")
        return bytes(self.data)


class _Form(_Raw):
    """A form with one file, whatever its field is called; other fields are ignored."""

    def __init__(self, boundary: bytes, most: int):
        super().__init__(most)
        if not 0 < len(boundary) <= _BOUNDARY:
            raise Refusal(400, "bad_request", f"the boundary must have 1 to {_BOUNDARY} bytes")
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        self.parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        self.parts = self.files = 0
        self.is_file = self.ended = False
        self.name, self.value = bytearray(), bytearray()

    def take(self, chunk: bytes) -> None:
        try:
            self.parser.write(chunk)
        except FormParserError as error:
            raise Refusal(400, "bad_request", "the form is broken") from error

    def photo(self) -> bytes:
        if not self.ended:
            raise Refusal(400, "bad_request", "the form has no end")
        if self.files != 1:
            raise Refusal(422, "unreadable", f"{self.files} files in the form; send one")
        return super().photo()

    def _begin(self) -> None:
        self.is_file = False
        self.parts += 1
        if self.parts > _PARTS:
            raise Refusal(400, "bad_request", f"more than {_PARTS} parts in the form")

    def _field(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def _header(self) -> None:
        if self.name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self.value))
            self.is_file = b"filename" in options
            self.files += self.is_file
            if self.files > 1:
                raise Refusal(422, "unreadable", "several files in the form; send one")
        self.name.clear()
        self.value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.is_file:
            super().take(data[start:end])

    def _end(self) -> None:
        self.ended = True
