"""Against a server that speaks S3: conditional puts, kills in the middle, no request too many."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import slow_run
from PIL import Image
from places import ROOT
from s3fs import S3FileSystem
from torture import bucket as s3

from pix2pix.archives import urls
from pix2pix.archives.stores import open_store
from pix2pix.errors import NotPermitted, Unreadable

COUNT = 16
ODD = ["a b.jpg", "a#b.jpg", "a?b=1&c.jpg", "a%20b.jpg", "\u5199\u771f.jpg", "a+b.jpg", "a*[b].jpg"]
ODD += [
    "a//b.jpg",
    "../up.jpg",
    "x/../y.jpg",
    "./z.jpg",
    "/root.jpg",
    " ",
    "a::b.jpg",
    "s3://k.jpg",
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    with s3.serving("scans", "copies") as running:
        yield running


@pytest.fixture
def bucket(server, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    client = server.client()
    for name in ("scans", "copies"):
        for item in client.list_objects_v2(Bucket=name).get("Contents", []):
            client.delete_object(Bucket=name, Key=item["Key"])
    server.puts(), server.asked()
    return server


def test_keys_and_conditional_puts(bucket):
    store = open_store("s3://copies/out/")
    for key in ODD:
        assert store.put(key, key.encode()) and not store.put(key, b"another"), key
        assert store.read(key, max_bytes=99) == key.encode()
    assert sorted(entry.key for entry in store.entries()) == sorted(ODD)
    assert set(bucket.puts().values()) == {1}
    assert store.put(ODD[0], b"new", new=False)
    entry = store.entry(ODD[0])
    assert entry.size == 3 and abs(entry.time - time.time()) < 60
    assert store.entry("no") is None
    with pytest.raises(NotPermitted, match="versionId"):
        store.put("a?versionId=1.jpg", b"1")


def test_a_listing_of_several_pages_is_in_order_and_without_folders(bucket):
    store = open_store("s3://scans/in")
    client = bucket.client()
    keys = [f"{i}/{j}.jpg" for i in range(3) for j in range(3)]
    for key in ["", *keys, "0/"]:
        client.put_object(Bucket="scans", Key=f"in/{key}", Body=b"1")
    client.put_object(Bucket="scans", Key="inside.jpg", Body=b"1")
    store.fs.req_kw["MaxKeys"] = 2
    bucket.asked()
    assert [entry.key for entry in store.entries()] == keys
    assert bucket.asked()["LIST"] == 6


def test_a_large_object_appears_whole_or_not_at_all(bucket, monkeypatch):
    monkeypatch.setattr(urls, "_SINGLE_PUT", 5 * 2**20)
    store, data = open_store("s3://copies"), os.urandom(11 * 2**20)
    assert store.put("a", data) and not store.put("a", b"x" * len(data))
    assert store.read("a", max_bytes=2**30) == data
    assert "Uploads" not in bucket.client().list_multipart_uploads(Bucket="copies")


def test_throttling_is_waited_out_and_a_refusal_is_not(bucket):
    store = open_store("s3://copies")
    bucket.fail(503, 2)
    assert store.put("a", b"1")
    bucket.fail(503, 1)
    assert store.read("a", max_bytes=9) == b"1"
    bucket.asked()
    bucket.fail(403, 1)
    with pytest.raises(NotPermitted) as caught:
        store.put("b", b"1")
    assert bucket.asked() == {"PUT": 1}
    assert not any(secret in str(caught.value) for secret in s3.KEYS.values())


def test_a_bucket_that_is_not_there(bucket):
    with pytest.raises(Unreadable, match="does not exist"):
        list(open_store("s3://no-such-bucket/x").entries())
    with pytest.raises(NotPermitted):
        open_store("s3://no-such-bucket/x").put("a", b"1")


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Photos, and their copies by a run that nobody kills: the folder, and bytes by key."""
    folder = tmp_path_factory.mktemp("scans")
    for i in range(COUNT):
        path = folder / "in" / f"{i % 3}" / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * i).save(path)
    assert slow_run.main(str(folder / "in"), str(folder / "true"), "1/1") == 0
    found = files(folder / "true")
    assert len(found) == COUNT
    return folder / "in", found


