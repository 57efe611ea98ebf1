"""Photographs and what is drawn on them, as small pictures with labels."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pix2pix.color import compress_chroma, lab_to_rgb, rgb_to_lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Rgb: TypeAlias = "np.ndarray | Tensor | Image.Image | Picture"
_PAPER, _INK, _GAP = (255, 255, 255), (31, 35, 40), 4
_EITHER = "#7a7a7a"  # 4.3:1 on white, as much on GitHub's dark ground
_MOST_BYTES = 24_000  # of a JPEG, where a coarser one keeps to it
_SIGN = ((255, 214, 10), (0, 200, 255), (255, 80, 160), (120, 230, 90), (255, 140, 40))


class Picture:
    """A picture for a notebook, `image` its PIL image: JPEG unless it moves or `png` is set.

    Large JPEGs are coarser, down to a quality of 54: notebooks hold dozens of them.
    """

    def __init__(self, image: Image.Image, *, png: bool = False):
        self.image, self.png = image, png

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8, on white where it is transparent."""
        return np.asarray(on_paper(self.image))

    def encoded(self) -> tuple[str, bytes]:
        """Its mime type, and the bytes of the file."""
        if self.png:
            buffer = io.BytesIO()
            self.image.save(buffer, "PNG", optimize=True)
            return "image/png", buffer.getvalue()
        image = on_paper(self.image)
        for quality in (78, 70, 62, 54):
            buffer = io.BytesIO()
            image.save(
                buffer, "JPEG", quality=quality, subsampling=1, optimize=True, progressive=True
            )
            if buffer.tell() <= _MOST_BYTES:
                break
        return "image/jpeg", buffer.getvalue()

    def _repr_mimebundle_(self, **chosen: object) -> dict[str, bytes | str]:
        mime, data = self.encoded()
        return {mime: data, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Picture {self.image.width}x{self.image.height}>"


def on_paper(image: Image.Image) -> Image.Image:
    """The image as RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    paper = Image.new("RGBA", image.size, _PAPER)
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("RGB")


def to_rgb(picture: Rgb) -> np.ndarray:
    """A photograph in any of the forms met here -> (H, W, 3) uint8.

    Arrays are (H, W, 3) or (H, W), uint8 or in [0, 1]; tensors (3, H, W) or (1, 3, H, W), uint8 or
    in [0, 1]; PIL images of any mode. Raises ValueError for other shapes.
    """
    if isinstance(picture, Picture):
        return picture.rgb
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if isinstance(picture, Tensor):
        picture = picture.detach().cpu()
        picture = picture[0] if picture.ndim == 4 and len(picture) == 1 else picture
        if picture.ndim != 3 or len(picture) not in (1, 3):
            raise ValueError(f"tensor of shape {tuple(picture.shape)}; it must be (3, H, W)")
        picture = picture.expand(3, -1, -1).permute(1, 2, 0).numpy()
    if picture.dtype != np.uint8:
        picture = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"array of shape {picture.shape}; it must be (H, W, 3)")
    return np.ascontiguousarray(picture)


def grid(
    rows: Sequence[Any],
    *,
    columns: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    side: int = 160,
) -> Picture:
    """Rows of photographs as one picture: `columns` above them, `labels` before each row.

    Each is shrunk or enlarged to a height of `side` pixels; where rows differ in their photographs'
    shape, to one width instead, so that columns stay together. A flat list is one row.
    """
    table = [list(row) if isinstance(row, (list, tuple)) else [row] for row in rows]
    if all(not isinstance(row, (list, tuple)) for row in rows):
        table = [list(rows)]
    cells = _fitted([[to_rgb(cell) for cell in row] for row in table], side)
    widths = [max(r[i].width for r in cells if i < len(r)) for i in range(max(map(len, cells)))]
    heights = [max(cell.height for cell in row) for row in cells]
    across = sum(widths) + _GAP * (len(widths) - 1)
    font = ImageFont.load_default(size=_text_size(across))
    left = max((int(font.getlength(t)) + 10 for t in labels or []), default=0)
    top = _line(font) if columns else 0
    sheet = Image.new("RGB", (left + across, top + sum(heights) + _GAP * (len(cells) - 1)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for i, text in enumerate(columns or []):
        x = left + sum(widths[:i]) + _GAP * i
        draw.text((x + 2, 2), _fitting(text, widths[i], font), _INK, font)
    for j, row in enumerate(cells):
        y = top + sum(heights[:j]) + _GAP * j
        if labels:
            draw.text((2, y + heights[j] / 2), labels[j], _INK, font, anchor="lm")
        for i, cell in enumerate(row):
            x = left + sum(widths[:i]) + _GAP * i + (widths[i] - cell.width) // 2
            sheet.paste(cell, (x, y))
    return Picture(sheet)


def _fitted(table: list[list[np.ndarray]], side: int) -> list[list[Image.Image]]:
    """The cells at one height, or at one width where each row is of one shape, but not all are."""

    def width(cell: np.ndarray) -> float:
        return cell.shape[1] * side / cell.shape[0]

    wide = [[width(cell) for cell in row] for row in table]
    uniform = all(max(row) - min(row) <= 1 for row in wide)
    firsts = [row[0] for row in wide]
    if not uniform or max(firsts) - min(firsts) <= 1:
        return [[_scaled(cell, side) for cell in row] for row in table]
    common = float(np.exp(np.log(firsts).mean()))  # as much above `side` as below it
    return [
        [_scaled(cell, round(side * common / width(cell)), round(common)) for cell in row]
        for row in table
    ]


def _text_size(width: int) -> int:
    """Height of text on a picture of a width [px]: 13 when a page shows it, about 800 px wide."""
    return max(13, round(13 * width / 800))


def _line(font: Font) -> int:
    """Height of a line of text [px]."""
    return round(1.54 * getattr(font, "size", 13))


def titled(image: Image.Image, text: str, *, width: int = 0) -> Image.Image:
    """The image with a line of text above it, on a ground at least `width` wide."""
    width = max(width, image.width)
    font = ImageFont.load_default(size=_text_size(width))
    top = _line(font)
    clear = image.mode == "RGBA"
    ground, ink = ((255, 255, 255, 0), _EITHER) if clear else (_PAPER, _INK)
    sheet = Image.new("RGBA" if clear else "RGB", (width, image.height + top), ground)
    sheet.paste(image if clear else image.convert("RGB"), (0, top))
    ImageDraw.Draw(sheet).text((2, 2), _fitting(text, width, font), ink, font)
    return sheet


def _fitting(text: str, width: int, font: Font) -> str:
    """The text, cut where it would run into the next column."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def _scaled(rgb: np.ndarray, height: int, width: int = 0) -> Image.Image:
    """At that height; its width follows, unless it is given."""
    image = Image.fromarray(rgb)
    width = width or max(1, round(image.width * height / image.height))
    enlarged = height > image.height * 2  # single pixels are the point then
    how = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
    return image.resize((width, max(1, height)), how)


def channels(photo: Rgb, *, side: int = 160) -> Picture:
    """A photograph split into lightness L*, green-red a* and blue-yellow b*, in their own colors.

    a* and b* are drawn at a lightness of 60, compressed into sRGB.
    """
    rgb = to_rgb(photo)
    lab = rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1) / 255)  # (3, H, W)
    zero, middle = torch.zeros_like(lab[0]), torch.full_like(lab[0], 60)
    parts = (
        torch.stack((lab[0], zero, zero)),
        torch.stack((middle, lab[1], zero)),
        torch.stack((middle, zero, lab[2])),
    )
    pictures = [rgb, *(lab_to_rgb(part) for part in parts)]
    return grid(
        pictures, columns=["photo", "L*", "a*: green to red", "b*: blue to yellow"], side=side
    )


