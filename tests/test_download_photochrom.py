"""Photochroms from a server on this machine that answers as the Library of Congress does.

Its answers have the shape of https://www.loc.gov/apis/json-and-yaml/responses/search-results/ and
of its collections: `image_url` with the size behind `#`, thumbnails among them, `location` as a
list, rights inside `item`, pages about the collection between the pictures.
"""

import contextlib
import csv
import hashlib
import importlib
import io
import json
import random
import threading
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

import pix2pix.download as package
from pix2pix import cli
from pix2pix.data.cache import list_photos
from pix2pix.download import SOURCES, Collection, download, loc
from pix2pix.download.borders import find_print
from pix2pix.download.collect import crop
from pix2pix.errors import DataError
from pix2pix.files import _HOST

NOISE = np.random.default_rng(2)
FOLDER = "/storage-services/service/pnp/ppmsc/06500/"


def scan(height=144, width=208, mount=16, tone=235):
    """A print of noise on a mount, as gray (H, W) uint8."""
    gray = np.full((height, width), tone) + NOISE.integers(-4, 5, (height, width))
    inside = (slice(mount, height - mount), slice(mount, width - mount))
    gray[inside] = NOISE.integers(0, 256, (height - 2 * mount, width - 2 * mount))
    return gray.clip(0, 255).astype(np.uint8)


def jpeg(gray, **options):
    file = io.BytesIO()
    Image.fromarray(gray).convert("RGB").save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


SCANS = {f"0650{i}v.jpg": jpeg(scan()) for i in range(7)}


def make_result(server, i, **changes):
    root = f"{server}{FOLDER}0650{i}"
    result = {
        "id": f"http://www.loc.gov/item/200169740{i}/",
        "url": f"https://www.loc.gov/item/200169740{i}/",
        "title": f"[The castle, No. {i}, Böhmen,\n Austro-Hungary]",
        "date": "1890-01-01",
        "location": ["böhmen", "austria", "böhmen"],
        "original_format": ["photo, print, drawing"],
        "online_format": ["image"],
        "access_restricted": False,
        "image_url": [
            f"{root}_150px.jpg#h=112&w=150",
            f"{root}t.gif#h=112&w=150",
            f"{root}r.jpg#h=480&w=640",
            f"{root}v.jpg#h=768&w=1024",
        ],
        "item": {"rights_information": "No known restrictions on publication.", "date": "1890"},
    }
    return result | changes


