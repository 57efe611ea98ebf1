"""Request bodies: receive one photo into memory, and perhaps a reference, within limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from pix2pix.app.limits import Limits
from pix2pix.app.service.forms import Form
from pix2pix.app.service.refusal import Refusal
from pix2pix.errors import PhotoError
from pix2pix.images.formats import sniff

_TEXT = b"application/x-www-form-urlencoded"  # what curl says of whatever --data-binary sends
_NO_PHOTO = ("application/json", "text/", "multipart/")
_HOW = "send the photo as the body, or as a form with one file"
_ENOUGH = 64  # bytes that identify a format


@dataclass
class Upload:
    """A photo's bytes, and the fields of the form that brought it: names and values in order.

    `like` are the bytes of a photo in color, from which it is to take colors.
    """

    photo: bytes
    fields: list[tuple[str, str]] = field(default_factory=list)
    like: bytes | None = None


class Uploads:
    """Receives uploads; `held` counts the bytes of all that are in memory."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.held = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Upload]:
        """Receive the photo of a form, with a file `like` or not, or of a body that is the photo.

        It counts as held until the context ends. Raises Refusal: 413 beyond the limit, 429 when
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
            upload = Upload(taker.photo(), taker.fields, taker.like)
            del taker
            yield upload
        finally:
            self.held -= held

    def _taker(self, request: Request) -> "Form | _Raw":
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "unsupported_format", "send the body without content encoding")
        if kind == b"multipart/form-data":
            return Form(options.get(b"boundary", b""), self.limits.max_bytes)
        if kind.decode("latin-1").startswith(_NO_PHOTO):
            raise Refusal(415, "unsupported_format", _HOW)
        return _Raw(self.limits.max_bytes, doubtful=kind == _TEXT)


class _Raw:
    """A body that is the photo itself; a doubtful one must begin like one."""

    like = None

    def __init__(self, most: int, *, doubtful: bool):
        self.most, self.doubtful = most, doubtful
        self.data = bytearray()
        self.fields: list[tuple[str, str]] = []

    def take(self, chunk: bytes) -> None:
        if len(self.data) + len(chunk) > self.most:
            raise Refusal(413, "too_large", f"more than the limit of {self.most:,} bytes")
        self.data += chunk
        if self.doubtful and len(self.data) >= _ENOUGH:
            self._judge()

    def photo(self) -> bytes:
        if not self.data:
            raise Refusal(422, "unreadable", "the file is empty")
        if self.doubtful:
            self._judge()
        return bytes(self.data)

    def _judge(self) -> None:
        try:
            sniff(bytes(self.data[:_ENOUGH]))
        except PhotoError:
            raise Refusal(415, "unsupported_format", _HOW) from None
        self.doubtful = False
