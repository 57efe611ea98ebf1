"""Pairs A and B: found side by side or in folders, kept aligned, split as published."""

import pickle

import numpy as np
import pytest
import torch
from photo_sets import colored, pack
from PIL import Image, ImageOps

from pix2pix import weights
from pix2pix.data.aligned import Aligned
from pix2pix.data.cache import fingerprint
from pix2pix.errors import DataError, SettingError
from pix2pix.train.__main__ import main
from pix2pix.train.config import open_photos


def place(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def beside(i, *, h=48, w=64, odd=0):
    """A picture, and its negative to its right."""
    a = colored(i, h, w)
    both = Image.new("RGB", (2 * w + odd, h))
    both.paste(a, (0, 0))
    both.paste(ImageOps.invert(a), (w, 0))
    return both


def side_by_side(folder, count, *, first=0, **shape):
    for i in range(count):
        place(beside(first + i, **shape), folder / f"{i:03}.png")
    return folder


def in_folders(folder, count, *, a="A", b="B"):
    for i in range(count):
        place(colored(i), folder / a / f"{i:03}.png")
        place(ImageOps.invert(colored(i)), folder / b / f"{i:03}.png")
    return folder


def open_aligned(source, tmp_path, **options):
    return Aligned(source, cache=tmp_path / "cache", **{"size": 32, **options})


def names(pairs):
    return [row.name for row in pairs.rows]


# ---- what a crop is


@pytest.mark.parametrize("make", [side_by_side, in_folders])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_source_and_target_are_cut_and_mirrored_as_one(make, direction, tmp_path):
    pairs = open_aligned(make(tmp_path / "set", 4), tmp_path, direction=direction, seed=3)
    assert len(pairs) == 4 and not pairs.odd
    sums = set()
    for position in range(12):
        crop, again = pairs[position]
        assert crop.shape == (6, 32, 32) and crop.dtype == torch.uint8 and again == position
        both = crop.int()
        assert (both[:3] + both[3:] - 255).abs().max() <= 2  # the negative, but for rounding
        assert (both[:3] - both[:3].flip(2)).abs().max() > 20  # a mirrored half would be seen
        sums.add(int(both[:3].sum()))
    assert len(sums) == 12


@pytest.mark.parametrize("make", [side_by_side, in_folders])
def test_the_direction_says_which_is_the_source(make, tmp_path):
    source = make(tmp_path / "set", 3)
    forth, back = (
        open_aligned(source, tmp_path, direction=way, size=48) for way in ("AtoB", "BtoA")
    )
    for i in range(3):
        a = np.asarray(colored(i))
        assert np.array_equal(forth.picture(i), np.concatenate([a, 255 - a], 2))
        assert np.array_equal(back.picture(i), np.concatenate([255 - a, a], 2))
        assert np.array_equal(forth.center(i).permute(1, 2, 0), forth.picture(i)[:, 8:56])
    with pytest.raises(ValueError, match="direction=AB: AtoB or BtoA"):
        open_aligned(source, tmp_path, direction="AB")


def test_a_batch_is_rgb_and_rgb(tmp_path):
    pairs = open_aligned(side_by_side(tmp_path / "set", 4), tmp_path)
    crops = torch.stack([pairs[i][0] for i in range(4)])
    batch = pairs.prepare(crops, np.arange(4), seed=1)
    assert batch.task == pairs.task == "translate"
    assert batch.source.shape == batch.target.shape == (4, 3, 32, 32)
    assert torch.allclose((batch.source + 1) * 127.5, crops[:, :3].float(), atol=1e-4)
    assert torch.allclose((batch.target + 1) / 2, pairs.truth(crops), atol=1e-6)
    assert torch.allclose(batch.source, -batch.target, atol=0.02) and batch.hints is None
    with pytest.raises(SettingError, match="film: for photos to color, not for pairs"):
        pairs.prepare(crops, np.arange(4), film=0.5)


def test_halves_do_not_run_into_each_other_when_they_are_scaled_down(tmp_path):
    both = Image.new("RGB", (800, 400))
    both.paste((255, 255, 255), (400, 0, 800, 400))
    place(both, tmp_path / "set" / "0.png")
    pairs = open_aligned(tmp_path / "set", tmp_path, size=32)
    picture = pairs.picture(0)
    assert picture.shape == (40, 40, 6)
    assert not picture[..., :3].any() and (picture[..., 3:] == 255).all()


def test_a_tall_pair_is_scaled_by_the_side_of_its_half(tmp_path):
    place(beside(0, h=200, w=100), tmp_path / "set" / "0.png")
    assert open_aligned(tmp_path / "set", tmp_path, size=80).picture(0).shape == (200, 100, 6)


def test_it_travels_to_a_loader_process(tmp_path):
    pairs = open_aligned(side_by_side(tmp_path / "set", 3), tmp_path)
    assert torch.equal(pickle.loads(pickle.dumps(pairs))[1][0], pairs[1][0])


# ---- which pictures


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("a", "b"), [("A", "B"), ("a", "b"), ("train/A", "train/B"), ("A/train", "B/train")]
)
def test_folders_are_found_at_any_depth(a, b, zipped, tmp_path):
    source = in_folders(tmp_path / "set", 3, a=a, b=b)
    if zipped:
        source = pack(source, tmp_path / "set.zip")
    pairs = open_aligned(source, tmp_path)
    assert names(pairs) == [f"{b}/{i:03}.png" for i in range(3)] and not pairs.odd


