"""Recolor: the lightness of a large picture joined to a small ab, strip by strip.

A photo has far more pixels than different colors: 256 grays times the chroma that the net
predicts, in steps as fine as 8-bit RGB itself. So each of those goes the way through Lab once, into
a table, and a pixel costs one look-up. Where they are too many for that to pay, every pixel goes
all the way, which takes ten times as long. Pictures of 16 bits always do.
"""

import math

import numpy as np

from pix2pix import color
from pix2pix.colorize.chroma import BIN, Chroma, Upsampled, quantized
from pix2pix.colorize.lightness import STRIP, Scratch, as_stored, gray_levels, lightness, of_grays
from pix2pix.strips import Strip, parallel, strips

__all__ = ["Upsampled", "gray_levels", "recolor", "recolor16"]

_FINE = 0.5  # step of a*, b*: off by a quarter, as 8-bit RGB itself
COARSE = 1.0
"""A step that is off by a half: a table of coarser ones is not worth it."""
_ROUGH = 5e-3  # the share of places at which one chroma for 2x2 pixels may be off by more than that


def recolor(rgb: np.ndarray, ab: np.ndarray, grays: np.ndarray | None = None) -> np.ndarray:
    """Picture (H, W, 3) uint8 and ab (2, h, w) float32 -> (H, W, 3) uint8 sRGB.

    `ab` holds a*, b*; it is upsampled bicubically. Lightness is the picture's own, in `grays` where
    its `gray_levels` are known already; where sRGB has no such color, chroma is compressed as in
    color.lab_to_rgb. The result is a view of (H, W, 4), and does not depend on the number of
    threads.
    """
    rgb = as_stored(rgb)
    height, width = rgb.shape[:2]
    result = np.empty((height, width, 4), np.uint8)
    step = step_of(ab, height, width)
    if step <= COARSE:
        grays = gray_levels(rgb) if grays is None else grays
        chroma = quantized(ab, grays, 2 if is_smooth(ab, height, width) else 1, step)
        if chroma is not None:
            _by_table(grays, chroma, result)
            return result[..., :3]
    by_pixel(rgb, Upsampled(ab, height, width), result)
    return result[..., :3]


def step_of(ab: np.ndarray, height: int, width: int) -> float:
    """The step of a*, b* with which a table has half as many entries as a picture has pixels."""
    return max(_FINE, math.sqrt(2 * 256 * float(np.ptp(ab, (1, 2)).prod()) / (height * width)))


def recolor16(grays: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Grays (H, W) uint16 and ab (2, h, w) float32 -> (H, W, 3) uint16 sRGB, as `recolor`.

    Every pixel goes through Lab: a table of 65,536 grays would be too large, one of fewer, or of
    chroma in steps, would show where a 16-bit copy is edited. In float32, a gray of no chroma comes
    back within 2 of its 65,536 levels.
    """
    result = np.empty((*grays.shape, 3), np.uint16)
    by_pixel16(grays, Upsampled(ab, *grays.shape), result)
    return result


def by_pixel16(grays: np.ndarray, upsampled: Upsampled, result: np.ndarray, top: int = 0) -> None:
    """Fill result (H, W, 3) with the colors of grays (H, W) uint16, which have `top` rows above."""
    levels = (np.arange(65536) / 65535).astype(np.float32).reshape(1, 256, 256)
    ramp = color.rgb_to_lab(levels.repeat(3, 0))[0].ravel()

    def work(strip: Strip) -> None:
        pixels = grays[strip]
        lab = np.empty((3, *pixels.shape), np.float32)
        ramp.take(pixels, out=lab[0], mode="wrap")
        lab[1:] = upsampled[slice(top + strip[0].start, top + strip[0].stop), strip[1]]
        rgb = color.lab_to_rgb(lab)
        rgb *= 65535
        result[strip] = np.rint(np.moveaxis(rgb, 0, -1))

    parallel(work, strips(*grays.shape, pixels=STRIP // 4))


def is_smooth(ab: np.ndarray, height: int, width: int) -> bool:
    """Whether one chroma does for 2x2 pixels of a picture, whose middle is half a pixel from each.

    So it does in large, gentle enlargements: where half a pixel down, or to the right, ab
    changes by less than a fine step at 995 of 1,000 places. The others are the edges that smoothing
    leaves sharp, where that is half a pixel's way. A JPEG keeps no more of it.
    """
    for axis, side in ((1, height), (2, width)):
        most = 2 * _FINE * side / ab.shape[axis]  # from one place of ab to the next
        if side < 2 * ab.shape[axis] or np.mean(np.abs(np.diff(ab, axis=axis)) > most) > _ROUGH:
            return False
    return True


def by_pixel(rgb: np.ndarray, upsampled: Upsampled, result: np.ndarray, top: int = 0) -> None:
    """Fill result (H, W, 4) with the colors of rgb (H, W, 3), which has `top` rows above it."""

    def work(strip: Strip) -> None:
        pixels = rgb[strip]
        lab = np.empty((3, *pixels.shape[:2]), np.float32)
        lab[0] = lightness(pixels)
        lab[1:] = upsampled[slice(top + strip[0].start, top + strip[0].stop), strip[1]]
        result[strip][..., :3] = color.lab_to_rgb8(lab)
        result[strip][..., 3] = 255

    parallel(work, strips(*rgb.shape[:2], pixels=STRIP // 4))


def _by_table(grays: np.ndarray, chroma: Chroma, result: np.ndarray) -> None:
    table, starts = color_table(chroma)
    colors, block, scratch = result.view(np.uint32)[..., 0], chroma.block, Scratch()

    def work(strip: Strip) -> None:
        part = tuple(slice(side.start * block, side.stop * block) for side in strip)
        out = colors[part]
        index = scratch.index[: out.size].reshape(out.shape)
        np.copyto(index, grays[part])
        start = starts.take(chroma.cells[strip])
        if block > 1:
            start = start.repeat(block, 1)[:, : out.shape[1]]
        for k in range(block):
            rows = index[k::block]
            rows += start[: len(rows)]
        table.take(index, out=out, mode="wrap")

    parallel(work, strips(*chroma.cells.shape, pixels=STRIP // block**2))


def color_table(chroma: Chroma) -> tuple[np.ndarray, np.ndarray]:
    """The colors (N,) uint32 of chroma with grays, as bytes R, G, B, 255.

    And where the 256 of a cell begin, (all cells,) intp. Only what occurs is filled in.
    """
    occur = chroma.units.any(1)
    starts = (occur.cumsum() - 1) * 256
    table = np.zeros((np.count_nonzero(occur) * 256 // BIN, BIN, 4), np.uint8)
    cells, bins = np.nonzero(chroma.units)
    places, ramp = starts[cells] // BIN + bins, of_grays().reshape(-1, BIN)

    def work(strip: Strip) -> None:
        some = strip[0]
        lab = np.empty((3, len(cells[some]), BIN), np.float32)
        lab[0], lab[1:] = ramp[bins[some]], chroma.colors[:, cells[some], None]
        rgb = np.full((*lab.shape[1:], 4), 255, np.uint8)
        rgb[..., :3] = color.lab_to_rgb8(lab)
        table[places[some]] = rgb

    parallel(work, strips(len(cells), BIN, pixels=STRIP // 2))
    return table.view(np.uint32).reshape(-1), starts
