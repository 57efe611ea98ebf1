"""The uncertainty map as a picture, with a legend in plain words."""

from pathlib import Path

import numpy as np
from PIL import Image

from pix2pix.templates import render

# matplotlib's magma (CC0), every sixteenth color: steps that look alike, in print and to the
# color-blind too
_MAGMA = (
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 "
    "d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf"
)
MOST = 30.0  # [a*, b*] and more is the brightest: it may be red or blue
_SHADE = 0.35  # how far black in the photo darkens the map, so that things are found again

LEGEND = render(Path(__file__).with_name("legend.html"), colors=_MAGMA.split())


def unsure_picture(spread: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Spread (h, w) in units of a*, b* and the photo (H, W, 3) uint8 -> (H, W, 3) uint8.

    Enlarged smoothly, in the colors of LEGEND, over a hint of the photo's own light and dark.
    """
    height, width = rgb.shape[:2]
    small = Image.fromarray(np.clip(spread / MOST, 0, 1).astype(np.float32))
    large = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    levels = np.frombuffer(bytes.fromhex(_MAGMA), np.uint8).reshape(-1, 3)
    at = np.linspace(0, 1, len(levels))
    table = np.stack([np.interp(np.linspace(0, 1, 256), at, c) for c in levels.T], 1)  # (256, 3)
    colors = table[np.rint(large.clip(0, 1) * 255).astype(np.uint8)].astype(np.float32)
    light = np.asarray(Image.fromarray(rgb).convert("L"), np.float32)[..., None] / 255
    return np.rint(colors * (1 - _SHADE + _SHADE * light)).astype(np.uint8)
