"""The service's manners: forms as clients send them, other sites, a prefix, the disk, the log."""

import http.client
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from reverse_proxy import proxy
from running_page import PATIENCE, colored, drop
from serving import Answer, Service, form, head, photo, running, wait_until

from pix2pix.app.page import MESSAGES
from pix2pix.app.service.forms import Form
from pix2pix.app.service.parameters import gather
from pix2pix.app.service.server import parse_origin, parse_root

pytest_plugins = ["running_page"]

PREFIX, ORIGIN = "/photos", "https://example.org"
ROOM = 5_000_000  # bytes on the disk for all visitors together
FORM = "multipart/form-data; boundary=limit"
UPLOAD = "/gradio_api/upload"
JSON = {"Content-Type": "application/json"}
CANARY = "canary"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With the page, behind a prefix, for the pages of one other site, with little room."""
    folder = tmp_path_factory.mktemp("service")
    place = {"root_path": PREFIX, "cors": [ORIGIN]}
    with running(folder, page=True, place=place, stored_bytes=ROOM) as found:
        yield found


# --- forms and parameters -------------------------------------------------------------------------


def part(disposition: str, content: bytes = b"", *fields: str) -> bytes:
    """One part of a form; `disposition` is what follows form-data."""
    lines = [f"Content-Disposition: form-data; {disposition}", *fields]
    return b"--limit\r\n" + "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


END = b"--limit--\r\n"
FILE = part('name="file"; filename="a.jpg"', photo())
LIKE = part('name="like"; filename="b.jpg"', photo())
PAGE = part('name="like"; filename="b.jpg"', b"<html></html>" * 9)
EMPTY = part('name="second"; filename=""', b"", "Content-Type: application/octet-stream")
GRAY = part('name="saturation"', b"0")
URLENCODED = "application/x-www-form-urlencoded"

# a query, a type, a body -> the status, and a word of the reason
CALLS: dict[str, tuple[str, str, bytes, int, str]] = {
    "an empty second file field": ("", FORM, FILE + EMPTY + END, 200, ""),
    "an empty first file field": ("", FORM, EMPTY + FILE + EMPTY + END, 200, ""),
    "empty file fields alone": ("", FORM, EMPTY + EMPTY + END, 422, "empty"),
    "two files": ("", FORM, FILE + EMPTY + FILE + END, 422, "several files"),
    "a reference, but no photo": ("", FORM, LIKE + END, 422, "no file"),
    "two references": ("", FORM, FILE + LIKE + LIKE + END, 422, "several files"),
    "a reference of text": ("", FORM, FILE + part('name="like"', b"a.jpg") + END, 422, "as a file"),
    "a reference that is gray": ("", FORM, LIKE + FILE + END, 422, "like: the reference is gray"),
    "a reference of another kind": ("", FORM, PAGE + FILE + END, 415, "like: "),
    "no reference in its field": ("", FORM, FILE + part('name="like"; filename=""') + END, 200, ""),
    "filename* alone": (
        "",
        FORM,
        part("name=\"file\"; filename*=UTF-8''Gro%C3%9F.jpg", photo()) + END,
        200,
        "",
    ),
    "FileName * = ...": ("", FORM, part("name=a;\tFILENAME*=utf-8''b", photo()) + END, 200, ""),
    "filename* inside a name": ("", FORM, part('name="; filename*=b"', b"c") + END, 422, "no file"),
    "text before the boundary": ("", FORM, b"This is MIME.\r\n" + FILE + END, 200, ""),
    "an empty line before it": ("", FORM, b"\r\n" + FILE + END, 200, ""),
    "a boundary that is another's": ("", FORM, b"--limited\r\n" + FILE + END, 200, ""),
    "too much before it": ("", FORM, b"x" * 20_000 + b"\r\n" + FILE + END, 400, "boundary"),
    "text after the end": ("", FORM, FILE + END + b"and so on", 200, ""),
    "curl --data-binary": ("", URLENCODED, photo(), 200, ""),
    "curl --data-binary, PNG": ("", URLENCODED, photo(format="PNG"), 200, ""),
    "curl -d": ("", URLENCODED, b"saturation=1&file=abc", 415, "send the photo as the body"),
    "curl -d of nothing": ("", URLENCODED, b"", 422, "empty"),
    "a photo called JSON": ("", "application/json", photo(), 415, "send the photo as the body"),
    "format=jpg": ("?format=jpg", "image/png", photo(format="PNG"), 200, "image/jpeg"),
    "format=JPEG": ("?format=JPEG", "image/png", photo(format="PNG"), 200, "image/jpeg"),
    "format=tif": ("?format=tif", "image/jpeg", photo(), 200, "image/tiff"),
    "format=Png": ("?format=Png", "image/jpeg", photo(), 200, "image/png"),
    "format=gif": ("?format=gif", "image/jpeg", photo(), 422, "format"),
    "format=": ("?format=", "image/jpeg", photo(), 422, "format"),
    "a misspelt parameter": ("?saturaton=1", "image/jpeg", photo(), 422, "saturaton"),
    "another's parameter": ("?quality=90", "image/jpeg", photo(), 422, "quality"),
    "given twice": ("?seed=1&seed=2", "image/jpeg", photo(), 422, "seed: given twice"),
    "a field that counts": ("", FORM, FILE + GRAY + END, 200, "gray"),
    "a field before the file": ("", FORM, GRAY + FILE + END, 200, "gray"),
    "a query beside a form": ("?saturation=0", FORM, FILE + END, 200, "gray"),
    "field format": ("", FORM, FILE + part('name="format"', b"TIF") + END, 200, "image/tiff"),
    "a wrong field": ("", FORM, FILE + part('name="seed"', b"x") + END, 422, "seed"),
    "a field beyond its range": (
        "",
        FORM,
        FILE + part('name="saturation"', b"nan") + END,
        422,
        "saturation",
    ),
    "a field left empty": ("", FORM, FILE + part('name="seed"') + END, 200, ""),
    "a misspelt field": ("", FORM, FILE + part('name="saturaton"', b"1") + END, 422, "saturaton"),
    "a field of the form's own": ("", FORM, FILE + part('name="submit"', b"Go") + END, 200, ""),
    "in both places": ("?saturation=0", FORM, FILE + GRAY + END, 422, "saturation: given twice"),
    "a hint as a field": ("", FORM, FILE + part('name="hint"', b"red") + END, 400, "X,Y,#RRGGBB"),
    "endless fields": ("", FORM, part('name="a"', b"x" * 70_000) + FILE + END, 413, "fields"),
}


def expected_of(answer: Answer, status: int, word: str) -> bool:
    """Whether an answer has this status, and this word in its type, its colors or its reason."""
    if answer.status != status:
        return False
    if status != 200:
        return word in answer.json["reason"] and bool(answer.code)
    with Image.open(io.BytesIO(answer.body)) as image:
        color = np.ptp(np.asarray(image.convert("RGB")).astype(int), axis=2).max()
    return (color <= 2) == (word == "gray") and (
        word in ("", "gray") or answer.headers["content-type"] == word
    )


def test_forms_and_calls(service: Service) -> None:
    wrong = {
        name: (answer.status, answer.body[:200])
        for name, (query, kind, body, status, word) in CALLS.items()
        if not expected_of(answer := service.post(body, kind, query), status, word)
    }
    print(f"forms and calls: {len(CALLS) - len(wrong)} of {len(CALLS)} as expected")
    assert wrong == {}


def test_a_form_in_pieces_of_any_size_is_the_same_form() -> None:
    other = part('name="like"; filename="b"', b"another")
    body = b"MIME\r\n" + EMPTY + GRAY + other + part("name=f; filename*=a", photo()) + END
    for size in (1, 2, 3, 7, 64, 1000):
        taker = Form(b"limit", 100_000)
        for start in range(0, len(body), size):
            taker.take(body[start : start + size])
        assert (taker.photo(), taker.fields) == (photo(), [("saturation", "0")])
        assert taker.like == b"another"


def test_parameters_of_both_places_are_gathered() -> None:
    asked = gather([("hint", "1,2,aabbcc")], [("hint", "3,4,aabbcc"), ("seed", "7"), ("a", "b")])
    assert (asked.hint, asked.seed) == (["1,2,aabbcc", "3,4,aabbcc"], 7)


@pytest.mark.parametrize("path", ["/api/colorize", "/api/colorize/"])
def test_a_slash_too_many_changes_nothing(service: Service, path: str) -> None:
    kind = {"Content-Type": "image/jpeg"}
    assert service.request("POST", path, photo(), kind).status == 200
    answer = service.request("GET", path)
    assert (answer.status, answer.code) == (405, "method")
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_every_404_and_405_has_a_code_and_a_reason(service: Service) -> None:
    asked = {
        ("GET", "/nothing"): 404,
        ("GET", "/api/models"): 404,
        ("POST", "/healthz/"): 405,
        ("GET", "/gradio_api/nothing"): 404,
        ("GET", "/gradio_api/upload"): 404,
        ("POST", "/gradio_api/queue/data"): 404,
        ("DELETE", "/config"): 404,
        ("GET", "/assets/nothing.js"): 404,
        ("BREW", "/"): 405,
    }
    for (method, path), status in asked.items():
        answer = service.request(method, path)
        assert answer.status == status, path
        assert answer.code == {404: "not_found", 405: "method"}[status]
        assert answer.json["reason"] and path not in answer.json["reason"]


# --- other sites ----------------------------------------------------------------------------------


def test_pages_of_one_other_site_may_call_the_api_and_no_others(service: Service) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    given = {"access-control-allow-origin", "access-control-allow-methods"}
    yes = service.request("OPTIONS", "/api/colorize", headers=asks | {"Origin": ORIGIN})
    assert yes.status == 204 and given <= yes.headers.keys()
    assert yes.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in yes.headers["access-control-allow-methods"]
    for other in ("https://evil.example", f"{ORIGIN}.evil.example", f"{ORIGIN}:8443", "null"):
        no = service.request("OPTIONS", "/api/colorize", headers=asks | {"Origin": other})
        assert not any(name.startswith("access-control-") for name in no.headers)
    kind = {"Content-Type": "image/jpeg", "Origin": ORIGIN}
    done = service.request("POST", "/api/colorize", photo(), kind)
    wrong = service.request("POST", "/api/colorize?a=b", photo(), kind)
    early = service.request("PUT", "/api/colorize", headers=kind)  # refused at the edge
    assert [answer.status for answer in (done, wrong, early)] == [200, 422, 405]
    for answer in (yes, done, wrong, early):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in answer.headers
        assert "Origin" in answer.headers["vary"]


def test_an_origin_is_a_scheme_and_a_host() -> None:
    assert parse_origin("https://Example.org/") == "https://example.org"
    assert parse_origin("http://[::1]:8080") == "http://[::1]:8080"
    for wrong in ("*", "null", "example.org", "https://a/b", "https://a b", "https://u@a", ""):
        with pytest.raises(ValueError, match="give an origin"):
            parse_origin(wrong)


# --- a prefix -------------------------------------------------------------------------------------


def test_a_prefix_is_a_path() -> None:
    assert [parse_root(text) for text in ("", "/", "/photos", "/a/b/")] == [
        "",
        "",
        "/photos",
        "/a/b",
    ]
    for wrong in ("photos", "http://a/photos", "//a", "/a/../b", "/a?b", "/a b", "/ä"):
        with pytest.raises(ValueError, match="give a path"):
            parse_root(wrong)


@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "handed on"])
def test_everything_works_behind_a_prefix(service: Service, strip: bool) -> None:
    with proxy(service.port, PREFIX, strip=strip) as address, httpx.Client(timeout=60) as client:
        url = f"{address}{PREFIX}"
        for path in ("/healthz", "/readyz/", "/api", "/api/openapi.json", "/"):
            assert client.get(f"{url}{path}").status_code == 200, path
        page = client.get(f"{url}/api").text
        (link,) = re.findall(r'href="([^"]+)"', page)
        assert f"{url}/api/colorize" in page
        schema = client.get(f"{address}{link}").json()
        assert [server["url"] for server in schema["servers"]] == [PREFIX]
        answer = client.post(
            f"{url}/api/colorize", content=photo(), headers={"content-type": "image/jpeg"}
        )
        assert answer.status_code == 200
        assert client.get(f"{url}/config").json()["root"] == url
        if not strip:
            moved = client.get(f"{url}?a=b")
            assert moved.headers["location"] == f"{PREFIX}/?a=b"


def test_a_prefix_that_a_visitor_claims_counts_for_nothing(service: Service) -> None:
    claim = {"X-Forwarded-Prefix": "/elsewhere"}
    assert service.request("GET", "/config", headers=claim).json["root"].endswith(PREFIX)
    assert "elsewhere" not in service.request("GET", "/api", headers=claim).body.decode()


@contextmanager
def window(browser: Browser, url: str) -> Iterator[tuple[Page, list[tuple[int, str]]]]:
    """A tab at `url`, and the answers of 400 and more that it gets."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.set_default_timeout(PATIENCE)
    failed: list[tuple[int, str]] = []
    tab.on("response", lambda it: failed.append((it.status, it.url)) if it.status > 399 else None)
    tab.goto(url)
    tab.get_by_label("Sample photo 2").wait_for()
    yield tab, failed
    tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("strip", [True, False], ids=["stripped", "handed on"])
