"""Copying from and to stores: the bytes of a folder run, and what is done, refused or gone."""

import errno
import gc
import io
import json
import os
import time
from functools import partial

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from tiny_graphs import write_graph

from pix2pix.archives import copying, finding, manifest
from pix2pix.archives.attempts import NoAnswer
from pix2pix.archives.store import Store
from pix2pix.archives.stores import open_store
from pix2pix.archives.urls import UrlStore
from pix2pix.cli import main
from pix2pix.colorize import folders, jobs
from pix2pix.colorize.copies import Maker, color_photo
from pix2pix.colorize.ends import FileOptions
from pix2pix.errors import NoSpace, NotPermitted, Unreadable
from pix2pix.images.sidecars import Sidecar

GRAY = np.tile(np.arange(0, 240, 6, dtype=np.uint8)[:, None], (1, 32))
NAMES = ["a.jpg", "b.png", "c.gif", "sub/d.tif", "sub/e.webp", "f.bmp"]
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="an aunt"/></rdf:RDF></x:xmpmeta>"""


class Tint:
    name = "tint"

    def __init__(self):
        self.colored = 0

    def color(self, rgb: np.ndarray, wish: object) -> np.ndarray:
        self.colored += 1
        return np.full_like(rgb, (200, 100, 50))


@pytest.fixture
def scans(tmp_path):
    """A folder of photos, one with a sidecar, and the same in a memory."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in NAMES:
        Image.fromarray(GRAY).save(folder / name)
    (folder / "a.xmp").write_bytes(XMP)
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:90])
    store = open_store("memory://scans/in")
    for path in folder.rglob("*.*"):
        store.put(path.relative_to(folder).as_posix(), path.read_bytes())
    yield folder
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def run(source, out, *, model=None, shard=(1, 1), **options):
    """The records by the name of the photo."""
    files = FileOptions(**options)
    load = partial(partial, color_photo, model=model or Tint())
    found = finding.find([str(source)], finding.Search(shard=shard), out=str(out))
    ends = copying.StoreEnds(files, shard)
    records = list(folders.make_copies(found, load, files, ends))
    return {record.path.rpartition("/")[2]: record for record in records}


def contents(address):
    store = open_store(str(address))
    return {entry.key: store.read(entry.key, max_bytes=10**6) for entry in store.entries()}


@pytest.mark.parametrize("sidecars", [False, True])
def test_every_way_gives_the_bytes_of_a_folder_run(scans, tmp_path, sidecars):
    def load() -> Maker:
        return partial(color_photo, model=Tint())

    local = jobs.find([str(scans)], out=str(tmp_path / "true"))
    options = {"copy_sidecars": sidecars, "keep_gps": True}
    said = {r.path: r for r in folders.make_copies(local, load, FileOptions(**options))}
    truth = contents(tmp_path / "true")
    assert len(truth) == len(NAMES) + sidecars
    for i, (source, out) in enumerate(
        [
            ("memory://scans/in", "memory://out/0"),
            ("memory://scans/in", tmp_path / "1"),
            (scans, "memory://out/2"),
        ]
    ):
        records = run(source, out, **options)
        assert contents(out) == truth, i
        for path, record in said.items():
            mine = records[path.rpartition("/")[2]]
            assert (mine.status, mine.code, mine.warnings) == (
                record.status,
                record.code,
                record.warnings,
            )
        assert records["a.jpg"].output == f"{out}/a.color.jpg"
        again = run(source, out, **options)
        assert {r.status for r in again.values()} == {"skipped", "failed"}


def test_a_file_gets_the_time_of_its_object(scans, tmp_path):
    run("memory://scans/in", tmp_path / "out")
    entry = open_store("memory://scans/in").entry("a.jpg")
    assert (tmp_path / "out" / "a.color.jpg").stat().st_mtime == pytest.approx(entry.time, abs=1e-6)