@pytest.fixture
def scans(bucket, truth):
    """Those photos in `s3://scans/in`; what their copies have to be."""
    for path in truth[0].rglob("*.png"):
        key = f"in/{path.relative_to(truth[0]).as_posix()}"
        bucket.client().put_object(Bucket="scans", Key=key, Body=path.read_bytes())
    bucket.puts(), bucket.asked()
    return truth[1]


def start(out: str, shard: str = "1/1", *, seconds: float = 0.05) -> "subprocess.Popen[str]":
    """A run in a process of its own, which loads no torch: there is nothing to be warm with."""
    program = [sys.executable, str(ROOT / "tests" / "slow_run.py")]
    command = [*program, "s3://scans/in/", out, shard, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_after(run: "subprocess.Popen[str]", photos: int) -> None:
    """Kill a run once it has said that so many photos are done."""
    assert run.stdout is not None
    for _ in range(photos):
        assert run.stdout.readline().startswith("colored")
    run.kill()
    run.communicate()
    assert run.returncode == -9


def go_on(capsys, out: str, shard: str = "1/1") -> Counter[str]:
    """Run to the end -> how many photos had which status."""
    capsys.readouterr()
    assert slow_run.main("s3://scans/in/", out, shard) == 0
    return Counter(line.split()[0] for line in capsys.readouterr().out.splitlines())


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def objects(prefix: str) -> dict[str, bytes]:
    store = open_store(f"s3://copies/{prefix}")
    return {entry.key: store.read(entry.key, max_bytes=10**6) for entry in store.entries()}


def test_a_killed_run_goes_on(bucket, scans, capsys):
    kill_after(start("s3://copies/out"), 5)
    assert 0 < len(objects("out")) < COUNT
    go_on(capsys, "s3://copies/out")
    assert objects("out") == scans
    assert set(bucket.puts().values()) == {1}


def test_a_run_asks_for_no_more_than_it_must(bucket, scans, capsys):
    assert go_on(capsys, "s3://copies/out") == {"colored": COUNT}
    assert bucket.asked() == {"LIST": 2, "GET": COUNT, "PUT": COUNT}
    assert go_on(capsys, "s3://copies/out") == {"skipped": COUNT}
    assert bucket.asked() == {"LIST": 2}


def test_two_shards_at_once_one_of_them_killed(bucket, scans, capsys):
    one, two = (start("s3://copies/out", f"{i}/2") for i in (1, 2))
    kill_after(one, 3)
    assert two.communicate() and two.returncode == 0
    go_on(capsys, "s3://copies/out", "1/2")
    assert objects("out") == scans
    puts = bucket.puts()
    assert len(puts) == COUNT and set(puts.values()) == {1}


def test_the_same_shard_twice_at_once(bucket, scans, capsys):
    other = start("s3://copies/out", seconds=0.4)
    assert other.stdout is not None
    first = other.stdout.readline()  # by now it has listed that nothing is there
    mine = go_on(capsys, "s3://copies/out")
    theirs = Counter(line.split()[0] for line in [first, *other.communicate()[0].splitlines()])
    assert other.returncode == 0
    assert objects("out") == scans
    assert set(bucket.puts().values()) == {1}
    assert mine + theirs == {"colored": COUNT, "skipped": COUNT} and len(theirs) == len(mine) == 2


def test_from_a_bucket_into_a_folder_killed_and_twice_at_once(scans, tmp_path, capsys):
    out = tmp_path / "out"
    kill_after(start(str(out)), 4)
    other = start(str(out))
    go_on(capsys, str(out))
    assert other.communicate() and other.returncode == 0
    assert files(out) == scans  # and no temporary file
