"""The manifest: rows in parquet parts, the last of each key, and true numbers in them."""

import hashlib
import threading
import tracemalloc
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from photo_sets import fill, gray

from pix2pix.archives import finding, manifest, measured, runs
from pix2pix.archives.urls import UrlStore
from pix2pix.colorize.copies import color_photo
from pix2pix.colorize.ends import FileOptions
from pix2pix.colorize.jobs import Job, Record
from pix2pix.errors import Corrupt, NotPermitted


class Plain:
    name = "plain"

    def color(self, rgb, wish):
        return rgb


def load():
    return lambda photo: color_photo(photo, Plain())


def run(folder, *, out="out", note="manifest", inputs="in", **options):
    paths = runs.Paths([str(folder / inputs)], str(folder / out), manifest=str(folder / note))
    found = finding.find(paths.inputs, finding.Search(), out=paths.out)
    return list(runs.run(found, paths, FileOptions(**options), load=load))


def rows(folder, note="manifest"):
    return {row["key"]: row for row in manifest.read(str(folder / note)).to_pylist()}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_photo_has_a_row_with_the_truth(tmp_path):
    fill(tmp_path / "in" / "box 1", 3, gray, ".jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    records = run(tmp_path)
    assert [record.status for record in records].count("colored") == 3
    found = rows(tmp_path)
    assert len(found) == 4
    row = found["box 1/gray000.jpg"]
    source, output = tmp_path / "in/box 1/gray000.jpg", tmp_path / "out/box 1/gray000.color.jpg"
    assert (row["status"], row["output"]) == ("colored", "box 1/gray000.color.jpg")
    assert (row["bytes_in"], row["sha256_in"]) == (source.stat().st_size, digest(source))
    assert (row["bytes_out"], row["sha256_out"]) == (output.stat().st_size, digest(output))
    assert row["seconds"] >= 0 and row["when"] <= datetime.now(UTC)
    assert found["bad.jpg"]["code"] == "unreadable" and found["bad.jpg"]["output"] is None
    assert found["bad.jpg"]["bytes_in"] == 3 and found["bad.jpg"]["sha256_out"] is None


def test_the_same_from_store_to_store(tmp_path):
    import fsspec

    fill(tmp_path / "in", 2, gray, ".jpg")
    run(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "in"), "/manifest-in", recursive=True)
    paths = runs.Paths(["memory://manifest-in"], "memory://manifest-out", manifest="memory://note")
    found = finding.find(paths.inputs, finding.Search(), out=paths.out)
    assert len(list(runs.run(found, paths, FileOptions(), load=load))) == 2
    there = {row["key"]: row for row in manifest.read("memory://note").to_pylist()}
    here = rows(tmp_path)
    for name in ("key", "output", "status", "bytes_in", "bytes_out", "sha256_in", "sha256_out"):
        assert {k: row[name] for k, row in there.items()} == {k: r[name] for k, r in here.items()}


def test_a_rerun_adds_what_is_missing_and_no_more(tmp_path):
    fill(tmp_path / "in", 3, gray, ".jpg")
    run(tmp_path)
    parts = sorted((tmp_path / "manifest").iterdir())
    before = rows(tmp_path)
    assert {record.status for record in run(tmp_path)} == {"skipped"}
    assert sorted((tmp_path / "manifest").iterdir()) == parts
    for part in parts:  # as after a run that was killed before it wrote them
        part.unlink()
    run(tmp_path)
    after = rows(tmp_path)
    assert after.keys() == before.keys()
    for key, row in after.items():
        assert row["status"] == "skipped"
        for name in ("output", "bytes_in", "bytes_out", "sha256_in", "sha256_out"):
            assert row[name] == before[key][name]


def test_what_failed_and_was_mended_has_its_last_row(tmp_path):
    fill(tmp_path / "in", 1, gray, ".jpg")
    good = (tmp_path / "in/gray000.jpg").read_bytes()
    (tmp_path / "in/gray000.jpg").write_bytes(good[:300])
    run(tmp_path)
    assert rows(tmp_path)["gray000.jpg"]["status"] == "failed"
    (tmp_path / "in/gray000.jpg").write_bytes(good)
    run(tmp_path)
    (row,) = rows(tmp_path).values()
    assert row["status"] == "colored" and row["code"] is None


def test_what_fails_again_in_the_same_way_has_no_further_row(tmp_path):
    fill(tmp_path / "in", 1, gray, ".jpg")
    (tmp_path / "in/bad.jpg").write_bytes(b"no photo")
    run(tmp_path)
    parts = sorted((tmp_path / "manifest").iterdir())
    assert [record.status for record in run(tmp_path)].count("failed") == 1
    assert sorted((tmp_path / "manifest").iterdir()) == parts
    (tmp_path / "in/bad.jpg").write_bytes(b"no photo either")
    run(tmp_path)
    assert rows(tmp_path)["bad.jpg"]["bytes_in"] == 15 and len(rows(tmp_path)) == 2


