"""Labels come with the photos that they are of, through the feed. Their numbers: test_chromagan."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.color import rgb_to_net
from pix2pix.data import Photos
from pix2pix.train.feed import batches
from pix2pix.train.processes import launch
from pix2pix.train.settings import Optimization

# flat colors, so that a crop says which class it is of
CLASSES = {"berries": (200, 30, 40), "meadows": (40, 170, 50), "seas": (30, 60, 200)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    for i, (name, rgb) in enumerate(CLASSES.items()):
        (folder / "photos" / "train" / name).mkdir(parents=True)
        for j in range(2 + i):  # 9 in all
            shade = tuple(channel - 5 * j for channel in rgb)
            Image.new("RGB", (24, 24), shade).save(folder / f"photos/train/{name}/{j}.png")
    return again(folder)


def again(folder, **options):
    settings = {"cache": folder / "cache", "size": 16, "labels": "folders"} | options
    return Photos(folder / "photos", **settings)


def classes_of(batch):
    """What the pictures show: the class whose color is nearest in a and b."""
    known = torch.tensor(list(CLASSES.values()))[..., None, None] / 255
    centers = rgb_to_net(known)[1].flatten(1)  # (3, 2)
    return torch.cdist(batch.ab.mean((2, 3)), centers).argmin(1)


def collect(photos, **settings):
    fabric = launch(accelerator="cpu", precision="fp32")
    first, augment = settings.pop("first", 0), settings.pop("augment", {})
    optim = Optimization(**({"steps": 6, "batch": 4, "workers": 0} | settings))
    made = batches(fabric, photos, optim, first=first, augment=augment)
    return [batch for micro in made for batch in micro]


@pytest.mark.parametrize(
    "settings", [{}, {"accumulate": 2}, {"workers": 1}, {"first": 2}, {"augment": {"film": 1.0}}]
)
def test_labels_are_those_of_the_photos_in_order(photos, settings):
    """Six steps of four are more than two epochs of nine."""
    found = collect(photos, **settings)
    labels = torch.cat([batch.labels for batch in found])
    assert labels.dtype == torch.int64
    assert labels.tolist() == torch.cat([classes_of(batch) for batch in found]).tolist()
    positions = np.concatenate([batch.positions for batch in found]).tolist()
    folders = [photos.name(p).split("/")[1] for p in positions]
    assert labels.tolist() == [list(CLASSES).index(folder) for folder in folders]


def test_an_epoch_shows_each_class_as_often_as_it_has_photos(photos):
    labels = torch.cat([batch.labels for batch in collect(photos, batch=9, steps=3)])
    for epoch in labels.split(9):
        assert torch.bincount(epoch).tolist() == [2, 3, 4]
    assert len({tuple(epoch.tolist()) for epoch in labels.split(9)}) == 3


def test_they_stay_right_when_photos_are_dropped(photos):
    some = again(photos.folder.parents[1])
    some.drop([some.rows[0].name, some.rows[4].name])
    for batch in collect(some):
        assert batch.labels.tolist() == classes_of(batch).tolist()


def test_without_labels_there_are_none(photos):
    plain = again(photos.folder.parents[1], labels=None)
    assert all(batch.labels is None for batch in collect(plain, steps=1))


def test_both_sides_of_a_split_number_the_classes_alike(photos):
    folder = photos.folder.parents[1]
    sides = [again(folder, split=s, val_fraction=0.3) for s in ("train", "val")]
    assert sides[0].labels.numbers == sides[1].labels.numbers == photos.labels.numbers
