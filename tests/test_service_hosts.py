"""Names: the service answers to its own, and pages of other sites get nothing from it."""

import json
import re
import socket

import pytest
from attacked import Target
from serving import Service
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from pix2pix import cli
from pix2pix.app.limits import Limits
from pix2pix.app.service import server as serve
from pix2pix.app.service.edge import Edge
from pix2pix.app.service.hosts import Hosts, same_origin, stranger
from pix2pix.app.service.logs import Metrics

pytest_plugins = ["attacked"]

EVIL = "evil.example"


@pytest.fixture
def service(target: Target) -> Service:
    return target.service


def raw(service: Service, path: str, *fields: str, method: str = "GET", version: str = "1.1"):
    """Status line, head and body of an answer."""
    lines = [f"{method} {path} HTTP/{version}", *fields, "Connection: close", "", ""]
    head, _, body = service.raw("\r\n".join(lines).encode()).partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:7860", "LOCALHOST:1", "[::1]:7860", "127.9.9.9", "a.localhost"]
)
def test_its_own_names_are_answered(service: Service, host: str) -> None:
    assert raw(service, "/", f"Host: {host}")[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        *([f"Host: {EVIL}"], ["Host: 192.168.1.5"], ["Host: "], [f"Host: localhost@{EVIL}"]),
        *([f"Host: localhost.{EVIL}"], ["Host: 127.0.0.1.nip.io"], ["Host: localhost:7860:1"]),
        *(["Host: localhost", f"X-Forwarded-Host: {EVIL}"], ["Host: a/b"], ["Host: [::1"]),
    ],
)
def test_other_names_are_refused(service: Service, fields: list[str]) -> None:
    for path in ("/", "/config", "/gradio_api/info", "/healthz", "/static/a"):
        status, _, body = raw(service, path, *fields)
        assert (status, json.loads(body)["code"]) == (421, "host")


def test_without_a_name_it_is_no_browser(service: Service) -> None:
    assert raw(service, "/", version="1.0")[0] == 200
    assert raw(service, "/")[0] == 400  # HTTP/1.1 demands it


@pytest.mark.parametrize("origin", [f"http://{EVIL}", "null", "http://localhost:1", "file://"])
def test_a_page_of_another_site_gets_no_answer_that_it_may_read(
    service: Service, origin: str
) -> None:
    own = f"Host: localhost:{service.port}"
    for path in ("/", "/config", "/gradio_api/info", "/theme.css", "/gradio_api/file=a"):
        _, head, _ = raw(service, path, own, f"Origin: {origin}")
        assert "access-control" not in head
    preflight = "Access-Control-Request-Method: POST"
    status, head, _ = raw(
        service, "/gradio_api/upload", own, f"Origin: {origin}", preflight, method="OPTIONS"
    )
    assert "access-control" not in head and status >= 400
    for path in ("/gradio_api/upload", "/gradio_api/call/colorize", "/gradio_api/cancel"):
        status, head, body = raw(
            service, path, own, f"Origin: {origin}", "Content-Length: 0", method="POST"
        )
        assert (status, json.loads(body)["code"]) == (403, "origin")
        assert "access-control" not in head


def test_its_own_page_may_ask(service: Service) -> None:
    own = f"localhost:{service.port}"
    for origin in (f"http://{own}", f"HTTP://LOCALHOST:{service.port}"):
        body = "Content-Length: 0", "Content-Type: application/json"
        fields = f"Host: {own}", f"Origin: {origin}", *body
        assert raw(service, "/gradio_api/call/colorize", *fields, method="POST")[0] == 400


def test_no_header_tells_the_page_another_address(service: Service) -> None:
    own = f"Host: localhost:{service.port}"
    _, _, body = raw(service, "/config", own, f"X-Gradio-Server: http://{EVIL}/")
    assert EVIL.encode() not in body
    assert re.findall(rb'"root":"([^"]+)"', body) == [f"http://localhost:{service.port}".encode()]