@dataclass
class Library:
    """What is listed, what goes wrong at which path, and what was asked for when."""

    results: list[dict] = field(default_factory=list)
    scans: dict[str, bytes] = field(default_factory=lambda: dict(SCANS))
    faults: dict[str, list] = field(default_factory=dict)  # path: [(status, headers, body or cut)]
    asked: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""
    clock: object = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        state: Library = self.server.state
        state.asked.append(self.path)
        state.times.append(state.clock.monotonic())
        path = urlsplit(self.path).path
        body = self.make_body(state, path)
        status, headers = (200, {}) if body is not None else (404, {})
        if state.faults.get(path):
            status, headers, other = state.faults[path].pop(0)
            if isinstance(other, int):
                headers = {"Content-Length": str(len(body)), **headers}
                body = body[:other]
            else:
                body = other
        body = body or b""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
        self.close_connection = True

    def make_body(self, state, path):
        if path.startswith("/collections/photochrom-prints/"):
            query = {
                name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            assert query["fo"] == "json"
            per, page = int(query["c"]), int(query["sp"])
            shown = state.results[per * (page - 1) : per * page]
            more = per * page < len(state.results)
            address = f"{state.url.split('?')[0]}?fo=json&c={per}&sp={page + 1}"
            paging = {"of": len(state.results), "perpage": per, "current": page}
            paging["next"] = address if more else None
            return json.dumps({"results": shown, "pagination": paging}).encode()
        return state.scans.get(path.removeprefix(FOLDER))


class Clock:
    """Time that passes only in `sleep`."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(importlib.import_module("pix2pix.download.fetch"), "time", clock)
    return clock


@pytest.fixture
def library(monkeypatch, clock):
    """A library of five prints, three a page, in place of the real one."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    address = f"http://127.0.0.1:{http.server_port}"
    http.state = Library(url=f"{address}/collections/photochrom-prints/?fo=json&c=3&sp=1")
    http.state.clock = clock
    http.state.results = [make_result(address, i) for i in range(5)]
    monkeypatch.setattr(package, "MARGIN", 0)
    monkeypatch.setitem(
        SOURCES, "photochrom", replace(SOURCES["photochrom"], url=http.state.url, size=10**6)
    )
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield http.state
    http.shutdown()
    thread.join()
    http.server_close()


LISTING = "/collections/photochrom-prints/"


def get(dest, **options):
    return download("photochrom", dest, **{"timeout": 5, "progress": False, **options})


def read_manifest(folder):
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pictures(library):
    return [path.removeprefix(FOLDER) for path in library.asked if path.startswith(FOLDER)]


def assert_whole(folder, count=5):
    """All pictures, cropped, each with its line, and nothing else."""
    names = [f"200169740{i}.jpg" for i in range(count)]
    assert list_photos(folder) == names
    rows = read_manifest(folder)
    assert [row["file"] for row in rows] == names
    for i, row in enumerate(rows):
        data = (folder / row["file"]).read_bytes()
        assert data == crop(SCANS[f"0650{i}v.jpg"])
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
    hidden = {p.name for p in folder.iterdir()} - {*names, "manifest.csv"}
    assert hidden <= {".pix2pix.json"}


def test_the_source_is_the_library_of_congress():
    source = SOURCES["photochrom"]
    assert isinstance(source, Collection)
    address, query = source.url.split("?")
    assert address == "https://www.loc.gov/collections/photochrom-prints/"
    expected = {"fo": ["json"], "c": ["100"], "sp": ["1"], "at": ["results,pagination"]}
    assert parse_qs(query) == expected
    assert 80_000 < source.size / source.count < 460_000  # its "Technical Information"


def test_every_print_is_cropped_and_on_record(library, tmp_path):
    folder = get(tmp_path)
    assert folder == tmp_path / "photochrom"
    assert_whole(folder)
    first = read_manifest(folder)[0]
    assert first == {
        "file": "2001697400.jpg",
        "title": "[The castle, No. 0, Böhmen,\n Austro-Hungary]",
        "place": "böhmen; austria",
        "date": "1890-01-01",
        "origin": f"{library.url.split('/collections')[0]}{FOLDER}06500v.jpg",
        "rights": "No known restrictions on publication.",
        "sha256": first["sha256"],
    }
    for name in list_photos(folder):
        with Image.open(folder / name) as image:
            assert image.size == (208 - 2 * 18, 144 - 2 * 17)  # the mount and 1 % of the side
    assert [parse_qs(urlsplit(p).query)["sp"] for p in library.asked if LISTING in p] == [
        ["1"],
        ["2"],
    ]
    assert pictures(library) == sorted(SCANS)[:5]


def test_a_second_call_asks_for_nothing(library, tmp_path):
    get(tmp_path)
    library.asked.clear()
    assert_whole(get(tmp_path))
    assert_whole(get(tmp_path, limit=2))
    assert library.asked == []


def test_a_limit_is_kept_and_can_be_raised(library, tmp_path):
    assert_whole(get(tmp_path, limit=2), 2)
    assert library.asked[1:] == [f"{FOLDER}06500v.jpg", f"{FOLDER}06501v.jpg"]
    library.asked.clear()
    assert_whole(get(tmp_path, limit=2), 2)
    assert library.asked == []
    assert_whole(get(tmp_path, limit=4), 4)
    assert pictures(library) == ["06502v.jpg", "06503v.jpg"]
    assert_whole(get(tmp_path))
    assert pictures(library)[2:] == ["06504v.jpg"]


def test_what_is_there_is_not_fetched_again(library, tmp_path):
    library.faults[f"{FOLDER}06503v.jpg"] = [(500, {}, b"")] * 3
    with pytest.raises(DataError, match=r"06503v.jpg: HTTP 500 .*Error$"):
        get(tmp_path, retries=2)
    folder = tmp_path / "photochrom"
    assert_whole(folder, 3)
    table = (folder / "manifest.csv").read_bytes()
    library.asked.clear()
    assert_whole(get(tmp_path))
    assert pictures(library) == ["06503v.jpg", "06504v.jpg"]
    assert (folder / "manifest.csv").read_bytes().startswith(table)


@pytest.mark.parametrize("harm", ["half a line", "no file", "no line"])
def test_what_a_killed_process_left_is_mended(library, tmp_path, harm):
    folder = get(tmp_path, limit=3)
    table = folder / "manifest.csv"
    if harm == "half a line":
        table.write_bytes(table.read_bytes()[:-30])
    elif harm == "no file":
        (folder / "2001697402.jpg").unlink()
    else:
        table.write_bytes(b"".join(table.read_bytes().rsplit(b"2001697402.jpg", 1)[:1]))
        (folder / f".pix2pix-{_HOST}-00ff.tmp").write_bytes(b"half")
    library.asked.clear()
    assert_whole(get(tmp_path))
    assert not list(folder.glob(".*.tmp"))
    assert pictures(library) == ["06502v.jpg", "06503v.jpg", "06504v.jpg"]


BUSY = [
    ({"Retry-After": "7"}, 7),
    ({"Retry-After": "900"}, 900),
    ({"Retry-After": "9999999"}, 3600),
    ({"Retry-After": formatdate(1000 + 90, usegmt=True)}, 90),
    ({"Retry-After": "soon"}, loc.REFUSAL),
    ({}, loc.REFUSAL),  # as long as the Library blocks those who ask too often
]


@pytest.mark.parametrize(("headers", "wait"), BUSY)
@pytest.mark.parametrize("path", [LISTING, f"{FOLDER}06500v.jpg"])
def test_too_many_requests_are_waited_out(library, tmp_path, clock, headers, wait, path):
    library.faults[path] = [(429, headers, b"")]
    assert_whole(get(tmp_path, retries=1))
    assert wait - 2 <= max(clock.slept) <= wait  # up to 2 s have passed since the date was made


@pytest.mark.parametrize("path", [LISTING, f"{FOLDER}06501v.jpg"])
def test_waits_double_while_errors_last(library, tmp_path, clock, monkeypatch, path):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    library.faults[path] = [(503, {}, b"")] * 4
    assert_whole(get(tmp_path, retries=4, backoff=3))
    assert [s for s in clock.slept if s >= 3] == [3, 6, 12, 24]
    library.faults[path] = [(503, {}, b"")] * 9
    with pytest.raises(DataError, match="HTTP 503"):
        get(tmp_path / "b", retries=3)


BROKEN = {
    "cut": (200, {}, 400),
    "cut, without a length": (200, {"Content-Length": "400"}, 400),
    "a page of HTML": (200, {"Content-Type": "text/html"}, b"<html>Just a moment...</html>"),
    "nothing": (200, {}, b""),
    "JSON of something else": (200, {}, b'{"status": 500}'),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("path", [LISTING, f"{FOLDER}06501v.jpg"])
def test_broken_answers_are_asked_for_again(library, tmp_path, capsys, fault, path):
    library.faults[path] = [fault] * 2
    assert_whole(get(tmp_path, retries=2))
    assert capsys.readouterr().err.count("again in") == 2


def test_a_listing_that_stays_broken_is_one_line(library, tmp_path):
    library.faults[LISTING] = [BROKEN["a page of HTML"]] * 3
    with pytest.raises(DataError, match="photochrom-prints/.*: broken: "):
        get(tmp_path, retries=2)


@pytest.mark.parametrize("gone", [(404, {}, b""), (410, {}, b""), (200, {}, b"no picture")])
def test_a_picture_that_is_gone_is_passed_over(library, tmp_path, capsys, gone):
    library.faults[f"{FOLDER}06501v.jpg"] = [gone] * 2
    folder = get(tmp_path, retries=1)
    assert len(list_photos(folder)) == len(read_manifest(folder)) == 4
    assert "06501v.jpg: " in capsys.readouterr().err
    library.asked.clear()
    library.faults.clear()
    get(tmp_path)  # not taken for whole: tried again
    assert pictures(library) == ["06501v.jpg"]
    assert len(read_manifest(folder)) == 5


def test_a_picture_that_is_cut_each_time_is_not_passed_over(library, tmp_path):
    """It is there: the connection is what is bad, and the next call goes on."""
    library.faults[f"{FOLDER}06501v.jpg"] = [BROKEN["cut"]] * 3
    with pytest.raises(DataError, match="06501v.jpg: (the server closed|IncompleteRead)"):
        get(tmp_path, retries=2)
    assert_whole(get(tmp_path))


def test_a_refusal_ends_the_download(library, tmp_path):
    """403: more requests would make it worse."""
    library.faults[f"{FOLDER}06501v.jpg"] = [(403, {}, b"")]
    with pytest.raises(DataError, match="06501v.jpg: HTTP 403"):
        get(tmp_path)
    assert pictures(library) == ["06500v.jpg", "06501v.jpg"]


def test_redirects_are_followed(library, tmp_path):
    library.faults[f"{FOLDER}06502v.jpg"] = [(302, {"Location": f"{FOLDER}06506v.jpg"}, b"")]
    folder = get(tmp_path)
    data = (folder / "2001697402.jpg").read_bytes()
    assert data == crop(SCANS["06506v.jpg"])


def test_requests_keep_the_pace(library, tmp_path, clock):
    get(tmp_path)
    asked = list(zip(library.asked, library.times, strict=True))
    pages = [time for path, time in asked if path.startswith(LISTING)]
    scans = [time for path, time in asked if path.startswith(FOLDER)]
    assert all(b - a >= loc.PAGE_INTERVAL - 1e-9 for a, b in zip(pages, pages[1:], strict=False))
    assert all(b - a >= loc.PICTURE_INTERVAL - 1e-9 for a, b in zip(scans, scans[1:], strict=False))
    assert 60 / loc.PAGE_INTERVAL < 80 and 10 / loc.PAGE_INTERVAL < 20  # https://www.loc.gov/apis/
    assert loc.REFUSAL >= 5 * 60
    assert 60 / loc.PICTURE_INTERVAL < 200 and 10 / loc.PICTURE_INTERVAL < 40
    assert clock.now - 1000 < 1 + 5 * 0.4  # and no slower


def test_a_listing_that_goes_in_circles_ends(library, tmp_path):
    page = {"results": library.results[:5], "pagination": {"next": library.url}}
    library.faults[LISTING] = [(200, {}, json.dumps(page).encode())]
    assert_whole(get(tmp_path))
    assert sum(LISTING in path for path in library.asked) == 1


def parse(*results, paging=None):
    content = {"results": list(results), "pagination": paging}
    return loc.parse(json.dumps(content).encode(), "https://www.loc.gov/collections/x/?sp=1")


SITE = "https://tile.loc.gov"


@pytest.mark.parametrize(
    ("urls", "chosen"),
    [
        (["a_150px.jpg#h=147&w=150", "ar.jpg#h=480&w=640", "av.jpg#h=768&w=1024"], "av.jpg"),
        (["av.jpg#h=1024&w=700", "ar.jpg#h=640&w=430", "a_150px.jpg#h=150&w=99"], "av.jpg"),
        (["a_150px.jpg", "at.gif", "ar.jpg", "av.jpg"], "av.jpg"),
        (["av.tif#h=7000&w=5000", "ar.jpg#h=640&w=430"], "ar.jpg"),
        (["a_150px.jpg#h=147&w=150"], None),  # restricted: nothing but the thumbnail
        (["a.jpg#h=300&w=450"], "a.jpg"),  # the long side counts
        (["a.jpg#h=450&w=300"], "a.jpg"),
        (["AV.JPG"], "AV.JPG"),
        (["at.gif#h=800&w=900"], None),
        ([], None),
    ],
)
def test_the_largest_jpeg_is_taken(urls, chosen):
    result = make_result(SITE, 1, image_url=[f"{SITE}/{url}" for url in urls])
    found = [item.url for item in parse(result).items]
    assert found == ([f"{SITE}/{chosen}"] if chosen else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"access_restricted": True},
        {"original_format": ["Web Page"]},
        {"original_format": ["photo, print, drawing", "collection"]},
        {"id": "http://www.loc.gov/collections/photochrom-prints/"},
        {"id": "http://www.loc.gov/item/../../x/"},
        {"id": None},
        {"image_url": None},
        {"image_url": [None, 3]},
    ],
)
def test_what_is_no_picture_is_left_out(changes):
    assert parse(make_result(SITE, 1, **changes), "text", None).items == []


