"""Which photos a run is about: names, shards, what appears later, and memory that stays flat."""

import os
import tracemalloc
from pathlib import Path

import pytest
from test_colorize_folders import photo

from pix2pix.colorize import jobs, watch


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("scan.tif", "scan.color.tif"),
        ("a.JPG", "a.color.JPG"),
        ("a.gif", "a.gif.color.png"),
        ("a.heic", "a.heic.color.jpg"),
        ("a.b.webp", "a.b.color.webp"),
        ("scan", "scan.color.png"),
        ("scan.bak", "scan.bak.color.png"),
        ("a.color.jpg", "a.color.color.jpg"),
    ],
)
def test_output_name(name, output):
    assert jobs.output_name(name) == output
    assert jobs.is_output(output)


def test_is_output_only_with_a_picture_s_extension():
    assert jobs.is_output("a.color.JPG")
    assert jobs.is_output("a.translated.png")
    assert not jobs.is_output("a.jpg")
    assert not jobs.is_output("color.jpg")
    assert not jobs.is_output("translated.jpg")
    assert not jobs.is_output("a.color.txt")


@pytest.mark.slow
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_flat_in_the_number_of_files(tmp_path, count):
    def peak(folder: Path, count: int) -> int:
        folder.mkdir()
        for i in range(count):
            (folder / f"{i}.png").touch()
        tracemalloc.start()
        assert sum(1 for _ in jobs.find([str(folder)])) == count
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few = peak(tmp_path / "few", 50)
    assert peak(tmp_path / "many", count) < few + 50_000


def test_shards_share_a_folder_out_whole_and_stably(tmp_path):
    for i in range(30):
        photo(tmp_path / f"in/{i}.png")
    parts = [{j.source for j in jobs.find([str(tmp_path / "in")], shard=(i, 3))} for i in (1, 2, 3)]
    assert sum(map(len, parts)) == 30
    assert len(set.union(*parts)) == 30
    assert min(map(len, parts)) >= 3
    (tmp_path / "in").rename(tmp_path / "moved")
    moved = {os.path.basename(j.source) for j in jobs.find([str(tmp_path / "moved")], shard=(1, 3))}
    assert moved == {os.path.basename(p) for p in parts[0]}


def test_watch_colors_what_appears_once_it_is_stable(tmp_path):
    photo(tmp_path / "first.png")
    events = watch.watch(lambda: jobs.find([str(tmp_path)]), seconds=0)
    assert next(events) is None  # seen once: it may still grow
    assert next(events).source == str(tmp_path / "first.png")
    assert next(events) is None
    late = tmp_path / "late.png"
    late.write_bytes(b"part")
    assert next(events) is None
    photo(late)
    assert next(events) is None  # has grown meanwhile
    assert next(events).source == str(late)
    assert [next(events) for _ in range(3)] == [None] * 3  # each comes once
