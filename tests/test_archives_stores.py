"""Stores: what is put stays whole and once, keys are any strings, errors have a code."""

import errno
import os
import pickle
import stat
import threading
import zipfile

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pix2pix.archives import attempts
from pix2pix.archives.store import Entry, status
from pix2pix.archives.stores import open_store, read_address
from pix2pix.archives.urls import UrlStore
from pix2pix.errors import NoSpace, NotPermitted, TooLarge, Unreadable

ODD = [
    "a b.jpg",
    "a#b.jpg",
    "a?b=1&c.jpg",
    "a%20b.jpg",
    "\u5199\u771f.jpg",
    "e\u0301.jpg",
    "a+b.jpg",
]
ODD += [
    "a*[b].jpg",
    "x/ y /z.jpg",
    "c:d.jpg",
    "~.jpg",
    "a::b.jpg",
    "-o.jpg",
    "'\".jpg",
]
ESCAPES = [
    "../a.jpg",
    "x/../../a.jpg",
    "/etc/a.jpg",
    "a//b.jpg",
    "./a.jpg",
    "..",
    "a/..",
    "a\0b.jpg",
]


@pytest.fixture(params=["memory", "folder", "plain"])
def store(request, tmp_path):
    """A store of each kind; `plain` is a file system that puts nothing by itself only if new."""
    if request.param == "folder":
        yield open_store(str(tmp_path / "out"))
        return
    if request.param == "plain":
        fsspec.register_implementation("plain", Plain, clobber=True)
    yield open_store(f"{request.param}://root/out")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


class Plain(MemoryFileSystem):
    """A memory of files that knows no put only if new."""

    protocol = "plain"

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("plain://", "memory://"))

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        assert mode == "overwrite"
        super().pipe_file(path, value)


@pytest.mark.parametrize("key", ODD)
def test_any_name_is_a_key(store, key):
    assert store.put(key, b"1")
    assert store.read(key, max_bytes=9) == b"1"
    assert [entry.key for entry in store.entries()] == [key]


def test_a_new_object_never_replaces_one(store):
    assert store.put("x/a", b"first") and not store.put("x/a", b"second")
    assert store.read("x/a", max_bytes=9) == b"first"
    assert store.put("x/a", b"third", new=False)
    assert store.read("x/a", max_bytes=9) == b"third"
    assert [entry.key for entry in store.entries()] == ["x/a"]  # and nothing beside it


