"""Photographs for training: files -> cache -> augmented batches.

photos.py opens a folder or zip and makes batches, cache.py keeps the decoded photos, pairs.py sets
gray pictures beside color ones, labels.py says what is in them. film.py ages them, written.py
draws pages without color, reveal.py gives hints. worlds.py draws scenes whose truth is known.
samples.py are the photos that ship inside packages.
"""

from pix2pix.batch import Batch
from pix2pix.data.photos import GRAY_BELOW, Photos, RandomCrop, prepare

__all__ = ["GRAY_BELOW", "Batch", "Photos", "RandomCrop", "prepare"]
