"""Draw resources/results.png, the picture at the top of the README: gray, colored, original.

The photographs are the samples that were in color once (see make_samples.py), so that the guess can
be held against the truth: `python scripts/make_results.py [--weights NAME_OR_FILE] [--out FILE]`.
"""

import argparse
import io
from pathlib import Path

import make_samples  # beside this file
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix import Colorizer

RESULTS = Path(__file__).resolve().parent.parent / "resources" / "results.png"
HEIGHT, GAP, MARGIN = 168, 8, 26  # [px] of a photo, between photos, of the captions
MAX_BYTES = 600_000
INK = (128, 128, 128, 255)  # legible on a white page and on a dark one
STEP = 4  # [levels] that colors are rounded to: not seen, and it halves the file


def rows(colorizer: Colorizer) -> dict[str, list[Image.Image]]:
    """The photographs of each row, HEIGHT pixels high, by the row's caption."""
    made: dict[str, list[Image.Image]] = {"gray": [], "colored": [], "original": []}
    for sample in make_samples.PHOTOS:
        original = make_samples.load(sample)
        if original.mode != "RGB":
            continue
        gray = make_samples.gray(sample).convert("RGB")
        colored = Image.fromarray(colorizer.rgb(np.asarray(gray)))
        for row, image in zip(made.values(), (gray, colored, original), strict=True):
            size = round(image.width * HEIGHT / image.height), HEIGHT
            row.append(image.resize(size, Image.Resampling.LANCZOS))
    return made


def draw(made: dict[str, list[Image.Image]]) -> Image.Image:
    """Rows of photographs on a transparent sheet, each row with its caption at the left, upward."""
    widths = [image.width for image in next(iter(made.values()))]
    width = MARGIN + sum(widths) + GAP * (len(widths) - 1)
    sheet = Image.new("RGBA", (width, (HEIGHT + GAP) * len(made) - GAP))
    for i, (caption, images) in enumerate(made.items()):
        y = i * (HEIGHT + GAP)
        label = Image.new("RGBA", (HEIGHT, MARGIN))
        place = HEIGHT // 2, MARGIN // 2 - 2
        ImageDraw.Draw(label).text(place, caption, INK, ImageFont.load_default(15), anchor="mm")
        sheet.paste(label.transpose(Image.Transpose.ROTATE_90), (0, y))
        x = MARGIN
        for image in images:
            sheet.paste(rounded(image), (x, y))
            x += image.width + GAP
    return sheet


def rounded(image: Image.Image) -> Image.Image:
    """The image with its values rounded to multiples of STEP; white stays white."""
    return image.point([min(255, round(v / STEP) * STEP) for v in range(256)] * 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    buffer = io.BytesIO()
    sheet = draw(rows(Colorizer.from_pretrained(arguments.weights, device="cpu")))
    sheet.save(buffer, "PNG", optimize=True)
    if buffer.tell() > MAX_BYTES:
        raise SystemExit(f"{buffer.tell():,} bytes, more than {MAX_BYTES:,}: lower HEIGHT")
    arguments.out.write_bytes(buffer.getvalue())
    print(f"{arguments.out}: {sheet.width} x {sheet.height}, {buffer.tell() / 1000:.0f} kB")


if __name__ == "__main__":
    main()
