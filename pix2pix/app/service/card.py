"""The card that messengers show for a link to the page: its title, a sentence, a picture, an icon.

Crawlers run no JavaScript, and so it stands in the HTML that is sent, in place of Gradio's own.
Tags: https://ogp.me, https://developer.x.com/en/docs/x-for-websites/cards
"""

import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Scope

from pix2pix.templates import render

TITLE = "See your black-and-white photo in color"
TEXT = "Drop in a photo and take it home in likely colors, at its full size. No login."
PICTURES = {"/card.jpg": "card.jpg", "/icon.png": "icon.png", "/favicon.ico": "icon.png"}
"""Paths of the page's server, and the files beside this one that are there."""

_HERE = Path(__file__).parent
_TAGS = re.compile(rb'<meta\s[^>]*?"(?:og|twitter):[^>]*>\s*')
_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)
_KEPT = {"cache-control": "public, max-age=86400"}


def with_card(html: bytes, address: str) -> bytes:
    """Put the card in the place of Gradio's; `address` is the page's own (`address_of`)."""
    head, script, rest = html.partition(b"<script")
    card = render(_HERE / "card.html", title=TITLE, text=TEXT, address=address).encode()
    cards = iter([card])
    return _TAGS.sub(lambda _: next(cards, b""), head) + script + rest


def address_of(scope: Scope) -> str:
    """`https://photos.example.org/prefix`, under which a request has found the page.

    "" where it names no host. A proxy that speaks TLS for the service says so by
    X-Forwarded-Proto. Whoever makes these headers up changes an answer to themselves alone.
    """
    headers = Headers(scope=scope)
    host = _first(headers, "x-forwarded-host") or _first(headers, "host")
    scheme = _first(headers, "x-forwarded-proto")
    if scheme not in ("http", "https"):
        scheme = scope["scheme"]
    if not _HOST.fullmatch(host):
        return ""
    return f"{scheme}://{host}{scope.get('root_path', '').rstrip('/')}"


def picture(path: str) -> FileResponse:
    """The response with one of PICTURES."""
    return FileResponse(_HERE / PICTURES[path], headers=_KEPT)


def _first(headers: Headers, name: str) -> str:
    return headers.get(name, "").partition(",")[0].strip()
