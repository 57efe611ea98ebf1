"""The API over real sockets: what it answers, to honest clients and to odd ones."""

import hashlib
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import pngs
from PIL import ExifTags, Image
from serving import BROKEN, STARVED, Service, form, head, photo, running, tiny_colorizer, wait_until

from pix2pix import images

FORM = "multipart/form-data; boundary=limit"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="module")
def colorizer():
    return tiny_colorizer()


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_photo_comes_back_in_color_as_the_colorizer_colors_it(
    service: Service, colorizer, format: str
) -> None:
    sent = photo(format=format)
    answer = service.post(sent, "application/octet-stream")
    assert answer.status == 200
    assert answer.headers["content-type"] == f"image/{format.lower()}"
    read = images.read(sent)
    expected = images.encode(colorizer.rgb(read.rgb), like=read, model="tiny")
    assert answer.body == expected
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.size == (96, 64) and np.ptp(np.asarray(image.convert("RGB")), axis=2).max() > 9


def test_a_form_gives_the_same_bytes_as_a_body(service: Service) -> None:
    sent = photo()
    for name in ('filename="a.jpg"', 'filename=""', "filename=\"x\"; filename*=UTF-8''%0d%0aA: b"):
        answer = service.post(form(sent, name=name), FORM)
        assert (answer.status, answer.body) == (200, service.post(sent).body)


def test_saturation_and_format_are_obeyed(service: Service) -> None:
    answer = service.post(photo(), query="?saturation=0&format=png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'attachment; filename="photo.color.png"'
    with Image.open(io.BytesIO(answer.body)) as image:
        assert np.ptp(np.asarray(image).astype(int), axis=2).max() <= 1


def test_temperature_is_obeyed(service: Service) -> None:
    def blue(query: str) -> float:
        answer = service.post(photo(), query=f"?format=png&{query}")
        assert answer.status == 200, answer.body
        with Image.open(io.BytesIO(answer.body)) as image:
            return float(np.asarray(image, float)[..., 2].mean())

    assert blue("temperature=-10") - 10 > blue("temperature=0") > blue("temperature=10") + 10


@pytest.mark.parametrize(
    "query",
    [
        *("saturation=-1", "saturation=nan", "saturation=5", "temperature=31", "temperature=nan"),
        *("seed=-1", "seed=x", "format=gif"),
    ],
)
def test_a_wrong_parameter_is_named(service: Service, query: str) -> None:
    answer = service.post(photo(), query=f"?{query}")
    assert (answer.status, answer.code) == (422, "parameter")
    assert query.split("=")[0] in answer.json["reason"]


def test_the_place_where_a_photo_was_taken_never_comes_back(service: Service) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSMapDatum] = "at home"
    sent = photo(exif=exif)
    assert b"at home" in sent
    answer = service.post(sent)
    assert b"somebody" in answer.body and b"at home" not in answer.body


