"""Draw the README's pictures: resources/results.png (gray, colored, original) and hints.png.

The photographs are the samples that were in color once (see make_samples.py), so that the guess can
be held against the truth, and hints can be taken from it:
`python scripts/make_results.py [--weights NAME_OR_FILE] [--out FOLDER]`.
"""

import argparse
import io
from pathlib import Path

import make_samples  # beside this file
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix import Colorizer

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
HINTS = {  # x and y as shares of width and height; the color is the original's there
    "coffee": ((0.2, 0.5), (0.7, 0.4), (0.6, 0.9), (0.5, 0.4), (0.1, 0.8), (0.9, 0.8)),
    "astronaut": ((0.2, 0.6), (0.5, 0.6), (0.2, 0.8), (0.4, 0.9), (0.3, 0.8), (0.6, 0.3)),
    "cat": ((0.29, 0.42), (0.47, 0.84), (0.5, 0.5), (0.9, 0.3)),
}
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


def told(colorizer: Colorizer) -> dict[str, list[Image.Image]]:
    """As `rows`: the gray photographs with the hints as dots, colored without them and with."""
    made: dict[str, list[Image.Image]] = {"hints": [], "without": [], "with": []}
    for sample in make_samples.PHOTOS:
        if sample.name not in HINTS:
            continue
        original = make_samples.load(sample).convert("RGB")
        dots = make_samples.gray(sample).convert("RGB")
        gray = np.asarray(dots)
        hints = []
        for x, y in HINTS[sample.name]:
            x, y, radius = int(x * dots.width), int(y * dots.height), dots.height // 40
            color = tuple(original.resize(dots.size).getpixel((x, y)))
            hints.append((x, y, color))
            box = (x - radius, y - radius, x + radius, y + radius)
            ImageDraw.Draw(dots).ellipse(box, color, "white", max(1, radius // 4))
        images = dots, colorizer.rgb(gray), colorizer.rgb(gray, hints=hints)
        for row, image in zip(made.values(), images, strict=True):
            image = image if isinstance(image, Image.Image) else Image.fromarray(image)
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
    parser.add_argument("--out", type=Path, default=RESOURCES)
    arguments = parser.parse_args()
    colorizer = Colorizer.from_pretrained(arguments.weights, device="cpu")
    for name, made in (("results.png", rows(colorizer)), ("hints.png", told(colorizer))):
        buffer, sheet = io.BytesIO(), draw(made)
        sheet.save(buffer, "PNG", optimize=True)
        if buffer.tell() > MAX_BYTES:
            raise SystemExit(f"{buffer.tell():,} bytes, more than {MAX_BYTES:,}: lower HEIGHT")
        (arguments.out / name).write_bytes(buffer.getvalue())
        print(f"{name}: {sheet.width} x {sheet.height}, {buffer.tell() / 1000:.0f} kB")


if __name__ == "__main__":
    main()
