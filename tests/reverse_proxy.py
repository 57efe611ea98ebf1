"""A reverse proxy for tests: shows a service under a prefix, which it strips or hands on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from serving import wait_until
from starlette.types import Receive, Scope, Send

_OWN = {b"connection", b"transfer-encoding", b"keep-alive"}  # of one connection alone


@contextmanager
def proxy(port: int, prefix: str, *, strip: bool) -> Iterator[str]:
    """The address, without the prefix, of a proxy in front of what listens on `port`."""
    client = httpx.AsyncClient(timeout=None)

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(prefix):
            await _say(send, 404)
            return

        async def body() -> AsyncIterator[bytes]:
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                yield message.get("body", b"")

        path = scope["raw_path"].decode().removeprefix(prefix if strip else "")
        query = scope["query_string"].decode()
        url = f"http://127.0.0.1:{port}{path}" + (f"?{query}" if query else "")
        has_body = {b"content-length", b"transfer-encoding"} & {n for n, _ in scope["headers"]}
        fields = [(n, v) for n, v in scope["headers"] if n not in _OWN]
        asked = client.build_request(
            scope["method"], url, headers=fields, content=body() if has_body else None
        )
        pump = asyncio.ensure_future(_pump(client, asked, send))
        if not has_body:
            gone = asyncio.ensure_future(_until_gone(receive, pump))
            pump.add_done_callback(lambda _: gone.cancel())
        await asyncio.wait([pump])

    server = uvicorn.Server(
        uvicorn.Config(
            forward,
            port=0,
            log_config=None,
            lifespan="off",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


async def _pump(client: httpx.AsyncClient, asked: httpx.Request, send: Send) -> None:
    answer = await client.send(asked, stream=True)
    try:
        head = [(n.lower(), v) for n, v in answer.headers.raw if n.lower() not in _OWN]
        status = answer.status_code
        await send({"type": "http.response.start", "status": status, "headers": head})
        async for piece in answer.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await answer.aclose()


async def _until_gone(receive: Receive, pump: "asyncio.Future[None]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    pump.cancel()


async def _say(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
