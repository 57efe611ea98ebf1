"""Crops out of the cache and what becomes of them: which photos, which crops, which targets."""

import pickle

import numpy as np
import pytest
import torch
from photo_sets import colored, fill, gray
from PIL import Image
from torch.utils.data import DataLoader

from pix2pix.color import rgb_to_net
from pix2pix.data import Photos, prepare
from pix2pix.data import pictures as data
from pix2pix.errors import DataError


@pytest.fixture
def photos(tmp_path):
    return fill(tmp_path / "photos", 12)


def open_photos(source, tmp_path, **options):
    return Photos(source, cache=tmp_path / "cache", **{"size": 32, **options})


# ---- which photos


def test_gray_photos_stored_as_color_are_left_out_and_counted(photos, tmp_path):
    fill(photos, 3, gray)
    gray(9).convert("L").save(photos / "true-gray.png")
    found = open_photos(photos, tmp_path)
    assert (len(found), found.gray) == (12, 4)
    assert all(row.name.startswith("colored") for row in found.rows)
    assert len(open_photos(photos, tmp_path, min_colorfulness=0)) == 16


def test_a_set_that_is_nearly_all_gray_is_an_error_with_share_and_threshold(tmp_path):
    folder = fill(tmp_path / "photos", 39, gray)
    with pytest.raises(DataError, match=r"photos: 100% of images have colorfulness < 3;"):
        open_photos(folder, tmp_path)
    fill(folder, 1)
    with pytest.raises(DataError, match=r"98% of images have colorfulness < 3; there is no color"):
        open_photos(folder, tmp_path)
    with pytest.raises(DataError, match=r"98% of images have colorfulness < 2.5;"):
        open_photos(folder, tmp_path, min_colorfulness=2.5)
    fill(folder, 4)
    assert len(open_photos(folder, tmp_path)) == 4


def test_photos_smaller_than_the_crop_are_enlarged_and_counted(photos, tmp_path):
    colored(70, 20, 90).save(photos / "low.png")
    colored(71, 1, 1).save(photos / "one.png")
    colored(72, 90, 31).save(photos / "narrow.png")
    colored(73, 32, 32).save(photos / "just.png")
    found = open_photos(photos, tmp_path, min_colorfulness=0)
    assert found.small == 3
    assert {found[i][0].shape for i in range(2 * len(found))} == {(3, 32, 32)}
    assert {found.center(i).shape for i in range(len(found))} == {(3, 32, 32)}


def test_the_split_is_stable_disjoint_and_of_the_size_asked_for(tmp_path):
    names = [f"{i}.jpg" for i in range(20_000)]
    for fraction in (0.02, 0.2):
        chosen = [n for n in names if data.in_validation(n, fraction)]
        assert len(chosen) == pytest.approx(fraction * len(names), rel=0.15)
    assert [n for n in names[:200] if data.in_validation(n, 0.02)] == SPLIT
    assert set(SPLIT) <= {n for n in names if data.in_validation(n, 0.05)}  # a fraction only grows
    assert not any(data.in_validation(n, 0) for n in names)
    assert all(data.in_validation(n, 1) for n in names)


SPLIT = ["195.jpg"]  # of 0.jpg to 199.jpg, for ever


def test_train_and_val_share_nothing_and_are_everything(photos, tmp_path):
    options = {"val_fraction": 0.4}
    parts = [open_photos(photos, tmp_path, split=s, **options) for s in ("train", "val", "all")]
    train, val, everything = ({row.name for row in part.rows} for part in parts)
    assert train and val and not train & val and train | val == everything
    colored(99).save(photos / "one-more.png")
    again = {row.name for row in open_photos(photos, tmp_path, split="val", **options).rows}
    assert val == again - {"one-more.png"}


def test_an_empty_split_says_what_to_change(photos, tmp_path):
    with pytest.raises(
        DataError, match="none of 12 photos is in the val split; with val_fraction=0"
    ):
        open_photos(photos, tmp_path, split="val", val_fraction=0)


