"""A running service that strangers attack, and what they do: helpers of its tests.

PYTEST_DONT_REWRITE: test files import from here what is no fixture, before pytest does.
"""

import http.client
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from serving import Service, form, photo, running

TEXT = "CANARY-c5a1d6e0"
JSON = {"Content-Type": "application/json"}
META = {"_type": "gradio.FileData"}


@dataclass
class Target:
    """A service with things around it that no visitor may see."""

    service: Service
    kind: str
    outside: Path
    proxy: str  # an address on which something listens
    heard: list[bytes]

    def __post_init__(self) -> None:
        self.config = json.loads(Visitor(self).get("/config").body)
        self.calls = [d for d in self.config["dependencies"] if d["backend_fn"]]

    @property
    def health(self) -> str:
        return {"serve": "/healthz", "launch": "/theme.css"}[self.kind]

    @property
    def cache(self) -> Path:
        """The folder of this one process."""
        (own,) = (self.service.temporary / "gradio").glob("pix2pix-*/")
        return own

    def files(self) -> dict[Path, int]:
        found = (p for p in self.service.temporary.rglob("*") if p.is_file() or p.is_symlink())
        return {p: p.lstat().st_mtime_ns for p in found}

    def names(self) -> list[str]:
        """Names of this machine and of places on it."""
        host = socket.gethostname()
        places = [self.service.folder, self.outside, Path.home(), self.cache, Path.cwd()]
        return [str(p) for p in places] + ([host] if host != "localhost" else [])


class Visitor:
    """Somebody with a connection, and a cookie where they take one."""

    def __init__(self, target: Target, *, cookie: bool = False):
        self.target, self.cookie = target, ""
        self.session = f"s{os.urandom(8).hex()}"
        self.connection = http.client.HTTPConnection("127.0.0.1", target.service.port, timeout=60)
        if cookie:
            self.cookie = self.get("/config").headers["Set-Cookie"].split(";")[0]

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> "Got":
        fields = {"Cookie": self.cookie} if self.cookie else {}
        self.connection.request(method, path, body, fields | (headers or {}))
        answer = self.connection.getresponse()
        return Got(answer.status, answer.headers, answer.read())

    def get(self, path: str) -> "Got":
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> "Got":
        return self.ask("POST", path, json.dumps(body), JSON)

    def upload(self, content: bytes, name: str = "old.png") -> str:
        sent = form(content, name=f'filename="{name}"').replace(b'"file"', b'"files"')
        kind = {"Content-Type": "multipart/form-data; boundary=limit"}
        answer = self.ask("POST", "/gradio_api/upload", sent, kind)
        assert answer.status == 200, answer.body
        (path,) = json.loads(answer.body)
        return path

    def call(self, path: str, *, session: bool = True) -> "Got":
        """Color a sent file by the public call -> its answer, or what refused it."""
        own = {"session_hash": self.session} if session else {}
        asked = {"data": [{"path": path, "meta": META}, 1.0], **own}
        return self.follow(self.post("/gradio_api/call/colorize", asked), "colorize")

    def follow(self, got: "Got", name: str) -> "Got":
        """The end of a call that was let in; one that was not, as it is."""
        if got.status != 200 or b"event_id" not in got.body:
            return got
        event = json.loads(got.body)["event_id"]
        return self.get(f"/gradio_api/call/{name}/{event}")


@dataclass
class Got:
    status: int
    headers: Any
    body: bytes

    @property
    def url(self) -> str:
        """The path of the address of the file in an answer."""
        return re.findall(rb'"url": ?"http://[^/"]+([^"]+)"', self.body)[-1].decode()


def loud() -> bytes:
    """A picture that nobody else has."""
    return photo(96, 64, "PNG", seed=99)


@pytest.fixture(scope="module", params=["serve", "launch"])
def target(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Target]:
    folder, outside = tmp_path_factory.mktemp("service"), tmp_path_factory.mktemp("outside")
    (outside / "canary.png").write_bytes(loud())
    (outside / "canary.txt").write_text(TEXT)
    (folder / "canary.png").write_bytes(loud())  # where the service runs
    os.mkfifo(outside / "pipe")
    link = folder / "tmp" / "gradio" / ("a" * 64)
    link.mkdir(parents=True)
    (link / "link.png").symlink_to(outside / "canary.png")
    os.mkfifo(link / "pipe.png")
    (folder / "tmp" / "gradio" / ("b" * 64)).symlink_to(outside)
    heard: list[bytes] = []
    with listening(heard) as address:
        kind = request.param
        with running(
            folder, page=True, hints=True, metrics=False, launched=kind == "launch"
        ) as service:
            yield Target(service, kind, outside, address, heard)
            assert not service.process.poll()
            assert service.stop() == -15  # it stops by the signal, which is raised anew


class listening:
    """A server that notes who comes."""

    def __init__(self, heard: list[bytes]):
        self.heard = heard
        self.server = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.heard.append(connection.recv(1000))
            connection.close()
