"""Make the picture and the icon of a link to the page: app/service/card.jpg and icon.png.

python scripts/make_card.py [WEIGHTS]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pix2pix.colorize import Colorizer

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "resources" / "samples" / "hopper.jpg"
OUT = ROOT / "pix2pix" / "app" / "service"
SIZE = 1200, 630  # what messengers show
GAP = 8  # [px] between the two
ORANGE = "#f97316"


def main(weights: str) -> None:
    """Color the sample and write both files."""
    gray = Image.open(SAMPLE).convert("RGB")
    colored = Image.fromarray(Colorizer.from_pretrained(weights).rgb(np.asarray(gray)))
    card(gray, colored).save(OUT / "card.jpg", quality=70, optimize=True)
    icon().save(OUT / "icon.png", optimize=True)


def card(gray: Image.Image, colored: Image.Image) -> Image.Image:
    """The sample in gray and in color, side by side."""
    width, height = SIZE
    half = (width - GAP) // 2
    box = 0, 0, gray.width, round(gray.width * height / half)
    whole = Image.new("RGB", SIZE, "white")
    for each, left in ((gray, 0), (colored, width - half)):
        whole.paste(each.resize((half, height), Image.Resampling.LANCZOS, box), (left, 0))
    return whole


def icon(side: int = 192) -> Image.Image:
    """A disc, half in gray, half in color, with a little room around it."""
    large = Image.new("RGBA", (4 * side, 4 * side))
    draw = ImageDraw.Draw(large)
    room = large.width // 24
    disc = room, room, large.width - room, large.height - room
    draw.pieslice(disc, 90, 270, fill="#57534e")
    draw.pieslice(disc, 270, 90, fill=ORANGE)
    small = large.resize((side, side), Image.Resampling.LANCZOS)
    return small.quantize(32, Image.Quantize.FASTOCTREE)


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["default"])
