"""Downloads from a server on this machine that behaves badly in every way asked of it."""

import contextlib
import gzip
import hashlib
import importlib.util
import io
import json
import re
import shutil
import socket
import struct
import tarfile
import threading
import time
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pix2pix.download as package
from pix2pix.data.cache import list_photos
from pix2pix.download import SOURCES, Source, download, find_kaggle_input
from pix2pix.errors import DataError

NOISE = np.random.default_rng(0)


def picture(side=24):
    file = io.BytesIO()
    Image.fromarray(NOISE.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


PICTURES = {f"set/train/c{i % 3}/{i}.JPEG": picture() for i in range(12)}
OTHERS = {"set/readme.csv": b"a,b", "other/a.jpg": picture()}
OTHERS |= {"set/train/.hidden.jpg": b"x", "set/.cache/b.jpg": b"x", "set/__MACOSX/c.jpg": b"x"}


def tar(members, *, links=()):
    """A tar.gz of {name: bytes}, with `links` (name, target, type)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o6777
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def pack(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


DATA = tar({**PICTURES, **OTHERS})


@dataclass
class Server:
    """What is served, what goes wrong, and what was asked for."""

    data: bytes = DATA
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes of a body, answer by answer; -1 for all
    statuses: list[int] = field(default_factory=list)  # errors to send first
    headers: dict[str, str] = field(default_factory=dict)
    silent: float = 0  # [s] before an answer
    reset: bool = False  # cut by a reset instead of a clean end
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    pause: threading.Event | None = None  # before the end of each body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        state: Server = self.server.state
        state.asked.append(dict(self.headers))
        time.sleep(state.silent)
        if state.statuses:
            self.send_response(state.statuses.pop(0))
            self.send_header("Content-Length", "0")
            for header in state.headers.items():
                self.send_header(*header)
            self.end_headers()
            return
        self.answer(state)
        self.close_connection = True

    do_HEAD = do_GET

    def answer(self, state):
        start, status = 0, 200
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if match and state.ranges and condition in (None, state.etag, state.modified):
            start, status = int(match[1]), 206
            if start >= len(state.data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        body = state.data[start:]
        headers = {"Content-Length": str(len(body)), "ETag": state.etag}
        headers["Last-Modified"] = state.modified
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{len(state.data) - 1}/{len(state.data)}"
        self.send_response(status)
        for name, value in {**headers, **state.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = state.cuts.pop(0) if state.cuts else -1
        with contextlib.suppress(OSError):
            if state.pause:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                state.pause.wait(20)
                body = body[len(body) // 2 :]
            self.wfile.write(body if cut < 0 else body[:cut])
            self.wfile.flush()
        if cut >= 0 and state.reset:
            time.sleep(0.1)  # for what was sent to arrive: a reset throws away the rest
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()


@contextlib.contextmanager
def serve():
    """A server in a thread, to be told what to do through what this gives."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.handle_error = lambda *_: None
    http.state = Server(url=f"http://127.0.0.1:{http.server_port}/set.tgz")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield http.state
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def server():
    with serve() as state:
        yield state


@pytest.fixture
def register(monkeypatch, server):
    """Make a source "set" of what is served, with changes; its entry is all that it takes."""

    def add(**changes):
        source = Source(
            url=server.url,
            size=len(server.data),
            md5=hashlib.md5(server.data).hexdigest(),
            md5_bytes=None,
            unpacked=100_000,
            pictures="12 photos",
            folder="set",
            terms="none",
        )
        monkeypatch.setitem(SOURCES, "set", replace(source, **changes))
        return SOURCES["set"]

    monkeypatch.setattr(package, "MARGIN", 0)
    return add


def get(dest, **options):
    return download("set", dest, **{"backoff": 0.001, "timeout": 5, **options})


def assert_whole(folder, expected=PICTURES, inside="set/"):
    names = list_photos(folder)
    assert {inside + name: (folder / name).read_bytes() for name in names} == expected


def left(dest):
    """What lies beside the folder of images."""
    return sorted(p.name for p in dest.iterdir() if p.name not in ("set", ".set.lock"))


def test_the_pictures_of_the_folder_and_nothing_else(server, register, tmp_path):
    register()
    folder = get(tmp_path / "a/b")
    assert folder == tmp_path / "a/b/set"
    assert_whole(folder)
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {name[4:] for name in PICTURES} | {".pix2pix.json", "manifest.csv"}
    assert left(tmp_path / "a/b") == []
    assert {p.stat().st_mode & 0o7022 for p in folder.rglob("*.JPEG")} == {0}
    (asked,) = server.asked
    assert asked["User-Agent"].startswith("pix2pix/") and "Range" not in asked


def test_a_second_call_asks_for_nothing(server, register, tmp_path):
    register()
    stamp = get(tmp_path).stat().st_mtime_ns
    server.asked.clear()
    assert get(tmp_path, keep=True) == tmp_path / "set"
    assert (server.asked, (tmp_path / "set").stat().st_mtime_ns) == ([], stamp)


def test_a_zip_and_a_source_without_a_folder(server, register, tmp_path):
    server.data = pack({**PICTURES, **OTHERS})
    register()
    assert_whole(get(tmp_path / "a"))
    register(folder="")
    everything = {**PICTURES, "other/a.jpg": OTHERS["other/a.jpg"]}
    assert_whole(get(tmp_path / "b"), everything, inside="")


def test_keep_keeps_the_archive_and_it_is_used_again(server, register, tmp_path):
    register()
    folder = get(tmp_path, keep=True)
    assert left(tmp_path) == ["set.tgz"]
    assert (tmp_path / "set.tgz").read_bytes() == server.data
    folder.rename(tmp_path / "elsewhere")
    server.asked.clear()
    assert_whole(get(tmp_path))
    assert server.asked == []
    assert left(tmp_path) == ["elsewhere", "set.tgz"]  # not fetched by this call, so not deleted


def test_an_archive_put_there_by_hand_is_checked_and_not_deleted(server, register, tmp_path):
    register()
    (tmp_path / "set.tgz").write_bytes(b"something else")
    with pytest.raises(DataError, match="wrong checksum"):
        get(tmp_path)
    assert left(tmp_path) == ["set.tgz"]
    assert server.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("validator", ["etag", "modified", "none"])
def test_a_cut_download_goes_on_where_it_stopped(server, register, tmp_path, reset, validator):
    register()
    server.reset = reset
    server.cuts = [1000, 700, 50]
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    server.etag = '"one"' if validator == "etag" else 'W/"weak"'
    server.modified = None if validator == "none" else date
    assert_whole(get(tmp_path, retries=0))  # each attempt brings something
    assert [a.get("Range") for a in server.asked] == [
        None,
        "bytes=1000-",
        "bytes=1700-",
        "bytes=1750-",
    ]
    condition = {"etag": '"one"', "modified": date, "none": None}[validator]
    assert {a.get("If-Range") for a in server.asked[1:]} == {condition}


def test_the_next_call_goes_on_where_the_last_gave_up(server, register, tmp_path):
    register()
    server.cuts = [1500, 0, 0]
    with pytest.raises(DataError, match=rf"closed.*1,500 of {len(DATA):,} bytes.*goes on"):
        get(tmp_path, retries=1)
    assert len(server.asked) == 3
    assert left(tmp_path) == [".set.tgz.part", ".set.tgz.part.json"]
    assert (tmp_path / ".set.tgz.part").read_bytes() == DATA[:1500]
    assert_whole(get(tmp_path))
    assert server.asked[-1]["Range"] == "bytes=1500-"


def test_a_server_without_ranges_sends_all_again(server, register, tmp_path):
    register()
    server.ranges = False
    server.cuts = [1000, 1200]
    assert_whole(get(tmp_path))
    assert len(server.asked) == 3
    server.cuts = [1000] * 9
    with pytest.raises(DataError, match="closed"):
        get(tmp_path / "b", retries=2)  # the same bytes again are no progress
    assert len(server.asked) == 3 + 4


def test_a_file_that_changed_is_started_anew(server, register, tmp_path):
    register()
    server.data = bytes(len(DATA))
    server.cuts = [1000, 0]
    with pytest.raises(DataError):
        get(tmp_path, retries=0)
    server.data, server.etag = DATA, '"two"'
    assert_whole(get(tmp_path))
    assert (server.asked[-1]["If-Range"], len(server.asked)) == ('"one"', 3)


def test_a_note_is_of_the_bytes_beside_it(server, register, tmp_path):
    """A part without its note, or of another address, is no start."""
    register()
    (tmp_path / ".set.tgz.part").write_bytes(b"x" * 1000)
    assert_whole(get(tmp_path))
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.set.tgz.part").write_bytes(b"x" * 1000)
    note = {"url": "http://elsewhere", "validator": '"one"'}
    (tmp_path / "b/.set.tgz.part.json").write_text(json.dumps(note))
    assert_whole(get(tmp_path / "b"))
    assert all("Range" not in a for a in server.asked)


def test_416_starts_anew(server, register, tmp_path):
    source = register()
    part = tmp_path / ".set.tgz.part"
    part.write_bytes(DATA[:-1])
    note = {"url": source.url, "validator": None}
    (tmp_path / ".set.tgz.part.json").write_text(json.dumps(note))
    server.statuses = [416]
    assert_whole(get(tmp_path))
    assert [a.get("Range") for a in server.asked] == [f"bytes={len(DATA) - 1}-", None]


def test_the_wrong_part_is_not_appended(server, register, tmp_path):
    register()
    server.cuts = [1000]
    server.headers = {"Content-Range": f"bytes 7-{len(DATA) - 1}/{len(DATA)}"}
    assert_whole(get(tmp_path))
    assert [a.get("Range") for a in server.asked] == [None, "bytes=1000-", None]


def test_a_part_that_is_too_long_is_thrown_away_and_a_whole_one_used(server, register, tmp_path):
    register()
    (tmp_path / ".set.tgz.part").write_bytes(DATA)
    assert_whole(get(tmp_path))
    assert server.asked == []
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.set.tgz.part").write_bytes(DATA + b"x")
    assert_whole(get(tmp_path / "b"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [503, 500, 429, 408])
def test_errors_that_pass_are_waited_out(server, register, tmp_path, capsys, status):
    register()
    server.statuses = [status] * 3
    assert_whole(get(tmp_path, retries=3))
    assert capsys.readouterr().err.count(f"HTTP {status}") == 3
    server.statuses = [status] * 9
    with pytest.raises(DataError, match=f"HTTP {status}.*0 of "):
        get(tmp_path / "b", retries=2)
    assert len(server.asked) == 4 + 3


def test_waits_double_and_obey_retry_after(server, register, tmp_path, monkeypatch):
    register()
    waits = []
    monkeypatch.setattr(time, "sleep", lambda s: waits.append(s) if s else None)
    server.statuses = [500] * 8
    with pytest.raises(DataError):
        get(tmp_path, backoff=2, retries=7)
    expected = [2, 4, 8, 16, 32, 60, 60]
    assert all(0.8 * e <= w <= e for w, e in zip(waits, expected, strict=True))
    assert len(set(waits)) == len({w / e for w, e in zip(waits, expected, strict=True)}) == 7
    waits.clear()
    server.statuses, server.headers = [503, 503], {"Retry-After": "7"}
    with pytest.raises(DataError):
        get(tmp_path, retries=1)
    assert 5.6 <= waits[0] <= 7


@pytest.mark.parametrize("status", [403, 404])
def test_errors_that_stay_are_told_at_once(server, register, tmp_path, status):
    register()
    server.statuses = [status]
    with pytest.raises(DataError, match=rf"^{server.url}: HTTP {status} \w+"):
        get(tmp_path)
    assert len(server.asked) == 1


def test_nobody_there_is_tried_again_and_told(register, tmp_path, capsys):
    register()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.tgz"
        with pytest.raises(DataError, match=f"^{url}: .*refused"):
            get(tmp_path, source_url=url, retries=2)
    assert capsys.readouterr().err.count("again in") == 2


def test_silence_ends(server, register, tmp_path):
    register()
    server.silent = 1
    begin = time.monotonic()
    with pytest.raises(DataError, match="timed out"):
        get(tmp_path, timeout=0.1, retries=1)
    assert time.monotonic() - begin < 0.9


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "http://", "set.tgz", "http://a b/"]
)
def test_only_the_web(register, tmp_path, url):
    register()
    with pytest.raises(DataError, match=f"^{url}: (?!.*goes on)"):
        get(tmp_path, source_url=url, retries=0)