def test_what_failed_and_was_colored_unnoted_is_no_failure_any_more(tmp_path):
    """As by a run that was killed before it wrote its rows, or had no manifest."""
    fill(tmp_path / "in", 1, gray, ".jpg")
    good = (tmp_path / "in/gray000.jpg").read_bytes()
    (tmp_path / "in/gray000.jpg").write_bytes(good[:300])
    run(tmp_path)
    (tmp_path / "in/gray000.jpg").write_bytes(good)
    run(tmp_path, note="another")
    assert [record.status for record in run(tmp_path)] == ["skipped"]
    (row,) = rows(tmp_path).values()
    assert row["status"] == "skipped" and row["code"] is None
    assert row["sha256_out"] == digest(tmp_path / "out/gray000.color.jpg")


def test_the_last_row_is_that_of_the_latest_time(tmp_path):
    """Whichever part it is in: rows wait for a while before they are written."""
    late = manifest.Row("a.jpg", "failed", code="corrupt", reason="late")
    early = replace(late, reason="early", when=late.when - timedelta(seconds=9))
    good = [manifest.Row("b.jpg", "colored", output="b.color.jpg")]
    good.append(replace(good[0], status="failed", output=None, when=early.when))
    for number, rows in enumerate([[late, good[0]], [early, good[1]]]):
        (tmp_path / f"part-{number}.parquet").write_bytes(manifest.encode(rows))
    found = {row["key"]: row for row in manifest.read(str(tmp_path)).to_pylist()}
    assert found["a.jpg"]["reason"] == "late" and found["b.jpg"]["status"] == "colored"
    with manifest.Manifest(str(tmp_path)) as book:
        book.add(Record("a.jpg", "failed", code="corrupt", reason="late"))
        assert book.knows("b.jpg") and not book.knows("a.jpg")
    assert len(list(tmp_path.iterdir())) == 2
    with manifest.Manifest(str(tmp_path)) as book:
        book.add(Record("a.jpg", "failed", code="corrupt", reason="early"))
    assert len(list(tmp_path.iterdir())) == 3


def test_rows_of_others_take_little_memory(tmp_path):
    count = 3000
    rows = [manifest.Row(f"{i}.jpg", "ignored", reason=f"{i:0999}") for i in range(count)]
    for start in range(0, count, 1000):
        part = manifest.encode(rows[start : start + 1000])
        (tmp_path / f"part-{start}.parquet").write_bytes(part)
    del rows, part
    manifest.Manifest(str(tmp_path))  # imports, once
    tracemalloc.start()
    try:
        book = manifest.Manifest(str(tmp_path))
        assert tracemalloc.get_traced_memory()[0] < 250 * count
    finally:
        tracemalloc.stop()
    book.add(Record("7.jpg", "ignored", reason=f"{7:0999}"))
    assert not book._waiting


def test_what_is_no_photo_has_no_row(tmp_path):
    fill(tmp_path / "in", 2, gray, ".jpg")
    (tmp_path / "out").write_text("a file")
    (record,) = run(tmp_path)
    assert record.status == "failed" and record.path == str(tmp_path / "out")
    assert not rows(tmp_path)
    (tmp_path / "out").unlink()
    run(tmp_path)
    assert {row["status"] for row in rows(tmp_path).values()} == {"colored"}


def test_a_photo_whose_copy_was_refused_has_a_row(tmp_path, monkeypatch):
    """The store is at fault, but the photo was tried."""

    def refuse(store, key, data, **options):
        raise NotPermitted("403")

    monkeypatch.setattr(UrlStore, "put", refuse)
    fill(tmp_path / "in", 1, gray, ".jpg")
    note = str(tmp_path / "manifest")
    paths = runs.Paths([str(tmp_path / "in")], "memory://refused", manifest=note)
    found = finding.find(paths.inputs, finding.Search(), out=paths.out)
    (record,) = runs.run(found, paths, FileOptions(), load=load)
    assert record.again and record.sha256_in == digest(tmp_path / "in/gray000.jpg")
    (row,) = rows(tmp_path).values()
    assert (row["key"], row["status"], row["code"]) == ("gray000.jpg", "failed", "permission")


