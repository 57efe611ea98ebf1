"""The shelf: who may use what was sent, and who may fetch what was told of."""

import os
import time
from pathlib import Path

import pytest

from pix2pix.app.page import shelf as shelves
from pix2pix.app.page.shelf import Shelf

SENT = "/tmp/gradio/abc/old.png"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, kept=3600)


def test_what_was_sent_belongs_to_the_first_session_that_names_it(shelf: Shelf) -> None:
    name = shelf.put(SENT, "")
    assert name.startswith("/files/") and name.endswith("/old.png") and "abc" not in name
    assert shelf.take(name, visitor="", session="mine") == SENT
    assert shelf.take(name, visitor="", session="mine") == SENT
    assert shelf.take(name, visitor="", session="theirs") is None


def test_what_was_sent_with_a_cookie_is_used_with_it(shelf: Shelf) -> None:
    name = shelf.put(SENT, "alice")
    for other in ("", "bob"):
        assert shelf.take(name, visitor=other, session="s") is None
    assert shelf.take(name, visitor="alice", session="s") == SENT


def test_the_same_bytes_sent_twice_are_two(shelf: Shelf) -> None:
    hers, his = shelf.put(SENT, ""), shelf.put(SENT, "")
    assert hers != his
    assert shelf.take(hers, visitor="", session="hers") == SENT
    assert shelf.take(his, visitor="", session="his") == SENT
    assert shelf.take(hers, visitor="", session="his") is None


def test_no_other_name_means_anything(shelf: Shelf) -> None:
    name = shelf.put(SENT, "")
    key = name.split("/")[2]
    odd = [
        SENT,
        "",
        "/",
        ".",
        name + "/",
        f"/files/{key}/..",
        f"/files/{key}",
        f"files/{key}/old.png",
    ]
    odd += [f"/files/{key}/other.png", f"/other/{key}/old.png", f"/files/x/{key}/old.png"]
    for each in [*odd, None, 5, ["a"], {"path": name}]:
        assert shelf.take(each, visitor="", session="s") is None
        assert not isinstance(each, str) or shelf.published(each, "") is None
    assert shelf.published(name, "") is None  # what was sent is not given back


def test_a_result_is_for_those_whom_an_answer_told(shelf: Shelf) -> None:
    name = "/files/abc/a.png"
    assert shelf.published(name, "alice") is None
    shelf.publish("abc", "alice")
    assert shelf.published(name, "alice") == shelf.folder / "abc" / "a.png"
    assert shelf.published(name, "bob") is None and shelf.published(name, "") is None
    shelf.publish("plain", "")  # without a cookie the name is all there is
    assert shelf.published("/files/plain/a.png", "bob") is not None
    shelf.publish("sample", None)
    assert shelf.published("/files/sample/a.jpg", "bob") is not None
    assert shelf.published("/files/abc/../a.jpg", "alice") is None
    assert shelf.published("/files/abc/..", "alice") is None


def test_names_are_forgotten_in_time(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    name = shelf.put(SENT, "")
    shelf.publish("abc", "alice")
    shelf.publish("sample", None)
    assert shelf.has(SENT)
    later = time.monotonic() + 3601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    shelf.put("/tmp/gradio/def/b.png", "")
    assert shelf.take(name, visitor="", session="s") is None and not shelf.has(SENT)
    shelf.publish("def", "bob")
    assert shelf.published("/files/abc/a.png", "alice") is None
    assert shelf.published("/files/sample/a.png", "bob") is not None


def test_it_holds_so_many_and_no_more(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "SENT_FILES", 2)
    shelf.put(SENT, "")
    assert not shelf.full
    shelf.put(SENT, "")
    assert shelf.full


def test_what_is_sent_is_a_file_two_levels_below_and_no_link(shelf: Shelf, tmp_path: Path) -> None:
    own, outside = tmp_path / "abc", tmp_path.parent / f"{tmp_path.name}-outside"
    for folder in (own / "deep", outside):
        folder.mkdir(parents=True)
        (folder / "a.png").touch()
    (own / "a.png").write_bytes(b"12345")
    (tmp_path / "a.png").touch()
    (own / "link.png").symlink_to(outside / "a.png")
    (own / "inner.png").symlink_to(own / "a.png")
    (tmp_path / "linked").symlink_to(outside)
    os.mkfifo(own / "pipe.png")
    found = shelf.state(own / "a.png")
    assert found is not None and found.st_size == 5
    odd = ["abc/link.png", "abc/inner.png", "linked/a.png", "abc/pipe.png", "abc/deep", "abc"]
    odd += ["abc/deep/a.png", "a.png", "abc/none.png", "abc/a\0.png", "../outside/a.png"]
    odd += [f"../{tmp_path.name}/abc/a.png", "abc/../a.png", str(outside / "a.png")]
    assert [name for name in odd if shelf.state(tmp_path / name) is not None] == []
