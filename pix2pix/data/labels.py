"""Class labels of photos, by the names of their folders."""

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import PurePosixPath

import torch
from torch import Tensor

from pix2pix.errors import DataError

KINDS = ("folders", "imagenet")
IMAGENET = 1000  # classes


class Labels:
    """The classes of photos by name: "train/n01443537/12.jpg" is of class n01443537.

    `kind` "folders" numbers the folders of `names` in their order; "imagenet" knows TinyImageNet's
    200 and gives the numbers that they have among ImageNet's 1000. `count` is how many there are.
    Raises ValueError for another kind; DataError for a single folder, or one that is not known.
    """

    def __init__(self, names: Iterable[str], kind: str):
        if kind not in KINDS:
            raise ValueError(f"labels {kind!r}: one of {', '.join(KINDS)}")
        folders = sorted({folder_of(name) for name in names})
        if kind == "imagenet":
            known = tiny_imagenet()
            if strange := [folder for folder in folders if folder not in known]:
                raise DataError(f"labels=imagenet: {strange[0]!r} is no class of TinyImageNet's")
            self.numbers, self.count = known, IMAGENET
        else:
            if len(folders) < 2:
                raise DataError(
                    "labels=folders: the photos must lie in folders, one for each class"
                )
            self.numbers = {folder: number for number, folder in enumerate(folders)}
            self.count = len(folders)

    def of(self, names: Iterable[str]) -> Tensor:
        """Names of photos -> their classes (B,) int64."""
        return torch.tensor([self.numbers[folder_of(name)] for name in names])


def folder_of(name: str) -> str:
    """The folder that a photo lies in, without those above it."""
    return PurePosixPath(name).parent.name


def tiny_imagenet() -> dict[str, int]:
    """TinyImageNet's classes by WordNet id -> their numbers among ImageNet's, sorted by id."""
    text = (files("pix2pix.data") / "tiny_imagenet.csv").read_text()
    return {row["wnid"]: int(row["imagenet"]) for row in csv.DictReader(text.splitlines())}