@pytest.mark.parametrize(
    "options", [{"split": "test"}, {"crop": 0}, {"crop": 1.1}, {"aspect": 0.5}, {"size": 0}]
)
def test_arguments_out_of_range_are_refused(options, tmp_path):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        open_photos(tmp_path / "not-even-there", tmp_path, **options)


def test_photos_that_two_sets_share_are_named(photos, tmp_path):
    other = fill(tmp_path / "other", 3, gray)
    for i, name in ((3, "copy.png"), (7, "deep-copy.png"), (50, "new.png")):
        colored(i).save(other / name)
    ours, theirs = open_photos(photos, tmp_path), open_photos(other, tmp_path)
    assert theirs.shared_with(ours) == ["copy.png", "deep-copy.png"]
    assert ours.shared_with(theirs) == ["colored003.png", "colored007.png"]
    theirs.drop(["copy.png", "deep-copy.png"])
    assert [row.name for row in theirs.rows] == ["new.png"] and not theirs.shared_with(ours)
    assert theirs.name(5) == "new.png"


# ---- which crops


def test_an_epoch_visits_every_photo_once_in_an_order_of_its_own(photos, tmp_path):
    found = open_photos(photos, tmp_path)
    epochs = [[found.name(12 * e + i) for i in range(12)] for e in range(3)]
    assert all(sorted(names) == sorted(row.name for row in found.rows) for names in epochs)
    assert len({tuple(names) for names in epochs}) == 3
    backwards = [found.name(p) for p in reversed(range(36))]
    assert backwards[::-1] == sum(epochs, [])
    assert found.name(11)  # an order of twelve is at hand
    found.drop([row.name for row in found.rows[:5]])
    assert sorted(found.name(i) for i in range(7)) == sorted(row.name for row in found.rows)
    with pytest.raises(IndexError, match="position -1"):
        found[-1]


def test_a_crop_depends_on_seed_and_position_alone(photos, tmp_path):
    a, b = (open_photos(photos, tmp_path, seed=3) for _ in range(2))
    other = open_photos(photos, tmp_path, seed=4)
    forwards = [a[i][0] for i in range(36)]
    backwards = [b[i][0] for i in reversed(range(36))][::-1]
    assert all(torch.equal(x, y) for x, y in zip(forwards, backwards, strict=True))
    assert [a[i][1] for i in (0, 30)] == [0, 30]
    assert sum(torch.equal(x, other[i][0]) for i, x in enumerate(forwards)) == 0
    by_name = {a.name(i): forwards[i] for i in range(12)}
    assert not any(torch.equal(by_name[a.name(i)], forwards[i]) for i in range(12, 24))


@pytest.mark.filterwarnings("ignore:This DataLoader")  # two workers on one core are fine here
def test_workers_change_nothing(photos, tmp_path):
    found = open_photos(photos, tmp_path)
    positions = [[i, i + 1, i + 2] for i in range(0, 30, 3)]
    runs = []
    for workers in (0, 2):
        loader = DataLoader(found, batch_sampler=positions, num_workers=workers)
        runs.append([(rgb, places.tolist()) for rgb, places in loader])
    for (rgb, places), (other, others), wanted in zip(*runs, positions, strict=True):
        assert torch.equal(rgb, other) and places == others == wanted
        assert rgb.dtype == torch.uint8 and rgb.shape == (3, 3, 32, 32)


def test_a_worker_is_sent_no_pixels(photos, tmp_path):
    found = open_photos(photos, tmp_path)
    found.picture(0)
    sent = pickle.dumps(found)
    assert len(sent) < 10_000 < (found.folder / "pixels.u8").stat().st_size
    assert torch.equal(pickle.loads(sent)[5][0], found[5][0])