def ab_plane(L: float, *, at: Sequence[tuple[float, float]] = (), side: int = 240) -> Picture:
    """All colors of one lightness: a* to the right, b* upwards, -110 to 110; outside sRGB blank.

    `L` in [0, 100]. `at` are colors (a*, b*) to mark.
    """
    axis = torch.linspace(-110, 110, side)
    b, a = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    lab = torch.stack((torch.full_like(a, L), a, b))  # (3, side, side)
    inside = (compress_chroma(lab) - lab).abs().amax(0) < 1e-3
    rgb = torch.where(inside, lab_to_rgb(lab), torch.tensor(0.94))
    image = Image.fromarray(to_rgb(rgb))
    draw = ImageDraw.Draw(image)
    middle = (side - 1) / 2
    draw.line([(middle, 0), (middle, side)], (160, 160, 160))
    draw.line([(0, middle), (side, middle)], (160, 160, 160))
    for a_star, b_star in at:
        x, y = middle * (1 + a_star / 110), middle * (1 - b_star / 110)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=_INK, width=2)
    return Picture(image, png=True)


def patches(photo: Rgb, boxes: Sequence[tuple[float, float, float]], *, side: int = 256) -> Picture:
    """A photograph with squares drawn on it: `boxes` are (left, top, size) in its pixels."""
    rgb = to_rgb(photo)
    scale = side / rgb.shape[0]
    image = _scaled(rgb, side)
    draw = ImageDraw.Draw(image)
    for i, (left, top, size) in enumerate(boxes):
        corners = [left * scale, top * scale, (left + size) * scale - 1, (top + size) * scale - 1]
        draw.rectangle(corners, outline=_SIGN[i % len(_SIGN)], width=2)
    return Picture(image)


