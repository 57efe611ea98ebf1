"""Sheets: a folder of photos, each a row: gray, then each model's coloring. For looking at."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix import images
from pix2pix.errors import DataError
from pix2pix.evaluate.curves import ColorizerLike
from pix2pix.evaluate.photos import find_photos, gray_of, read_photos
from pix2pix.evaluate.result import Skipped
from pix2pix.report.paper import png
from pix2pix.terminal import escape

_BOX = (440, 330)  # [px] that a picture is fitted into
_GAP, _LINE, _FONT = 10, 26, 17  # [px] between cells, of a label, of its letters
PAPER, INK = (250, 250, 249), (28, 25, 23)


def build_sheet(folder: str, models: Mapping[str, ColorizerLike], skipped: list[Skipped]) -> bytes:
    """Color every photo under a folder with every model, by label -> the bytes of a PNG.

    Photos are colored at their full size and shown within 440x330 pixels, the photo's name below
    the gray one and the model's label below the others. Those that cannot be read are named in
    `skipped`. Raises DataError when none can.
    """
    rows: list[list[Image.Image]] = []
    for path, rgb in read_photos(find_photos(folder), skipped):
        gray, *colored = (
            _fitted(rgb) for rgb in (rgb, *(model.rgb(rgb) for model in models.values()))
        )
        labels = [f"{escape(path.stem)}, gray", *models]
        shown = [Image.fromarray(gray_of(np.array(gray))), *colored]
        rows.append([_labelled(*cell) for cell in zip(shown, labels, strict=True)])
    if not rows:
        raise DataError(f"No photo could be read in {folder} ({len(skipped)} files skipped)")
    return _drawn(rows)


def _fitted(rgb: np.ndarray) -> Image.Image:
    """RGB (H, W, 3) uint8 fitted into the box, so that a folder of scans fits into memory."""
    scale = min(_BOX[0] / rgb.shape[1], _BOX[1] / rgb.shape[0])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return images.to_image(rgb).resize(size, Image.Resampling.LANCZOS)


def _labelled(image: Image.Image, label: str) -> Image.Image:
    font = ImageFont.load_default(size=_FONT)
    while font.getlength(label) > _BOX[0]:
        label = label[:-2] + "\N{HORIZONTAL ELLIPSIS}"
    cell = Image.new("RGB", (_BOX[0], image.height + _LINE), PAPER)
    cell.paste(image, (0, 0))
    ImageDraw.Draw(cell).text((0, image.height + 2), label, INK, font)
    return cell


def _drawn(rows: list[list[Image.Image]]) -> bytes:
    width = len(rows[0]) * (_BOX[0] + _GAP) + _GAP
    height = sum(row[0].height + _GAP for row in rows) + _GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    top = _GAP
    for row in rows:
        for column, cell in enumerate(row):
            sheet.paste(cell, (_GAP + column * (_BOX[0] + _GAP), top))
        top += row[0].height + _GAP
    return png(np.asarray(sheet))
