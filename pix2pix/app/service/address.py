"""Addresses: the path that a request means, behind a prefix or with a slash too many."""

from starlette.types import ASGIApp, Receive, Scope, Send

from pix2pix.app.service.routes import API_ROUTES


def parse_root(text: str) -> str:
    """`/photos/` -> `/photos`, "" for none. Raises ValueError for what is no path."""
    root = text.rstrip("/")
    parts = root.split("/")
    odd = set(root) & set("?#%\\\"'<>") or not root.isascii() or not root.isprintable()
    if root and (parts[0] or odd or " " in root or any(p in ("", ".", "..") for p in parts[1:])):
        raise ValueError(f"{text}: give a path such as /photos")
    return root


class Address:
    """ASGI middleware that puts the path as the application knows it into the scope.

    `root` is where a proxy has put the service. It may hand over `/photos/api` as it is or without
    the prefix: both arrive at `/api`. What a request says of a prefix itself (X-Forwarded-Prefix)
    counts for nothing, as anybody may send it.
    """

    def __init__(self, app: ASGIApp, root: str = ""):
        self.app, self.root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if self.root and path == self.root and scope["method"] in ("GET", "HEAD"):
                await _redirect(scope, send, self.root)  # the page's own links are relative
                return
            if self.root and path.startswith(f"{self.root}/"):
                path = path.removeprefix(self.root)
                scope["raw_path"] = scope["raw_path"].removeprefix(self.root.encode())
            if path.removesuffix("/") in API_ROUTES:
                path = path.removesuffix("/")
            scope["path"] = path  # in place: the connection's clock reads it, too
        await self.app(scope, receive, send)


async def _redirect(scope: Scope, send: Send, root: str) -> None:
    query: bytes = scope["query_string"]
    target = f"{root}/".encode() + (b"?" + query if query else b"")
    head = [(b"location", target), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": head})
    await send({"type": "http.response.body", "body": b""})