def test_the_page_colors_behind_a_prefix(service: Service, browser: Browser, strip: bool) -> None:
    with (
        proxy(service.port, PREFIX, strip=strip) as address,
        window(browser, f"{address}{PREFIX}/") as (tab, failed),
    ):
        with colored(tab):
            drop(tab, photo(300, 200, "PNG"), "old.png")
        done = tab.evaluate("document.querySelector('#before-after img').naturalWidth")
    assert (done, failed) == (300, [])


# --- the disk -------------------------------------------------------------------------------------


def upload(service: Service, content: bytes, **options: Any) -> Answer:
    sent = form(content).replace(b'name="file"', b'name="files"')
    body = iter([sent]) if options.get("chunked") else sent
    try:
        answer = service.request("POST", UPLOAD, body, {"Content-Type": FORM})
    except (ConnectionError, http.client.HTTPException):  # refused while it was sent
        return Answer(0, {}, b"")
    return upload(service, content) if answer.status == 429 else answer  # others are at it


def files(service: Service) -> list[Path]:
    """What `upload` has put on the disk."""
    return list(service.temporary.rglob("a.jpg"))


@pytest.fixture
def emptied(service: Service) -> Iterator[None]:
    """Whatever a test uploads is gone after it."""
    yield
    for path in files(service):
        path.unlink()