def test_what_is_empty_or_older_is_made_anew_and_the_rest_is_not(scans, monkeypatch):
    run("memory://scans/in", "memory://out")
    out = open_store("memory://out")
    out.put("b.color.png", b"", new=False)
    out.put("c.gif.color.png", b"mine", new=False)
    MemoryFileSystem.store["/out/f.color.bmp"].modified = None
    photo = MemoryFileSystem.store["/scans/in/a.jpg"]
    output = MemoryFileSystem.store["/out/a.color.jpg"]
    output.created = photo.created.replace(year=2001)
    records = run("memory://scans/in", "memory://out")
    assert records["b.png"].reason == "made anew: the output was empty"
    assert records["a.jpg"].reason == "made anew: the output was older than the photo"
    assert records["c.gif"].status == records["f.bmp"].status == "skipped"
    assert out.read("c.gif.color.png", max_bytes=9) == b"mine"
    assert run("memory://scans/in", "memory://out", overwrite=True)["c.gif"].status == "colored"
    assert out.read("c.gif.color.png", max_bytes=10**6) != b"mine"


def test_what_another_run_put_meanwhile_stays(scans, monkeypatch):
    put = Store.put

    def put_second(self, key, data, **options):
        if self.root == "memory://out" and key == "a.color.jpg":
            assert put_first(self, key, b"another's", **options)
        return put_first(self, key, data, **options)

    kind = type(open_store("memory://out"))
    put_first = kind.put
    monkeypatch.setattr(kind, "put", put_second)
    records = run("memory://scans/in", "memory://out")
    assert records["a.jpg"].status == "skipped" and put is Store.put
    assert open_store("memory://out").read("a.color.jpg", max_bytes=99) == b"another's"


def test_a_store_that_refuses_its_first_object_ends_the_run(scans, monkeypatch):
    for i in range(60):
        open_store("memory://scans/in").put(f"more/{i}.png", (scans / "b.png").read_bytes())

    def refuse(*_, **__):
        raise NotPermitted("writing is not permitted: AccessDenied")

    monkeypatch.setattr(type(open_store("memory://out")), "put", refuse)
    model = Tint()
    records = run("memory://scans/in", "memory://out", model=model)
    assert 1 <= len(records) <= 3 and model.colored == 1
    assert {record.code for record in records.values()} == {"permission"}


def test_a_photo_that_is_gone_stops_no_other(scans, monkeypatch):
    kind = type(open_store("memory://out"))
    read = kind.read

    def gone(self, key, **limits):
        return read(self, "gone.jpg" if key == "b.png" else key, **limits)

    monkeypatch.setattr(kind, "read", gone)
    records = run("memory://scans/in", "memory://out")
    assert records["b.png"].code == "unreadable" and records["a.jpg"].status == "colored"


def test_a_photo_beyond_the_limit_is_not_even_read(scans, monkeypatch):
    files = FileOptions(max_pixels=1)
    big = open_store("memory://scans/in")
    big.put("big.jpg", bytes(files.max_bytes + 1))
    kind = type(big)
    monkeypatch.setattr(kind, "read", lambda *_, **__: pytest.fail("it was read"))
    ends = copying.StoreEnds(files)
    (job,) = finding.find(["memory://scans/in/big.jpg"], finding.Search(), out="memory://out")
    with pytest.raises(Exception, match="more bytes than the limit"):
        ends.read(job)