def test_parts_come_with_many_rows_or_after_a_while(tmp_path):
    def parts():
        return len(list(tmp_path.iterdir()))

    with manifest.Manifest(str(tmp_path), rows=3) as book:
        book.add(Record("a", "colored"))
        assert parts() == 1  # the first at once: whether it can be written is known early
        for name in "bcde":
            book.add(Record(name, "colored"))
        assert parts() == 2
        assert manifest.read(str(tmp_path))["key"].to_pylist() == list("abcd")
        book.seconds = 0.0
        book.add(Record("f", "colored"))
        assert parts() == 3
        book.add(Record("g", "colored"))
    assert manifest.read(str(tmp_path), ["key"]).to_pydict() == {"key": list("abcdefg")}


def test_names_below_what_was_given():
    roots = ["scans", "scans/1912", "s3://box/in"]
    for path, name in [
        ("scans/1912/a.jpg", "a.jpg"),
        ("scans/b/a.jpg", "b/a.jpg"),
        ("scans", "scans"),
        ("scansion/a.jpg", "scansion/a.jpg"),
        ("s3://box/in/x y/a.jpg", "x y/a.jpg"),
        ("scans/\udce9.jpg", "\\xe9.jpg"),
    ]:
        assert manifest.below(path, roots) == name


def test_inputs_as_they_are_typed(tmp_path):
    for given in ("in/", "in/*.jpg", "./in"):
        book = manifest.Manifest(str(tmp_path), inputs=[given])
        path = "./in/a.jpg" if given.startswith(".") else "in/a.jpg"
        book.add(Record(path, "colored"))
        assert manifest.read(str(tmp_path))["key"].to_pylist() == ["a.jpg"]


@pytest.mark.parametrize(
    "inputs, keys",
    [
        (["in/a", "in/b/"], ["a/x.jpg", "b/x.jpg"]),
        (["in/a/x.jpg", "in/b/x.jpg"], ["a/x.jpg", "b/x.jpg"]),
        (["in/a/x.jpg", "in/a/y.jpg"], ["x.jpg", "y.jpg"]),
        (["a", "b"], ["a/x.jpg", "b/x.jpg"]),
        (["a", "/b"], ["/b/x.jpg", "a/x.jpg"]),
        (["/a", "/b"], ["/a/x.jpg", "/b/x.jpg"]),
        (["s3://a/in", "s3://a/on"], ["in/x.jpg", "on/x.jpg"]),
        (["s3://a", "s3://b"], ["s3://a/x.jpg", "s3://b/x.jpg"]),
        (["in", "in/a"], ["a/x.jpg", "x.jpg"]),
    ],
)
def test_photos_of_several_inputs_have_keys_of_their_own(tmp_path, inputs, keys):
    with manifest.Manifest(str(tmp_path), inputs=inputs) as book:
        for path in inputs:
            name = path if path.endswith(".jpg") else f"{path.rstrip('/')}/x.jpg"
            book.add(Record(name, "colored"))
    assert manifest.read(str(tmp_path))["key"].to_pylist() == keys


def test_nothing_yet_is_an_empty_table(tmp_path):
    table = manifest.read(str(tmp_path / "none"))
    assert table.num_rows == 0 and table.column_names[0] == "key"


def test_a_part_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "part-1.parquet").write_bytes(b"no")
    with pytest.raises(Corrupt) as error:
        manifest.read(str(tmp_path))
    assert error.value.path == str(tmp_path / "part-1.parquet")


def test_a_manifest_that_cannot_be_written_ends_the_run(tmp_path):
    fill(tmp_path / "in", 3, gray, ".jpg")
    (tmp_path / "manifest").write_text("a file")
    *_, last = run(tmp_path)
    assert last.status == "failed" and last.path == str(tmp_path / "manifest")
    assert last.code == NotPermitted.code


def test_a_put_that_ends_late_may_be_measured_before(monkeypatch, caplog):
    coming = Future()
    monkeypatch.setattr(measured.StoreEnds, "write", lambda *args: coming)
    ends = measured.MeasuredEnds(checked=True)
    job = Job("in/a.jpg", "out/a.jpg", "out")
    assert list(ends.check(job)) == [job]
    assert ends.write(job, None) is coming
    assert ends.measure(Record("in/a.jpg", "colored")).seconds is None
    coming.set_result(None)  # which logs what its callbacks raise
    assert not caplog.records


def test_photos_do_not_wait_for_what_is_hashed(monkeypatch):
    done, job = threading.Event(), Job("b.jpg", "b.color.jpg", ".")

    def slowly(record, job):
        assert done.wait(10)
        return record

    monkeypatch.setattr(measured, "_hash_both", slowly)
    monkeypatch.setattr(measured.StoreEnds, "pending", lambda self, jobs: jobs)
    ends = measured.MeasuredEnds()
    skipped = Record("a.jpg", "skipped")
    ends._notes["a.jpg"] = measured._Notes(job)
    found = ends.pending([skipped, job])
    assert next(found) is job
    done.set()
    assert list(found) == [skipped]