def test_uploads_have_a_total_and_room_comes_back(service: Service, emptied: None) -> None:
    with ThreadPoolExecutor(2) as pool:  # as many as may come at once
        answers = list(pool.map(lambda i: upload(service, bytes([i]) * 500_000), range(12)))
    statuses = Counter(answer.status for answer in answers)
    kept = sum(path.stat().st_size for path in files(service))
    print(f"uploads of 500 kB: {statuses[200]} taken, {statuses[507]} refused, {kept:,} bytes")
    assert statuses.keys() == {200, 507} and kept == statuses[200] * 500_000 <= ROOM
    refused = next(answer for answer in answers if answer.status == 507)
    assert refused.code == "no_space" and "too many photos are kept here" in refused.json["reason"]
    assert int(refused.headers["retry-after"]) > 0
    assert upload(service, b"x" * 500_000, chunked=True).status in (0, 507)  # without a length
    assert sum(path.stat().st_size for path in files(service)) == kept
    assert service.post(photo()).status == 200  # which needs none of it
    for path in files(service)[:2]:
        path.unlink()
    assert upload(service, b"y" * 500_000).status == 200


def stored(service: Service) -> int:
    """Bytes on the disk."""
    return sum(path.stat().st_size for path in service.temporary.rglob("*") if path.is_file())


