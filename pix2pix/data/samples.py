"""Color photographs inside scikit-image and matplotlib, to train on without a download.

Five photos teach a net nothing about the world, but they teach a reader how training goes, without
a download. Where each comes from, and under which terms, resources/samples/README.md says.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

# In the order of `photos`: skimage's but for the last, which is matplotlib's.
NAMES = ("astronaut", "cat", "coffee", "rocket", "hopper")
_MISSING = "sample photos need the extra: pip install 'pix2pix-color[notebook]'"
_QUALITY = 95
_ZOOM = 2  # times that a crop is enlarged at most, where the photo allows it
# a crop's side over the photo's short side: from the first at least, the second being the most that
# the limit on enlarging may ask for
_SCALES = 0.35, 0.7


def photo(name: str) -> np.ndarray:
    """Load a photo of `NAMES` -> rgb (H, W, 3) uint8 sRGB. Raises ValueError for another name.

    Raises ModuleNotFoundError, which says what to install, where its package is missing.
    """
    if name not in NAMES:
        raise ValueError(f"no sample photo {name!r}; there are {', '.join(NAMES)}")
    try:
        if name == "hopper":
            from matplotlib.cbook import get_sample_data

            return np.array(Image.open(str(get_sample_data("grace_hopper.jpg", asfileobj=False))))
        from skimage import data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING) from error
    return np.array(getattr(data, name)())


def photos() -> dict[str, np.ndarray]:
    """The photographs rgb (H, W, 3) uint8 sRGB by name, in the order of `NAMES`; 300 to 600 px."""
    return {name: photo(name) for name in NAMES}


def write_crops(
    folder: str | Path,
    *,
    count: int,
    side: int = 256,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> Path:
    """Fill a folder with `count` different square crops, JPEGs of `side` px, and return it.

    They are taken in turns from the photos of `names` (by default all: leave out those that
    training must not see), at places and scales that depend on (seed, names) alone, so that fewer
    crops are the first of more. Crops that an earlier call left there are removed. Raises
    ValueError for a name that is not known and for a count or side below 1.
    """
    chosen = tuple(NAMES if names is None else names)
    if count < 1 or side < 1 or not chosen:
        raise ValueError(f"count={count}, side={side}, names={chosen}: none of them may be empty")
    sources = [(name, Image.fromarray(photo(name))) for name in chosen]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    rng, seen = np.random.default_rng(seed), set()
    for i in range(count):
        name, image = sources[i % len(sources)]
        box = _box(image.size, side, rng)
        while (name, box) in seen:
            box = _box(image.size, side, rng)
        seen.add((name, box))
        crop = image.resize((side, side), Image.Resampling.LANCZOS, box)
        crop.save(folder / f"{name}-{i:05}.jpg", quality=_QUALITY, subsampling=0)
    return folder


def _box(
    size: tuple[int, int], side: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom [px] of a random square in a photo of `size` (width, height)."""
    width, height = size
    short = min(size)
    least = min(max(_SCALES[0] * short, side / _ZOOM), _SCALES[1] * short)
    scale, across, down = rng.random(3)
    length = round(least + (short - least) * scale)
    left, top = int(across * (width - length + 1)), int(down * (height - length + 1))
    return left, top, left + length, top + length


def _sweep(folder: Path) -> None:
    mine = re.compile(rf"({'|'.join(NAMES)})-\d{{5,}}\.jpg")
    for path in folder.iterdir():
        if mine.fullmatch(path.name):
            path.unlink()