def test_source_url_is_a_mirror(server, register, tmp_path):
    register(url="http://127.0.0.1:9/files/set.tgz?x=1")
    assert_whole(get(tmp_path, source_url=server.url, keep=True))
    assert left(tmp_path) == ["set.tgz"]


def test_another_size_is_told_before_the_download(server, register, tmp_path):
    register(size=len(DATA) + 5)
    with pytest.raises(DataError, match=f"{len(DATA):,} bytes, not the {len(DATA) + 5:,} expected"):
        get(tmp_path)
    assert left(tmp_path) == []


def test_a_server_that_promises_more_than_it_sends(server, register, tmp_path):
    register()
    server.data = DATA[:-100]
    server.headers = {"Content-Length": str(len(DATA))}
    with pytest.raises(DataError, match="not the|closed|416|changed"):
        get(tmp_path, retries=2)
    assert not (tmp_path / "set").exists()


def test_without_a_length_the_checksum_decides(server, register, tmp_path):
    register()
    server.headers = {"Content-Length": None}
    server.data = DATA + b"more"
    assert_whole(get(tmp_path))  # exactly as many bytes as the source has are read
    server.data = DATA[:-1] + b"x"
    with pytest.raises(DataError, match="wrong checksum"):
        get(tmp_path / "b")


