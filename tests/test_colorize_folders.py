"""Runs over many photos: every line of names and file system that a run can meet."""

import contextlib
import errno
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix import images, strips
from pix2pix.colorize import folders, jobs, watch
from pix2pix.colorize.copies import Maker, color_photo
from pix2pix.colorize.wish import Wish

GRAY = np.tile(np.arange(0, 240, 6, dtype=np.uint8)[:, None], (32, 1, 1)).repeat(
    3, 2
)  # (32, 40, 3)
ODD_NAMES = {
    "newline": "a\nb.png",
    "tab": "a\tb.png",
    "quotes": "a'b\"c.png",
    "shell": "a;$(id)`id`.png",
    "star": "a*.png",
    "bracket": "[x].png",
    "right to left": "a‮gnp.png",
    "nfd": "e\u0301.png",
    "nfc": "\u00e9.png",
    "cjk": "写真.png",
    "240 characters": "n" * 236 + ".png",
    "not UTF-8": os.fsdecode(b"a\xff\xfe.png"),
    "dash": "-o.png",
    "spaces": " a b .png",
    "many dots": "a..b.PNG",
}


class Tint:
    """A colorizer that paints everything the same color, and counts."""

    name = "tint"

    def __init__(self) -> None:
        self.colored = 0

    def color(self, rgb: np.ndarray, wish: Wish) -> np.ndarray:
        self.colored += 1
        return np.full_like(rgb, (200, 100, 50))


def coloring(model: Tint | None = None) -> Maker:
    return partial(color_photo, model=model or Tint())


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GRAY).save(path, format=images.EXTENSIONS.get(path.suffix.lower(), "PNG"))
    return path


def color(*inputs: str | Path, model: Tint | None = None, **options) -> list[jobs.Record]:
    """Find and run; the records, those of photos in the order of their paths."""
    finding = {k: options.pop(k) for k in ("every_file", "follow", "shard") if k in options}
    out = options.pop("out", None)
    found = jobs.find(map(str, inputs), out=out and str(out), **finding)
    handling = folders.FileOptions(**options)
    records = list(folders.make_copies(found, lambda: coloring(model), handling))
    return sorted(records, key=lambda record: record.path)


def outcomes(records: list[jobs.Record]) -> list[tuple[str, str]]:
    return [(os.path.basename(r.path), r.code or r.status) for r in records]


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def assert_colored(path: str | Path) -> None:
    with Image.open(path) as image:
        image.load()
        assert image.size == (40, 32)
        assert np.abs(np.asarray(image.convert("RGB"))[5, 5] - (200.0, 100, 50)).max() < 10


