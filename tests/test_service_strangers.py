"""Strangers stay out: no request gets at a file that its own session has not sent.

Every call that the page has is asked by every way in, for files outside, devices, pipes, links and
other visitors' photos; on `pix2pix serve` and on the page by Gradio's own server.
"""

import io
import json
import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import warm
from attacked import JSON, META, TEXT, Target, Visitor
from coroutines import finish
from gradio import processing_utils, routes
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError
from PIL import Image
from places import BENCHMARKS
from serving import BROKEN, LIMITS, form, head, photo, tiny_colorizer

from pix2pix.app.page import build_page, new_shelf
from pix2pix.app.service.door import Door
from pix2pix.app.service.refusal import Refusal

pytest_plugins = ["attacked"]


# --- files ----------------------------------------------------------------------------------------


def paths(target: Target, others: str) -> list[str]:
    """What a stranger would like to have opened."""
    out, cache = target.outside, target.cache
    real = [str(p) for p in cache.glob("*/other.png")]
    assert real
    return [
        *(str(out / "canary.png"), str(out / "canary.txt"), str(out / "missing.png")),
        *("canary.png", "./canary.png", "missing.png", "../service0/canary.png"),
        *("/dev/zero", "/dev/random", str(out / "pipe"), "/proc/self/environ", "/etc/passwd"),
        *("", ".", "..", "/", "~", "\0", str(cache), str(out)),
        *(f"{cache}/{'a' * 64}/link.png", f"{cache}/{'b' * 64}/canary.png"),
        *(f"{cache}/../../canary.png", f"{cache}/{'a' * 64}/../../../canary.png"),
        *(f"/files/{'a' * 64}/link.png", f"/files/{'b' * 64}/canary.png", "/files/../canary.png"),
        *("/files", "/files/", f"/files/{'a' * 64}", f"/files/{'a' * 64}/pipe.png"),
        *(f"file://{out}/canary.png", f"{target.proxy}/a.png", "//127.0.0.1/a.png"),
        *(others, *real, others.replace("other.png", "../other.png")),
    ]


def shapes(path: str) -> list[Any]:
    """How the page's own script sends a file, and files."""
    file = {"path": path, "meta": META}
    return [file, [file | {"url": path}]]


def odd_shapes(path: str, proxy: str) -> Iterator[tuple[int, Any]]:
    file = {"path": path, "meta": META}
    odd: list[Any] = [
        *(
            path,
            [path],
            {"path": path},
            {"value": file},
            {"image": file, "caption": path},
            [[file]],
        ),
        *({"path": path, "url": f"{proxy}/a.png", "meta": META}, {"url": f"{proxy}/a.png"}),
        *({"path": {"path": path}}, {"path": [path]}, {"__type__": "update", "value": file}),
        {"path": path, "meta": META, "is_stream": True, "orig_name": "../../a.png"},
        {"files": [file], "text": path},
        [file] * 3,
    ]
    return enumerate(odd)


def ways(call: dict[str, Any], data: list[Any], session: str) -> Iterator[tuple[str, str, Any]]:
    """Every way in: name, path, body."""
    name, index = call["api_name"], call["id"]
    body = {"data": data, "fn_index": index, "session_hash": session, "trigger_id": None}
    yield "queue/join", "/gradio_api/queue/join", body
    yield "call", f"/gradio_api/call/{name}", {"data": data, "session_hash": session}
    yield "call, no session", f"/gradio_api/call/{name}", {"data": data}
    yield "call/v2", f"/gradio_api/call/v2/{name}", {"file": data[0]}
    yield "run/predict", "/gradio_api/run/predict", body
    yield "run", f"/gradio_api/run/{name}", body
    yield "api", f"/gradio_api/api/{name}", {"data": data}


def attacks(target: Target, others: str) -> Iterator[tuple[str, dict[str, Any], list[Any], str]]:
    """(path, call, data, where and how the path is in it) of everything that is tried."""
    canary = str(target.outside / "canary.png")
    kinds = {c["id"]: c["type"] for c in target.config["components"]}
    for call in target.calls:
        for place, component in enumerate(call["inputs"]):
            plain: list[Any] = [1.0 if i else None for i in range(len(call["inputs"]))]
            whole = paths(target, others) if kinds[component] == "file" else [canary, "/dev/zero"]
            many = call["api_name"] == "color_1"  # the one that takes a list
            values = [(path, shapes(path)[many], "") for path in whole]
            values += [(canary, v, f"odd {i}") for i, v in odd_shapes(canary, target.proxy)]
            for path, value, how in values:
                yield path, call, [*plain[:place], value, *plain[place + 1 :]], f"{place} {how}"


