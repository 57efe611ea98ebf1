"""The photos that a net is compressed by, and what it sees of them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.colorize.colorizer import Colorizer
from pix2pix.colorize.engines.base import Engine, Outputs
from pix2pix.colorize.wish import Wish
from pix2pix.errors import DataError, PhotoError
from pix2pix.images.names import is_photo

PHOTOS = 60
_SIDE = 256  # of a photo, at most: colors are blurrier than that
_HINTS = 8  # of every second photo, where the net takes them

Inputs = dict[str, np.ndarray]
"""The arrays of a pass by the names of an exported graph's inputs: `source`, `chance0` ..."""


def read_photos(
    folder: str | Path, *, count: int = PHOTOS
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Read color photos under a folder -> two lists of rgb (H, W, 3) uint8, `count` each at most.

    They are spread over the folder by name and share no photo: one is to compress by, the other to
    compare on. Photos are reduced to 256 pixels; those that cannot be read are left out. Raises
    DataError where there is no folder, or fewer than two photos.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{folder} is no folder of photos")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in images.EXTENSIONS)
    paths = [p for p in paths if is_photo(p.relative_to(root).parts)]
    wanted = min(2 * count, len(paths))
    found = [_read(paths[i * len(paths) // wanted]) for i in range(wanted)]
    photos = [rgb for rgb in found if rgb is not None]
    if len(photos) < 2:
        raise DataError(f"{folder} holds {len(photos)} photos; at least 2 are needed")
    return photos[::2], photos[1::2]


def _read(path: Path) -> np.ndarray | None:
    try:
        image = images.to_image(images.read(path).rgb)
    except PhotoError:
        return None
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.array(image.convert("RGB"))


def inputs_of(model: Colorizer, photos: Iterable[np.ndarray]) -> list[Inputs]:
    """What the net of `model` gets when it colors photos, rgb (H, W, 3) uint8.

    Of their colors it sees nothing but some hints, in every second photo, where it takes them.
    """
    recorder = _Recorder(model.engine)
    watched = type(model)(recorder, model.header)
    rng = np.random.default_rng(0)
    for i, rgb in enumerate(photos):
        wanted = _HINTS if i % 2 and model.takes_hints else 0
        watched.predict(rgb, Wish(hints=list(_own_colors(rgb, wanted, rng))))
    return recorder.seen


def _own_colors(
    rgb: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[tuple[float, float, tuple[int, int, int]]]:
    for _ in range(count):
        y, x = (int(rng.integers(side)) for side in rgb.shape[:2])
        red, green, blue = rgb[y, x].tolist()
        yield x, y, (red, green, blue)


class _Recorder(Engine):
    """Another engine whose inputs are kept."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.device, self.multiple, self.chances = engine.device, engine.multiple, engine.chances
        self.seen: list[Inputs] = []

    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        self.seen.append(self.inputs(source, chances))
        return self.engine.run(source, chances)
