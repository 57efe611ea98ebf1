"""A photograph before and after, and the hints that were given."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from pix2pix.show.pictures import Picture, Rgb, to_rgb


def before_after(before: Rgb, after: Rgb, at: float = 0.5, *, side: int = 320) -> Picture:
    """`after` over the share `at` (0 to 1) of the width, from the left, `before` over the rest.

    Both are brought to a height of `side` pixels and the width of `before`.
    """
    height, width = to_rgb(before).shape[:2]
    size = (max(1, round(width * side / height)), side)
    left, sheet = (
        Image.fromarray(to_rgb(x)).resize(size, Image.Resampling.LANCZOS) for x in (after, before)
    )
    edge = round(size[0] * min(1.0, max(0.0, at)))
    sheet.paste(left.crop((0, 0, edge, side)), (0, 0))
    if 0 < edge < size[0]:
        ImageDraw.Draw(sheet).line([(edge, 0), (edge, side)], (255, 255, 255), 2)
    return Picture(sheet)


def dots(
    photo: Rgb, hints: Sequence[tuple[float, float, Sequence[int]]], *, side: int = 320
) -> Picture:
    """A photograph, `side` pixels tall, with a dot of its color at each hint (x, y, (r, g, b))."""
    rgb = to_rgb(photo)
    scale = side / rgb.shape[0]
    size = (max(1, round(rgb.shape[1] * scale)), side)
    sheet = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(sheet)
    for x, y, (red, green, blue) in hints:
        for radius, color in ((9, (0, 0, 0)), (8, (255, 255, 255)), (6, (red, green, blue))):
            x0, y0 = x * scale, y * scale
            draw.ellipse((x0 - radius, y0 - radius, x0 + radius, y0 + radius), color)
    return Picture(sheet)
