"""Requests to the page's server: calls, checked before Gradio reads them, and files."""

import json
import mimetypes
import re
import secrets
from typing import TYPE_CHECKING

import anyio.to_thread
import gradio as gr
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from pix2pix.app.page import MESSAGES
from pix2pix.app.page.shelf import Shelf
from pix2pix.app.service.refusal import Refusal

if TYPE_CHECKING:
    from gradio.block_function import BlockFunction

_SESSION = re.compile(r"[\w-]{1,64}")
_SHOWN = ("image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp")


async def read_body(receive: Receive, most: int) -> bytes:
    """Read the body of a request. Raises Refusal beyond `most` bytes, and when it is broken off."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "bad_request", "the request ends early")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            raise Refusal(413, "too_large", f"more than the limit of {most:,} bytes")
    return bytes(body)


def with_body(body: bytes, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The request with this JSON as its body, in place of the one that was read."""
    own = (b"content-length", b"content-type", b"transfer-encoding")
    headers = [h for h in scope["headers"] if h[0] not in own]
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return {**scope, "headers": headers}, receive_again


def read_call(body: bytes, name: str, page: gr.Blocks, shelf: Shelf, visitor: str) -> bytes:
    """A call as it was sent -> as Gradio gets it: known fields only, paths for names of files.

    `name` is that of a public call; without one it is the page's own, by `fn_index`. Raises
    Refusal: in the same words for every file that this session has not sent, whatever is there.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_request", "the body is no JSON") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("data"), list):
        raise Refusal(400, "bad_request", "the body must be a JSON object with a list, data")
    session = asked.get("session_hash")
    anonymous = session is None and bool(name)
    if not anonymous and not (isinstance(session, str) and _SESSION.fullmatch(session)):
        raise Refusal(400, "bad_request", "session_hash: 1 to 64 letters and digits")
    function = _function(page, name, asked.get("fn_index"))
    owner = session or secrets.token_hex(16)  # as Gradio makes a session for a call without one
    call: dict[str, object] = {
        "data": _values(asked["data"], function, shelf, visitor=visitor, session=owner)
    }
    if session is not None:
        call["session_hash"] = session
    if not name:
        trigger = asked.get("trigger_id")
        call |= {
            "fn_index": function._id,
            "trigger_id": trigger if type(trigger) is int and trigger in page.blocks else None,
            "event_data": _event(asked.get("event_data")),
        }
    return json.dumps(call).encode()


def _function(page: gr.Blocks, name: str, index: object) -> "BlockFunction":
    """The function that is called. Raises Refusal."""
    for function in page.fns.values():
        if function.fn is None:
            continue
        if name and function.api_visibility == "public" and function.api_name == name:
            return function
        if not name and type(index) is int and function._id == index:
            return function
    raise Refusal(404, "not_found", "no such call")


def _values(
    data: list[object], function: "BlockFunction", shelf: Shelf, *, visitor: str, session: str
) -> list[object]:
    """One value for each input: names of files where they belong, plain values elsewhere.

    The last ones may be missing where the page has a value for them, as those that came later.
    """
    rest = [getattr(block, "value", None) for block in function.inputs[len(data) :]]
    if len(data) > len(function.inputs) or None in rest:
        raise Refusal(422, "parameter", f"data: {len(function.inputs)} values are taken")
    data = [*data, *rest]

    def path_of(file: object) -> dict[str, object]:
        name = file.get("path") if isinstance(file, dict) else None
        path = shelf.take(name, visitor=visitor, session=session)
        if path is None:
            raise Refusal(403, "unreadable", MESSAGES["unreadable"])
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    values: list[object] = []
    for value, block in zip(data, function.inputs, strict=True):
        if value is not None and block._id in shelf.slots:
            several = [path_of(one) for one in value] if isinstance(value, list) else None
            values.append(path_of(value) if several is None else several)
        elif value is None or isinstance(value, bool | int | float | str):
            values.append(value)
        else:
            raise Refusal(403, "unreadable", MESSAGES["unreadable"])
    return values


def _event(given: object) -> dict[str, int | None] | None:
    """The index of the item that was clicked on."""
    index = given.get("index") if isinstance(given, dict) else None
    return {"index": index, "value": None} if type(index) is int else None


async def send_file(
    name: str, shelf: Shelf, visitor: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send a file by its public name. Raises Refusal, in the same words whatever is there."""
    path = shelf.published(name, visitor)
    found = None if path is None else await anyio.to_thread.run_sync(shelf.state, path)
    if path is None or found is None:
        raise Refusal(404, "not_found", "no such file")
    kind = mimetypes.guess_type(path.name)[0]
    shown = kind in _SHOWN
    answer = FileResponse(
        path,
        stat_result=found,
        filename=path.name,
        media_type=kind if shown else "application/octet-stream",
        content_disposition_type="inline" if shown else "attachment",
        headers={"cache-control": "private"},
    )
    await answer(scope, receive, send)