def test_a_key_that_no_folder_can_hold_stays_in_its_store(scans, tmp_path):
    for key in ("../up.jpg", "x//y.jpg", "/root.jpg"):
        MemoryFileSystem.store[f"/scans/in/{key}"] = MemoryFileSystem.store["/scans/in/a.jpg"]
    kind = type(open_store("memory://out"))
    entries = [e for e in (kind.entry(open_store("memory://scans/in"), "a.jpg"),) if e]
    odd = [entries[0]._replace(key=key) for key in ("../up.jpg", "x//y.jpg", "/root.jpg")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "entries", lambda self: iter(odd))
        records = run("memory://scans/in", tmp_path / "out")
    assert {record.code for record in records.values()} == {"permission"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    assert list((tmp_path / "out").iterdir()) == []


def test_photos_are_read_ahead_and_no_farther(scans, monkeypatch):
    source = open_store("memory://scans/in")
    for i in range(100):
        source.put(f"more/{i}.png", (scans / "b.png").read_bytes())
    asked = []
    kind, read = type(source), type(source).read
    monkeypatch.setattr(
        kind, "read", lambda self, key, **limits: (asked.append(key), read(self, key, **limits))[1]
    )
    with copying.StoreEnds() as ends:
        found = finding.find(["memory://scans/in"], finding.Search(), out="memory://out")
        coming = ends.pending(found)
        next(coming)
        deadline = time.monotonic() + 10
        while len(asked) < copying._AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)
        assert copying._AHEAD <= len(asked) <= copying._AHEAD + 2


def test_room_is_for_so_many_bytes_but_always_for_one():
    room = copying.Room(10)
    room.take(100)
    room.give(100)
    room.take(6)
    room.take(4)
    room.give(4)


def test_the_command_shows_no_password(scans, capsys):
    status = main(["colorize", "nonsense://ann:s3cr3tt@host/x/", "-o", "memory://out", "--json"])
    said = capsys.readouterr()
    assert status == 1 and "s3cr3tt" not in said.out + said.err
    (record,) = map(json.loads, said.out.splitlines())
    assert record["path"] == "nonsense://ann@host/x/" and record["code"] == "permission"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["-", "-o", "memory://out/a.jpg"], "not for URLs"),
        (["memory://scans/in", "--watch"], "not for URLs"),
        (["memory://scans/in/", "--hint", "1,1,#ff0000"], "for one photo"),
        (["memory://scans/in", "--shard", "auto"], "it looked for"),
    ],
)
def test_what_does_not_go_with_urls_is_said(arguments, said, capsys):
    assert main(["colorize", *arguments]) == 1
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def weights(tmp_path):
    return ["--weights", str(write_graph(tmp_path / "tiny.onnx"))]


