"""Jobs of stores: names, sidecars, what is passed over and which part, as for folders."""

import random

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pix2pix.archives import finding, listings
from pix2pix.archives.done import Listed
from pix2pix.archives.store import Entry
from pix2pix.archives.stores import open_store
from pix2pix.colorize import jobs

KEYS = [
    "a.jpg",
    "a.xmp",
    "b.jpg",
    "b.jpg.xmp",
    "b.color.jpg",
    "c.gif",
    "c.gif.png",
    "d.XMP",
    "d.tif",
    "d-1.tif",
    "e.txt",
    "e.pdf",
    ".hidden.jpg",
    "Thumbs.db",
    "@eaDir/x.jpg/SYNO.jpg",
    "@eaDir/y.jpg/SYNO.jpg",
    "sub/a.jpg",
    "sub/deep/f.PNG",
    "sub/.git/g.jpg",
    "sub.jpg/h.jpg",
    "old/plate",
]


@pytest.fixture
def both(tmp_path):
    """The same keys in a memory and in a folder."""
    store = open_store("memory://archive/in")
    for key in random.Random(0).sample(KEYS, len(KEYS)):
        data = b"P5 1 1 255 x" if key == "old/plate" else b"1"
        store.put(key, data)
        path = tmp_path / "in" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    yield tmp_path / "in"
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def find(*inputs, out=None, tallies=None, **search):
    return list(finding.find(inputs, finding.Search(**search), out=out, tallies=tallies))


def outline(items, source, dest):
    """What was found, below its root: (photo, output or reason)."""
    found = []
    for item in items:
        path = item.source if isinstance(item, jobs.Job) else item.path
        second = item.dest.removeprefix(dest) if isinstance(item, jobs.Job) else item.reason
        found.append((path.removeprefix(source), second))
    return sorted(found)


@pytest.mark.parametrize("every_file", [False, True])
@pytest.mark.parametrize("part", [(1, 1), (1, 3), (2, 3), (3, 3)])
def test_a_store_has_the_jobs_of_a_folder_of_the_same_names(both, every_file, part):
    search = {"every_file": every_file, "shard": part}
    tallies, local_tallies = {}, {}
    found = find("memory://archive/in/", out="memory://out", tallies=tallies, **search)
    local = list(jobs.find([str(both)], out="/out", tallies=local_tallies, **search))
    assert len(local) > 1
    assert outline(found, "memory://archive/in", "memory://out") == outline(
        local, str(both), "/out"
    )
    assert tallies["memory://archive/in/"] == local_tallies[str(both)]


def test_without_out_copies_lie_beside(both):
    found = find("memory://archive/in/")
    pairs = dict(outline(found, "memory://archive/in", "memory://archive/in"))
    assert pairs["/sub/a.jpg"] == "/sub/a.color.jpg"


def test_into_a_folder_and_from_one(both, tmp_path):
    local = outline(list(jobs.find([str(both)], out="/out")), str(both), "/out")
    into = find("memory://archive/in/", out=str(tmp_path / "x"))
    assert outline(into, "memory://archive/in", str(tmp_path / "x")) == local
    outof = find(str(both), out="memory://out/")
    assert outline(outof, str(both), "memory://out") == local


def test_sidecars_come_with_their_photo(both):
    found = {
        job.photo.key: job
        for job in find("memory://archive/in")
        if job.__class__ is finding.StoreJob
    }
    beside = {key: [entry.key for entry in job.sidecars] for key, job in found.items()}
    assert beside["a.jpg"] == ["a.xmp"]
    assert beside["b.jpg"] == ["b.jpg.xmp"]
    assert beside["d.tif"] == ["d.XMP"]
    assert beside["d-1.tif"] == beside["sub/a.jpg"] == []