def test_of_many_puts_at_once_one_is_first(tmp_path):
    store = open_store(str(tmp_path))
    wins: list[int] = []

    def put(i: int) -> None:
        if store.put("a", b"%d" % i):
            wins.append(i)

    threads = [threading.Thread(target=put, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read("a", max_bytes=9)] == [b"%d" % i for i in wins]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("key", ESCAPES)
def test_no_key_leads_out_of_a_folder(key, tmp_path):
    store = open_store(str(tmp_path / "out"))
    for call in (lambda: store.put(key, b"1"), lambda: store.read(key, max_bytes=9)):
        with pytest.raises(NotPermitted, match="no folder can hold"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_file_gets_time_and_mode(tmp_path):
    store = open_store(f"file://{tmp_path}")
    source = status(Entry("a", 1, 1_000_000_000.5))
    old = os.umask(0o027)
    try:
        store.put("a", b"1", source=source)
    finally:
        os.umask(old)
    found = os.stat(tmp_path / "a")
    assert found.st_mtime_ns == 1_000_000_000_500_000_000
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert store.entry("a") == Entry("a", 1, 1_000_000_000.5)


def test_missing_and_too_large(store):
    with pytest.raises(Unreadable):
        store.read("a", max_bytes=9)
    assert store.entry("a") is None
    store.put("a", bytes(10))
    with pytest.raises(TooLarge):
        store.read("a", max_bytes=9)
    assert store.read_start("a", 4) == bytes(4)


def test_a_folder_that_is_not_there(tmp_path):
    for address in (str(tmp_path / "no"), "memory://no", f"zip://::{tmp_path}/no.zip"):
        with pytest.raises(Unreadable):
            list(open_store(address).entries())


def test_a_zip_is_read_and_not_written(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("b/c.jpg", b"1")
        file.writestr("d.jpg", b"22")
    store = open_store(f"zip://::{tmp_path}/a.zip")
    assert [(e.key, e.size) for e in store.entries()] == [("d.jpg", 2), ("b/c.jpg", 1)]
    assert store.read("b/c.jpg", max_bytes=9) == b"1"
    assert store.shown("d.jpg") == f"zip://d.jpg::{tmp_path}/a.zip"
    assert read_address(f"zip://b/c.jpg::{tmp_path}/a.zip", max_bytes=9) == b"1"
    with pytest.raises(NotPermitted, match="read only"):
        store.put("e.jpg", b"1")


def test_a_store_pickles_as_its_address(store):
    store.put("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read("a", max_bytes=9) == b"1"


def test_stores_of_one_server_take_turns():
    """paramiko hangs where two threads read from a connection, which fsspec keeps for both."""
    fsspec.register_implementation("plain", Plain, clobber=True)
    one, other = open_store("plain://root/in"), open_store("plain://root/out")
    assert one.fs is other.fs
    with one._turn:
        assert not other._turn.acquire(blocking=False)


def test_a_killed_put_leaves_what_the_next_run_deletes():
    fsspec.register_implementation("plain", Plain, clobber=True)
    store = open_store("plain://root")
    store.fs.pipe_file("/root/.pix2pix-0123456789abcdef.tmp", b"half")
    (entry,) = store.entries()
    store.sweep(entry)
    assert len(list(store.entries())) == 1  # perhaps another run's, which is writing it
    store.sweep(entry._replace(time=entry.time - 4000))
    assert not store.fs.exists("/root/.pix2pix-0123456789abcdef.tmp")


def test_unknown_protocols_and_missing_packages(monkeypatch):
    with pytest.raises(NotPermitted, match="not known"):
        open_store("nonsense://a/b")
    for address, extra in [("gs://a", "gs"), ("abfs://a/b", "azure"), ("sftp://a/b", "sftp")]:
        monkeypatch.setattr("fsspec.core.url_to_fs", _missing)
        with pytest.raises(ModuleNotFoundError, match=rf"pip install 'pix2pix-color\[{extra}\]'"):
            open_store(address)


def _missing(*_, **__):
    raise ImportError("Please install something")


class Answer(Exception):
    """As libraries tell of an HTTP status."""

    def __init__(self, code):
        super().__init__(f"HTTP {code} for https://x/y?sig=s3cr3tt")
        self.status_code = code


BUSY = [Answer(503), Answer(429), Answer(409), TimeoutError(), ConnectionResetError(), EOFError()]
BUSY += [OSError(errno.EBUSY, "Slow Down")]
INVALID = OSError(errno.EIO, "InvalidRequest")  # as s3fs calls whatever it has no other name for
INVALID.__cause__ = Answer(400)
REFUSED = [
    (Answer(403), NotPermitted, False),
    (PermissionError("no"), NotPermitted, False),
    (PermissionError("The provided token has expired."), NotPermitted, True),
    (Answer(404), Unreadable, False),
    (FileNotFoundError("x"), Unreadable, False),
    (ValueError("x"), Unreadable, False),
    (zipfile.BadZipFile("x"), Unreadable, False),
    (INVALID, Unreadable, False),
    (OSError(errno.ENAMETOOLONG, "x"), Unreadable, False),
    (OSError(errno.EIO, "x"), Unreadable, True),
    (MemoryError(), Unreadable, True),
    (RuntimeError("x"), Unreadable, True),
]


@pytest.mark.parametrize("error", BUSY, ids=repr)
def test_a_busy_store_is_asked_again_after_longer_and_longer_waits(error):
    errors, waits = [error] * 3, []

    def call():
        if errors:
            raise errors.pop()
        return "done"

    assert attempts.patient(call, attempts.read_error, sleep=waits.append) == "done"
    assert len(waits) == 3 and all(0 <= wait <= 0.5 * 2**i for i, wait in enumerate(waits))


@pytest.mark.parametrize("error, kind, again", REFUSED, ids=[repr(e) for e, _, _ in REFUSED])
def test_a_refusal_is_not_asked_again(error, kind, again):
    """Not by this run; `again`: by another one, which may have other credentials or machines."""
    calls = []

    def call():
        calls.append(1)
        raise error

    with pytest.raises(kind) as caught:
        attempts.patient(call, attempts.read_error, sleep=lambda _: None)
    assert len(calls) == 1 and caught.value.code == kind.code
    assert caught.value.again is attempts.write_error(error).again is again
    assert "s3cr3tt" not in str(caught.value)


def test_a_store_that_stays_busy_is_given_up():
    waits = []

    def call():
        raise Answer(503)

    with pytest.raises(Unreadable, match="no answer after 5 tries"):
        attempts.patient(call, attempts.read_error, sleep=waits.append)
    assert len(waits) == attempts.TRIES - 1
    assert isinstance(attempts.write_error(OSError(errno.ENOSPC, "full")), NoSpace)
    assert isinstance(attempts.write_error(Answer(507)), NoSpace)
    assert isinstance(attempts.write_error(Answer(403)), NotPermitted)


def test_a_put_whose_answer_was_lost_is_ours(monkeypatch):
    """The store took it, the connection broke, and the second try finds it there."""
    store = open_store("memory://lost")
    assert isinstance(store, UrlStore)
    put, answers = store.fs.pipe_file, [ConnectionResetError()]

    def broken(*given, **options):
        put(*given, **options)
        if answers:
            raise answers.pop()

    monkeypatch.setattr(store.fs, "pipe_file", broken)
    monkeypatch.setattr(attempts.time, "sleep", lambda _: None)
    monkeypatch.setattr(attempts.patient, "__kwdefaults__", {"sleep": lambda _: None})
    assert store.put("a", b"123")
    answers.append(ConnectionResetError())
    assert not store.put("a", b"12345")  # that is another's