def test_a_wrong_checksum_names_both_and_removes_the_file(server, register, tmp_path):
    source = register()
    server.data = bytes(len(DATA))
    found = hashlib.md5(server.data).hexdigest()
    with pytest.raises(DataError, match=f"expected md5 {source.md5} .*found {found}.*removed"):
        get(tmp_path)
    assert left(tmp_path) == []
    assert not (tmp_path / "set").exists()


def test_a_checksum_of_the_first_bytes_and_gzips_own_of_the_rest(server, register, tmp_path):
    register(md5=hashlib.md5(DATA[:1000]).hexdigest(), md5_bytes=1000)
    assert_whole(get(tmp_path))
    for place in (500, len(DATA) - 6, len(DATA) // 2):  # checked, the CRC, the deflated bytes
        bad = bytearray(DATA)
        bad[place] ^= 1
        server.data = bytes(bad)
        with pytest.raises(DataError, match="wrong checksum" if place < 1000 else "broken"):
            get(tmp_path / "b")
        assert left(tmp_path / "b") == []
        assert not (tmp_path / "b/set").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"no archive at all",
        gzip.compress(b"no tar" * 200),
        tar({}),
        tar(OTHERS),
        pack({"set/a.txt": b"x"}),
        pack(PICTURES)[:-30] + bytes(30),
    ],
    ids=["rubbish", "gz of rubbish", "empty", "no pictures", "zip of texts", "broken zip"],
)
def test_archives_without_pictures(server, register, tmp_path, data):
    server.data = data
    register()
    with pytest.raises(DataError, match="no pictures|broken, and removed"):
        get(tmp_path)
    assert not (tmp_path / "set").exists()
    assert not (tmp_path / ".set.unpacking").exists()


