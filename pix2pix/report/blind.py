"""Blind test: a page that shows a real photo beside ours, and asks which is real.

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
    folder: str, colorizer: ColorizerLike, skipped: list[Skipped], *, seed: int = 0
) -> str:
    """Color every photo under a folder, and ask which of the two is real -> an HTML document.

    `seed` decides the order and which side is real. Photos are shrunk to 560 pixels, and both go
    through the same JPEG. Those that cannot be read, and those that are gray or toned, are named in
    `skipped`. Raises DataError when none is left.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for path, rgb in read_photos(find_photos(folder), skipped):
        real = _shrunk(rgb)
        if not in_color(real):
            reason = "a gray or toned photo has no real colors to tell"
            skipped.append({"path": str(path), "code": "gray", "reason": reason})
            continue
        pictures = {"real": jpeg(real), "ours": jpeg(colorizer.rgb(real))}
        left, right = ("real", "ours") if rng.random() < 0.5 else ("ours", "real")
        pairs.append(
            {
                "path": escape(str(path.relative_to(folder))),
                "left": pictures[left],
                "right": pictures[right],
                "real": "left" if left == "real" else "right",
            }
        )
    if not pairs:
        raise DataError(f"{folder} holds no color photo to ask about ({len(skipped)} left out)")
    ordered = [pairs[i] for i in rng.permutation(len(pairs))]
    return render("blind.html", title="Which photo is real?", model=colorizer.name, pairs=ordered)


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    image = images.to_image(rgb)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.array(image)
