"""Pairs: which pictures go together, that they stay aligned, and what becomes of the odd ones."""

import pickle

import numpy as np
import pytest
import torch
from photo_sets import colored, fill, pack
from PIL import ImageOps
from torch.utils.data import DataLoader

from pix2pix.color import rgb_to_net
from pix2pix.data import Photos, prepare
from pix2pix.data.pairs import Pairs
from pix2pix.errors import DataError, SettingError
from pix2pix.train.config import open_photos


def gray_of(picture):
    return picture.convert("L")


def negative(picture):
    return ImageOps.invert(picture.convert("L"))


def put(folder, count, *, gray="gray", color="color", make=gray_of, suffix=".png"):
    """`count` pairs in `folder`: 000.png of each color picture, and what `make` makes of it."""
    for i in range(count):
        place(colored(i), folder / color / f"{i:03}.png")
        place(make(colored(i)), folder / gray / f"{i:03}{suffix}")
    return folder


def place(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def open_pairs(source, tmp_path, **options):
    return Pairs(source, cache=tmp_path / "cache", **{"size": 32, **options})


def names(pairs):
    return [row.name for row in pairs.rows]


# ---- both halves of a crop


def test_both_halves_are_cut_and_mirrored_as_a_photo_is(tmp_path):
    pairs = open_pairs(put(tmp_path / "set", 6), tmp_path, seed=3)
    alone = Photos(tmp_path / "set" / "color", cache=tmp_path / "cache", size=32, seed=3)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]  # Pillow's gray: Rec. 601
    for position in range(18):
        crop, again = pairs[position]
        assert crop.shape == (6, 32, 32) and crop.dtype == torch.uint8 and again == position
        photo = alone[position][0].float()
        assert (crop[:3] - photo).abs().max() <= 1
        gray = (weights * photo).sum(0)
        assert (crop[3:] - gray).abs().max() <= 2.5
        assert (gray - gray.flip(1)).abs().max() > 20  # a mirrored half would be seen


def test_the_center_has_both_halves(tmp_path):
    pairs = open_pairs(put(tmp_path / "set", 2, make=negative), tmp_path, size=48)
    for i in range(2):
        center, picture = pairs.center(i), pairs.picture(i)
        assert center.shape == (6, 48, 48) and picture.shape == (48, 64, 6)
        assert np.array_equal(center.permute(1, 2, 0), picture[:, 8:56])


def test_L_is_the_gray_files_and_ab_the_color_files(tmp_path):
    pairs = open_pairs(put(tmp_path / "set", 4, make=negative), tmp_path)
    crops = torch.stack([pairs[i][0] for i in range(4)])
    batch = prepare(crops, np.arange(4))
    color_L, ab = rgb_to_net(crops[:, :3] / 255)
    gray_L, _ = rgb_to_net(crops[:, 3:] / 255)
    assert torch.equal(batch.L, gray_L) and torch.equal(batch.ab, ab)
    for seen, true in zip(batch.L, color_L, strict=True):
        assert np.corrcoef(seen.flatten(), true.flatten())[0, 1] < -0.5
    aged = prepare(crops, np.arange(4), film=1.0, exposure=0.3)
    assert torch.equal(aged.ab, ab) and not torch.equal(aged.L, gray_L)
    whole = prepare(torch.cat([crops[:, 3:], crops[:, 3:]], 1), np.arange(4), film=1.0)
    half = prepare(crops, np.arange(4), film=1.0)
    assert torch.equal(half.L, whole.L)  # the color half leaves no trace in L


@pytest.mark.parametrize("size", [(64, 48), (128, 96), (33, 25), (31, 23)])
def test_a_gray_picture_of_another_size_is_scaled(size, tmp_path):
    put(tmp_path / "set", 3)
    put(tmp_path / "other", 3, make=lambda picture: picture.convert("L").resize(size))
    same, other = (open_pairs(tmp_path / name, tmp_path) for name in ("set", "other"))
    assert len(other) == 3 and not other.odd
    for position in range(6):
        one, two = same[position][0].float(), other[position][0].float()
        assert torch.equal(one[:3], two[:3])
        assert (one[3:] - two[3:]).abs().mean() < 6 < one[3:].std() / 3


def test_a_loader_process_gives_the_same_pairs(tmp_path):
    pairs = open_pairs(put(tmp_path / "set", 4), tmp_path)
    assert len(pickle.dumps(pairs)) < 10_000
    (loaded, _), *_ = DataLoader(pairs, sampler=range(4), batch_size=4, num_workers=1)
    assert torch.equal(loaded, torch.stack([pairs[i][0] for i in range(4)]))


# ---- which pictures


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("gray", "color"),
    [
        ("landscape Images/gray", "landscape Images/color"),
        ("gray", "color"),
        ("a/Gray/b", "a/COLOR/b"),
        ("color/gray", "color/color"),
    ],
)
def test_the_folders_are_found_at_any_depth(gray, color, zipped, tmp_path):
    source = put(tmp_path / "set", 3, gray=gray, color=color, make=negative, suffix=".jpg")
    if zipped:
        source = pack(source, tmp_path / "set.zip")
    pairs = open_pairs(source, tmp_path, size=48)
    assert names(pairs) == [f"{color}/{i:03}.png" for i in range(3)] and not pairs.odd
    for i in range(3):
        both = pairs.picture(i).astype(float)
        assert (both[..., :3] == np.asarray(colored(i))).all()
        wanted = np.asarray(negative(colored(i)), float)[..., None]
        assert np.abs(both[..., 3:] - wanted).mean() < 3  # as JPEG keeps it