def test_folders_of_other_names(tmp_path):
    source = in_folders(tmp_path / "set", 3, a="labels", b="photos")
    pairs = open_aligned(source, tmp_path, a_folder="labels", b_folder="Photos")
    assert len(pairs) == 3
    with pytest.raises(ValueError, match="a_folder=x, b_folder=X: one name"):
        open_aligned(source, tmp_path, a_folder="x", b_folder="X")


def test_a_cache_of_halves_is_not_one_of_whole_pictures(tmp_path):
    source = side_by_side(tmp_path / "set", 2)
    listed = ["000.png", "001.png"]
    assert fingerprint(source, listed, 40) != fingerprint(source, listed, 40, ("A", "B"))


def test_an_odd_width_is_left_out_and_named(tmp_path):
    source = side_by_side(tmp_path / "set", 3)
    place(beside(5, odd=1), source / "odd.png")
    pairs = open_aligned(source, tmp_path)
    assert names(pairs) == [f"B/{i:03}.png" for i in range(3)]
    assert pairs.odd == {"odd.png": "has an odd width, so no two halves"}
    assert "1 not in pairs: odd.png has an odd width" in pairs.notes
    side_by_side(tmp_path / "alone", 2, odd=1)
    with pytest.raises(DataError, match="no pairs .* 2 not in pairs: 000.png has an odd width"):
        open_aligned(tmp_path / "alone", tmp_path)


def test_no_partner_another_shape_and_a_second_of_a_name_are_left_out_and_named(tmp_path):
    source = in_folders(tmp_path / "set", 3)
    place(colored(4), source / "A" / "alone.png")
    place(colored(5), source / "A" / "wide.png")
    place(colored(5, w=90), source / "B" / "wide.png")
    place(colored(6), source / "preview.png")
    place(colored(7), source / "B" / "000.tif")
    place(colored(8).resize((32, 24)), source / "A" / "small.png")
    place(colored(8), source / "B" / "small.png")
    pairs = open_aligned(source, tmp_path, size=48)
    assert pairs.odd == {
        "A/alone.png": "has no partner",
        "B/wide.png": "has another shape than A/wide.png",
        "B/000.tif": "has the name of B/000.png",
        "preview.png": "is neither in A nor in B",
    }
    assert len(pairs) == 4 and "4 not in pairs: A/alone.png has no partner; " in pairs.notes
    assert pairs.picture(names(pairs).index("B/small.png")).shape == (48, 64, 6)


def test_a_folder_a_without_b_is_not_cut_in_halves(tmp_path):
    place(colored(1), tmp_path / "set" / "A" / "0.png")
    with pytest.raises(DataError, match="no pairs in folders named A and B .*A/0.png has no partn"):
        open_aligned(tmp_path / "set", tmp_path)


def test_gray_pictures_are_pairs_too(tmp_path):
    place(Image.new("L", (128, 48), 200), tmp_path / "set" / "0.png")
    assert len(open_aligned(tmp_path / "set", tmp_path)) == 1


# ---- the split


@pytest.mark.parametrize("held, other", [("val", "test"), ("test", None)])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_published_split_is_kept(held, other, zipped, tmp_path):
    for part, count in {"train": 4, held: 2, other: 3}.items():
        for i in range(count if part else 0):
            place(beside(10 * len(part) + i), tmp_path / "set" / part / f"{i}.jpg")
    source = pack(tmp_path / "set", tmp_path / "set.zip") if zipped else tmp_path / "set"
    data = {"path": str(source), "val": None, "cache": str(tmp_path / "cache"), "size": 32}
    train, val = open_photos(data | {"direction": "BtoA", "val_fraction": 0.5}, seed=0)
    assert names(train) == [f"train/B/{i}.jpg" for i in range(4)]
    assert names(val) == [f"{held}/B/{i}.jpg" for i in range(2)]
    said = f"as published: train 4, {held} 2" + (f", {other} 3" if other else "")
    assert said in train.notes and train.direction == val.direction == "BtoA"
    assert len(open_aligned(source, tmp_path)) == 9 - 3 * (other is None)