@pytest.mark.parametrize("make", [tar, pack])
@pytest.mark.parametrize("name", ["../evil.jpg", "set/../../evil.jpg", "/tmp/evil-pix2pix.jpg"])
def test_no_path_leads_out_of_the_folder(server, register, tmp_path, make, name):
    server.data = make({**PICTURES, name: picture()})
    register(folder="")
    with pytest.raises(DataError, match="points out of the archive"):
        get(tmp_path / "a")
    assert not list(tmp_path.rglob("evil*"))
    assert not (tmp_path / "a/set").exists()


def test_links_are_not_taken(server, register, tmp_path):
    (tmp_path / "out").mkdir()
    server.data = tar(
        {**PICTURES, "set/train/to/planted.jpg": picture()},
        links=[
            ("set/train/to", str(tmp_path / "out"), tarfile.SYMTYPE),
            ("set/train/soft.jpg", "/etc/passwd", tarfile.SYMTYPE),
            ("set/train/hard.jpg", "set/train/c0/0.JPEG", tarfile.LNKTYPE),
            ("set/train/pipe.jpg", "", tarfile.FIFOTYPE),
        ],
    )
    register()
    folder = get(tmp_path / "a")
    assert len(list_photos(folder)) == len(PICTURES) + 1
    assert not any(p.is_symlink() for p in folder.rglob("*"))
    assert not list((tmp_path / "out").iterdir())


