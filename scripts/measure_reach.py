"""Print how far one dot of color reaches: how much of a marked thing it moves, and of the rest.

    python scripts/measure_reach.py DATA [--weights NAME_OR_FILE] [--tune]

scripts/reach.json marks 20 things on validation photos and samples of the page: a dot, a color that
the thing has not, and its outline, in percent of width and height; and, with --tune, those that the
reach was chosen by. A pixel is moved where ab differs from the answer without a hint by
more than 5. `before` is the net's own answer to the hint. DATA is the folder of validation photos.
"""

import argparse
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image, ImageDraw

from pix2pix import Colorizer, Wish, images
from pix2pix.color import AB_SCALE

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "resources" / "samples"
MOVED = 5 / AB_SCALE


def outlined(polygons: list[list[list[float]]], size: tuple[int, int]) -> np.ndarray:
    """The share of each pixel of `size` (h, w) inside of polygons in percent of the sides."""
    height, width = (side * 4 for side in size)
    mask = Image.new("L", (width, height))
    for polygon in polygons:
        corners = [(x / 100 * width, y / 100 * height) for x, y in polygon]
        ImageDraw.Draw(mask).polygon(corners, fill=255)
    small = mask.resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


def moved(colorizer: Colorizer, photo: Path, mark: dict) -> tuple[float, np.ndarray]:
    """The thing's share of the photo; and of the rest and the thing what moved: (2, 2).

    Rows are before and after.
    """
    rgb = images.read(photo).rgb
    x, y = (share / 100 * side for share, side in zip(mark["dot"], rgb.shape[1::-1], strict=True))
    hint = (x, y, tuple(bytes.fromhex(mark["color"][1:])))
    plain = colorizer.predict(rgb)
    wish = Wish(hints=[hint])
    with patch("pix2pix.colorize.predictor.localize", lambda ab, hinted, *_: hinted):
        before = colorizer.predict(rgb, wish)
    answers = (before, colorizer.predict(rgb, wish))
    thing = outlined(mark["polygons"], plain.shape[1:])
    shares = []
    for ab in answers:
        far = np.hypot(*(ab - plain)) > MOVED
        shares.append([np.average(far, weights=weight) for weight in (1 - thing, thing)])
    return float(thing.mean()), np.array(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="default")
    parser.add_argument("--tune", action="store_true")
    args = parser.parse_args()
    marks = json.loads((ROOT / "scripts" / "reach.json").read_text())
    colorizer = Colorizer.from_pretrained(args.weights)
    print("| thing | of the photo | outside moved, before | after | of it moved, before | after |")
    print("|---|---|---|---|---|---|")
    rows = []
    for mark in marks["tune" if args.tune else "measure"]:
        folder = args.data if mark["photo"].startswith("val-") else SAMPLES
        area, shares = moved(colorizer, folder / mark["photo"], mark)
        rows.append([area, *shares.T.flat])
        name = f"{mark['thing']}, {Path(mark['photo']).stem}"
        print(f"| {name} |", " | ".join(f"{share:.0%}" for share in rows[-1]), "|", flush=True)
    print("| mean |", " | ".join(f"{share:.1%}" for share in np.mean(rows, 0)), "|")
    within = [int(sum(row[i] <= 0.10 for row in rows)) for i in (1, 2)]
    print(f"Outside moved by at most 10 %: {within[0]} of {len(rows)} before, {within[1]} after.")


if __name__ == "__main__":
    main()