def test_one_object_a_glob_and_nothing(both):
    (one,) = find("memory://archive/in/sub/a.jpg", out="memory://out")
    assert one.dest == "memory://out/a.color.jpg" and one.single
    (named,) = find("memory://archive/in/sub/a.jpg", out="memory://out/x.png")
    assert (named.target.root, named.key) == ("memory://out", "x.png")
    (local,) = find(str(both / "a.jpg"), out="memory://out/x.png")
    assert local.dest == "memory://out/x.png"
    (refused,) = find("memory://archive/in/a.jpg", out="memory://out/x.xyz")
    assert refused.code == "unsupported_format"
    globbed = find("memory://archive/in/*.jpg", out="memory://out")
    assert outline(globbed, "memory://archive/in", "memory://out") == [
        ("/a.jpg", "/a.color.jpg"),
        ("/b.jpg", "/b.color.jpg"),
        ("/sub.jpg/h.jpg", "/sub.jpg/h.color.jpg"),
    ]
    deep = find("memory://archive/in/**/a.jpg", out="memory://out")
    assert [job.dest for job in deep] == [
        "memory://out/a.color.jpg",
        "memory://out/sub/a.color.jpg",
    ]
    (nothing,) = find("memory://nowhere/")
    assert (nothing.code, nothing.path) == ("unreadable", "memory://nowhere/")


def test_an_output_is_that_of_one_photo(both):
    inputs = ["memory://archive/in/a.jpg", "memory://archive/in/sub/a.jpg", str(both / "a.jpg")]
    found = find(*inputs, out="memory://out/")
    assert [getattr(item, "code", None) for item in found] == [None, "permission", "permission"]


def test_keys_with_the_same_start_come_together_in_whatever_order_they_are_listed():
    names = [
        "a",
        "a.000.jpg",
        "a.XMP",
        "a.jpg",
        "a.jpg.xmp",
        "a.b.tif",
        "a.b.xmp",
        "a-b.jpg",
        "b.jpg",
    ]
    entries = [Entry(name, 1, None) for name in sorted(names)]
    for group in listings.groups(entries):
        if "a.jpg" in group:
            assert {"a.XMP", "a.jpg.xmp", "a.b.tif", "a.b.xmp"} <= group.keys()
        assert not {"a-b.jpg", "a.jpg"} <= group.keys()


def test_what_is_done_is_known_by_its_key(monkeypatch):
    store = open_store("memory://done")
    for key, data in (("a", b"1"), ("empty", b""), ("old", b"1")):
        store.put(key, data)
    times = {"a": 1000.9, "empty": 1000.0, "old": 500.0}
    listed = [e._replace(time=times[e.key]) for e in store.entries()]
    monkeypatch.setattr(type(store), "entries", lambda self: iter(listed))
    done = Listed(store)
    assert len(done) == 3
    assert done.state("b", 1.0) == "none" and done.state("empty", 1.0) == "empty"
    assert done.state("a", 1000.95) == "good"  # stores keep whole seconds
    assert done.state("a", None) == "good" and done.state("old", 500.2) == "good"
    assert done.state("old", 600.0) == "older"
    assert done.state("old", 1e11) == "good"  # a photo from the future says nothing
    parts = [Listed(store, (i, 3)) for i in (1, 2, 3)]
    assert sum(map(len, parts)) == 3
    for key in times:
        assert [p.state(key, 1.0) != "none" for p in parts] == [
            jobs.in_shard(key.encode(), (i, 3)) for i in (1, 2, 3)
        ]


def test_a_million_keys_take_little_memory(monkeypatch):
    store = open_store("memory://many")
    entries = (Entry(f"scans/box {i // 1000}/{i:07}.tif", 9, 1.0) for i in range(20_000))
    monkeypatch.setattr(type(store), "entries", lambda self: entries)
    done = Listed(store)
    arrays = [value for value in vars(done).values() if hasattr(value, "nbytes")]
    assert sum(array.nbytes for array in arrays) == 24 * 20_000
    assert done.state("scans/box 7/0007123.tif", 1.0) == "good"