def test_no_call_gets_at_a_file_that_its_session_has_not_sent(target: Target, capsys) -> None:
    alice, mallory = Visitor(target), Visitor(target)
    others = alice.upload(photo(format="PNG", seed=5), "other.png")
    assert alice.call(others).status == 200  # it is hers from now on
    before, names = target.files(), target.names()
    tried, inside, words = 0, [], defaultdict(set)
    for path, call, data, how in attacks(target, others):
        for way, address, body in ways(call, data, mallory.session):
            tried += 1
            got = mallory.post(address, body)
            let_in = got.status == 200
            if let_in and way.startswith("queue"):
                got = mallory.get(f"/gradio_api/queue/data?session_hash={mallory.session}")
            elif let_in:
                got = mallory.follow(got, call["api_name"])
            if let_in and (b'"success":true' in got.body or b"event: complete" in got.body):
                inside.append((way, path, call["api_name"]))
            words[way, call["api_name"], how].add("an event" if let_in else (got.status, got.body))
            text = got.body.decode()
            assert TEXT not in text and not [n for n in names if n in text], (way, path, text)
        if tried % 700 == 0:
            assert mallory.get(target.health).status == 200
    with capsys.disabled():
        calls = len(target.calls)
        print(f"\n{target.kind}: strangers in: {len(inside)} of {tried} ({calls} calls)", end=" ")
    assert not inside
    assert {len(told) for told in words.values()} == {1}  # none tells what is there
    assert target.files() == before and not target.heard


@pytest.mark.parametrize("prefix", ["/gradio_api/file=", "/file=", "/gradio_api/file/"])
def test_no_file_is_fetched_that_no_answer_told_of(target: Target, prefix: str) -> None:
    visitor = Visitor(target)
    others = visitor.upload(photo(format="PNG", seed=6), "other.png")
    before, answers = target.files(), set()
    for path in paths(target, others):
        quoted = "".join(c if c.isalnum() or c in "/.:~" else f"%{ord(c):02x}" for c in path)
        got = visitor.get(prefix + quoted)
        assert got.status in (403, 404), path
        assert not [n for n in [TEXT, *target.names()] if n in got.body.decode()]
        if not path.startswith("http") and path != "\0":
            answers.add((got.status, got.body))
    assert len(answers) == 1
    assert target.files() == before and not target.heard


# --- whose file it is -----------------------------------------------------------------------------


def test_a_photo_sent_is_colored_for_its_session_alone(target: Target) -> None:
    alice, bob = Visitor(target, cookie=True), Visitor(target, cookie=True)
    sent = alice.upload(photo(format="PNG", seed=7))
    assert bob.call(sent).status == 403  # before she uses it
    got = alice.call(sent)
    colored = alice.get(got.url)
    with Image.open(io.BytesIO(colored.body)) as image:
        assert np.ptp(np.asarray(image), axis=2).max() > 9
    for thief in (bob, Visitor(target)):
        assert thief.call(sent).status == 403
        assert thief.get(got.url).status == 404  # her result neither
        assert thief.get(f"/gradio_api/file={sent}").status == 404
    bob.session = alice.session
    assert bob.call(sent).status == 403
    assert alice.call(sent).status == 200  # as often as she likes
    assert alice.get(f"/gradio_api/file={sent}").status == 404  # nobody gets back what was sent


def test_a_visitor_without_cookies_has_names_that_nobody_can_guess(target: Target) -> None:
    alice, bob = Visitor(target), Visitor(target)
    same = photo(format="PNG", seed=8)
    hers, his = alice.upload(same), bob.upload(same)
    assert hers != his
    assert alice.call(hers, session=False).status == 200
    assert alice.call(hers, session=False).status == 403  # a session of its own: another one
    assert bob.call(hers).status == 403
    got = bob.call(his)
    assert got.status == 200 and bob.get(got.url).status == 200


