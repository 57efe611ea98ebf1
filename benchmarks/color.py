"""A 24 MP picture from 8-bit sRGB to Lab and back: this package strip by strip beside skimage.

    python benchmarks/color.py [--megapixels 24]

Each side runs in a process of its own. Printed: seconds, peak memory above idle (the picture and
the result included) and their ratios. Bar: at most a tenth of skimage's time and memory. Linux.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
from harness import memory


def picture(megapixels: float) -> np.ndarray:
    width = int((megapixels * 1e6 * 1.5) ** 0.5)
    shape = (int(width / 1.5), width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def by_skimage(rgb: np.ndarray) -> np.ndarray:
    from skimage.color import lab2rgb, rgb2lab

    return np.rint(lab2rgb(rgb2lab(rgb)) * 255).astype(np.uint8)


def by_strips(rgb: np.ndarray) -> np.ndarray:
    from pix2pix.color import lab_to_rgb8, rgb8_to_lab
    from pix2pix.strips import parallel, strips

    result = np.empty_like(rgb)

    def there_and_back(strip: tuple[slice, slice]) -> None:
        result[strip] = lab_to_rgb8(rgb8_to_lab(rgb[strip]))

    parallel(there_and_back, strips(*rgb.shape[:2]))
    return result


SIDES = {"skimage": by_skimage, "pix2pix": by_strips}


def run(side: str, megapixels: float) -> dict:
    SIDES[side](picture(0.01))  # imports and thread pools are no part of the figures
    idle = memory("VmRSS")
    rgb = picture(megapixels)
    start = time.perf_counter()
    out = SIDES[side](rgb)
    seconds = time.perf_counter() - start
    wrong = int((out != rgb).any(-1).sum())
    return {"seconds": seconds, "MB": (memory("VmHWM") - idle) / 1e6, "wrong pixels": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run(options.side, options.megapixels)))
        return
    results = {}
    for side in SIDES:
        command = [sys.executable, __file__, "--side", side, "--megapixels", options.megapixels]
        answer = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE)
        results[side] = json.loads(answer.stdout)
        print(f"{side:8}", "  ".join(f"{k} {v:,.2f}" for k, v in results[side].items()))
    ours, theirs = results["pix2pix"], results["skimage"]
    for key in ("seconds", "MB"):
        print(f"{key}: {ours[key] / theirs[key]:.3f} of skimage's (bar 0.1)")


if __name__ == "__main__":
    main()