def in_flight(service: Service) -> int:
    return int(service.metric("pix2pix_requests_in_flight"))


def test_a_length_that_is_promised_counts_before_it_comes(service: Service, emptied: None) -> None:
    large = form(bytes(ROOM // 2)).replace(b'name="file"', b'name="files"')
    fields = f"Content-Length: {len(large)}", f"Content-Type: {FORM}"
    before, lying = in_flight(service), stored(service)
    with service.connect(head("POST", UPLOAD, *fields) + large[:1_000_000]):
        wait_until(lambda: stored(service) > lying + 500_000)
        assert upload(service, bytes(1_500_000)).status == 507
    wait_until(lambda: in_flight(service) == before)
    assert upload(service, bytes(1_500_000)).status == 200


@pytest.mark.browser
def test_the_page_says_in_words_that_there_is_no_room(
    service: Service, browser: Browser, emptied: None
) -> None:
    with (
        proxy(service.port, PREFIX, strip=True) as address,
        window(browser, f"{address}{PREFIX}/") as (tab, _),
    ):
        for size in (400_000, 9):  # which counts for more
            while upload(service, np.random.default_rng().bytes(size)).status == 200:
                pass
        drop(tab, photo(1500, 1000, "BMP"), "old.bmp")
        toast = tab.get_by_test_id("toast-body")
        expect(toast).to_contain_text("There is no room for more photos right now. Try again")
        expect(toast).not_to_contain_text("507")
        expect(toast).not_to_contain_text("{")
        tab.get_by_label("Sample photo 2").click()  # its results take room, too
        expect(toast.filter(has_text=MESSAGES["no_space"])).to_be_visible()


# --- the log --------------------------------------------------------------------------------------

STRANGE: list[Any] = [CANARY, {"path": f"/tmp/{CANARY}"}, [CANARY], {CANARY: CANARY}, -1]


def complain(service: Service) -> int:
    """Have Gradio complain in all the ways known, with a canary in it -> the number of calls."""
    config = service.request("GET", "/config").json
    count = 0
    for event in config["dependencies"]:
        for value in STRANGE:
            asked = {
                "data": [value] * len(event["inputs"]),
                "fn_index": event["id"],
                "session_hash": CANARY,
            }
            for way in ("queue/join", f"run/{event['api_name']}", f"call/{event['api_name']}"):
                service.request("POST", f"/gradio_api/{way}", json.dumps(asked).encode(), JSON)
                count += 1
    for path in (f"file={CANARY}", f"custom_component/{CANARY}/client/a/{CANARY}", CANARY):
        service.request("GET", f"/gradio_api/{path}")
        service.request("POST", f"/gradio_api/{path}", f'{{"{CANARY}":'.encode(), JSON)
        count += 2
    return count


def test_the_log_stays_json_without_contents_whatever_gradio_complains_of(
    service: Service,
) -> None:
    calls = complain(service)
    wait_until(lambda: service.metric("pix2pix_running") == 0)
    lines = (service.folder / "log").read_text().splitlines()
    other = [line for line in lines if not line.startswith("{") or not json.loads(line)]
    printed = [entry for entry in service.log() if entry["event"].startswith("an exception")]
    found = (service.folder / "log").read_text().count(CANARY)
    print(f"log: {calls} calls, {len(lines)} lines, {len(other)} not JSON, {found} canaries")
    assert (other, found) == ([], 0) and len(printed) > 5
    assert all(entry["error"] and entry["at"] for entry in printed)
    out = (service.folder / "out").read_text()
    assert re.fullmatch(r"Serving http://\S+ \(Ctrl-C ends it\)\n", out)


def test_streams_that_are_cut_off_are_no_errors(service: Service) -> None:
    before, open_before, streams = len(service.errors()), in_flight(service), 0
    for i in range(25):
        asked = head("GET", f"/gradio_api/queue/data?session_hash={i}")
        with service.connect(asked) as connection:
            connection.recv(1)
            streams += 1
    ended = service.raw(head("GET", "/gradio_api/queue/data?session_hash=a", "Connection: close"))
    assert b"session_not_found" in ended and ended.endswith(b"0\r\n\r\n")
    wait_until(lambda: in_flight(service) <= open_before)
    print(f"streams cut off: {streams}, errors: {len(service.errors()) - before}")
    assert len(service.errors()) == before


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_a_killed_service_left_is_gone_with_the_next(service: Service) -> None:
    """The last of this file: it kills the service."""
    assert upload(service, b"w" * 400_000).status == 200
    service.process.kill()
    service.process.wait()
    assert files(service)
    with running(service.folder):
        assert not files(service)
