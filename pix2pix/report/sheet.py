"""Sheets: a folder of photos, each a row: gray, then each model's coloring. For looking at."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from pix2pix import images, show
from pix2pix.color import net_to_rgb, rgb_to_net
from pix2pix.errors import DataError, PhotoError
from pix2pix.report.curves import Colors
from pix2pix.report.photos import find, to_tensor, to_uint8

_SIDE = 320  # [px], height of a row


def build(folder: str, models: Sequence[Colors], skipped: list[dict[str, str]]) -> bytes:
    """Color every photo under a folder with every model -> the bytes of a PNG.

    Photos are colored at their full size and shown 320 pixels high. Those that cannot be read are
    named in `skipped`. Raises DataError when none can.
    """
    rows, labels = [], []
    for path in find(folder):
        try:
            rgb = images.read(path).rgb
        except PhotoError as error:
            skipped.append({"path": str(path), "code": error.code, "reason": error.reason})
            continue
        colored = [_shrunk(model.rgb(rgb)) for model in models]
        rows.append([_gray(_shrunk(rgb)), *colored])
        labels.append(path.stem)
    if not rows:
        raise DataError(f"No photo could be read in {folder} ({len(skipped)} files skipped)")
    columns = ["gray", *(model.name for model in models)]
    sheet = show.grid(rows, columns=columns, labels=labels, side=_SIDE)
    return show.Picture(sheet.image, png=True).encoded()[1]


def _shrunk(rgb: np.ndarray) -> np.ndarray:
    """Rgb (H,W,3) uint8 at the height of a row, so that a folder of scans fits into memory."""
    width = max(1, round(rgb.shape[1] * _SIDE / len(rgb)))
    return np.array(Image.fromarray(rgb).resize((width, _SIDE), Image.Resampling.LANCZOS))


def _gray(rgb: np.ndarray) -> np.ndarray:
    L, ab = rgb_to_net(to_tensor(rgb[None]))
    return to_uint8(net_to_rgb(L, torch.zeros_like(ab)))[0]
