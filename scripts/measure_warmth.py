"""Print what choosing the warmest, the coolest or the middle take of each photo is worth.

    python scripts/measure_warmth.py DATA [--weights NAME_OR_FILE] [--size 256] [--every 1]

The best PSNR of a photo at b* -10, 0 and 10, over that at 0: the mean over the photos, and half of
its 95 % interval. DATA is a folder of photos in color.
"""

import argparse
import math

import numpy as np
import torch

from pix2pix import Colorizer, metrics
from pix2pix.colorize.takes import STEP
from pix2pix.evaluate.photos import read_crops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    colorizer = Colorizer.from_pretrained(args.weights)
    gains = []
    number = 0
    for crops in read_crops(args.data, args.size, []):
        for rgb8, truth in zip(crops.rgb8, crops.truth, strict=True):
            number += 1
            if (number - 1) % args.every:
                continue
            takes = [colorizer.rgb(rgb8, temperature=t) for t in (-STEP, 0, STEP)]
            stack = torch.stack([torch.from_numpy(np.array(take)) for take in takes])
            colored = stack.permute(0, 3, 1, 2).float() / 255
            psnr = metrics.psnr(colored, truth.expand_as(colored))
            gains.append(float(psnr.max() - psnr[1]))
    half = 1.96 * np.std(gains) / math.sqrt(len(gains))
    print(f"{len(gains)} photos: {np.mean(gains):+.2f} ± {half:.2f} dB by the best of three")


if __name__ == "__main__":
    main()