def test_the_cookie_tells_nothing_and_scripts_do_not_see_it(target: Target) -> None:
    cookie = Visitor(target).get("/").headers["Set-Cookie"]
    assert re.fullmatch(r"pix2pix_visitor=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax", cookie)
    again = Visitor(target, cookie=True)
    assert again.get("/").headers["Set-Cookie"] is None


def test_an_address_beside_a_sent_file_is_not_fetched(target: Target) -> None:
    alice = Visitor(target)
    file = {"path": alice.upload(photo(format="PNG")), "url": f"{target.proxy}/a.png", "meta": META}
    got = alice.post("/gradio_api/call/colorize", {"data": [file, 1.0]})
    assert alice.follow(got, "colorize").status == 200 and not target.heard


@pytest.mark.parametrize(
    "name", ["../../a.png", "/etc/a.png", "..", ".", "a/../b.png", "%2e%2e%2fa.png", "con\\a.png"]
)
def test_odd_names_of_uploads_stay_in_the_folder(target: Target, name: str) -> None:
    visitor = Visitor(target)
    sent = form(b"x", name=f'filename="{name}"').replace(b'"file"', b'"files"')
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    before = target.files()
    got = visitor.ask("POST", "/gradio_api/upload", sent, kind)
    assert not [n for n in target.names() if n in got.body.decode()]
    assert all(p.is_relative_to(target.cache) for p in target.files().keys() - before.keys())
    assert not (target.service.folder / "a.png").exists()


# --- calls, routes, and what they tell ------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[", b"[]", b"null", b"{}", b'{"data": 1}', b"[" * 100_000, b"\xff"),
        *(b'{"data": [], "session_hash": 5}', b'{"data": [], "session_hash": "../a"}'),
        *(b'{"data": [], "session_hash": "abcdefgh", "fn_index": "open"}',),
        *(b'{"data": [], "session_hash": "abcdefgh", "fn_index": -1}',),
        *(b'{"data": [], "session_hash": "abcdefgh", "fn_index": true}',),
        b'{"data": "' + bytes([65]) * 1_000_000 + b'"}',
    ],
)
def test_a_call_that_is_none_is_refused(target: Target, body: bytes) -> None:
    for address in ("/gradio_api/queue/join", "/gradio_api/call/colorize"):
        got = Visitor(target).ask("POST", address, body, JSON)
        assert 400 <= got.status < 500 and set(json.loads(got.body)) == {"code", "reason", "detail"}


def test_a_fault_is_told_without_its_words(target: Target) -> None:
    visitor = Visitor(target)
    got = visitor.call(visitor.upload(photo(BROKEN, format="PNG")))
    assert b"event: error" in got.body and b"canary" not in got.body


@pytest.mark.parametrize(
    "path",
    ["/", "/config", "/gradio_api/info", "/gradio_api/info?all_endpoints=true", "/?deep_link=a"],
)
def test_what_the_page_tells_names_no_place_of_this_machine(target: Target, path: str) -> None:
    text = Visitor(target).get(path).body.decode()
    assert not [name for name in target.names() if name in text]


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/openapi.json", "/docs", "/gradio_api/openapi.json", "/monitoring"),
        *("/gradio_api/dev/reload", "/gradio_api/startup-events", "/gradio_api/deep_link"),
        *("/gradio_api/queue/status", "/gradio_api/runs", "/gradio_api/vibe-code"),
        *("/gradio_api/stream/a/b/1/playlist.m3u8", "/gradio_api/custom_component/a/client/b/c"),
        *("/static/%2e%2e/%2e%2e/routes.py", "/assets/../../routes.py", "/static/..%2fa"),
    ],
)
def test_what_nobody_needs_is_not_there(target: Target, path: str) -> None:
    assert Visitor(target).get(path).status == 404


