"""The photo cache: what is decoded, what is left out and said; it is whole or not there."""

import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_sets import colored, fill, pack
from PIL import Image

from pix2pix.data import Photos, cache
from pix2pix.errors import DataError
from pix2pix.metrics import colorfulness
from pix2pix.strips import share


def build(source, tmp_path, short_side=32):
    return cache.build_cache(source, tmp_path / "cache", short_side=short_side)


def names_in(folder):
    return [row.name for row in cache.read_index(folder)]


def bad_in(folder):
    return [json.loads(line) for line in (folder / "bad_files.jsonl").read_text().splitlines()]


@pytest.fixture
def photos(tmp_path):
    return fill(tmp_path / "photos", 12)


def test_folder_and_zip_give_the_same_cache(tmp_path):
    folder = fill(tmp_path / "photos", 5)
    fill(folder / "deep" / "er", 3, suffix=".jpg")
    fill(folder / "deep", 2, suffix=".WEBP", lossless=True)
    (folder / "notes.txt").write_text("no picture")
    a, b = build(folder, tmp_path), build(pack(folder, tmp_path / "photos.zip"), tmp_path)
    assert a != b
    for name in ("pixels.u8", "index.json", "bad_files.jsonl"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    assert len(names_in(a)) == 10 and "deep/er/colored001.jpg" in names_in(a)


def test_pictures_are_stored_as_decoded_scaled_to_the_short_side(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, (h, w) in {"wide": (48, 96), "tall": (96, 48), "small": (20, 30)}.items():
        colored(1, h, w).save(folder / f"{name}.png")
    photos = Photos(folder, cache=tmp_path / "cache", size=32, cached_side=32)
    shapes = {row.name: photos.picture(i).shape for i, row in enumerate(photos.rows)}
    assert shapes == {"small.png": (20, 30, 3), "tall.png": (64, 32, 3), "wide.png": (32, 64, 3)}
    small = np.asarray(Image.open(folder / "small.png"))
    assert np.array_equal(photos.picture(0), small)
    tall = Image.open(folder / "tall.png").resize((32, 64), Image.Resampling.BILINEAR)
    assert np.abs(photos.picture(1).astype(int) - np.asarray(tall)).max() <= 1
    row = photos.rows[0]
    true = colorfulness(torch.from_numpy(small.copy()).permute(2, 0, 1)[None] / 255).item()
    assert row.colorfulness == pytest.approx(true, abs=1e-3)


def test_a_cache_is_built_once_and_anew_when_the_files_change(photos, tmp_path, monkeypatch):
    first = build(photos, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_decoded", lambda *a: pytest.fail("decoded again"))
        assert build(photos, tmp_path) == first
    assert build(photos, tmp_path, short_side=16) != first
    colored(99).save(photos / "one-more.png")
    second = build(photos, tmp_path)
    assert second != first and "one-more.png" in names_in(second)
    os.utime(photos / "one-more.png", ns=(0, 0))
    assert build(photos, tmp_path) not in (first, second)


def test_the_cache_format_is_the_one_that_runs_depend_on(photos, tmp_path):
    """A changed key or row would have every user's photos decoded again."""
    folder = build(photos, tmp_path)
    rows = json.loads((folder / "index.json").read_text())
    assert rows[1][:4] == ["colored001.png", 32 * 43 * 3, 32, 43] and len(rows[1]) == 6
    os.utime(photos / "colored000.png", ns=(1, 1))
    size = (photos / "colored000.png").stat().st_size
    text = f"v2 {photos.resolve()} 32colored000.png {size} 1\n"
    key = cache.fingerprint(photos, ["colored000.png"], 32)
    assert key == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_one_corrupt_file_among_many_is_skipped_listed_and_told(photos, tmp_path, capsys):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    folder = build(photos, tmp_path)
    assert len(names_in(folder)) == 12 and "broken.jpg" not in names_in(folder)
    (bad,) = bad_in(folder)
    assert bad["path"] == "broken.jpg" and bad["code"] in ("truncated", "corrupt") and bad["reason"]
    assert "1 of 13 pictures cannot be read (broken.jpg: " in capsys.readouterr().err
    assert len(names_in(build(photos, tmp_path))) == 12


def test_more_than_one_percent_of_corrupt_files_end_it_with_the_list(tmp_path):
    folder = fill(tmp_path / "photos", 198, lambda i: colored(i, 4, 5))
    for i in range(2):
        (folder / f"bad{i}.png").write_bytes(b"")
    built = build(folder, tmp_path)
    assert len(names_in(built)) == 198 and len(bad_in(built)) == 2
    (folder / "bad2.png").write_text("text")
    with pytest.raises(DataError) as caught:
        build(folder, tmp_path)
    said = str(caught.value)
    assert (
        "3 of 201 pictures cannot be read (bad0.png: unreadable; bad1.png: unreadable; bad2" in said
    )
    listed = Path(said.rsplit("list: ")[1])
    assert [json.loads(line)["path"] for line in listed.read_text().splitlines()] == [
        "bad0.png", "bad1.png", "bad2.png",
    ]  # fmt: skip
    assert not (listed.parent / "index.json").exists()
    assert not list(listed.parent.glob(".pix2pix-*"))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_folder_of_non_images_is_an_error(count, tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(count):
        (tmp_path / "photos" / f"{i}.jpg").write_text("<html>")
    with pytest.raises(
        DataError, match=rf"{count} of {count} pictures cannot be read \(0.jpg: unsu"
    ):
        build(tmp_path / "photos", tmp_path)


def test_sources_without_pictures_are_errors(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="empty: no pictures in it .*\\.jpg"):
        build(empty, tmp_path)
    (empty / "notes.txt").touch()
    with pytest.raises(DataError, match="no pictures in it"):
        build(empty, tmp_path)
    with pytest.raises(DataError, match=r"missing: neither a folder nor a zip .*nothing of this n"):
        build(tmp_path / "missing", tmp_path)
    with pytest.raises(DataError, match=r"notes\.txt: neither a folder nor a zip of photos$"):
        build(empty / "notes.txt", tmp_path)
    pack(empty, tmp_path / "empty.zip")
    with pytest.raises(DataError, match=r"empty\.zip: no pictures in it"):
        build(tmp_path / "empty.zip", tmp_path)


def test_a_broken_zip_is_an_error(photos, tmp_path):
    whole = pack(photos, tmp_path / "photos.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.zip: neither a folder nor a zip"):
        build(tmp_path / "cut.zip", tmp_path)
    directory = whole.index(b"PK\x01\x02")
    (tmp_path / "bad.zip").write_bytes(whole[:directory] + b"PK\x09\x09" + whole[directory + 4 :])
    with pytest.raises(DataError, match=r"bad\.zip: the zip cannot be read"):
        build(tmp_path / "bad.zip", tmp_path)


@pytest.mark.parametrize("harm", ["checksum", "encrypted", "compression"])
def test_a_broken_member_of_a_zip_is_one_bad_file(harm, photos, tmp_path):
    whole = bytearray(pack(photos, tmp_path / "photos.zip").read_bytes())
    local, directory = whole.index(b"PK\x03\x04"), whole.index(b"PK\x01\x02")
    if harm == "checksum":
        whole[local + 200] ^= 0xFF
    elif harm == "encrypted":
        whole[local + 6] |= 1
        whole[directory + 8] |= 1
    else:
        whole[local + 8] = whole[directory + 10] = 77
    (tmp_path / "photos.zip").write_bytes(whole)
    folder = build(tmp_path / "photos.zip", tmp_path)
    assert len(names_in(folder)) == 11
    (bad,) = bad_in(folder)
    assert (bad["path"], bad["code"]) == ("colored000.png", "corrupt")


@pytest.mark.slow
def test_a_zip_with_path_tricks_is_harmless(tmp_path):
    content = io.BytesIO()
    colored(0).save(content, "PNG")
    tricks = ["../../evil.png", "/abs/evil.png", "a/../../evil.png", "C:\\evil.png", "ok.png"]
    with zipfile.ZipFile(tmp_path / "tricks.zip", "w") as archive:
        for name in tricks:
            archive.writestr(name, content.getvalue())
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    before = sorted(tmp_path.parent.rglob("*"))
    folder = build(tmp_path / "tricks.zip", tmp_path)
    assert sorted(names_in(folder)) == sorted(tricks)
    assert [bad["path"] for bad in bad_in(folder)] == ["link.png"]
    new = set(tmp_path.parent.rglob("*")) - set(before)
    assert all(path.is_relative_to(tmp_path / "cache") for path in new)
    assert not list(tmp_path.rglob("*.png")) and not Path("/abs/evil.png").exists()


def test_a_member_may_claim_any_size(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES", 50_000)
    Image.new("RGB", (500, 500)).save(photos / "bomb.bmp")  # 750 KB that deflate to 1
    folder = build(pack(photos, tmp_path / "photos.zip"), tmp_path)
    (bad,) = bad_in(folder)
    assert (bad["path"], bad["code"]) == ("bomb.bmp", "too_large")


def test_hidden_files_and_the_copies_in_zips_from_a_mac_are_passed_over(photos, tmp_path):
    for name in (".hidden.png", "._colored000.png", ".thumbnails/a.png", "__MACOSX/._a.png"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"\0\5\x16\7 resource fork")
    for source in (photos, pack(photos, tmp_path / "photos.zip")):
        folder = build(source, tmp_path)
        assert len(names_in(folder)) == 12 and not bad_in(folder)


def test_names_may_be_any_bytes(photos, tmp_path):
    odd = [b"caf\xe9.png", b"new\nline.png", "\u5199\u771f.png".encode(), b"-x ;$(id).png"]
    try:
        for i, name in enumerate(odd):
            colored(50 + i).save(io_bytes := io.BytesIO(), "PNG")
            Path(os.fsdecode(os.fsencode(photos) + b"/" + name)).write_bytes(io_bytes.getvalue())
        Path(os.fsdecode(os.fsencode(photos) + b"/bad\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    folder = build(photos, tmp_path)
    assert {os.fsdecode(name) for name in odd} < set(names_in(folder))
    assert [bad["path"] for bad in bad_in(folder)] == [os.fsdecode(b"bad\xff.png")]
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9"))
    photos.rename(source)
    split = [
        {row.name for row in Photos(source, cache=tmp_path, split=s, val_fraction=0.3).rows}
        for s in ("train", "val")
    ]
    assert split[0] | split[1] == set(names_in(folder)) and not split[0] & split[1]


def test_links_pipes_and_folders_named_like_pictures_do_no_harm(photos, tmp_path):
    (photos / "dangling.png").symlink_to("nowhere.png")
    (photos / "loop").symlink_to(photos, target_is_directory=True)
    (photos / "folder.png").mkdir()
    os.mkfifo(photos / "pipe.png")
    folder = build(photos, tmp_path)
    assert len(names_in(folder)) == 12 and not bad_in(folder)


# ---- interrupted


def test_an_interrupted_build_leaves_no_half_cache(photos, tmp_path, monkeypatch):
    whole = build(photos, tmp_path / "other")

    def interrupted(path, **options):
        if "007" in str(path):
            raise KeyboardInterrupt
        return read(path, **options)

    read = cache.read
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cache, "read", interrupted)
        build(photos, tmp_path)
    (left,) = (tmp_path / "cache").iterdir()
    assert list(left.iterdir()) == []
    again = build(photos, tmp_path)
    for name in ("pixels.u8", "index.json"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_a_killed_build_is_made_anew(tmp_path):
    folder = fill(tmp_path / "photos", 150)
    code = f"""
import time
from pix2pix.data import cache

read = cache.read

def slowly(*args, **options):
    time.sleep(0.02)
    return read(*args, **options)

cache.read = slowly
cache.build_cache({str(folder)!r}, {str(tmp_path / "cache")!r}, short_side=32)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 100
    while not list(tmp_path.glob("cache/*/.pix2pix-*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (left,) = (tmp_path / "cache").iterdir()
    (part,) = left.iterdir()
    assert part.suffix == ".tmp"
    assert len(names_in(build(folder, tmp_path))) == 150
    assert not part.exists()  # its lock went with its process
    (left / "index.json").unlink()
    part.touch()
    build(folder, tmp_path)
    assert sorted(p.name for p in left.iterdir()) == ["bad_files.jsonl", "index.json", "pixels.u8"]


def test_a_full_disk_and_a_forbidden_folder_are_errors_that_name_it(photos, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_store", full)
        with pytest.raises(DataError, match="cache.*: the cache cannot be written: No space left"):
            build(photos, tmp_path)
    assert not list((tmp_path / "cache").rglob(".pix2pix-*"))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file.*: the cache cannot be written: Not a directory"):
        cache.build_cache(photos, tmp_path / "file", short_side=32)


def test_a_damaged_cache_is_noticed(photos, tmp_path):
    folder = build(photos, tmp_path, short_side=40)
    with (folder / "pixels.u8").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match=f"{folder}: this photo cache is damaged; delete it"):
        Photos(photos, cache=tmp_path / "cache", size=32)


def test_each_thread_that_decodes_computes_on_one_core(photos, tmp_path, monkeypatch):
    before, original, inside = torch.get_num_threads(), cache._read, []

    def read(*arguments):
        inside.append((torch.get_num_threads(), share()))
        return original(*arguments)

    monkeypatch.setattr(cache, "_read", read)
    torch.set_num_threads(2)
    try:
        build(photos, tmp_path)
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(torch.get_num_threads).result()
        assert torch.get_num_threads() == later == 2
    finally:
        torch.set_num_threads(before)
    assert len(inside) == 12 and set(inside) == {(1, 1)}