@pytest.fixture
def ramp(tmp_path):
    """Photos of one picture whose red says the column and whose green says the row."""
    y, x = np.mgrid[:100, :120].astype(np.uint8)
    (tmp_path / "ramp").mkdir()
    picture = np.stack([2 * x, 2 * y, np.full_like(x, 90)], -1)
    Image.fromarray(picture).save(tmp_path / "ramp" / "ramp.png")

    def make(**options):
        return open_photos(tmp_path / "ramp", tmp_path, size=64, cached_side=100, **options)

    return make


def extent(crop):
    """Height, width of a crop of the ramp, in the photo's pixels, and whether it is mirrored."""
    red, green = crop[0].float() / 2, crop[1].float() / 2
    w = (red[:, -1] - red[:, 0]).mean() * 64 / 63
    return ((green[-1] - green[0]).mean() * 64 / 63).item(), abs(w).item(), (w < 0).item()


def test_crops_have_the_documented_sizes(ramp):
    found = ramp(crop=0.6, aspect=4 / 3)
    sizes = np.array([extent(found[i][0]) for i in range(400)])
    area = np.sqrt(sizes[:, 0] * sizes[:, 1])
    ratio = sizes[:, 0] / sizes[:, 1]
    assert 57 < area.min() < 63 and 95 < area.max() < 103  # 0.6 to 1 times 100 pixels
    inner = area < 80  # larger ones meet the photo's edge
    assert 0.7 < ratio[inner].min() < 0.8 and 1.27 < ratio[inner].max() < 1.4
    assert 0.4 < sizes[:, 2].mean() < 0.6
    assert len(np.unique(area.round(1))) > 150


def test_crops_reach_every_corner(ramp):
    found = ramp(crop=0.6, flip=False)
    crops = torch.stack([found[i][0] for i in range(400)]).float() / 2
    left, right = crops[:, 0, :, 0].mean(1), crops[:, 0, :, -1].mean(1)
    top, bottom = crops[:, 1, 0].mean(1), crops[:, 1, -1].mean(1)
    assert left.min() < 2 and right.max() > 117 and top.min() < 2 and bottom.max() > 97
    assert (left < right).all()  # never mirrored


def test_augmentation_can_be_switched_off(ramp):
    found = ramp(crop=1, aspect=1, flip=False)
    for i in range(20):
        h, w, mirrored = extent(found[i][0])
        assert (h, w) == pytest.approx((100, 100), abs=1.5) and not mirrored


def test_the_center_is_the_center(ramp):
    found = ramp()
    center = found.center(0).float() / 2
    assert torch.equal(found.center(0), found.center(0))
    assert center[0].mean() == pytest.approx(59.5, abs=0.5)
    assert center[1].mean() == pytest.approx(49.5, abs=0.5)
    assert extent(found.center(0))[:2] == pytest.approx((100, 100), abs=1.5)


# ---- prepare


def crops(count=8, side=24):
    torch.manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


def test_prepare_scales_as_color_does():
    rgb = crops()
    batch = prepare(rgb, np.arange(8))
    L, ab = rgb_to_net(rgb.float() / 255)
    assert torch.equal(batch.L, L) and torch.equal(batch.ab, ab)
    assert batch.L.shape == (8, 1, 24, 24) and batch.ab.shape == (8, 2, 24, 24)
    assert batch.positions.tolist() == list(range(8))


@pytest.mark.parametrize("augment", [{"film": 1.0}, {"exposure": 0.3}])
def test_the_target_knows_nothing_of_film_and_exposure(augment):
    rgb = crops()
    plain, aged = prepare(rgb, np.arange(8)), prepare(rgb, np.arange(8), **augment)
    assert torch.equal(aged.ab, plain.ab) and not torch.equal(aged.L, plain.L)


AUGMENT = {"film": 0.7, "exposure": 0.2, "color": 0.3, "seed": 5}


