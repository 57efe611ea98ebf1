"""A server that speaks S3, for tests and measurements: moto's, in a process of its own.

    python scripts/torture/bucket.py BUCKET ...

prints its address. It counts the objects that were put (`puts`), and can be told to answer the
next requests with a status such as 503 (`fail`).
"""

import json
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

KEYS = {"AWS_ACCESS_KEY_ID": "of-no-account", "AWS_SECRET_ACCESS_KEY": "not-to-be-shown"}
FAIL, PUTS, ASKED = "/-/fail/", "/-/puts", "/-/asked"


@dataclass(frozen=True)
class Bucket:
    """A running server."""

    address: str
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        """Where fsspec looks for it."""
        region = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        return {**KEYS, **region, "AWS_ENDPOINT_URL": self.address}

    def client(self) -> Any:
        """boto3's client."""
        return _client(self.address)

    def puts(self) -> dict[str, int]:
        """How many times each object was put, by bucket/key, since this was asked last."""
        return json.loads(urlopen(self.address + PUTS).read())

    def asked(self) -> dict[str, int]:
        """How many requests of each kind came since this was asked last: GET, PUT, LIST ..."""
        return json.loads(urlopen(self.address + ASKED).read())

    def fail(self, status: int, count: int) -> None:
        """Answer the next `count` requests with `status`."""
        urlopen(f"{self.address}{FAIL}{status}/{count}").read()


@contextmanager
def serving(*buckets: str) -> Iterator[Bucket]:
    """Within, a server with these buckets, all empty."""
    command = [sys.executable, __file__, *buckets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            yield Bucket(server.stdout.readline().decode().strip(), server.pid)
        finally:
            server.kill()


class Counting:
    """moto's application, with every object that was put counted, and failures on demand."""

    def __init__(self, app: Callable[..., Any]):
        self.app = app
        self.puts: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.failures: deque[int] = deque()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        if path.startswith(FAIL):
            status, count = path.removeprefix(FAIL).split("/")
            self.failures.extend([int(status)] * int(count))
            return _answer(start, "200 OK", b"")
        if path == PUTS:
            counted, self.puts = self.puts, Counter()
            return _answer(start, "200 OK", json.dumps(counted).encode())
        if path == ASKED:
            counted, self.asked = self.asked, Counter()
            return _answer(start, "200 OK", json.dumps(counted).encode())
        listing = "list-type" in environ["QUERY_STRING"]
        self.asked["LIST" if listing else environ["REQUEST_METHOD"]] += 1
        if self.failures:
            code = "SlowDown" if (status := self.failures.popleft()) == 503 else "AccessDenied"
            error = f"<Error><Code>{code}</Code><Message>told to</Message></Error>"
            return _answer(start, f"{status} {code}", error.encode())
        put = environ["REQUEST_METHOD"] == "PUT" and "partNumber" not in environ["QUERY_STRING"]
        whole = environ["REQUEST_METHOD"] == "POST" and "uploadId" in environ["QUERY_STRING"]

        def counted_start(status: str, headers: Any, *rest: Any) -> Any:
            if (put or whole) and status.startswith("200"):
                self.puts[path.strip("/").encode("latin-1").decode()] += 1
            return start(status, headers, *rest)

        return self.app(environ, counted_start)


def _answer(start: Callable[..., Any], status: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def main(buckets: list[str]) -> None:
    """Serve until killed."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = Counting(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.port}"
    for bucket in buckets:
        _client(address).create_bucket(Bucket=bucket)
    app.puts.clear()
    app.asked.clear()
    print(address, flush=True)
    threading.Event().wait()


def _client(address: str) -> Any:
    import boto3

    keys = {name.lower(): value for name, value in KEYS.items()}
    return boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)


if __name__ == "__main__":
    main(sys.argv[1:])