def heat(
    photo: Rgb,
    scores: Tensor | np.ndarray,
    *,
    low: float = 0,
    high: float = 1,
    mix: float = 0.65,
) -> Picture:
    """A heat map over a photograph: `scores` (h, w), dark blue at `low`, yellow at `high`.

    `mix` is the map's share of the picture, the rest is the photo in gray: 1 is the map alone.
    """
    from matplotlib import colormaps

    rgb = to_rgb(photo)
    values = scores.detach().cpu().numpy() if isinstance(scores, Tensor) else scores
    share = np.clip((values.squeeze() - low) / (high - low), 0, 1)
    colors = (colormaps["cividis"](share)[..., :3] * 255).astype(np.uint8)
    over = Image.fromarray(colors).resize(rgb.shape[1::-1], Image.Resampling.NEAREST)
    gray = Image.fromarray(rgb).convert("L").convert("RGB")
    return Picture(Image.blend(gray, over, mix))


def figure(plot: "Figure") -> Picture:
    """A matplotlib figure as a picture; it is closed, so that it is not shown twice.

    Its ground is transparent, and black text and lines turn gray: light and dark pages can both be
    read through it.
    """
    import matplotlib.pyplot as plt

    _without_ground(plot)
    buffer = io.BytesIO()
    plot.savefig(buffer, format="png", dpi=90, bbox_inches="tight", transparent=True)
    plt.close(plot)
    image = Image.open(buffer).convert("RGBA")
    return Picture(
        image.quantize(96, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE), png=True
    )


def _without_ground(plot: "Figure") -> None:
    """What matplotlib draws in black, in a gray of equal contrast to white and to near black."""
    from matplotlib.colors import to_rgba
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    def black(color: Any) -> bool:
        return isinstance(color, (str, tuple)) and max(to_rgba(color)[:3]) < 0.2

    kinds = (Text, Line2D, Spine, FancyArrowPatch)
    artists: list[Any] = plot.findobj(lambda artist: isinstance(artist, kinds))
    for artist in artists:
        line = isinstance(artist, (Text, Line2D))
        if black(artist.get_color() if line else artist.get_edgecolor()):
            artist.set_color(_EITHER)
        arrow = getattr(artist, "arrow_patch", None)  # of an annotation
        if arrow is not None and black(arrow.get_edgecolor()):
            arrow.set_color(_EITHER)
        if isinstance(artist, Line2D):  # ticks are markers
            if black(artist.get_markeredgecolor()):
                artist.set_markeredgecolor(_EITHER)
            if black(artist.get_markerfacecolor()):
                artist.set_markerfacecolor(_EITHER)
    for axes in plot.axes:
        if legend := axes.get_legend():
            legend.get_frame().set(facecolor="none", edgecolor=_EITHER)
