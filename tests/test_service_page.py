"""The page inside the service: it works, shares the workers, and opens no door."""

import io
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from serving import LIMITS, Service, form, head, photo, read_all, running, wait_until

UPLOAD = "/gradio_api/upload"
FORM = "multipart/form-data; boundary=limit"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "secret.txt").write_text("canary")  # where the service runs
    with running(folder, page=True) as found:
        yield found
        assert not found.errors()


def test_the_page_is_at_the_root_and_the_api_beside_it(service: Service) -> None:
    page = service.request("GET", "/")
    assert page.status == 200 and b"Pix2PixColor" in page.body
    assert service.request("HEAD", "/").status == 200
    assert service.post(photo()).status == 200
    assert service.request("GET", "/api/colorize").status == 405
    assert service.request("POST", "/metrics").status == 405
    assert service.request("GET", "/docs").status == 404


def test_the_page_colors_with_the_same_workers(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "old.png"
    path.write_bytes(photo(format="PNG"))
    client = Client(f"http://127.0.0.1:{service.port}/", verbose=False, download_files=tmp_path)
    colored = client.predict(handle_file(path), 1, api_name="/colorize")
    warmer = client.predict(handle_file(path), 1, 10, api_name="/colorize")
    for made, query in ((colored, ""), (warmer, "?temperature=10")):
        answer = service.post(path.read_bytes(), query=query)
        with Image.open(made) as by_page, Image.open(io.BytesIO(answer.body)) as by_api:
            assert np.array_equal(np.asarray(by_page), np.asarray(by_api))
    assert Path(colored).read_bytes() != Path(warmer).read_bytes()


@pytest.mark.parametrize("prefix", ["/gradio_api", ""])
@pytest.mark.parametrize(
    "path",
    [
        "/file=/etc/passwd",
        "/file=secret.txt",
        "/file=../../etc/passwd",
        "/file=..%2f..%2fetc%2fpasswd",
        "/file=/proc/self/environ",
        "/file=http://127.0.0.1:1/",
        "/file=HTTPS://169.254.169.254/",
        "/proxy=http://127.0.0.1:1/",
        "/proxy=https://a.hf.space/",
        "/file=%00",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_file_and_no_address_is_given_away(service: Service, prefix: str, path: str) -> None:
    answer = service.request("GET", prefix + path)
    assert answer.status in (400, 403, 404) or b"<!doctype html>" in answer.body.lower()
    assert b"canary" not in answer.body and b"root:" not in answer.body
    if "http" in path.lower():
        assert (answer.status, answer.code) == (403, "forbidden")
    if prefix and ("passwd" in path or "secret" in path) and path.startswith("/file="):
        assert answer.status in (403, 404)


def test_no_component_answers_as_a_server(service: Service) -> None:
    sent = b'{"component_id": 1, "fn_name": "ls", "data": ["/"], "session_hash": "a"}'
    kind = {"Content-Type": "application/json"}
    answer = service.request("POST", "/gradio_api/component_server", sent, kind)
    assert answer.status in (400, 403, 404)


def kept(service: Service) -> int:
    """Bytes of temporary files."""
    return sum(p.stat().st_size for p in service.temporary.rglob("*") if p.is_file())


def test_an_upload_that_is_broken_off_leaves_nothing(service: Service) -> None:
    before = kept(service)
    sent = form(bytes(1_500_000)).replace(b'name="file"', b'name="files"')
    fields = f"Content-Length: {len(sent)}", f"Content-Type: {FORM}"
    with service.connect(head("POST", UPLOAD, *fields) + sent[:-400_000]):
        wait_until(lambda: kept(service) >= before + 1_000_000)
    wait_until(lambda: kept(service) <= before, 5)


def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(service: Service) -> None:
    before = kept(service)
    large = form(bytes(LIMITS["max_bytes"] + 1)).replace(b'name="file"', b'name="files"')
    answer = service.request("POST", UPLOAD, large, {"Content-Type": FORM})
    assert answer.status == 413
    fields = "Content-Length: 10000000000", f"Content-Type: {FORM}"
    assert service.raw(head("POST", UPLOAD, *fields)).startswith(b"HTTP/1.1 413")
    many = form(*[bytes(1_900_000)] * 5).replace(b'name="file"', b'name="files"')
    chunks = (many[i : i + 65536] for i in range(0, len(many), 65536))
    try:
        answer = service.request("POST", UPLOAD, chunks, {"Content-Type": FORM})
        assert answer.status == 413
    except ConnectionError:  # refused while it was sent
        pass
    wait_until(lambda: kept(service) <= before, 5)


def test_an_upload_of_the_page_may_take_its_time_but_not_stall(service: Service) -> None:
    sent = form(photo()).replace(b'name="file"', b'name="files"')
    start = time.monotonic()
    declared = f"Content-Length: {len(sent) + 9}"
    got = service.raw(head("POST", UPLOAD, declared, f"Content-Type: {FORM}") + sent)
    assert got.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - start < LIMITS["receive"] + 1.5


def test_uploads_of_the_page_are_limited_in_number(service: Service) -> None:
    fields = "Content-Length: 900", f"Content-Type: {FORM}"
    before = service.metric("pix2pix_requests_in_flight")
    opened = [service.connect(head("POST", UPLOAD, *fields)) for _ in range(2)]
    wait_until(lambda: service.metric("pix2pix_requests_in_flight") == before + 2, 2)
    answer = service.request("POST", UPLOAD, form(photo()), {"Content-Type": FORM})
    assert (answer.status, answer.code) == (429, "busy")
    for connection in opened:
        connection.close()
    wait_until(lambda: service.metric("pix2pix_requests_in_flight") == before)
    named = form(photo()).replace(b'name="file"', b'name="files"')
    assert service.request("POST", UPLOAD, named, {"Content-Type": FORM}).status == 200


def test_many_ranges_are_one_whole_file(service: Service) -> None:
    page = service.request("GET", "/").body.decode()
    asset = re.findall(r'(?:src|href)="\.?(/assets/[^"]+)"', page)[0]
    whole = service.request("GET", asset)
    one = service.request("GET", asset, headers={"Range": "bytes=0-9"})
    bomb = "bytes=" + ",".join(["0-"] * 500)
    many = service.request("GET", asset, headers={"Range": bomb, "If-Range": "a"})
    assert whole.status == 200 and len(many.body) == len(whole.body)
    assert one.body in (whole.body[:10], whole.body)


def test_the_log_names_no_file_of_the_page(service: Service) -> None:
    service.request("GET", "/gradio_api/file=/tmp/canary.jpg")
    assert "canary" not in (service.folder / "log").read_text()


@pytest.mark.slow
def test_an_open_page_does_not_hold_the_service_up(tmp_path: Path) -> None:
    with running(tmp_path, page=True) as service:
        fields = head("GET", "/gradio_api/heartbeat/abc")
        with service.connect(fields) as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            start = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            read_all(connection)
            service.process.wait(LIMITS["shutdown"])
        assert time.monotonic() - start < LIMITS["shutdown"] / 2


def test_a_link_to_the_page_shows_its_own_card(service: Service) -> None:
    told = {"Host": "localhost:80", "X-Forwarded-Proto": "https"}
    head = service.request("GET", "/", headers=told).body.decode().partition("<script")[0]
    tags = dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)">', head))
    assert head.index("<meta charset") < 1024  # where browsers look for it
    assert "Gradio" not in head and head.count("og:title") == head.count("<title>") == 1
    assert tags["og:title"] == tags["twitter:title"] == "See your black-and-white photo in color"
    assert tags["og:description"] and tags["twitter:card"] == "summary_large_image"
    assert tags["og:image"] == tags["twitter:image"] == "https://localhost:80/card.jpg"
    with Image.open(io.BytesIO(service.request("GET", "/card.jpg").body)) as card:
        assert card.format == "JPEG"
        expected = tags["og:image:width"], tags["og:image:height"]
        assert tuple(map(str, card.size)) == expected
    (icon,) = re.findall(r'rel="icon" type="image/png" href="([^"]+)"', head)
    for path in (f"/{icon}", "/favicon.ico"):
        with Image.open(io.BytesIO(service.request("GET", path).body)) as picture:
            assert picture.format == "PNG" and picture.width == picture.height
    odd = {"Host": "127.0.0.1", "X-Forwarded-Proto": 'x"><script>'}
    assert b'http://127.0.0.1/card.jpg"' in service.request("GET", "/", headers=odd).body