def test_what_is_missing_is_empty():
    bare = {"id": "http://www.loc.gov/item/2/", "image_url": "//tile.loc.gov/av.jpg"}
    (item,) = parse(bare).items
    assert (item.name, item.title, item.place, item.date, item.rights) == ("2", "", "", "", "")
    assert item.url == "https://tile.loc.gov/av.jpg"
    (item,) = parse({**bare, "item": {"title": ["A"], "date": "1899", "rights": ["B", "C"]}}).items
    assert (item.title, item.date, item.rights) == ("A", "1899", "B C")
    (item,) = parse({**bare, "title": "A", "location": [" b ", " "], "item": ["no table"]}).items
    assert (item.title, item.place, item.date) == ("A", "b", "")
    assert parse({**bare, "title": "A", "item": {"title": "B"}}).items[0].title == "A"


def test_the_rights_are_those_said_most_plainly():
    said = {"rights_information": "A", "rights_advisory": "B", "rights": "C"}
    for name in [*said]:
        (item,) = parse(make_result(SITE, 1, item=said, rights="D")).items
        assert item.rights == said.pop(name)
    assert parse(make_result(SITE, 1, item={}, rights="D")).items[0].rights == "D"


def test_the_next_page_is_found_from_this_one():
    bare = {"id": "http://www.loc.gov/item/2/", "image_url": "//tile.loc.gov/av.jpg"}
    assert parse(bare, paging={"of": "5", "next": "?sp=2"}).total is None
    assert parse(bare, paging={"next": "?sp=2"}).following.endswith("/collections/x/?sp=2")