def test_without_one_the_split_is_by_name_as_that_of_photos(tmp_path):
    source = side_by_side(tmp_path / "set", 12)
    halves = {
        s: open_aligned(source, tmp_path, split=s, val_fraction=0.4) for s in ("train", "val")
    }
    assert sorted(names(halves["train"]) + names(halves["val"])) == names(
        open_aligned(source, tmp_path)
    )
    assert len(halves["val"]) and not halves["train"].published


def test_pairs_are_the_same_only_when_both_pictures_are(tmp_path):
    """Many label maps are alike: a plain one may have any number of photos."""
    for folder, i in (("one", 1), ("two", 2)):
        place(colored(i), tmp_path / folder / "A" / "0.png")
        place(Image.new("RGB", (64, 48)), tmp_path / folder / "B" / "0.png")
    one, two = (open_aligned(tmp_path / folder, tmp_path) for folder in ("one", "two"))
    assert one.shared_with(two) == [] and one.shared_with(one) == ["B/0.png"]


# ---- a run


SMALL = (
    "recipe.generator.width=2", "recipe.generator.depth=3", "recipe.critic_width=2",
    "data.size=32", "trainer.steps=2", "trainer.batch=2", "trainer.accelerator=cpu",
    "trainer.workers=0", "logger.tensorboard=false",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["pix2pix", "encdec", "unet_l1"])
def test_a_run_on_pairs_makes_weights_that_translate(recipe, tmp_path, capsys):
    side_by_side(tmp_path / "set" / "train", 4)
    side_by_side(tmp_path / "set" / "val", 2, first=10)
    small = [o for o in SMALL if recipe != "unet_l1" or "critic" not in o]
    paths = f"data.path={tmp_path / 'set'}", f"data.cache={tmp_path / 'cache'}"
    chosen = [f"recipe={recipe}", f"run_dir={tmp_path / 'run'}"]
    chosen += ["recipe/generator=unet"] if recipe == "unet_l1" else []
    assert main([*chosen, *paths, "data=aligned", "data.direction=BtoA", *small]) == 0
    said = capsys.readouterr().err
    assert "4 pairs (0 enlarged, as published: train 4, val 2), 2 to validate; 1 x cpu" in said
    assert "val_psnr" in said and "gray" not in said.partition("step 2")[2]
    net, header = weights.load(tmp_path / "run" / "best.safetensors", task="translate")
    assert (header.head, header.in_channels, header.data) == ("rgb", 3, "4 pairs of set")
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)
    with pytest.raises(weights.WeightsError, match="do not color"):
        weights.load(tmp_path / "run" / "last.safetensors", task="color")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.film=0.5", "data.film: for photos to color"),
        ("data.hints=0.5", "data.hints: for photos to color"),
        ("data.min_colorfulness=0", "data.min_colorfulness: for photos to color"),
        ("data.pathh=x", "'data.pathh'"),
        ("data.direction=AB", "data: direction=AB: AtoB or BtoA"),
        ("recipe.generator.in_channels=4", "recipe.generator.in_channels=4: RGB to RGB takes 3"),
        ("recipe/generator=mobilenet_v2", "this BackboneUNet colors photos"),
        ("recipe=precursor", "this MeanNet colors photos"),
    ],
)
def test_what_pairs_cannot_be_asked_is_one_line(override, said, tmp_path, capsys):
    side_by_side(tmp_path / "set", 3)
    nets = [o for o in SMALL if not o.startswith("recipe")] if "/" in override else SMALL
    nets = nets if "precursor" not in override else [o for o in SMALL if "recipe" not in o]
    paths = f"data.path={tmp_path / 'set'}", f"data.cache={tmp_path / 'cache'}"
    assert main([f"run_dir={tmp_path / 'run'}", *paths, "data=aligned", *nets, override]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_photo_is_no_rgb_input(tmp_path, capsys):
    assert main([f"data.path={tmp_path}", "recipe.generator.in_channels=3"]) == 1
    assert "in_channels=3: photos to color have 1, L, or 4" in capsys.readouterr().err