@pytest.fixture
def unprivileged():
    """A folder of a user whom file modes bind; root is bound by none."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() != 0:
            yield Path(name)
            return
        os.chown(name, 65534, 65534)
        os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
@pytest.mark.parametrize("how", ["file", "folder"])
def test_odd_name(tmp_path, name, how):
    source = photo(tmp_path / name)
    (record,) = color(source if how == "file" else tmp_path)
    assert (record.status, record.path) == ("colored", str(source))
    stem, extension = os.path.splitext(name)
    assert record.output == str(tmp_path / f"{stem}.color{extension}")
    assert_colored(record.output)
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("name", ["[x].png", "a*.png", "?.png"])
def test_an_existing_path_wins_over_its_meaning_as_a_glob(tmp_path, name):
    photo(tmp_path / name)
    photo(tmp_path / "x.png")
    photo(tmp_path / "ab.png")
    assert outcomes(color(tmp_path / name)) == [(name, "colored")]


def test_folders_keep_their_structure_under_out(tmp_path):
    for name in ("a.png", "b/c.jpg", "b/d/e.tif", "b/notes.txt", ".hidden.png", ".git/x.png"):
        photo(tmp_path / "in" / name)
    records = color(tmp_path / "in", out=tmp_path / "out")
    assert [r.status for r in records] == ["colored"] * 3
    assert files(tmp_path / "out") == ["a.color.png", "b/c.color.jpg", "b/d/e.color.tif"]
    assert_colored(tmp_path / "out/b/d/e.color.tif")


def test_globs_find_files_and_keep_what_is_below_their_fixed_part(tmp_path):
    for name in ("in/1920/a.png", "in/1921/b.png", "in/1921/deep/c.png", "in/2000/d.png"):
        photo(tmp_path / name)
    color(tmp_path / "in/19*", out=tmp_path / "one")
    assert files(tmp_path / "one") == [
        "1920/a.color.png",
        "1921/b.color.png",
        "1921/deep/c.color.png",
    ]
    color(tmp_path / "in/**/*.png", out=tmp_path / "two")
    assert len(files(tmp_path / "two")) == 4
    assert (tmp_path / "two/1921/deep/c.color.png").is_file()
    color(tmp_path / "in/*/*.png")
    assert outcomes(color(tmp_path / "in/*/*.png")) == [
        ("a.png", "skipped"),
        ("b.png", "skipped"),
        ("d.png", "skipped"),
    ]


def test_a_glob_in_the_current_folder(tmp_path, monkeypatch):
    photo(tmp_path / "a.png")
    photo(tmp_path / "b/c.png")
    monkeypatch.chdir(tmp_path)
    assert [r.output for r in color("*.png")] == ["a.color.png"]
    assert [r.output for r in color("*", out="o")] == ["o/a.color.png", "o/b/c.color.png"]


def test_a_missing_file_and_a_glob_without_matches_are_unreadable(tmp_path):
    assert outcomes(color(tmp_path / "no.png")) == [("no.png", "unreadable")]
    assert outcomes(color(tmp_path / "*.png")) == [("*.png", "unreadable")]
    assert outcomes(color(tmp_path / "no/no.png")) == [("no.png", "unreadable")]
    assert os.listdir(tmp_path) == []


def test_one_file_goes_to_a_file_or_a_folder(tmp_path):
    source = photo(tmp_path / "a.png")
    for out, dest in {
        "x.jpg": "x.jpg",
        "folder": "folder/a.color.png",
        "new.d/": "new.d/a.color.png",
        "deep/er/y.png": "deep/er/y.png",
    }.items():
        (record,) = color(source, out=f"{tmp_path}/{out}")
        assert record.output == str(tmp_path / dest)
        assert_colored(record.output)
    assert Image.open(tmp_path / "x.jpg").format == "JPEG"
    assert outcomes(color(source, out=tmp_path / "x.gif")) == [("a.png", "unsupported_format")]
    assert outcomes(color(source, out=tmp_path / "x.xyz")) == [("a.png", "unsupported_format")]


def test_same_stem_different_extension_gives_two_outputs(tmp_path):
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "a.png")
    color(tmp_path)
    assert files(tmp_path) == ["a.color.jpg", "a.color.png", "a.jpg", "a.png"]


def test_two_inputs_with_one_output_do_not_overwrite_each_other(tmp_path):
    for name in ("x/a.png", "y/a.png", "y/b.png"):
        photo(tmp_path / name)
    records = color(tmp_path / "x", tmp_path / "y", out=tmp_path / "out")
    assert outcomes(records) == [
        ("a.png", "colored"),
        ("a.png", "permission"),
        ("b.png", "colored"),
    ]
    photo(tmp_path / "z/a.gif")
    photo(tmp_path / "z/a.gif.png")
    assert outcomes(color(tmp_path / "z")) == [("a.gif", "permission"), ("a.gif.png", "colored")]


def test_a_photo_given_twice_is_colored_once(tmp_path):
    source = photo(tmp_path / "a.png")
    model = Tint()
    assert outcomes(color(source, tmp_path, source, model=model)) == [("a.png", "colored")]
    assert model.colored == 1


def test_existing_outputs_are_skipped_unless_overwrite(tmp_path):
    photo(tmp_path / "a.png")
    (tmp_path / "a.color.png").write_bytes(b"old")
    model = Tint()
    assert outcomes(color(tmp_path, model=model)) == [("a.png", "skipped")]
    assert (tmp_path / "a.color.png").read_bytes() == b"old"
    assert model.colored == 0
    assert outcomes(color(tmp_path, overwrite=True)) == [("a.png", "colored")]
    assert_colored(tmp_path / "a.color.png")


def test_a_run_with_nothing_to_do_loads_no_model(tmp_path):
    photo(tmp_path / "a.png")
    color(tmp_path)
    assert [r.status for r in folders.make_copies(jobs.find([str(tmp_path)]), lambda: 1 / 0)] == [
        "skipped"
    ]


@pytest.mark.parametrize("way", ["path", "symlink", "hardlink"])
def test_output_that_is_the_input_is_refused(tmp_path, way):
    source = photo(tmp_path / "a.png")
    out = tmp_path / ("a.png" if way == "path" else "b.png")
    if way == "symlink":
        out.symlink_to(source)
    elif way == "hardlink":
        out.hardlink_to(source)
    before = source.read_bytes()
    assert outcomes(color(source, out=out, overwrite=True)) == [("a.png", "permission")]
    assert source.read_bytes() == before


def test_outputs_are_never_inputs_of_a_folder_run(tmp_path):
    photo(tmp_path / "a.png")
    out = tmp_path / "out"
    for _ in range(3):
        color(tmp_path, out=out)
        color(tmp_path)
        color(tmp_path / "*.png")
    photo(out / "foreign.png")  # also no input while it lies under OUT
    color(tmp_path, out=out)
    assert files(tmp_path) == ["a.color.png", "a.png", "out/a.color.png", "out/foreign.png"]


def test_an_output_named_with_others_is_ignored_and_alone_is_colored(tmp_path):
    paths = [photo(tmp_path / name) for name in ("a.png", "b.color.png")]
    assert outcomes(color(*paths)) == [("a.png", "colored"), ("b.color.png", "ignored")]
    assert outcomes(color(paths[1])) == [("b.color.png", "colored")]


def test_dangling_symlink_is_unreadable(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "missing.png")
    assert outcomes(color(tmp_path)) == [("a.png", "unreadable")]
    assert outcomes(color(tmp_path / "a.png")) == [("a.png", "unreadable")]


def test_symlinks_out_of_the_tree_are_left_unless_follow(tmp_path):
    photo(tmp_path / "elsewhere/a.png")
    photo(tmp_path / "in/own.png")
    (tmp_path / "in/file.png").symlink_to(tmp_path / "elsewhere/a.png")
    (tmp_path / "in/folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/inner.png").symlink_to(tmp_path / "in/own.png")
    ignored = color(tmp_path / "in", out=tmp_path / "one")
    assert outcomes(ignored) == [
        ("file.png", "ignored"),
        ("folder", "ignored"),
        ("inner.png", "colored"),
        ("own.png", "colored"),
    ]
    assert outcomes(color(tmp_path / "in/*.png", out=tmp_path / "one"))[0] == (
        "file.png",
        "ignored",
    )
    color(tmp_path / "in", out=tmp_path / "two", follow=True)
    assert files(tmp_path / "two") == [
        "file.color.png",
        "folder/a.color.png",
        "inner.color.png",
        "own.color.png",
    ]


@pytest.mark.parametrize("follow", [False, True])
def test_links_to_folders_inside_the_tree_add_nothing(tmp_path, follow):
    photo(tmp_path / "in/b/a.png")
    (tmp_path / "in/again").symlink_to(tmp_path / "in/b")
    for source in (tmp_path / "in", tmp_path / "in/**"):
        records = color(source, out=tmp_path / "out", follow=follow, overwrite=True)
        assert outcomes(records) == [("a.png", "colored")]
    assert files(tmp_path / "out") == ["b/a.color.png"]


@pytest.mark.parametrize("follow", [False, True])
def test_symlink_loops_terminate(tmp_path, follow):
    photo(tmp_path / "in/b/a.png")
    (tmp_path / "in/b/up").symlink_to(tmp_path / "in")
    (tmp_path / "in/b/out").symlink_to(tmp_path)  # which holds the folder itself
    (tmp_path / "in/self.png").symlink_to(tmp_path / "in/self.png")
    records = color(tmp_path / "in", follow=follow)
    assert [r.status for r in records].count("colored") == 1
    assert ("self.png", "unreadable") in outcomes(records)
    deep = color(tmp_path / "in/**/*.png", follow=False)
    assert [r.status for r in deep].count("skipped") == 1


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize("how", ["file", "folder"])
def test_what_is_no_file_is_unreadable_at_once(tmp_path, kind, how, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path, listener = tmp_path / "a.png", socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listener.bind("a.png")
    else:
        path.symlink_to("/dev/zero")
    start = time.monotonic()
    assert outcomes(color(path if how == "file" else tmp_path, follow=True)) == [
        ("a.png", "unreadable")
    ]
    assert time.monotonic() - start < 5
    listener.close()


def test_a_pipe_without_extension_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert color(tmp_path, every_file=True) == []
    assert outcomes(color(tmp_path / "pipe")) == [("pipe", "unreadable")]


def test_a_directory_named_like_a_picture_is_no_picture(tmp_path):
    (tmp_path / "x.png").mkdir()
    assert color(tmp_path) == []
    photo(tmp_path / "x.png/a.png")
    assert outcomes(color(tmp_path)) == [("a.png", "colored")]


def test_a_file_that_may_not_be_read_is_permission(unprivileged):
    photo(unprivileged / "a.png").chmod(0)
    photo(unprivileged / "b.png")
    photo(unprivileged / "locked/c.png")
    (unprivileged / "locked").chmod(0)
    records = color(unprivileged)
    assert outcomes(records) == [
        ("a.png", "permission"),
        ("b.png", "colored"),
        ("locked", "permission"),
    ]
    assert not any(record.again for record in records)
    (unprivileged / "locked").chmod(0o700)


def test_a_folder_on_a_drive_that_fails_is_tried_again(tmp_path, monkeypatch):
    photo(tmp_path / "a.png")
    (tmp_path / "sick").mkdir()
    listed = os.scandir

    def fail(path):
        if os.path.basename(path) == "sick":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return listed(path)

    monkeypatch.setattr(os, "scandir", fail)
    records = color(tmp_path)
    assert outcomes(records) == [("a.png", "colored"), ("sick", "unreadable")]
    assert [record.again for record in records if record.status == "failed"] == [True]


def test_a_read_only_output_folder_is_one_error_before_the_model_loads(unprivileged):
    for name in ("a.png", "b.png", "c/d.png"):
        photo(unprivileged / "in" / name)
    for readonly, out in (
        (unprivileged / "out", unprivileged / "out"),
        (unprivileged / "in", None),
    ):
        readonly.mkdir(exist_ok=True)
        readonly.chmod(0o500)
        found = jobs.find([str(unprivileged / "in")], out=out and str(out))
        (record,) = folders.make_copies(found, lambda: 1 / 0)
        assert (record.path, record.code) == (str(readonly), "permission")
        readonly.chmod(0o700)


@contextlib.contextmanager
def small_disk(folder: Path, monkeypatch):
    """A file system of 64 KiB at `folder`, or where none can be mounted, writes that end there."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if sys.platform == "linux" and os.geteuid() == 0 and not subprocess.call(mount):
        try:
            yield
        finally:
            subprocess.check_call(["umount", str(folder)])
        return
    left, write = [65536], os.write

    def limited(descriptor: int, data: bytes) -> int:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, data[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(os, "write", limited)
    yield


def test_a_full_disk_is_no_space_and_leaves_no_partial_file(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    for i in range(20):
        photo(tmp_path / f"in/{i:02}.bmp")
        Image.fromarray(GRAY).resize((60, 40)).save(tmp_path / f"in/{i:02}.bmp")  # 7.3 kB each
    with small_disk(out, monkeypatch):
        records = color(tmp_path / "in", out=out)
        written = [Image.open(p).size for p in out.iterdir()]
        assert not [name for name in os.listdir(out) if name.endswith(".tmp")]
    codes = [r.code for r in records]
    assert len(records) == 20
    assert set(codes) == {None, "no_space"}
    assert written == [(60, 40)] * codes.count(None)


def test_a_file_deleted_before_it_is_read_is_unreadable(tmp_path):
    for name in "abc":
        photo(tmp_path / f"{name}.png")
    found = list(jobs.find([str(tmp_path)]))
    (tmp_path / "b.png").unlink()
    records = sorted(folders.make_copies(found, coloring), key=lambda r: r.path)
    assert outcomes(records) == [
        ("a.png", "colored"),
        ("b.png", "unreadable"),
        ("c.png", "colored"),
    ]


def test_one_bad_file_never_stops_a_run(tmp_path):
    for name in ("a.png", "d.png"):
        photo(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.png").write_text("no picture at all")

    class Fragile(Tint):
        def color(self, rgb, wish):
            if self.colored == 0:
                self.colored += 1
                raise RuntimeError("out of memory\nand more")
            return super().color(rgb, wish)

    records = color(tmp_path, model=Fragile())
    codes = sorted(r.code or r.status for r in records)
    assert codes == ["colored", "error", "unreadable", "unsupported_format"]
    assert files(tmp_path)[1:2] == ["a.png"] or len(files(tmp_path)) == 5


def test_files_without_extension_need_all(tmp_path):
    photo(tmp_path / "scan")
    Image.fromarray(GRAY).save(tmp_path / "other", format="JPEG")
    (tmp_path / "README").write_text("no picture")
    assert color(tmp_path) == []
    color(tmp_path, every_file=True)
    assert_colored(tmp_path / "scan.color.png")
    assert Image.open(tmp_path / "other.color.jpg").format == "JPEG"
    assert len(files(tmp_path)) == 5
    assert outcomes(color(tmp_path / "other")) == [("other", "skipped")]


def test_skip_color_leaves_color_photos_alone(tmp_path):
    photo(tmp_path / "gray.png")
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "color.png")
    sepia = (GRAY * (1.0, 0.85, 0.6)).astype(np.uint8)
    Image.fromarray(sepia).save(tmp_path / "sepia.png")
    assert outcomes(color(tmp_path, skip_color=True)) == [
        ("color.png", "ignored"),
        ("gray.png", "colored"),
        ("sepia.png", "colored"),
    ]


def test_warnings_come_with_the_record(tmp_path):
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (record,) = color(tmp_path)
    assert record.status == "colored"
    assert any("frame" in warning for warning in record.warnings)
    assert_colored(tmp_path / "a.gif.color.png")


def test_every_core_has_a_photo_of_its_own(tmp_path, monkeypatch):
    """The first, whose size nobody knows, has them all; then three at a time have one each."""
    monkeypatch.setattr(strips, "cores", lambda: 3)
    for i in range(7):
        photo(tmp_path / f"{i}.png")
    together, shares, calls = threading.Barrier(3, timeout=60), [], itertools.count()
    model = Tint()
    color_alone = model.color

    def meeting(*args):
        first = next(calls) == 0
        shares.append(strips.share())
        if not first:
            together.wait()  # for the other two, which come only if they run at the same time
        return color_alone(*args)

    model.color = meeting
    assert len(color(tmp_path, model=model)) == 7
    assert not together.broken and shares == [3, 1, 1, 1, 1, 1, 1]


def test_large_photos_take_turns_whatever_came_before(tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "cores", lambda: 4)
    monkeypatch.setattr(folders, "_LARGE", 2000)
    photo(tmp_path / "0.png")
    for i in range(1, 7):
        Image.new("L", (60, 50), 90).save(tmp_path / f"{i}.png")
    alive, most, model = [0], [0], Tint()
    plain = model.color

    def counting(rgb, wish):
        large = rgb.shape[0] * rgb.shape[1] > 2000
        alive[0] += large
        most[0] = max(most[0], alive[0])
        time.sleep(0.02)
        alive[0] -= large
        return plain(rgb, wish)

    model.color = counting
    assert len(color(tmp_path, model=model)) == 7
    assert most[0] == 1


def test_a_run_that_is_left_makes_no_further_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "cores", lambda: 1)
    for i in range(20):
        photo(tmp_path / f"{i:02}.png")
    records = folders.make_copies(jobs.find([str(tmp_path)]), coloring)
    assert next(records).status == "colored"
    records.close()
    assert len(list(tmp_path.glob("*.color.png"))) <= 4  # what had begun


def test_large_photos_are_not_held_ahead(tmp_path, monkeypatch):
    """At any time one photo only is anywhere between decoder and file."""
    monkeypatch.setattr(folders, "_LARGE", 100)
    for i in range(5):
        photo(tmp_path / f"{i}.png")
    read, write, alive, most = images.read, images.write, [0], [0]

    def reading(*args, **options):
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        return read(*args, **options)

    def writing(*args, **options):
        warnings = write(*args, **options)
        alive[0] -= 1
        return warnings

    monkeypatch.setattr(images, "read", reading)
    monkeypatch.setattr(images, "write", writing)
    assert len(color(tmp_path)) == 5
    assert most[0] == 1


def test_watch_and_run_together(tmp_path):
    photo(tmp_path / "a.png")
    events = watch.watch(lambda: jobs.find([str(tmp_path)]), seconds=0)
    records = folders.make_copies(events, coloring)
    assert next(records).status == "colored"  # not held back until more photos come
    assert_colored(tmp_path / "a.color.png")
    records.close()