def test_rights_are_those_of_the_collection_where_none_are_given(library, tmp_path):
    del library.results[0]["item"]
    rows = read_manifest(get(tmp_path, limit=1))
    assert rows[0]["rights"] == SOURCES["photochrom"].terms


def test_only_the_web_is_read(library, tmp_path, capsys):
    library.results[1]["image_url"] = ["file:///etc/av.jpg#h=900&w=900"]
    folder = get(tmp_path)
    assert len(list_photos(folder)) == 4
    assert "file:///etc/av.jpg: not an address of the web" in capsys.readouterr().err


def test_places_that_are_taken(library, tmp_path):
    (tmp_path / "photochrom").mkdir()
    (tmp_path / "photochrom/manifest.csv").write_text("name,color\n")
    with pytest.raises(DataError, match="in the way"):
        get(tmp_path)
    assert library.asked == []
    assert (tmp_path / "photochrom/manifest.csv").read_text() == "name,color\n"
    (tmp_path / "photochrom/manifest.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="in the way"):
        get(tmp_path)
    (tmp_path / "photochrom/manifest.csv").rename(tmp_path / "photochrom/other.csv")
    with pytest.raises(DataError, match="in the way"):
        get(tmp_path)
    (tmp_path / "b/photochrom").mkdir(parents=True)
    assert_whole(get(tmp_path / "b"))


def test_a_listing_without_pictures(library, tmp_path):
    library.results = []
    with pytest.raises(DataError, match="no pictures in it"):
        get(tmp_path)
    library.results = [make_result(library.url.split("/coll")[0], 0)]
    assert_whole(get(tmp_path), 1)


def test_space_is_checked_for_what_is_missing(library, tmp_path, monkeypatch):
    source = replace(SOURCES["photochrom"], size=2_000_000_000, count=1000)
    monkeypatch.setitem(SOURCES, "photochrom", source)
    usage = type("usage", (), {"free": 10_000_000})
    monkeypatch.setattr(package.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match="0.01 GB are free and 2.00 GB are needed"):
        get(tmp_path)
    assert library.asked == []
    assert_whole(get(tmp_path, limit=5))


def test_the_command_takes_a_limit(library, tmp_path, capsys):
    arguments = ["download", "photochrom", str(tmp_path), "--limit", "2"]
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/photochrom\n"
    assert err.startswith(f"photochrom: {SOURCES['photochrom'].terms}\n")
    assert_whole(tmp_path / "photochrom", 2)
    assert cli.main(["download", "coco", str(tmp_path), "--limit", "2"]) == 1
    assert "only to photochrom" in " ".join(capsys.readouterr().err.split())


def test_bars_count_pictures(library, tmp_path, capsys):
    get(tmp_path, limit=2, progress=True)
    assert "2/2" in capsys.readouterr().err
    get(tmp_path, progress=True)
    err = capsys.readouterr().err
    assert "5/5" in err and "img" in err


@pytest.mark.parametrize("tone", [8, 120, 235])
@pytest.mark.parametrize("mount", [5, 30, 60])
def test_the_mount_is_found(tone, mount):
    gray = scan(600, 800, mount, tone)
    assert find_print(gray) == (mount + 8, mount + 6, 800 - mount - 8, 600 - mount - 6)


def test_a_mount_may_be_stained_and_its_print_pale():
    gray = scan(600, 800, 30, 120).astype(int)
    inside = (slice(30, -30), slice(30, -30))
    gray[inside] = 120 + NOISE.integers(-25, 26, (540, 740))  # of the mount's own tone
    expected = (30 + 8, 30 + 6, 800 - 30 - 8, 600 - 30 - 6)
    assert find_print(gray.astype(np.uint8)) == expected
    mount = np.ones(gray.shape, bool)
    mount[inside] = False
    gray[mount] += NOISE.integers(-7, 8, mount.sum())  # coarser paper, which darkens inwards
    gray -= np.minimum(np.arange(800), 30) // 3
    gray[mount & (NOISE.random(gray.shape) < 0.05)] = 0  # dust
    assert find_print(gray.astype(np.uint8)) == expected


def test_each_side_has_its_own_mount():
    gray = scan(600, 800, 10)
    gray[:, -50:] = 200  # another tone than the rest
    gray[:25] = 20
    assert find_print(gray) == (10 + 8, 25 + 6, 800 - 50 - 8, 600 - 10 - 6)


def test_without_a_mount_a_little_is_cut():
    gray = scan(600, 800, 0)
    assert find_print(gray) == (24, 18, 800 - 24, 600 - 18)


def test_sky_is_not_taken_for_a_mount():
    gray = scan(600, 800, 0)
    gray[:200] = 220  # more than 12 % are even
    assert find_print(gray)[1] == 18
    gray[:20] = 240  # and a mount above it, of another tone
    assert find_print(gray)[1] == 20 + 6


def test_never_more_than_an_eighth_is_cut():
    gray = scan(600, 800, 71)
    assert find_print(scan(600, 800, 72))[1::2] == (72, 600 - 72)  # just within
    left, top, right, bottom = find_print(gray)
    assert (top, 600 - bottom) == (72, 72)
    assert left == 71 + 8 and 800 - right == 71 + 8
    for _ in range(20):
        height, width = NOISE.integers(100, 300, 2)
        left, top, right, bottom = find_print(scan(height, width, int(NOISE.integers(0, 40))))
        assert max(left, width - right) <= 0.12 * width
        assert max(top, height - bottom) <= 0.12 * height


def test_a_print_that_lies_askew_keeps_no_mount():
    gray = Image.fromarray(scan(600, 800, 30, 235))
    turned = np.asarray(gray.rotate(0.4, Image.Resampling.BILINEAR, fillcolor=235))
    left, top, right, bottom = find_print(turned)
    assert (turned[top:bottom, left:right] > 225).mean() < 0.13  # of noise it is 0.12
    assert 35 < left < 48 and 33 < top < 45


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_crop_is_compressed_as_its_scan_was(mode):
    file = io.BytesIO()
    image = Image.fromarray(scan()).convert(mode)
    image.save(file, "JPEG", quality=61, icc_profile=b"profile")
    with Image.open(io.BytesIO(crop(file.getvalue()))) as cut, Image.open(file) as whole:
        assert (cut.mode, cut.quantization) == (mode, whole.quantization)
        assert cut.info["icc_profile"] == b"profile"
        box = find_print(np.asarray(whole.convert("L")))
        inside = np.asarray(whole.crop(box), float)
        assert np.abs(np.asarray(cut, float) - inside).mean() < 12  # noise, compressed twice


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_crop_has_as_many_colors_as_its_scan(subsampling):
    with Image.open(io.BytesIO(crop(jpeg(scan(), subsampling=subsampling)))) as cut:
        assert JpegImagePlugin.get_sampling(cut) == subsampling


def png(gray):
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("data", [b"", b"GIF89a", png(scan()), SCANS["06500v.jpg"][:500]])
def test_a_crop_of_something_else(data):
    with pytest.raises(ValueError):
        crop(data)