def test_pairs_of_two_folders_do_not_mix(tmp_path):
    for half in ("train", "test"):
        put(tmp_path / "set" / half, 2)
    pairs = open_pairs(tmp_path / "set", tmp_path)
    assert len(pairs) == 4 and not pairs.odd
    partners = {name: row.name for name, row in pairs.partners.of.items()}
    assert partners == {name: name.replace("color", "gray") for name in names(pairs)}


def test_other_names_of_the_folders(tmp_path):
    source = put(tmp_path / "set", 3, gray="train_black", color="train_color")
    with pytest.raises(DataError, match="no pairs in folders named gray and color"):
        open_pairs(source, tmp_path)
    data = {"path": str(source), "val": None, "cache": str(tmp_path / "cache"), "size": 32}
    data |= {"gray_folder": "train_black", "color_folder": "Train_Color"}
    photos, _ = open_photos(data | {"val_fraction": 1e-9}, seed=0)
    assert isinstance(photos, Pairs) and len(photos) == 3
    with pytest.raises(SettingError, match="data: gray_folder=x, color_folder=X: one name"):
        open_photos(data | {"gray_folder": "x", "color_folder": "X"}, seed=0)


def test_odd_pictures_are_left_out_and_told(tmp_path):
    source = put(tmp_path / "set", 4)
    assert open_pairs(source, tmp_path).notes == "0 gray left out, 0 enlarged"
    place(colored(7), source / "color" / "alone.png")
    place(gray_of(colored(8)), source / "gray" / "lonely.png")
    place(colored(9), source / "color" / "wide.png")
    place(gray_of(colored(9, w=70)), source / "gray" / "wide.png")
    place(colored(10), source / "color" / "000.tif")  # after it comes 000.png
    place(colored(11), source / "preview.png")
    pairs = open_pairs(source, tmp_path)
    assert names(pairs) == ["color/000.png", *(f"color/{i:03}.png" for i in (1, 2, 3))]
    assert pairs.odd == {
        "color/alone.png": "has no partner",
        "gray/lonely.png": "has no partner",
        "color/wide.png": "has another shape than gray/wide.png",
        "color/000.tif": "has the name of color/000.png",
        "preview.png": "is neither in gray nor in color",
    }
    assert pairs.notes == (
        "0 gray left out, 0 enlarged, 5 not in pairs: color/000.tif has the name of color/000.png; "
        "color/alone.png has no partner; color/wide.png has another shape than gray/wide.png; ..."
    )


@pytest.mark.parametrize(
    ("size", "odd"), [((640, 480), 0), ((645, 480), 0), ((640, 485), 0), ((660, 480), 1)]
)
def test_shapes_may_differ_by_a_percent_and_a_pixel(size, odd, tmp_path):
    source = put(tmp_path / "set", 1)
    place(colored(5, 480, 640), source / "color" / "last.png")
    place(gray_of(colored(5, *size[::-1])), source / "gray" / "last.png")
    assert len(open_pairs(source, tmp_path, size=512).odd) == odd


def test_with_no_pairs_left_nothing_can_be_trained_on(tmp_path):
    fill(tmp_path / "photos", 3)
    with pytest.raises(
        DataError, match=r"photos: no pairs in .*; 3 not in pairs: colored000.png is"
    ):
        open_pairs(tmp_path / "photos", tmp_path)
    source = put(tmp_path / "set", 3)
    for file in (source / "gray").iterdir():
        file.rename(file.with_stem(f"gray_{file.stem}"))
    with pytest.raises(DataError, match="6 not in pairs: color/000.png has no partner"):
        open_pairs(source, tmp_path)


def test_color_pictures_without_color_are_left_out(tmp_path):
    source = put(tmp_path / "set", 3)
    for half in ("gray", "color"):
        place(gray_of(colored(4)), source / half / "z.png")
    pairs = open_pairs(source, tmp_path)
    assert (len(pairs), pairs.gray) == (3, 1)
    with pytest.raises(DataError, match="there is no color to learn from"):
        open_pairs(source, tmp_path, gray_folder="color", color_folder="gray")


def test_the_split_and_what_is_dropped_are_as_those_of_photos(tmp_path):
    source = put(tmp_path / "set", 12)
    options = {"val_fraction": 0.4}
    train, val, whole = (
        open_pairs(source, tmp_path, split=s, **options) for s in ("train", "val", "all")
    )
    photos = Photos(source, cache=tmp_path / "cache", size=32, split="val", **options)
    assert names(val) == [n for n in names(photos) if n.startswith("color/")]
    assert len(val) and sorted(names(train) + names(val)) == names(whole)
    assert whole.shared_with(val) == names(val) and not train.shared_with(val)
    gone, kept = names(whole)[0], [whole.picture(i) for i in range(12)]
    whole.drop([gone])
    assert len(whole) == 11 and gone not in names(whole)
    assert all(np.array_equal(whole.picture(i), kept[i + 1]) for i in range(11))
