"""Routes: the paths of the service, behind a proxy's prefix or with a slash too many."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_GET = ("GET", "HEAD", "OPTIONS")
API_ROUTES = {"/api/colorize": ("POST", "OPTIONS")} | dict.fromkeys(
    ("/api/openapi.json", "/api", "/healthz", "/readyz", "/metrics"), _GET
)
"""The API's paths and their methods; every other path is the page's."""
PAGE_UPLOAD = "/gradio_api/upload"
"""Where the page sends what may be many photos."""


def route_path(scope: Scope) -> str:
    """The path of a request, without the prefix at which a proxy shows the service."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


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
                query = scope["query_string"].decode("latin-1")
                target = f"{path}/?{query}" if query else f"{path}/"
                await RedirectResponse(target, 308)(scope, receive, send)  # its links are relative
                return
            if self.root and path.startswith(f"{self.root}/"):
                path = path.removeprefix(self.root)
                scope["raw_path"] = scope["raw_path"].removeprefix(self.root.encode())
            if path.removesuffix("/") in API_ROUTES:
                path = path.removesuffix("/")
            scope["path"] = path  # in place: the connection's clock reads it, too
        await self.app(scope, receive, send)
