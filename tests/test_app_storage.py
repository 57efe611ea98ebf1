"""The room on the disk: what lies there and what is promised counts, what is gone does not."""

import asyncio
from pathlib import Path

import pytest
from coroutines import finish

from pix2pix.app import storage
from pix2pix.app.storage import Storage, stored_bytes
from pix2pix.errors import NoSpace

KB64, MB = 64 * 1024, 1_000_000


@pytest.fixture
def room(tmp_path: Path) -> Storage:
    return Storage(10 * MB, lambda: tmp_path)


def put(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def test_what_lies_in_the_folder_counts(tmp_path: Path) -> None:
    assert stored_bytes(tmp_path / "nowhere") == 0
    put(tmp_path, "a/large", 3 * MB)
    put(tmp_path, "b/small", 1)
    (tmp_path / "link").symlink_to("/proc/kcore")  # huge, and elsewhere
    assert stored_bytes(tmp_path) == 3 * MB + 2 * KB64


def test_uploads_at_once_do_not_pass_the_check_together(room: Storage) -> None:
    async def ask() -> bool:
        try:
            await room.promise(3 * MB)
        except NoSpace:
            return False
        return True

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*[ask() for _ in range(20)])

    assert sum(finish(all_at_once())) == 3


def test_a_promise_is_kept_until_the_bytes_are_found_and_room_comes_back(
    room: Storage, tmp_path: Path
) -> None:
    async def go() -> None:
        place = await room.promise(6 * MB)
        with pytest.raises(NoSpace):
            await room.promise(5 * MB)
        file = put(tmp_path, "photo", 6 * MB)
        place.leave()
        with pytest.raises(NoSpace):
            await room.promise(5 * MB)
        (await room.promise(4 * MB)).leave()  # and comes to nothing
        file.unlink()
        await room.promise(10 * MB)

    finish(go())


def test_bytes_that_nobody_declared_count_while_they_come(room: Storage) -> None:
    async def go() -> None:
        first, second = await room.promise(0), await room.promise(0)
        for size in range(0, 6 * MB, 65536):
            first.grow(size)
        second.grow(4 * MB)
        with pytest.raises(NoSpace):
            second.grow(5 * MB)
        first.grow(1)  # it never shrinks
        assert first.size > 5 * MB

    finish(go())


def test_results_count_and_are_refused(room: Storage, tmp_path: Path) -> None:
    room.check()
    put(tmp_path, "result", 10 * MB + 1)
    with pytest.raises(NoSpace, match="try again in an hour"):
        room.check()


def test_a_full_disk_is_no_room(room: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_free", lambda folder: MB)
    room.check(MB)
    with pytest.raises(NoSpace):
        finish(room.promise(MB + 1))
