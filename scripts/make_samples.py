"""Make resources/samples: black-and-white photographs to try the page and the command line on.

They come out of packages that the course installs anyway (scikit-image, matplotlib), so nothing is
downloaded. Run it again after a new release of those: `python scripts/make_samples.py`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data

from pix2pix.color import lab_to_rgb, rgb_to_lab
from pix2pix.data import samples

SAMPLES = Path(__file__).resolve().parent.parent / "resources" / "samples"
MAX_SIDE = 1000
QUALITY = 92


@dataclass
class Sample:
    """One photograph: where it is found, and whom to thank."""

    name: str
    title: str
    package: str
    credit: str
    license: str


CC0 = "[CC0](https://creativecommons.org/publicdomain/zero/1.0/)"
PHOTOS = (
    Sample(
        "hopper",
        "Grace Hopper, 1984",
        "matplotlib `grace_hopper.jpg`",
        "James S. Davis, US Navy, "
        "[Wikimedia Commons](https://commons.wikimedia.org/wiki/File:Grace_Hopper.jpg)",
        "public domain (work of the US government)",
    ),
    Sample(
        "cat",
        "Chelsea the cat",
        "skimage `data.cat`",
        "Stefan van der Walt",
        CC0,
    ),
    Sample(
        "astronaut",
        "Eileen Collins, 1992",
        "skimage `data.astronaut`",
        "NASA, [Great Images](https://flic.kr/p/r9qvLn)",
        "public domain (no known copyright restrictions)",
    ),
    Sample(
        "coffee",
        "A cup of coffee",
        "skimage `data.coffee`",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
        CC0,
    ),
    Sample(
        "rocket",
        "Falcon 9 with DSCOVR, 2015",
        "skimage `data.rocket`",
        "SpaceX, [photo 16511594820](https://www.flickr.com/photos/spacexphotos/16511594820/)",
        "public domain (released by SpaceX)",
    ),
    Sample(
        "camera",
        "A man with a camera (gray in the original)",
        "skimage `data.camera`",
        "Lav Varshney",
        CC0,
    ),
)


HEAD = """# Sample photographs

Black-and-white photographs to try the colorizer on. They ship inside packages that the
course installs, and `python scripts/make_samples.py` makes this folder out of them. Unless noted,
the original is a color photograph, and the file here is the gray of the same lightness (CIE L*).

| file | what it shows | by | license | found in |
|---|---|---|---|---|
"""


def to_gray(rgb: np.ndarray) -> np.ndarray:
    """Rgb (H, W, 3) uint8 -> (H, W) uint8, the gray of the same L*, as a colorizer sees it."""
    lab = rgb_to_lab(torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255)
    lab[1:] = 0
    return (lab_to_rgb(lab)[0] * 255).round().byte().numpy()


def load(sample: Sample) -> Image.Image:
    """The photograph as its package ships it, at most MAX_SIDE pixels a side."""
    gray_one = sample.name not in samples.NAMES
    image = Image.fromarray(data.camera() if gray_one else samples.photo(sample.name))
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return image


def gray(sample: Sample) -> Image.Image:
    """The photograph in black and white."""
    image = load(sample)
    return image if image.mode == "L" else Image.fromarray(to_gray(np.asarray(image)))


def readme() -> str:
    """The credits, as a Markdown table."""
    rows = "\n".join(
        f"| [{p.name}.jpg]({p.name}.jpg) | {p.title} | {p.credit} | {p.license} | {p.package} |"
        for p in PHOTOS
    )
    return HEAD + rows + "\n"


def main() -> None:
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for sample in PHOTOS:
        path = SAMPLES / f"{sample.name}.jpg"
        gray(sample).save(path, quality=QUALITY, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    (SAMPLES / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