@pytest.mark.parametrize("out", ["memory://out", "here"])
def test_a_part_whose_photos_are_all_broken_is_done(tmp_path, monkeypatch, weights, capsys, out):
    """A job array repeats what ends with 1, and these would be broken again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for i in range(4):
        (tmp_path / "in" / f"{i}.jpg").write_bytes(b"no photo")
    command = ["colorize", "in", "-o", out, *weights]
    assert main(command) == 1
    assert [main([*command, "--shard", f"{i}/2"]) for i in (1, 2)] == [2, 2]
    assert capsys.readouterr().err.count("0 colored, 0 skipped (already there), 2 failed") == 2
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    monkeypatch.setenv("JOB_COMPLETIONS", "1")
    for alone in ("1/1", "auto"):  # an array of one task
        assert main([*command, "--shard", alone]) == 2


@pytest.mark.parametrize(
    "given",
    [
        *("nowhere", "no*.jpg", "memory://nowhere/", "memory://scans/in/no.jpg", "nothing://x"),
        *("no.mp4", "no*.mp4"),
    ],
)
def test_what_is_not_there_is_so_the_next_time(scans, tmp_path, monkeypatch, weights, given):
    monkeypatch.chdir(tmp_path)
    command = ["colorize", given, "-o", "copies", *weights]
    assert main(command) == 1
    assert main([*command, "--shard", "1/2"]) == 2


@pytest.mark.parametrize("given", ["sick", "sick/*.jpg", "sick/a.mp4", "sick/*.mp4"])
def test_what_a_drive_that_fails_does_not_show_is_tried_again(
    tmp_path, monkeypatch, weights, capsys, given
):
    """Neither os.path.exists nor glob tells it from what is not there."""
    there = os.lstat

    def fail(path, **options):
        if str(path).startswith("sick"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return there(path, **options)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "lstat", fail)
    assert main(["colorize", given, "-o", "copies", *weights, "--shard", "1/2"]) == 1
    assert os.strerror(errno.ESTALE) in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_tried_again(scans, tmp_path, weights):
    (tmp_path / "out").write_text("a file")
    for source in ("memory://scans/in", str(scans)):
        out = str(tmp_path / "out" / "")
        assert main(["colorize", source, "-o", out, *weights, "--shard", "1/2"]) == 1


@pytest.mark.parametrize(
    "error, status", [(NoAnswer("no answer after 5 tries: 503"), 1), (NotPermitted("403"), 2)]
)
def test_a_part_that_could_not_try_all_its_photos_is_to_be_repeated(
    scans, monkeypatch, weights, capsys, error, status
):
    """But not where the rest may not be listed."""
    listed = UrlStore.entries

    def breaks_off(store):
        for i, entry in enumerate(listed(store)):
            if i == 3 and "scans" in store.root:
                raise error
            yield entry

    monkeypatch.setattr(UrlStore, "entries", breaks_off)
    command = ["colorize", "memory://scans/in", "-o", "memory://out", *weights, "--json"]
    assert [main([*command, "--shard", f"{i}/2"]) for i in (1, 2)] == [status] * 2
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    again = [record["path"] for record in records if record.get("again")]
    assert again == ["memory://scans/in"] * 2 * (status == 1)
    assert any(record["status"] == "colored" for record in records)
    assert main(command) == 2  # some failed, as of any run


@pytest.mark.parametrize(
    "error, status",
    [
        (NoAnswer("503"), 1),
        (NoSpace("full"), 1),
        (RuntimeError("CUDA error: unspecified launch failure"), 1),
        (OSError(errno.EIO, "Input/output error"), 1),
        (MemoryError(), 1),
        (Unreadable("torn"), 2),
    ],
)
def test_a_photo_that_may_do_another_time_has_its_part_repeated(
    scans, monkeypatch, weights, error, status
):
    def read(store, key, *, max_bytes):
        raise error

    monkeypatch.setattr(UrlStore, "read", read)
    command = ["colorize", "memory://scans/in", "-o", "memory://out", *weights]
    assert main([*command, "--shard", "1/2"]) == status


def test_an_archive_without_photos_is_said(scans, capsys):
    open_store("memory://texts").put("a.txt", b"1")
    assert main(["colorize", "memory://texts/", "-o", "memory://out"]) == 1
    assert "memory://texts/: nothing to color, no photo in it" in capsys.readouterr().err


def test_a_file_url_is_the_path_that_it_means(scans, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert main(["colorize", f"file://{tmp_path}/none", "-o", f"file://{tmp_path}/out"]) == 1
    (tmp_path / "out").mkdir()
    for name in NAMES[:2]:
        (tmp_path / "out" / name.replace(".", ".color.")).write_bytes(b"done")
    ours = [f"file://{scans}/{name}" for name in NAMES[:2]]
    note = ["--manifest", str(tmp_path / "note"), "-o", f"file://{tmp_path}/out"]
    assert main(["colorize", *ours, *note]) == 0
    found = manifest.read(str(tmp_path / "note"), ["key", "output", "status"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("a.jpg", "a.color.jpg", "skipped"),
        ("b.png", "b.color.png", "skipped"),
    ]


def test_sidecars_of_photos_that_are_left_alone_are_not_kept():
    colors = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(colors).save(file, "PNG")
    store = open_store("memory://colors")
    for i in range(3):
        store.put(f"{i}.png", file.getvalue())
        store.put(f"{i}.xmp", XMP)
    files = FileOptions(skip_color=True, copy_sidecars=True)
    ends = copying.StoreEnds(files)
    found = finding.find(["memory://colors"], finding.Search(), out="memory://colored")
    records = folders.make_copies(found, partial(partial, color_photo, model=Tint()), files, ends)
    assert [record.status for record in records] == ["ignored"] * 3
    gc.collect()
    held = [one.path for one in gc.get_objects() if isinstance(one, Sidecar)]
    assert not {"0.xmp", "1.xmp", "2.xmp"} & set(held)
    MemoryFileSystem.store.clear()
