"""Print the halos of colored photos: mean gradient of a*, b* where L* has none, lower is better.

    python scripts/measure_halos.py FOLDER [NAME_OR_FILE ...]

In L*a*b* units a pixel, with photos made as large as the net sees them (its answer has no finer
color), over the places where L* changes by less than 1 a pixel; without the smoothing after the
net, and with it. The mean over the folder's photos. No truth is needed, and none is known: an even
tint has no halo, and a sky that is bluer above has some.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix import Colorizer, images
from pix2pix.color import rgb8_to_lab

FLAT = 1.0  # [L* a pixel]
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


def halo(rgb: np.ndarray, area: int) -> float:
    """Mean gradient of a*, b* of rgb (H, W, 3) uint8, shrunk to `area` pixels, where L* is flat."""
    share = min(1.0, (area / (rgb.shape[0] * rgb.shape[1])) ** 0.5)
    size = [max(2, round(side * share)) for side in (rgb.shape[1], rgb.shape[0])]
    lab = rgb8_to_lab(np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR)))
    L, a, b = np.hypot(*np.gradient(lab, axis=(1, 2)))
    flat = L < FLAT
    return float(np.hypot(a, b)[flat].mean()) if flat.any() else 0.0


def main() -> None:
    folder, *names = sys.argv[1:]
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in ENDINGS)
    photos = [images.read(path).rgb for path in paths]
    for name in names or ["default"]:
        colorizer = Colorizer.from_pretrained(name)
        means = []
        for colorizer.smooths in (False, True):
            colored = [np.ascontiguousarray(colorizer.rgb(photo)) for photo in photos]
            means.append(float(np.mean([halo(rgb, colorizer.header.area) for rgb in colored])))
        net, smoothed = means
        share = smoothed / net if net else 1.0
        print(f"{name}  net {net:.3f}  smoothed {smoothed:.3f}  ({share:.0%})")


if __name__ == "__main__":
    main()