def test_space_is_checked_before_the_download(server, register, tmp_path, monkeypatch):
    source = register(unpacked=3_500_000_000)
    monkeypatch.setattr(package, "MARGIN", 200_000_000)
    need = source.size + source.unpacked + 200_000_000
    free = need - 1
    usage = type("usage", (), {"free": property(lambda _: free)})()
    monkeypatch.setattr(package.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"3.70 GB are free.*3.70 GB .*3.50 unpacked, 0.20 to"):
        get(tmp_path)
    assert server.asked == []
    (tmp_path / ".set.tgz.part").write_bytes(DATA[:1])  # a byte less to download
    assert_whole(get(tmp_path))


def test_a_full_disk_is_one_line_and_leaves_the_archive(server, register, tmp_path, monkeypatch):
    register()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(DataError, match="No space left on device$"):
            get(tmp_path)
    assert not (tmp_path / "set").exists()
    assert left(tmp_path) == [".set.tgz.part", ".set.tgz.part.json"]
    server.asked.clear()
    assert_whole(get(tmp_path))
    assert server.asked == []


def test_places_that_are_taken_or_cannot_be_written(server, register, tmp_path):
    register()
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine.jpg").write_bytes(b"mine")
    with pytest.raises(DataError, match="in the way"):
        get(tmp_path)
    assert (tmp_path / "set/mine.jpg").read_bytes() == b"mine"
    with pytest.raises(DataError, match="mine.jpg: "):
        get(tmp_path / "set/mine.jpg")
    assert server.asked == []
    (tmp_path / "b/set").mkdir(parents=True)  # an empty folder is not in the way
    assert_whole(get(tmp_path / "b"))


def test_a_folder_of_an_older_archive_is_not_taken_for_this_one(server, register, tmp_path):
    register()
    get(tmp_path)
    register(md5="0" * 32)
    with pytest.raises(DataError, match="in the way"):
        get(tmp_path)


def test_what_a_killed_process_left_is_swept(server, register, tmp_path):
    register()
    (tmp_path / ".set.unpacking").mkdir()
    (tmp_path / ".set.unpacking/half.jpg").write_bytes(b"")
    assert_whole(get(tmp_path))
    assert left(tmp_path) == []


