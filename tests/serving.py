"""A running service for tests: a process of its own, real sockets, a small net, short limits.

`python tests/serving.py OPTIONS` is that process. Its colorizer waits at photos HELD pixels wide
while a file `hold` lies in its folder, runs out of memory at photos STARVED wide, and fails at
BROKEN.
"""

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import warm
from PIL import Image

HELD, STARVED, BROKEN = 77, 79, 81
LIMITS = {
    "max_bytes": 2_000_000,
    "max_pixels": 4_000_000,
    "page_bytes": 6_000_000,
    "page_uploads": 2,
    "held_bytes": 8_000_000,
    "receive": 2.0,
    "process": 5.0,
    "idle": 2,
    "waiting": 2,
    "least_rate": 1_000_000,
    "shutdown": 20,
}
_PATIENCE = 60.0  # [s] for what takes milliseconds on an idle machine


def tiny_colorizer(*, hints: bool = False):
    """A random net of a few thousand weights, which colors strongly."""
    import torch

    from pix2pix.colorize import Colorizer
    from pix2pix.nets import build_generator
    from pix2pix.weights import Header

    torch.manual_seed(0)
    config = {"net": "UNet", "width": 4, "depth": 4, "in_channels": 4 if hints else 1}
    generator = build_generator(config)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return Colorizer(generator, Header(generator=config, name="tiny", area=64 * 64, saturation=0.4))


def photo(
    width: int = 96, height: int = 64, format: str = "JPEG", *, seed: int = 0, **options: Any
) -> bytes:
    """A gray picture of soft noise, as the bytes of a file."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 12), np.uint8))
    image = small.resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def form(*files: bytes, boundary: str = "limit", name: str = 'filename="a.jpg"') -> bytes:
    """The body of a form with these files."""
    body = b""
    for content in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; {name}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json["code"]


@dataclass
class Service:
    """The running process."""

    process: subprocess.Popen
    port: int
    folder: Path

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def left(self) -> list[Path]:
        """The temporary files but for locks."""
        found = (p for p in self.temporary.rglob("*") if p.is_file())
        return [p for p in found if not p.name.endswith(".lock")]

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            fields = {k.lower(): v for k, v in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()

    def post(self, body: bytes, kind: str = "image/jpeg", query: str = "") -> Answer:
        return self.request("POST", f"/api/colorize{query}", body, {"Content-Type": kind})

    def connect(self, sent: bytes = b"", *, receive_buffer: int | None = None) -> socket.socket:
        """A connection on which `sent` has been sent."""
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(_PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(sent)
        return connection

    def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """Everything that comes back until the server closes; `end` says that no more is sent."""
        with self.connect(sent) as connection:
            if end:
                connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def start_post(self, body: bytes) -> socket.socket:
        """A connection on which a photo has been sent."""
        fields = f"Content-Length: {len(body)}", "Connection: close"
        return self.connect(head("POST", "/api/colorize", *fields) + body)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.request("GET", "/metrics").body.decode().splitlines()
        found = [line for line in lines if re.match(rf"{name}(\{{| )", line)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    def errors(self) -> list[dict[str, Any]]:
        """What the log holds of faults, as opposed to refusals."""
        return [entry for entry in self.log() if entry["level"] not in ("info", "warning")]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, photos HELD wide are not finished."""
        hold = self.folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink(missing_ok=True)
            if self.process.poll() is None:
                wait_until(lambda: self.metric("pix2pix_running") == 0)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)


def head(method: str, path: str, *fields: str) -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes, or cuts off."""
    got = b""
    try:
        while piece := connection.recv(65536):
            got += piece
    except ConnectionError:
        pass
    return got


def wait_until(condition: Callable[[], bool], seconds: float = _PATIENCE) -> None:
    """Return as soon as `condition` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def running(
    folder: Path,
    *,
    page: bool = False,
    model: bool = True,
    hints: bool = False,
    metrics: bool = True,
    launched: bool = False,
    place: dict[str, Any] | None = None,
    **limits: Any,
):
    """A service in `folder`, stopped afterwards; `hints`: its model takes some.

    `launched`: the page alone by Gradio's own server, as on a Space. `place` is what `serve.run`
    takes of where it is: its root_path, and cors.
    """
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    options = {
        "page": page,
        "model": model,
        "hints": hints,
        "metrics": metrics,
        "launched": launched,
        "place": place or {},
        "limits": LIMITS | limits,
        "folder": str(folder),
    }
    environment = os.environ | {
        "TMPDIR": str(folder / "tmp"),
        "GRADIO_TEMP_DIR": str(folder / "tmp" / "gradio"),
        "OMP_NUM_THREADS": "1",
    }
    with (folder / "log").open("w") as log, (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [warm.python(), __file__, json.dumps(options)],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=log,
        )
    try:
        address = re.compile(r"http://127\.0\.0\.1:(\d+)/")

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            return bool(address.search((folder / "out").read_text()))

        wait_until(ready, 180)
        port = int(address.findall((folder / "out").read_text())[0])
        yield Service(process, port, folder)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()


def main(options: dict[str, Any]) -> None:
    """Serve."""
    import torch

    from pix2pix.app.service import server as serve
    from pix2pix.app.service.launcher import launch
    from pix2pix.colorize import Colorizer
    from pix2pix.colorize.wish import AS_PREDICTED

    torch.set_num_threads(1)
    hold = Path(options["folder"], "hold")
    plain = Colorizer.color

    def color(self, rgb, wish=AS_PREDICTED):
        if rgb.shape[1] == STARVED:
            raise MemoryError("cuda: out of memory")
        if rgb.shape[1] == BROKEN:
            raise RuntimeError("canary.jpg cannot be colored")
        while rgb.shape[1] == HELD and hold.exists():
            time.sleep(0.01)
        return plain(self, rgb, wish)

    def load():
        if not options["model"]:
            raise ValueError("nowhere.safetensors: no such file")
        return tiny_colorizer(hints=options["hints"])

    Colorizer.color = color
    settings = serve.Settings(
        port=0,
        workers=1,
        limits=serve.Limits(**options["limits"]),
        page=options["page"],
        compare=False,
        metrics=options["metrics"],
        **options["place"],
    )
    if options["launched"]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        launch(load(), replace(settings, port=port))  # as app.py does on a Space
        return
    with suppress(KeyboardInterrupt):  # the command line's part
        serve.run_service(load, settings)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
