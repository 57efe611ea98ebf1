"""The packaged photographs, and folders of crops of them to train on offline."""

import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image

from pix2pix.cli import packages
from pix2pix.data import samples
from pix2pix.images import read


def pixels(folder):
    return {path.name: read(path).rgb for path in sorted(folder.iterdir())}


def test_photos_are_the_packages_own_in_color():
    found = samples.photos()
    assert list(found) == ["astronaut", "cat", "coffee", "rocket", "hopper"] == list(samples.NAMES)
    for name, rgb in found.items():
        assert (rgb.dtype, rgb.shape[2], rgb.flags.writeable) == (np.uint8, 3, True), name
        assert 300 <= min(rgb.shape[:2]) and max(rgb.shape[:2]) <= 640
        assert np.ptp(rgb.astype(int), axis=2).mean() > 10, f"{name} is gray"
    np.testing.assert_array_equal(found["cat"], skimage.data.chelsea())
    assert len({rgb.tobytes() for rgb in found.values()}) == len(found)


def test_an_unknown_photo_is_named():
    with pytest.raises(ValueError, match="'camera'.*astronaut, cat"):
        samples.photo("camera")
    with pytest.raises(ValueError, match="'dog'"):
        samples.write_crops("unused", count=1, names=["dog"])


@pytest.mark.parametrize("module, name", [("skimage", "cat"), ("matplotlib.cbook", "hopper")])
def test_without_the_package_a_line_says_what_to_install(module, name, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # not installed
    with pytest.raises(ModuleNotFoundError) as missing:
        samples.photo(name)
    said = packages.line(missing.value)
    assert said is not None and said.endswith("pip install 'pix2pix-color[notebook]'")


def test_crops_are_squares_that_all_differ(tmp_path):
    folder = samples.write_crops(tmp_path / "a/b", count=23, side=40)
    assert folder == tmp_path / "a/b"
    found = pixels(folder)
    assert [name.split("-")[0] for name in sorted(found, key=lambda n: n.split("-")[1])] == [
        samples.NAMES[i % 5] for i in range(23)
    ]
    assert {rgb.shape for rgb in found.values()} == {(40, 40, 3)}
    assert len({rgb.tobytes() for rgb in found.values()}) == 23


def test_crops_are_pieces_of_their_photo_in_high_quality(tmp_path):
    samples.write_crops(tmp_path, count=1, side=64, names=["coffee"])
    coffee = Image.fromarray(samples.photo("coffee"))
    box = samples._box(coffee.size, 64, np.random.default_rng(0))
    expected = coffee.resize((64, 64), Image.Resampling.LANCZOS, box)
    found = Image.open(tmp_path / "coffee-00000.jpg")
    assert np.abs(np.asarray(found, int) - np.asarray(expected)).mean() < 3  # 7.0 by default


def test_names_hold_photos_back(tmp_path):
    samples.write_crops(tmp_path, count=9, side=32, names=["rocket", "cat"])
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"rocket", "cat"}


def test_the_same_call_gives_the_same_files_and_fewer_are_the_first_of_more(tmp_path):
    few = samples.write_crops(tmp_path / "few", count=4, side=32)
    more = samples.write_crops(tmp_path / "more", count=8, side=32)
    other = samples.write_crops(tmp_path / "other", count=4, side=32, seed=1)
    for path in few.iterdir():
        assert path.read_bytes() == (more / path.name).read_bytes()
        assert path.read_bytes() != (other / path.name).read_bytes()


def test_crops_of_an_earlier_call_go_and_other_files_stay(tmp_path):
    samples.write_crops(tmp_path, count=8, side=32)
    for name in ("mine.jpg", "cat-1.jpg", "cat-00001.jpg.txt"):
        (tmp_path / name).write_bytes(b"mine")
    samples.write_crops(tmp_path, count=2, side=32)
    left = {"astronaut-00000.jpg", "cat-00001.jpg", "mine.jpg", "cat-1.jpg", "cat-00001.jpg.txt"}
    assert {path.name for path in tmp_path.iterdir()} == left


@pytest.mark.parametrize("arguments", [{"count": 0}, {"count": 1, "side": 0}])
def test_nothing_to_write_is_refused(tmp_path, arguments):
    with pytest.raises(ValueError, match="count="):
        samples.write_crops(tmp_path / "a", **arguments)
    with pytest.raises(ValueError, match="names="):
        samples.write_crops(tmp_path / "a", count=1, names=[])
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("size", "side"), [((451, 300), 256), ((600, 400), 64), ((300, 300), 900)])
def test_boxes_have_many_scales_and_stay_inside(size, side):
    rng = np.random.default_rng(3)
    boxes = [samples._box(size, side, rng) for _ in range(2000)]
    lengths = [right - left for left, _, right, _ in boxes]
    short = min(size)
    least = min(max(0.35 * short, side / 2), 0.7 * short)
    assert round(least) <= min(lengths) < least + 0.03 * short
    assert short >= max(lengths) > 0.97 * short
    for left, top, right, bottom in boxes:
        assert right - left == bottom - top
        assert 0 <= left and right <= size[0] and 0 <= top and bottom <= size[1]
    assert max(right for _, _, right, _ in boxes) == size[0]
    assert max(bottom for _, _, _, bottom in boxes) == size[1]
