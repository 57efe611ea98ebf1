"""Strangers: every event that Gradio lists, by every way in, asked for files of others."""

import json
import os
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.drawings import gray, saved

from torture.report import Line
from torture.service import Service, running

_HOLDS_FILES = {"file", "image", "gallery", "dataset", "imageslider", "downloadbutton", "state"}
_SIZE = (61, 43)  # of the canary: nothing else here has it


@dataclass
class Count:
    """What came of the requests."""

    asked: int = 0
    leaks: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)


def run(quick: bool) -> Iterator[Line]:
    """Pictures and names got out, and requests after which the service was dead."""
    with tempfile.TemporaryDirectory() as outside, running() as service:
        visit = _Visit(service, Path(outside))
        count = visit.attack(quick)
    requests = f"{count.asked:,} requests (event x way x path)"
    for name, found in (
        ("strangers in", count.leaks),
        ("names of the machine in answers", count.names),
        ("requests that stopped the service", count.dead),
    ):
        yield Line(name, f"{len(found)} of {requests}", "0", not found, found[:8])


class _Visit:
    """One attack on a service, with a canary picture in a folder outside."""

    def __init__(self, service: Service, outside: Path):
        self.service, self.count = service, Count()
        self.canary = saved(gray(*_SIZE), "PNG")
        (outside / "canary.png").write_bytes(self.canary)
        os.mkfifo(outside / "pipe.png")
        gradio = service.temporary / "gradio"
        gradio.mkdir(exist_ok=True)
        (gradio / "link.png").symlink_to(outside / "canary.png")
        other = service.upload("other.png", self.canary)
        self.paths = {
            "outside": str(outside / "canary.png"),
            "zero": "/dev/zero",
            "pipe": str(outside / "pipe.png"),
            "another's upload": other,
            "link": str(gradio / "link.png"),
            "..": str(gradio / ".." / ".." / ".." / outside.name / "canary.png"),
            "passwd": "/etc/passwd",
            "random": "/dev/urandom",
            "empty": "",
            "dots": "..",
            "own file": "pix2pix/errors.py",
            "folder": str(outside),
            "environment": "/proc/self/environ",
            "url": (outside / "canary.png").as_uri(),
        }
        self.secrets = [str(Path.home()), os.getcwd(), socket.gethostname(), "root:x:0"]
        self.secrets = [secret for secret in self.secrets if len(secret) > 3]

    def attack(self, quick: bool) -> Count:
        """All events, ways and paths; the first five paths if `quick`."""
        config = json.loads(self.service.ask("GET", "/config")[1] or b"{}")
        kinds = {each["id"]: each["type"] for each in config.get("components", [])}
        events = [each for each in config.get("dependencies", []) if each.get("backend_fn")]
        assert events, "no event is listed"
        for event in events:
            inputs = [kinds[i] for i in event["inputs"]]
            for name in list(self.paths)[: 5 if quick else None]:
                given = self.paths[name]
                for way in _WAYS:
                    if self.count.dead:
                        return self.count
                    label = f"{event.get('api_name')} by {way}: {name}"
                    self._ask(label, way, event, _values(inputs, given), given)
        return self.count

    def _ask(
        self, label: str, way: str, event: dict[str, Any], data: list[Any], given: str
    ) -> None:
        self.count.asked += 1
        answer = _WAYS[way](self.service, event, data)
        text = answer.decode("latin-1")
        if leak := self._leak(answer):
            self.count.leaks.append(f"{label}: {leak}")
        elsewhere = text.replace(given, "") if given else text
        elsewhere = elsewhere.replace(str(self.service.temporary), "")
        if found := [secret for secret in self.secrets if secret in elsewhere]:
            self.count.names.append(f"{label}: {found[0]}")
        if not self.service.alive():
            self.count.dead.append(label)

    def _leak(self, answer: bytes) -> str:
        """Whether a picture of the canary's size is in what an answer names, or a copy was made."""
        found = ""
        for path in _named(answer):
            status, got = self.service.ask("GET", f"/gradio_api/file={path}")
            if status == 200 and _size(got) == _SIZE:
                found = "the picture came back"
        mine = {"other.png", "link.png"}
        for path in (self.service.temporary / "gradio").rglob("*"):
            if path.is_file() and path.name not in mine and path.read_bytes() == self.canary:
                path.unlink()
                found = found or "copied into the upload folder"
        return found


def _values(inputs: list[str], given: str) -> list[Any]:
    """A path in every place that can hold one, of the shapes that Gradio takes."""
    picture = {"path": given, "meta": {"_type": "gradio.FileData"}}
    if inputs == ["file"]:
        return [[picture]]
    return [picture if kind in _HOLDS_FILES else 1 for kind in inputs]


def _call(service: Service, event: dict[str, Any], data: list[Any]) -> bytes:
    path = f"/gradio_api/call/{event['api_name']}"
    _, answer = service.ask("POST", path, {"data": data})
    made = _object(answer).get("event_id")
    return answer + (service.ask("GET", f"{path}/{made}")[1] if made else b"")


def _join(service: Service, event: dict[str, Any], data: list[Any]) -> bytes:
    session = uuid.uuid4().hex
    body = {"data": data, "fn_index": event["id"], "session_hash": session}
    status, answer = service.ask("POST", "/gradio_api/queue/join", body)
    if status != 200:
        return answer
    return answer + service.ask("GET", f"/gradio_api/queue/data?session_hash={session}")[1]


def _predict(service: Service, event: dict[str, Any], data: list[Any]) -> bytes:
    body = {"data": data, "fn_index": event["id"], "session_hash": uuid.uuid4().hex}
    return service.ask("POST", "/gradio_api/run/predict", body)[1]


def _run(service: Service, event: dict[str, Any], data: list[Any]) -> bytes:
    return service.ask("POST", f"/gradio_api/run/{event['api_name']}", {"data": data})[1]


_WAYS: dict[str, Callable[[Service, dict[str, Any], list[Any]], bytes]] = {
    "call": _call,
    "queue/join": _join,
    "run/predict": _predict,
    "run/NAME": _run,
}


def _object(answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _named(answer: bytes) -> set[str]:
    """Every path in an answer, JSON or a stream of events."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                found.add(value["path"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for line in answer.replace(b"data: ", b"\n").splitlines():
        try:
            walk(json.loads(line))
        except ValueError:
            continue
    return found


def _size(data: bytes) -> tuple[int, int] | None:
    from pix2pix import images
    from pix2pix.errors import PhotoError

    try:
        height, width, _ = images.read(data).rgb.shape
    except PhotoError:
        return None
    return width, height
