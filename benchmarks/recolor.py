"""Recoloring a photo, a small ab laid over its lightness: CPU time a megapixel beside a plain copy.

    python benchmarks/recolor.py [--megapixels 1 4 12 24] [--threads 2]

A drawn scene with fine noise in gray (one plane) and in color (RGBX, as it comes out of a JPEG), ab
of 160 x 224 in 70 blotches. Printed per size: milliseconds of CPU a megapixel on one thread, those
of the gray levels alone, which can be had while a net runs, wall clock on `--threads` threads, CPU
time over that of copying the result's bytes, in turns with it, and memory above the picture in
bytes a pixel. Bars, from 4 megapixels on: 10 ms in gray, 14 in color, 8 bytes. Exit status 1 when
one is missed.
"""

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from pix2pix.colorize.recolor import gray_levels, recolor
from pix2pix.strips import set_share

BARS = {"gray": 10.0, "color": 14.0}  # [CPU ms a megapixel]
BYTES = 8  # above the picture, a pixel
FROM = 4  # [megapixels]


def smooth(height: int, width: int, rows: int, columns: int, seed: int) -> np.ndarray:
    """Blotches (height, width) float32 in [0, 1]."""
    few = np.random.default_rng(seed).random((rows, columns), np.float32)
    return np.asarray(Image.fromarray(few).resize((width, height), Image.Resampling.BICUBIC))


def picture(kind: str, megapixels: float) -> np.ndarray:
    """(H, W, 3) uint8, 4:3: shapes with edges and the noise of a good scan."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    shape = height, round(height * 4 / 3)
    noise = np.random.default_rng(0).integers(-3, 4, shape, dtype=np.int8)
    planes = np.full((*shape, 4), 255, np.uint8)
    for channel in range(1 if kind == "gray" else 3):
        levels = 255 * smooth(*shape, 9, 12, channel)
        levels[smooth(*shape, 20, 30, 9) > 0.6] *= 0.5
        levels += noise
        planes[..., channel] = levels.clip(0, 255)
    return (
        np.broadcast_to(planes[..., :1].copy(), (*shape, 3)) if kind == "gray" else planes[..., :3]
    )


def predicted() -> np.ndarray:
    """Ab (2, 160, 224) float32: a* in [-8, 24], b* in [-4, 28] or so."""
    a, b = smooth(160, 224, 7, 10, 1), smooth(160, 224, 7, 10, 2)
    return np.stack((a * 32 - 8, b * 32 - 4))


def least(work: Callable[[], object], beside: Callable[[], object], rounds: int) -> list[float]:
    """The least CPU seconds of both, in turns, and the least wall clock of the first."""
    best = [float("inf")] * 3
    for _ in range(rounds):
        start, wall = time.process_time(), time.perf_counter()
        work()
        spent, middle = time.perf_counter() - wall, time.process_time()
        beside()
        best = list(map(min, best, (middle - start, time.process_time() - middle, spent)))
    return best


def peak(work: Callable[[], object]) -> int:
    """The most memory [bytes] that numpy held within."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 12, 24])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    ab, missed = predicted(), False
    print("         MP  CPU ms/MP  of which grays  wall ms/MP  x copy  bytes/pixel")
    for kind in BARS:
        for megapixels in options.megapixels:
            rgb = picture(kind, megapixels)
            million, rounds = rgb[..., 0].size / 1e6, 5 if megapixels <= FROM else 3
            work, copied = partial(recolor, rgb, ab), recolor(rgb, ab).base.copy
            set_share(1)
            cpu, copy, _ = least(work, copied, rounds)
            grays, _, _ = least(partial(gray_levels, rgb), copied, rounds)
            held = peak(work) / (million * 1e6)
            set_share(options.threads)
            _, _, wall = least(work, copied, rounds)
            figures = [1e3 * seconds / million for seconds in (cpu, grays, wall)]
            bad = megapixels >= FROM and (held > BYTES or figures[0] > BARS[kind])
            missed |= bad
            print(
                f"{kind:6} {megapixels:4g}  {figures[0]:9.2f}  {figures[1]:14.2f}"
                f"  {figures[2]:10.2f}  {cpu / copy:6.1f}  {held:11.1f}{'  missed' * bad}",
                flush=True,
            )
    print(f"bars from {FROM} MP on: {BARS} ms/MP, {BYTES} bytes a pixel")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