def test_augmentation_depends_on_seed_and_position_not_on_the_batch():
    rgb, positions = crops(), np.arange(100, 108)
    whole = prepare(rgb, positions, **AUGMENT)
    order = np.array([5, 2, 7])
    part = prepare(rgb[order], positions[order], **AUGMENT)
    assert torch.equal(part.L, whole.L[order]) and torch.equal(part.ab, whole.ab[order])
    single = prepare(rgb[3:4], positions[3:4], **AUGMENT)
    assert torch.equal(single.L, whole.L[3:4])
    for other in ({**AUGMENT, "seed": 6}, AUGMENT):
        moved = prepare(rgb, positions + (other["seed"] == 5), **other)
        assert not torch.equal(moved.L, whole.L) and not torch.equal(moved.ab, whole.ab)


@pytest.mark.parametrize("level", [0, 255, None])
def test_augmented_batches_stay_in_range(level):
    rgb = crops(64) if level is None else torch.full((64, 3, 8, 8), level, dtype=torch.uint8)
    rgb[:, 1:] = rgb[:, 1:] // (3 if level is None else 1)  # saturated, where there is color
    batch = prepare(rgb, np.arange(64), film=1.0, exposure=1.0, color=1.0)
    for tensor in (batch.L, batch.ab):
        assert tensor.isfinite().all() and tensor.abs().max() <= 1


def test_color_scales_the_targets_chroma_alone():
    rgb = crops(200, 4) // 2 + 64
    plain, jittered = prepare(rgb, np.arange(200)), prepare(rgb, np.arange(200), color=0.3)
    assert torch.equal(jittered.L, plain.L)
    factor = (jittered.ab / plain.ab).median(-1).values.median(-1).values  # (200, 2)
    torch.testing.assert_close(jittered.ab, plain.ab * factor[:, :1, None, None], atol=1e-4, rtol=0)
    assert 0.7 <= factor.min() < 0.72 and 1.28 < factor.max() <= 1.3
    assert abs(factor.mean() - 1) < 0.05


def test_exposure_changes_contrast_and_level_within_its_bounds():
    rgb = torch.stack([torch.full((3, 4, 4), v, dtype=torch.uint8) for v in (60, 160)])
    L = prepare(rgb, np.arange(2)).L[:, 0, 0, 0]
    pairs = torch.stack(
        [prepare(rgb, np.array([i, i]), exposure=0.2).L[:, 0, 0, 0] for i in range(300)]
    )
    contrast = (pairs[:, 1] - pairs[:, 0]) / (L[1] - L[0])
    level = pairs[:, 0] - contrast * L[0]
    assert 0.8 <= contrast.min() < 0.82 and 1.18 < contrast.max() <= 1.2
    assert -0.1 <= level.min() < -0.09 and 0.09 < level.max() <= 0.1
    assert abs(np.corrcoef(contrast, level)[0, 1]) < 0.25


def test_drawings_are_gray_and_the_rest_is_as_it_was():
    rgb = crops(64)
    plain, drawn = prepare(rgb, np.arange(64)), prepare(rgb, np.arange(64), drawing=0.3)
    gray = ~drawn.ab.flatten(1).any(1)
    assert 10 <= gray.sum() <= 28
    assert torch.equal(drawn.L[~gray], plain.L[~gray])
    assert torch.equal(drawn.ab[~gray], plain.ab[~gray])
    assert (drawn.L[gray] != plain.L[gray]).flatten(1).any(1).all()


def test_hints_are_told_of_the_target_and_come_after_L():
    batch = prepare(crops(8), np.arange(8), hints=1.0, film=1.0)
    assert batch.input.shape[1] == 4 and torch.equal(batch.input[:, :1], batch.L)
    told = batch.hints[:, 2:] == 1
    assert told.flatten(1).any(1).all()
    low = batch.ab.amin((2, 3)) - 1e-5
    for i in range(8):
        assert (batch.hints[i, :2][:, told[i, 0]] >= low[i, :, None]).all()
    assert prepare(crops(8), np.arange(8)).hints is None
