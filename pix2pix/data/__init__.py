"""Pictures for training: files -> cache -> augmented batches.

pictures.py opens a folder or zip and cuts crops, cache.py keeps what is decoded. photos.py are
photos to color, pairs.py those with a gray picture beside the color one, aligned.py pairs of any
pictures to translate. worlds.py draws scenes whose truth is known, drawn.py trains on them.
labels.py says what is in photos, film.py ages them, borders.py lays borders around them,
written.py draws pages without color, reveal.py gives hints. samples.py are the photos that ship
inside packages.
"""

from pix2pix.batch import Batch
from pix2pix.data.photos import GRAY_BELOW, Photos, prepare
from pix2pix.data.pictures import RandomCrop

__all__ = ["GRAY_BELOW", "Batch", "Photos", "RandomCrop", "prepare"]
