"""Routes: the paths of the API and of the page's uploads, without a proxy's prefix."""

from starlette.types import Scope

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
