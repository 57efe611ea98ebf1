"""Blind test: a page that asks which colors are real, of a photo beside ours or of one picture.

One HTML file with the pictures in it; it counts, asks no server, and keeps nothing.
"""

import numpy as np
from PIL import Image

from pix2pix import images
from pix2pix.colorize.incolor import in_color
from pix2pix.errors import DataError
from pix2pix.evaluate.curves import ColorizerLike
from pix2pix.evaluate.photos import find_photos, read_photos
from pix2pix.evaluate.result import Skipped
from pix2pix.report.paper import jpeg, render
from pix2pix.terminal import escape

_SIDE = 560  # [px], the longer side of what is shown


def build_blind_test(
    folder: str,
    colorizer: ColorizerLike,
    skipped: list[Skipped],
    *,
    seed: int = 0,
    count: int | None = None,
    alone: bool = False,
) -> str:
    """Color photos of a folder, and ask which of two pictures is real -> an HTML document.

    With `alone` each photo is one picture, as it was or as we color it, about half of each, and the
    page asks whether its colors are real. `seed` decides the order, which side or picture is real,
    and which `count` photos are drawn; all by default. Photos are shrunk to 560 pixels, and all go
    through the same JPEG. Those that cannot be read, and those that are gray or toned, are named in
    `skipped`. Raises DataError when none is left.
    """
    rng = np.random.default_rng(seed)
    paths = find_photos(folder)
    if count is not None:
        paths = [paths[i] for i in rng.permutation(len(paths))]
    asked: list[dict[str, str]] = []
    for path, rgb in read_photos(paths, skipped):
        real = _shrunk(rgb)
        if not in_color(real):
            reason = "a gray or toned photo has no real colors to tell"
            skipped.append({"path": str(path), "code": "gray", "reason": reason})
            continue
        first_is_real = bool(rng.random() < 0.5)
        name = escape(str(path.relative_to(folder)))
        ask = _one if alone else _pair
        asked.append({"path": name, **ask(real, colorizer, first_is_real)})
        if len(asked) == count:
            break
    if not asked:
        raise DataError(f"{folder} holds no color photo to ask about ({len(skipped)} left out)")
    ordered = [asked[i] for i in rng.permutation(len(asked))]
    if alone:
        return render("alone.html", title="Real colors?", model=colorizer.name, photos=ordered)
    return render("blind.html", title="Which photo is real?", model=colorizer.name, pairs=ordered)


def _pair(real: np.ndarray, colorizer: ColorizerLike, left_is_real: bool) -> dict[str, str]:
    """Both versions of a photo, and on which side the real one is."""
    pictures = [jpeg(real), jpeg(colorizer.rgb(real))]
    left, right = pictures if left_is_real else pictures[::-1]
    return {"left": left, "right": right, "real": "left" if left_is_real else "right"}


def _one(real: np.ndarray, colorizer: ColorizerLike, is_real: bool) -> dict[str, str]:
    """One version of a photo, and what it is."""
    picture = jpeg(real if is_real else colorizer.rgb(real))
    return {"picture": picture, "is": "real" if is_real else "colored"}


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    image = images.to_image(rgb)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.array(image)
