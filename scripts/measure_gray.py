"""Print how much color weights give to what has none: mean chroma in L*a*b*, lower is better.

    python scripts/measure_gray.py [NAME_OR_FILE ...]

Pictures that come with scikit-image, an even gray, and the mean over 24 pages drawn by
pix2pix/data/written.py.
"""

import sys

import numpy as np
import skimage.data
from skimage.color import rgb2lab

from pix2pix import Colorizer
from pix2pix.data.written import draw_page

PICTURES = ("page", "text", "brick", "gravel", "moon")


def chroma(colorizer: Colorizer, gray: np.ndarray) -> float:
    """Mean chroma of gray (H, W) uint8 as colored."""
    lab = rgb2lab(colorizer.rgb(np.repeat(gray[..., None], 3, 2)))
    return float(np.linalg.norm(lab[..., 1:], axis=-1).mean())


def main() -> None:
    given = {name: [getattr(skimage.data, name)()[:512, :512]] for name in PICTURES}
    given["gray 128"] = [np.full((256, 256), 128, np.uint8)]
    given["drawn pages"] = [draw_page(np.random.default_rng(10**6 + i), 256) for i in range(24)]
    for weights in sys.argv[1:] or ["default"]:
        colorizer = Colorizer.from_pretrained(weights)
        for name, pictures in given.items():
            mean = np.mean([chroma(colorizer, gray) for gray in pictures])
            print(f"{weights}  {name:12s}{mean:5.1f}")


if __name__ == "__main__":
    main()