# --- the rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "allowed", "yes", "no"),
    [
        ("127.0.0.1", [], ["localhost", "127.0.0.1"], ["192.168.1.5", socket.gethostname(), "a"]),
        ("192.168.1.5", [], ["192.168.1.5:80", "localhost"], ["192.168.1.6", "a.example"]),
        ("0.0.0.0", [], ["10.0.0.7", "[fe80::1]:7860", socket.gethostname()], ["a.example", ""]),
        ("::", [], ["10.0.0.7", "[2001:db8::1]"], ["a.example"]),
        (
            "0.0.0.0",
            ["A.example:443"],
            ["a.example", "a.EXAMPLE.:8443"],
            ["b.example", "aa.example"],
        ),
        ("127.0.0.1", ["*"], ["a.example", "10.0.0.7"], ["", "a b"]),
        ("photos.example", [], ["photos.example"], ["example"]),
    ],
)
def test_names_that_are_known(
    bound: str, allowed: list[str], yes: list[str], no: list[str]
) -> None:
    hosts = Hosts.of(bound, allowed)
    assert [name for name in yes if not hosts.know(name)] == []
    assert [name for name in no if hosts.know(name) and name != "localhost"] == []


@pytest.mark.parametrize("name", ["http://a.example", "a/b", "", "a b", "*.a.example"])
def test_a_name_that_is_none_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="give a name"):
        Hosts.of("127.0.0.1", [name])
    assert cli.main(["serve", "--allow-host", name]) != 0
    assert "--allow-host" in capsys.readouterr().err


def test_the_command_line_hands_on_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[serve.Settings] = []
    monkeypatch.setattr(serve, "run_service", lambda load, settings: seen.append(settings))
    assert cli.main(["serve"]) == 0
    assert (seen[0].allow_hosts, seen[0].metrics) == ((), False)
    assert cli.main(["serve", "--allow-host", "a.example", "--allow-host", "b", "--metrics"]) == 0
    assert (list(seen[1].allow_hosts), seen[1].metrics) == (["a.example", "b"], True)


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost:7860", "localhost:7860", True),
        ("https://a.example", "a.example", True),
        ("https://a.example", "a.example:443", True),
        ("http://a.example:8080", "a.example", True),  # a proxy left the port out
        ("http://[::1]:7860", "[::1]:7860", True),
        ("http://localhost:3000", "localhost:7860", False),
        ("http://b.example", "a.example", False),
        ("http://a.example.b.example", "a.example", False),
        ("null", "a.example", False),
        ("http://a.example:99999", "a.example", False),
        ("", "", False),
    ],
)
def test_same_origin(origin: str, host: str, same: bool) -> None:
    assert same_origin(origin, host) is same


def test_where_any_name_is_answered_a_proxy_may_have_changed_it() -> None:
    headers = Headers({"host": "10.0.0.7:7860", "origin": "https://a.hf.space"})
    scope = {"type": "http", "method": "POST"}
    assert stranger(scope, headers, Hosts.of("0.0.0.0", ["*"])) is None
    refused = stranger(scope, headers, Hosts.of("0.0.0.0"))
    assert refused is not None and refused.code == "origin"


# --- the edge alone -------------------------------------------------------------------------------


@pytest.fixture
def behind() -> tuple[TestClient, list[dict[str, str]]]:
    """An edge, and the headers that reach what is behind it."""
    seen: list[dict[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(Headers(scope=scope)))
        await PlainTextResponse("figures")(scope, receive, send)

    edge = Edge(app, limits=Limits(), metrics=Metrics(None))
    return TestClient(edge, base_url="http://localhost"), seen


def test_the_edge_lets_known_names_through_only(behind) -> None:
    client, seen = behind
    assert client.get("/", headers={"host": EVIL}).status_code == 421
    assert client.get("/", headers={"x-forwarded-host": EVIL}).status_code == 421
    assert not seen
    assert client.get("/").status_code == 200


def test_the_edge_refuses_what_other_sites_send(behind) -> None:
    client, seen = behind
    assert client.post("/a", headers={"origin": f"http://{EVIL}"}).status_code == 403
    assert client.post("/api/colorize", headers={"origin": "null"}).status_code == 403
    assert not seen
    assert client.post("/a", headers={"origin": "http://localhost"}).status_code == 200


def test_the_page_behind_the_edge_sees_no_origin_and_no_address(behind) -> None:
    client, seen = behind
    client.get("/", headers={"origin": f"http://{EVIL}", "x-gradio-server": f"http://{EVIL}"})
    assert not {"origin", "x-gradio-server"} & seen[0].keys()


def test_the_edge_shows_figures_where_asked_for(behind) -> None:
    client, seen = behind
    assert client.get("/metrics").status_code == 404 and not seen
    client.app.show_metrics = True
    assert client.get("/metrics").text == "figures"