@pytest.mark.slow
def test_two_at_once_download_once(server, register, tmp_path, capsys):
    register()
    server.pause = threading.Event()
    done = []
    threads = [threading.Thread(target=lambda: done.append(get(tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert done == []
    server.pause.set()
    for thread in threads:
        thread.join(10)
    assert done == [tmp_path / "set"] * 3
    assert len(server.asked) == 1
    assert capsys.readouterr().err.count("waiting for another process") == 2
    assert_whole(tmp_path / "set")


def test_bars_are_shown_when_asked_for(server, register, tmp_path, capsys, monkeypatch):
    register()
    get(tmp_path / "a")
    assert capsys.readouterr().err == ""
    get(tmp_path / "b", progress=True)
    err = capsys.readouterr().err
    assert all(f"{what}: " in err for what in ("download", "verify", "unpack"))
    assert "100%" in err and "12img" in err
    monkeypatch.setattr(package, "is_live", lambda: True)
    get(tmp_path / "c")
    assert "download: " in capsys.readouterr().err


def test_unknown_sources_are_named(tmp_path):
    with pytest.raises(DataError, match="imagenet: no such source; there are imagenette, coco, "):
        download("imagenet", tmp_path)
    assert not any(tmp_path.iterdir())


ARCHIVES = [name for name, source in SOURCES.items() if isinstance(source, Source)]


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_complete(name):
    source = SOURCES[name]
    assert re.fullmatch(r"https?://[a-z0-9.-]+/\S+", source.url)
    assert source.pictures and re.search(r"https://\S+", source.terms)
    assert not source.terms.endswith(".") and not source.pictures.endswith(".")


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_archive_is_complete(name):
    source = SOURCES[name]
    assert re.fullmatch(r"https?://\S+\.(tgz|tar\.gz|zip)", source.url)
    assert re.fullmatch("[0-9a-f]{32}", source.md5)
    assert source.url.startswith("https") or source.md5_bytes is None  # http alone proves nothing
    pictures = max(int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", source.pictures))
    assert max(source.size, 4096 * pictures) < source.unpacked  # a block of the disk each
    assert source.unpacked < 1.1 * source.size + 4096 * pictures
    assert not source.about or source.md5_bytes is None  # then the md5 alone says that it is whole
    if name != "coco2017":  # which is for larger machines
        assert source.size + source.unpacked < 20e9 - package.MARGIN  # a Kaggle notebook's disk


def test_a_size_that_is_about_right(server, register, tmp_path):
    """The server says how many bytes there are; a cut download goes on, the md5 is compared."""
    register(size=len(DATA) * 21 // 20, about=True)
    server.statuses, server.cuts = [503], [len(DATA) // 2]
    folder = get(tmp_path)
    assert sorted(p.name for p in folder.rglob("*.JPEG")) == sorted(Path(n).name for n in PICTURES)
    assert any(f"bytes={len(DATA) // 2}-" == asked.get("Range") for asked in server.asked)


@pytest.mark.parametrize(
    ("changes", "headers", "message"),
    [
        ({"size": len(DATA) * 2}, {}, f"{len(DATA)} bytes, not the about {len(DATA) * 2:,} expect"),
        ({}, {"Content-Length": None}, "no number of bytes, not the about"),
        ({"md5": "0" * 32}, {}, "wrong checksum"),
    ],
)
def test_a_size_that_is_not_even_about_right(server, register, tmp_path, changes, headers, message):
    register(about=True, **changes)
    server.headers = headers
    with pytest.raises(DataError, match=message):
        get(tmp_path)
    assert not (tmp_path / "set").exists()


def test_a_checksum_of_part_of_zips_is_not_enough():
    for name in ARCHIVES:  # a zip has no CRC over all of it, as gzip has
        assert SOURCES[name].md5_bytes is None or not SOURCES[name].url.endswith(".zip")


def test_torchvision_and_the_registry_agree():
    there = Path(importlib.util.find_spec("torchvision").origin).parent  # 5 s to import
    source = SOURCES["imagenette"]
    text = (there / "datasets/imagenette.py").read_text()
    assert f'("{source.url}", "{source.md5}")' in text
    source = SOURCES["flowers"]
    folder, name = source.url.rsplit("/", 1)
    text = (there / "datasets/flowers102.py").read_text()
    assert f'"{folder}/"' in text and f'("{name}", "{source.md5}")' in text


def place(root, **counts):
    for name, count in counts.items():
        folder = root / name.replace("__", "/")
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (folder / f"{i}.jpg").touch()


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({}, None),
        ({"a": 99}, None),
        ({"a": 60, "b__.thumbs": 60}, None),
        ({"a": 100}, "a"),
        ({"a__deep__er": 100}, "a/deep/er"),
        ({"a": 60, "b": 60}, "."),
        ({"a__train": 150, "a__val": 120}, "a"),
        ({"a__set__train": 150, "a__set__val": 120, "b": 20, ".": 3}, "a/set"),
        ({"a__c1": 60, "a__c2": 60, "a__c3": 60}, "a"),
        ({"a__photos": 500, "b__logos": 40}, "a/photos"),
        ({"a": 200, "b": 200}, "."),
        ({"a__photos": 200, "a__.cache": 200, "__MACOSX": 200}, "a/photos"),
        ({"a__Images__color": 120, "a__Images__gray": 120}, "a/Images/color"),  # the same photos
        ({"a__Images__color": 121, "a__Images__gray": 120}, "a/Images"),
        ({"a__color__x": 120, "a__gray__y": 120}, "a"),
    ],
)
def test_kaggle_input(tmp_path, counts, found):
    place(tmp_path, **counts)
    (tmp_path / "table.csv").touch()
    assert find_kaggle_input(tmp_path) == (None if found is None else tmp_path / found)


def test_kaggle_input_without_kaggle_and_with_links(tmp_path):
    assert find_kaggle_input(tmp_path / "missing") is None
    place(tmp_path, real=100)
    (tmp_path / "again").symlink_to(tmp_path / "real", target_is_directory=True)
    assert find_kaggle_input(tmp_path) == tmp_path / "real"
