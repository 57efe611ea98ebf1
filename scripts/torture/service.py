"""A service of its own process, and a client of raw HTTP."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Service:
    """The running service, its port and its folder for temporary files."""

    process: subprocess.Popen[bytes]
    port: int
    temporary: Path

    def ask(
        self, method: str, path: str, body: Any = None, *, timeout: float = 20, kind: str = ""
    ) -> tuple[int, bytes]:
        """(status, body); an object is sent as JSON. (0, b"") when no answer comes in time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if body is not None and not isinstance(body, bytes):
            body, kind = json.dumps(body).encode(), "application/json"
        try:
            connection.request(method, path, body, {"content-type": kind} if kind else {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def upload(self, name: str, data: bytes) -> str:
        """The path of a file that a visitor has uploaded."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
        body = f"{head}\r\n\r\n".encode() + data + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        status, answer = self.ask("POST", "/gradio_api/upload", body, kind=kind)
        return json.loads(answer)[0] if status == 200 else ""

    def alive(self, *, seconds: float = 5) -> bool:
        """Whether /healthz answers in time."""
        return self.ask("GET", "/healthz", timeout=seconds)[0] == 200


@contextlib.contextmanager
def running(*options: str) -> Iterator[Service]:
    """`pix2pix serve` on a free port, with its own folder for temporary files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        command = [sys.executable, "-m", "pix2pix.cli", "serve", "--port", "0", *options]
        unwanted = {"GRADIO_TEMP_DIR"}
        environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        environment |= {"TMPDIR": str(folder / "tmp"), "GRADIO_ANALYTICS_ENABLED": "False"}
        with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=log)
        try:
            port = _port(process, folder)
            yield Service(process, port, folder / "tmp")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", (folder / "out").read_text()):
            return int(found[1])
        time.sleep(0.1)
    raise RuntimeError(f"the service did not start: {(folder / 'log').read_text()[-500:]}")