def test_a_call_is_json_and_a_query_opens_nothing(target: Target) -> None:
    visitor = Visitor(target)
    sent = json.dumps({"data": [None, 1.0]}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        got = visitor.ask("POST", "/gradio_api/call/colorize", sent, {"Content-Type": kind})
        assert got.status == 415
    info = visitor.get("/gradio_api/info")
    assert list(json.loads(info.body)["named_endpoints"]) == ["/colorize"]
    assert visitor.get("/gradio_api/info?all_endpoints=true").body == info.body


OPEN = {
    *("GET /", "HEAD /", "GET /config", "GET /config/", "GET /theme.css", "GET /favicon.ico"),
    *("GET /robots.txt", "GET /static/{path:path}", "GET /assets/{path:path}"),
    *("GET /gradio_api/info", "GET /gradio_api/info/", "GET /gradio_api/theme.css"),
    *("POST /gradio_api/upload", "GET /gradio_api/upload_progress"),
    *("POST /gradio_api/queue/join", "GET /gradio_api/queue/data", "POST /gradio_api/cancel"),
    *("POST /gradio_api/call/{api_name}", "POST /gradio_api/call/{api_name}/"),
    *("GET /gradio_api/call/{api_name}/{event_id}", "GET /gradio_api/heartbeat/{session_hash}"),
    *("GET /gradio_api/file={path_or_url:path}", "HEAD /gradio_api/file={path_or_url:path}"),
    *("POST /gradio_api/reset", "POST /gradio_api/reset/"),
}


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    return build_page(tiny_colorizer())


def test_of_all_routes_only_these_are_open(page: gr.Blocks, capsys) -> None:
    door = Door(routes.App(), page=page, shelf=new_shelf())
    found, closed = set(), 0
    for route in all_routes(routes.App.create_app(page)):
        path = route.path.replace("{event_id}", "0" * 32)
        for method in route.methods:
            try:
                door._route(method, re.sub(r"\{\w+(:path)?\}", "a", path))
                found.add(f"{method} {route.path}")
            except Refusal:
                closed += 1
    with capsys.disabled():
        print(f"\nroutes open: {len(found)} of {len(found) + closed}", end=" ")
    assert found == OPEN and closed > 50


def all_routes(app: Any) -> Iterator[Any]:
    for route in app.routes:
        if getattr(route, "methods", None):
            yield route
        elif inner := getattr(route, "original_router", None):
            yield from all_routes(inner)


# --- at depth: what holds where the door is gone --------------------------------------------------


def test_gradio_checks_paths_itself(page: gr.Blocks) -> None:
    LocalContext.blocks.set(page)
    with pytest.raises(InvalidPathError):
        processing_utils._check_allowed("/etc/passwd", True)


@pytest.mark.slow
def test_the_component_takes_files_of_the_shelf_only(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    shelf = new_shelf()
    page = build_page(tiny_colorizer(), shelf=shelf)
    folder = tmp_path / ("c" * 64)
    folder.mkdir()
    (folder / "a.png").write_bytes(photo(format="PNG"))
    (folder / "link.png").symlink_to(folder / "a.png")
    os.mkfifo(folder / "pipe.png")
    linked = tmp_path / ("d" * 64)
    linked.symlink_to(folder)
    known = [folder / name for name in ("a.png", "link.png", "pipe.png", "gone.png")]
    for path in [*known, linked / "a.png"]:
        shelf.put(str(path), "")
    upload = page.blocks[next(iter(shelf.slots))]
    client = Calls(page, upload)
    assert client.takes(folder / "a.png")
    for path in [*known[1:], linked / "a.png", folder / "../a.png", folder / "unknown.png"]:
        assert not client.takes(path)


@dataclass
class Calls:
    page: gr.Blocks
    upload: Any

    def takes(self, path: Path) -> bool:
        try:
            found = finish(self.upload.async_move_resource_to_block_cache(str(path)))
        except gr.Error:
            return False
        return found == str(path)


# --- slow sockets ---------------------------------------------------------------------------------


def test_half_open_uploads_are_closed_in_time(target: Target) -> None:
    fields = "Content-Length: 9000", "Content-Type: multipart/form-data; boundary=limit"
    start = time.monotonic()
    opened = [
        target.service.connect(head("POST", "/gradio_api/upload", *fields)) for _ in range(50)
    ]
    for connection in opened:
        connection.settimeout(LIMITS["receive"] + 10)
        while connection.recv(65536):
            pass
        connection.close()
    assert time.monotonic() - start < LIMITS["receive"] + 10
    assert Visitor(target).get(target.health).status == 200


@pytest.mark.slow
def test_the_benchmark_lets_no_stranger_in() -> None:
    path = BENCHMARKS / "strangers.py"
    command = [warm.python(), str(path), "--weights", "pix2pix", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert re.search(r"strangers in +0 of [1-9]", done.stdout), done.stdout + done.stderr
    assert " ms (100 ms)" in done.stdout  # whether it is kept is for an idle machine to say