def test_what_is_lost_is_told_in_a_header(service: Service) -> None:
    frames = [Image.new("L", (20, 20), i * 60) for i in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    answer = service.post(buffer.getvalue())
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-warnings"] == '["2 further frames ignored"]'


def test_a_seed_is_taken(service: Service) -> None:
    first, second = (service.post(photo(), query="?seed=7") for _ in range(2))
    assert (first.status, first.body) == (200, second.body)


@pytest.fixture(scope="module")
def hinted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose model takes hints."""
    with running(tmp_path_factory.mktemp("hinted"), hints=True) as found:
        yield found


def test_hints_color_as_the_colorizer_does(hinted: Service) -> None:
    sent = photo(format="PNG")
    answer = hinted.post(sent, query="?hint=20,30,c03020&hint=70.5,9,%232040c0")
    assert answer.status == 200
    hints = [(20, 30, (0xC0, 0x30, 0x20)), (70.5, 9, (0x20, 0x40, 0xC0))]
    colorizer, read = tiny_colorizer(hints=True), images.read(sent)
    expected = colorizer.rgb(read.rgb, hints=hints)
    assert (images.read(answer.body).rgb == expected).all()
    assert (expected != colorizer.rgb(read.rgb)).any()


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        ("20,30", "it must be X,Y,#RRGGBB"),
        ("", "it must be X,Y,#RRGGBB"),
        ("20,30,red", "it must be X,Y,#RRGGBB"),
        ("-1,30,c03020", "it must be X,Y,#RRGGBB"),
        ("nan,30,c03020", "it must be X,Y,#RRGGBB"),
        ("96,30,c03020", "inside of 96x64 pixels"),
        ("&hint=".join(["9,9,c03020"] * 2001), "2001 hints; at most 2000"),
    ],
    ids=lambda text: text[:20],
)
def test_a_hint_that_is_none_is_refused(hinted: Service, hint: str, reason: str) -> None:
    answer = hinted.post(photo(), query=f"?hint={hint}")
    assert (answer.status, answer.code) == (400, "hint")
    assert reason in answer.json["reason"]
    assert hinted.post(photo()).status == 200


def test_a_model_that_takes_no_hints_says_so(service: Service) -> None:
    answer = service.post(photo(), query="?hint=9,9,c03020")
    assert (answer.status, answer.code) == (400, "hint")
    assert answer.json["reason"] == "tiny takes no hints: leave them out"


# --- photos that are none -----------------------------------------------------------------------

BAD = {
    "empty": (b"", 422, "unreadable"),
    "one byte": (b"x", 422, "unreadable"),
    "cut": (photo()[:-300], 422, "truncated"),
    "bad CRC": (pngs.png(8, 8)[:40] + b"\x00" + pngs.png(8, 8)[41:], 422, "corrupt"),
    "page": (b"<html><body>hello</body></html>", 415, "unsupported_format"),
    "PDF": (b"%PDF-1.7 and so on", 415, "unsupported_format"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported_format"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0", 415, "unsupported_format"),
    "script": (b"push graphic-context\nfill 'url(http://a/)'", 415, "unsupported_format"),
    "bomb": (pngs.png(50_000, 50_000), 413, "too_large"),
    "too many pixels": (pngs.flat_bits(2100, 2000), 413, "too_large"),
    "too many bytes": (b"\xff\xd8\xff" + bytes(2_000_000), 413, "too_large"),
}


@pytest.mark.parametrize("as_form", [False, True], ids=["body", "form"])
@pytest.mark.parametrize(("sent", "status", "code"), BAD.values(), ids=BAD)
def test_a_bad_photo(service: Service, sent: bytes, status: int, code: str, as_form: bool) -> None:
    answer = service.post(form(sent) if as_form else sent, FORM if as_form else "image/png")
    assert (answer.status, answer.code) == (status, code), answer.json
    assert answer.json["reason"]
    assert service.post(photo()).status == 200


def test_memory_that_runs_out_is_an_answer_and_the_worker_lives(service: Service) -> None:
    answer = service.post(photo(STARVED))
    assert (answer.status, answer.code) == (503, "busy")
    assert int(answer.headers["retry-after"]) > 0
    assert service.post(photo()).status == 200


def test_a_fault_of_ours_is_an_answer_and_is_logged_without_its_words(service: Service) -> None:
    answer = service.post(photo(BROKEN))
    assert (answer.status, answer.code) == (500, "error")
    wait_until(lambda: any(e["error"] == "RuntimeError" for e in service.errors()))
    assert any("serving.py" in line for line in service.errors()[-1]["at"])
    assert "canary" not in (service.folder / "log").read_text()
    assert service.post(photo()).status == 200


# --- requests that are none ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 415),
        ("application/x-www-form-urlencoded", 200),
        ("text/plain", 415),
        ("multipart/mixed; boundary=limit", 415),
        ("multipart/form-data", 400),
        (f"multipart/form-data; boundary={'b' * 10_240}", 400),
        ("", 200),
        ("application/octet-stream", 200),
        ("application/x-unknown; charset=\xe4", 200),
    ],
)
def test_content_types(service: Service, kind: str, status: int) -> None:
    answer = service.post(photo(), kind)
    assert answer.status == status
    assert service.post(photo(), "image/png").status == 200  # by content


def test_an_encoded_body_is_refused(service: Service) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "image/jpeg"}
    assert service.request("POST", "/api/colorize", b"\x1f\x8b", headers).status == 415


FIELD = b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
FORMS = {
    "no file": (FIELD + b"--limit--\r\n", 422),
    "empty part": (form(b""), 422),
    "two files": (form(photo(), photo()), 422),
    "1,000 parts": (FIELD * 1000 + form(photo()), 400),
    "large part header": (form(photo(), name=f'filename="{"x" * 100_000}"'), 400),
    "many part headers": (form(photo(), name='filename="a"' + "\r\nA: b" * 100), 400),
    "no end": (form(photo()).replace(b"--limit--\r\n", b""), 400),
    "not a form": (b"hello", 400),
    "a field besides": (FIELD + form(photo()), 200),
    "extended file name": (form(photo(), name="filename*=UTF-8''a.jpg"), 200),
}


@pytest.mark.parametrize(("body", "status"), FORMS.values(), ids=FORMS)
def test_forms(service: Service, body: bytes, status: int) -> None:
    assert service.post(body, FORM).status == status


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a\r\nSet-Cookie: b", 'a";x="', "\x00", "%00", "&#13;"],
)
def test_no_name_of_a_file_comes_back_or_is_logged(service: Service, name: str) -> None:
    known = f'filename="canary{name}"'
    answer = service.post(form(photo(), name=known), FORM)
    assert answer.status in (200, 400)
    assert "canary" not in str(answer.headers) and "set-cookie" not in answer.headers
    if answer.status == 200:
        assert answer.headers["content-disposition"].endswith('filename="photo.color.jpeg"')
    assert "canary" not in (service.folder / "log").read_text()


LENGTHS = {
    "two values": ["Content-Length: 5", "Content-Length: 7"],
    "negative": ["Content-Length: -5"],
    "no number": ["Content-Length: five"],
    "and chunked": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "chunked twice": ["Transfer-Encoding: chunked, chunked"],
    "another coding": ["Transfer-Encoding: gzip"],
    "hidden chunked": ["Content-Length: 5", "Transfer-Encoding : chunked"],
    "1 MB header": [f"X-Long: {'x' * 2**20}"],
    "1,000 headers": [f"X-{i}: {'x' * 100}" for i in range(1000)],
    "folded": ["X-A: b", " Content-Length: 5"],
}


@pytest.mark.parametrize("fields", LENGTHS.values(), ids=LENGTHS)
def test_an_ambiguous_head_ends_the_connection(service: Service, fields: list[str]) -> None:
    smuggled = head("GET", "/metrics")
    sent = head("POST", "/api/colorize", "Content-Type: image/jpeg", *fields)
    with service.connect() as connection:
        try:
            connection.sendall(sent + b"0\r\n\r\n" + smuggled)
        except ConnectionError:  # refused while it was sent
            return
        got = b""
        try:
            while piece := connection.recv(65536):
                got += piece
        except ConnectionError:
            assert len(sent) > 65536
            return
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", got)
    if fields == LENGTHS["folded"]:  # one header of two lines: no length, so the rest is a request
        assert b"400" in statuses
    elif statuses[0] == b"501":
        assert fields[0].startswith("Transfer-Encoding")
    else:
        assert statuses == [b"400"]
    assert b"pix2pix_" not in got


def test_a_body_shorter_than_its_length_is_400(service: Service) -> None:
    sent = head("POST", "/api/colorize", "Content-Length: 5000") + photo()[:1000]
    got = service.raw(sent, end=True)
    assert got.startswith(b"HTTP/1.1 400") and b'"bad_request"' in got


def test_a_body_longer_than_its_length_ends_in_400(service: Service) -> None:
    sent = photo()
    head_ = head("POST", "/api/colorize", f"Content-Length: {len(sent)}")
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", service.raw(head_ + sent + b"and more\r\n\r\n"))
    assert statuses == [b"200", b"400"]


def test_chunks_are_read_like_any_body(service: Service) -> None:
    sent = photo()
    parts = [sent[i : i + 333] for i in range(0, len(sent), 333)]
    answer = service.request("POST", "/api/colorize", iter(parts), {"Content-Type": "image/jpeg"})
    assert (answer.status, answer.body) == (200, service.post(sent).body)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/colorize", 405, "POST, OPTIONS"),
        ("HEAD", "/api/colorize", 405, "POST, OPTIONS"),
        ("PUT", "/api/colorize", 405, "POST, OPTIONS"),
        ("DELETE", "/api/colorize", 405, "POST, OPTIONS"),
        ("OPTIONS", "/api/colorize", 204, "POST, OPTIONS"),
        ("OPTIONS", "/healthz", 204, "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", 405, "GET, HEAD, OPTIONS"),
        ("TRACE", "/api/colorize", 405, "POST, OPTIONS"),
        ("TRACE", "/", 405, None),
        ("CONNECT", "/", 405, None),
        ("BREW", "/healthz", 405, "GET, HEAD, OPTIONS"),
        ("HEAD", "/healthz", 200, None),
        ("HEAD", "/readyz", 200, None),
        ("HEAD", "/metrics", 200, None),
        ("HEAD", "/api", 200, None),
        ("GET", "/nothing", 404, None),
        ("GET", "/api/colorize/", 405, "POST, OPTIONS"),
        ("GET", "/api/models", 404, None),
    ],
)
def test_methods(service: Service, method: str, path: str, status: int, allow: str | None) -> None:
    answer = service.request(method, path)
    assert answer.status == status
    assert allow is None or answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path",
    ["/..%2f..%2fetc%2fpasswd", "/%00", "//etc/passwd", "/api/%2e%2e/%2e%2e/etc/passwd", "/a\\b"],
)
def test_paths_that_leave_the_service_are_not_found(service: Service, path: str) -> None:
    answer = service.request("GET", path)
    assert answer.status == 404 and b"root:" not in answer.body


# --- what machines ask --------------------------------------------------------------------------


def test_health_and_readiness(service: Service) -> None:
    assert service.request("GET", "/healthz").json == {"status": "ok"}
    assert service.request("GET", "/readyz").json == {"status": "ready"}


def test_metrics_count(service: Service) -> None:
    before = service.metric("pix2pix_requests_total"), service.metric("pix2pix_refused_total")
    service.post(photo())
    service.post(b"x")
    after = service.metric("pix2pix_requests_total"), service.metric("pix2pix_refused_total")
    assert after[0] - before[0] == 4  # two of them for the metrics themselves
    assert after[1] - before[1] == 1


def test_the_description_names_every_parameter_and_asks_nobody(service: Service) -> None:
    page = service.request("GET", "/api").body.decode()
    schema = service.request("GET", "/api/openapi.json").json
    (path,) = schema["paths"]
    for parameter in schema["paths"][path]["post"]["parameters"]:
        assert f"<td>{parameter['name']}</td>" in page
    for status in schema["paths"][path]["post"]["responses"]:
        assert f"<td>{status}</td>" in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_the_log_is_json_and_holds_no_query(service: Service) -> None:
    service.post(photo(), query="?saturation=0.1234567")
    known = {"route": "/api/colorize", "status": 200, "bytes_in": len(photo())}
    service.request("GET", "/healthz")  # its line comes after
    wait_until(lambda: service.log()[-1].get("route") == "/healthz")
    assert known.items() <= service.log()[-2].items()
    assert "0.1234567" not in (service.folder / "log").read_text()


@pytest.mark.slow
def test_without_a_model_it_lives_but_is_not_ready(tmp_path: Path) -> None:
    with running(tmp_path, model=False) as service:
        assert service.request("GET", "/healthz").status == 200
        assert service.request("GET", "/readyz").status == 503
        answer = service.post(photo())
        assert (answer.status, answer.code) == (503, "weights")
        assert any(e["event"] == "no model" and "nowhere" in e["reason"] for e in service.log())


def test_the_same_photo_gives_the_same_bytes_among_others(service: Service) -> None:
    photos = [photo(60 + 40 * i, 50 + 30 * i, seed=i) for i in range(4)]
    alone = [hashlib.sha256(service.post(p).body).digest() for p in photos]

    def ask(i: int) -> bool:
        while (answer := service.post(photos[i % 4])).status == 429:
            assert int(answer.headers["retry-after"]) > 0
        return hashlib.sha256(answer.body).digest() == alone[i % 4]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))
